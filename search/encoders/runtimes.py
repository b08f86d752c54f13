"""Runtimes for exported models: ONNX Runtime, and OpenVINO where it is installed.

ONNX Runtime starts in half the time and computes in the precision of the file: it encodes queries, of a command and of
a server, so that both find the same. OpenVINO computes in bfloat16 where the processor has instructions for it, and is
then up to four times as fast on passages: it suits a process that embeds many there. On other processors it is slower
than ONNX Runtime (both measured by `benchmarks.text_encoders` and `benchmarks.image_throughput`). Both read the same
file, and an export records each runtime's least cosine to the original model.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from search.errors import ModelUnavailable

Inputs = Mapping[str, NDArray[Any]]

ONNX_RUNTIME = "onnxruntime"
OPENVINO = "openvino"
LEAST_COSINE = 0.999  # to the original; a runtime below it is not used for the model
# Held during a thread's first inference by OpenVINO. The first of a process fills tables under a lock of C++, without
# Python's for a moment; a second thread that comes then waits for the one while it holds the other, and both wait for
# ever (openvino 2026.4: two threads that began to read pictures).
OPENVINO_STARTS = threading.Lock()


class Runtime(Protocol):
    """Runs a model with one output, from any thread."""

    @property
    def name(self) -> str:
        """The library's name."""

    @property
    def tokens(self) -> int:
        """The number of tokens, padding included, in the fastest batch of texts."""

    @property
    def multiple(self) -> int:
        """Pad texts to a multiple of this many tokens: the runtime compiles the model once for each new length."""

    def run(self, inputs: Inputs) -> NDArray[np.float32]:
        """Return the model's output."""


@dataclass(frozen=True)
class OnnxRuntime:
    """A model in ONNX Runtime."""

    session: Any
    name: str = ONNX_RUNTIME
    tokens: int = 512
    multiple: int = 1

    @classmethod
    def open(cls, model: Path, *, threads: int = 0) -> OnnxRuntime:
        """Return the model in an ONNX file, to be run by `threads` threads; 0 for one on each core."""
        from onnxruntime import InferenceSession, SessionOptions

        options = SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        # Spinning while waiting would take a core from the server's other requests.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        return cls(InferenceSession(str(model), options, providers=["CPUExecutionProvider"]))

    def run(self, inputs: Inputs) -> NDArray[np.float32]:
        """Return the model's output."""
        found: NDArray[np.float32] = self.session.run(None, dict(inputs))[0]
        return found


class OpenedLater:
    """A runtime that is opened when it is first used."""

    def __init__(self, open_runtime: Callable[[], Runtime]) -> None:
        self._open = open_runtime
        self._lock = threading.Lock()
        self._opened: Runtime | None = None

    @property
    def name(self) -> str:
        """The library's name."""
        return self._runtime().name

    @property
    def tokens(self) -> int:
        """The number of tokens, padding included, in the fastest batch of texts."""
        return self._runtime().tokens

    @property
    def multiple(self) -> int:
        """Pad texts to a multiple of this many tokens."""
        return self._runtime().multiple

    def run(self, inputs: Inputs) -> NDArray[np.float32]:
        """Return the model's output; raise ModelUnavailable when it cannot be opened."""
        return self._runtime().run(inputs)

    def _runtime(self) -> Runtime:
        with self._lock:
            if self._opened is None:
                try:
                    self._opened = self._open()
                except Exception as error:  # each runtime raises its own exception types, none of them public
                    reason = str(error).strip().splitlines()[0]
                    raise ModelUnavailable(
                        f"A text encoder is damaged: {reason}", hint="Run `memetica index`."
                    ) from error
            return self._opened


@dataclass(frozen=True)
class OpenVino:
    """A model in OpenVINO, in the precision that is fastest on this processor."""

    model: Any
    requests: threading.local
    name: str = OPENVINO
    tokens: int = 1024
    multiple: int = 16

    @classmethod
    def open(cls, model: Path, *, threads: int = 0) -> OpenVino:
        """Return the model in an ONNX file, to be run by `threads` threads; 0 for one on each core."""
        import openvino

        # Pinned threads would compete with those of another process for the same cores.
        wanted = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads, "ENABLE_CPU_PINNING": False}
        return cls(openvino.Core().compile_model(str(model), "CPU", wanted), threading.local())

    def run(self, inputs: Inputs) -> NDArray[np.float32]:
        """Return the model's output."""
        # A request has its own memory and serves one thread.
        request = getattr(self.requests, "own", None)
        if request is None:
            with OPENVINO_STARTS:
                request = self.requests.own = self.model.create_infer_request()
                return _inferred(request, inputs)
        return _inferred(request, inputs)


def _inferred(request: Any, inputs: Inputs) -> NDArray[np.float32]:
    found: NDArray[np.float32] = np.array(request.infer(dict(inputs))[0])
    return found


def has_openvino() -> bool:
    """Return whether OpenVINO is installed."""
    return find_spec(OPENVINO) is not None


@cache
def has_bfloat16() -> bool:
    """Return whether OpenVINO is installed and finds instructions for bfloat16 in this processor."""
    if not has_openvino():
        return False
    import openvino  # .4 s of processor time, for a process that runs long

    return "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


RuntimeKind = type[OnnxRuntime] | type[OpenVino]


def installed_runtimes() -> list[RuntimeKind]:
    """Return the runtimes that are installed."""
    return [OnnxRuntime, OpenVino] if has_openvino() else [OnnxRuntime]


def best_runtime(agreement: Mapping[str, float], *, long_running: bool) -> RuntimeKind:
    """Return the runtime to use for a model; `agreement` gives each runtime's least cosine to the original."""
    agrees = agreement.get(OPENVINO, 0) >= LEAST_COSINE
    return OpenVino if long_running and agrees and has_bfloat16() else OnnxRuntime


def openvino_request(model: Any, *, threads: int, shapes: int) -> Any:
    """Return an inference request for a model that OpenVINO has read, with a cache of compiled input shapes.

    The default cache holds 5,000 shapes: OCR then grew by 7 MB with each picture. A small one costs 1 % of the time.
    """
    import openvino

    wanted = {"INFERENCE_NUM_THREADS": threads, "ENABLE_CPU_PINNING": False, "CPU_RUNTIME_CACHE_CAPACITY": shapes}
    return openvino.Core().compile_model(model, "CPU", wanted).create_infer_request()
