"""What runs an exported model: ONNX Runtime, or OpenVINO where it is installed and has time to start.

ONNX Runtime starts in half the time and keeps every number in single precision: it serves a command that asks once.
OpenVINO uses what the processor has (bfloat16 tiles, where there are any) and is up to four times as quick on passages
(benchmarks/text_encoders.py): it serves whoever asks often. Both read the same file, and an export says how near each
comes to the original.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Inputs = Mapping[str, NDArray[Any]]

ONNX_RUNTIME = "onnxruntime"
OPENVINO = "openvino"
LEAST_COSINE = 0.999  # to the original, below which a runtime is not trusted with a model


class Runtime(Protocol):
    """Runs a model of one output; any thread may ask it."""

    @property
    def name(self) -> str:
        """The library's name."""

    @property
    def tokens(self) -> int:
        """How many tokens a batch of texts holds where it is quickest, padding included."""

    @property
    def multiple(self) -> int:
        """Texts padded to a multiple of this many tokens are quickest: each new length is prepared for once."""

    def run(self, inputs: Inputs) -> NDArray[np.float32]:
        """Return the model's output."""


@dataclass(frozen=True)
class OnnxRuntime:
    """A model opened by ONNX Runtime."""

    session: Any
    name: str = ONNX_RUNTIME
    tokens: int = 512
    multiple: int = 1

    @classmethod
    def open(cls, model: Path, *, threads: int = 0) -> OnnxRuntime:
        """Return the model in an ONNX file, run by so many threads; 0 for one a core."""
        from onnxruntime import InferenceSession, SessionOptions

        options = SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        # A thread that spins while it waits takes a core from the server's other requests.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        return cls(InferenceSession(str(model), options, providers=["CPUExecutionProvider"]))

    def run(self, inputs: Inputs) -> NDArray[np.float32]:
        """Return the model's output."""
        found: NDArray[np.float32] = self.session.run(None, dict(inputs))[0]
        return found


@dataclass(frozen=True)
class OpenVino:
    """A model opened by OpenVINO, in the precision that the processor is quickest in."""

    model: Any
    requests: threading.local
    name: str = OPENVINO
    tokens: int = 1024
    multiple: int = 16

    @classmethod
    def open(cls, model: Path, *, threads: int = 0) -> OpenVino:
        """Return the model in an ONNX file, run by so many threads; 0 for one a core."""
        import openvino

        # Threads bound to cores would fight with those of another process on the same cores.
        wanted = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads, "ENABLE_CPU_PINNING": False}
        return cls(openvino.Core().compile_model(str(model), "CPU", wanted), threading.local())

    def run(self, inputs: Inputs) -> NDArray[np.float32]:
        """Return the model's output."""
        # A request holds its own memory and serves one thread.
        request = getattr(self.requests, "own", None)
        if request is None:
            request = self.requests.own = self.model.create_infer_request()
        found: NDArray[np.float32] = np.array(request.infer(dict(inputs))[0])
        return found


def has_openvino() -> bool:
    """Return whether OpenVINO is installed."""
    return find_spec(OPENVINO) is not None


Kind = type[OnnxRuntime] | type[OpenVino]


def installed_runtimes() -> list[Kind]:
    """Return the kinds of runtime that are installed."""
    return [OnnxRuntime, OpenVino] if has_openvino() else [OnnxRuntime]


def best_runtime(agreement: Mapping[str, float], *, long_running: bool) -> Kind:
    """Return what runs a model best, for who asks it often or once; `agreement` is each one's least cosine."""
    return OpenVino if long_running and has_openvino() and agreement.get(OPENVINO, 0) >= LEAST_COSINE else OnnxRuntime


def request_of(model: Any, *, threads: int, shapes: int) -> Any:
    """Return what runs a model that OpenVINO has read, for one thread, keeping what it prepared for so many shapes.

    Left to itself it keeps 5,000: the reader of pictures grew by 7 MB a picture. It costs 1 % of the time.
    """
    import openvino

    wanted = {"INFERENCE_NUM_THREADS": threads, "ENABLE_CPU_PINNING": False, "CPU_RUNTIME_CACHE_CAPACITY": shapes}
    return openvino.Core().compile_model(model, "CPU", wanted).create_infer_request()
