"""Run an exported sentence-transformers model: an ONNX file, a tokenizer, and a manifest of how to use both."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from search.encoders.base import unit_rows
from search.encoders.coverage import Coverage, coverage_of
from search.encoders.minilm import batches, sha256
from search.encoders.runtimes import Runtime, best_runtime
from search.errors import ModelUnavailable

FORMAT = "sentence-1"  # a new name makes every export outdated
MODEL_FILE, TOKENIZER_FILE, MANIFEST_FILE = "model.onnx", "tokenizer.json", "manifest.json"
PREFIX = "text-"
HINT = "Run `memetica index` to export it."


@dataclass(frozen=True)
class SentenceManifest:
    """The files of an exported text encoder, and how to use it.

    `name` is stored with embeddings. `query` and `passage` are put before the texts of queries and of passages. Texts
    are cut after `max_tokens` tokens, or never if it is 0. `languages` are as the model's card lists them, empty if it
    does not. `agreement` gives each runtime's least cosine to the original.
    """

    name: str
    spec: str
    dimensions: int
    max_tokens: int
    pad: int
    special_tokens: bool
    query: str
    passage: str
    languages: tuple[str, ...]
    license: str
    parameters: int
    agreement: dict[str, float]
    made_with: dict[str, str]
    files: dict[str, dict[str, Any]]
    weights_from: dict[str, float]  # when each local file of the model was last modified, in seconds since 1970

    def write(self, folder: Path) -> None:
        """Write the manifest into the folder of the files that it lists."""
        written = {"format": FORMAT} | asdict(self)
        (folder / MANIFEST_FILE).write_text(json.dumps(written, indent=1, ensure_ascii=False) + "\n", "utf-8")


class SentenceEncoder:
    """A text encoder; any thread may use it.

    `is_calibrated` is false: what decides which hits match by meaning was fitted to the cosines of all-MiniLM-L6-v2.
    """

    is_calibrated = False

    def __init__(self, folder: Path, manifest: SentenceManifest, runtime: Runtime) -> None:
        """Open the exported files without checking them; `load_sentence_encoder` checks them."""
        self.manifest = manifest
        self.name = manifest.name
        self.dimensions = manifest.dimensions
        self.languages = manifest.languages
        self.runtime = runtime
        self._tokenizer = Tokenizer.from_file(str(folder / TOKENIZER_FILE))
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        if manifest.max_tokens:
            self._tokenizer.enable_truncation(manifest.max_tokens)

    @cached_property
    def coverage(self) -> Coverage:
        """The scripts that its tokenizer has words of."""
        return coverage_of(self._tokenizer)

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return a float32 row of length 1 for each passage, [n, dimensions]."""
        return self._rows(texts, prompt=self.manifest.passage)

    def encode_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return a float32 row of length 1 for each query, [n, dimensions]."""
        return self._rows(texts, prompt=self.manifest.query)

    def _rows(self, texts: Sequence[str], *, prompt: str) -> NDArray[np.float32]:
        rows = np.zeros((len(texts), self.dimensions), dtype=np.float32)
        encoded = self._tokenizer.encode_batch(
            [prompt + _without_surrogates(text) for text in texts], add_special_tokens=self.manifest.special_tokens
        )
        tokens = [one.ids for one in encoded]
        for batch in batches(tokens, most=self.runtime.tokens):
            longest = max(1, -(-len(tokens[batch[-1]]) // self.runtime.multiple) * self.runtime.multiple)
            ids = np.full((len(batch), longest), self.manifest.pad, dtype=np.int64)
            mask = np.zeros_like(ids)
            for row, at in enumerate(batch):
                ids[row, : len(tokens[at])] = tokens[at]
                mask[row, : len(tokens[at])] = 1
            rows[batch] = self.runtime.run({"input_ids": ids, "attention_mask": mask})
        # Computed in half precision, a row's length differs from 1 by up to a thousandth.
        return _with_direction(unit_rows(rows))


def _without_surrogates(text: str) -> str:
    # The tokenizer refuses lone surrogates, which JSON can contain.
    return text.encode("utf-8", "replace").decode("utf-8")


def _with_direction(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return rows of length 1: a static model has no row for a text without known words, which gets the first axis."""
    rows[~rows.any(axis=1), 0] = 1
    return rows


def encoder_folder(models: Path, name: str) -> Path:
    """Return the folder of the exported text encoder with this name."""
    return models / (PREFIX + re.sub(r"[^A-Za-z0-9.-]+", "-", name).strip("-"))


def prepared_text_encoders(models: Path) -> Iterator[tuple[Path, SentenceManifest]]:
    """Yield the folder and the manifest of each usable export, the newest first."""
    folders = [file.parent for file in models.glob(f"{PREFIX}*/{MANIFEST_FILE}")]
    for folder in sorted(folders, key=lambda folder: (folder / MANIFEST_FILE).stat().st_mtime, reverse=True):
        try:
            yield folder, read_sentence_manifest(folder)
        except ModelUnavailable:
            continue


def read_sentence_manifest(folder: Path, *, thoroughly: bool = False) -> SentenceManifest:
    """Return the manifest in a folder; raise ModelUnavailable when the export is missing, damaged or outdated.

    The files are hashed only when `thoroughly` is set, because hashing takes as long as a search.
    """

    def unusable(reason: str) -> ModelUnavailable:
        return ModelUnavailable(f"The text encoder in {folder} {reason}.", hint=HINT)

    try:
        written = json.loads((folder / MANIFEST_FILE).read_text("utf-8"))
        if written.pop("format", "") != FORMAT:
            raise unusable("was made by another version of Memetica")
        manifest = SentenceManifest(**(written | {"languages": tuple(written["languages"])}))
        for name, known in manifest.files.items():
            file = folder / name
            if file.stat().st_size != known["bytes"] or (thoroughly and sha256(file) != known["sha256"]):
                raise unusable(f"is damaged: {name} has changed since it was made")
    except FileNotFoundError as error:
        raise unusable("is missing") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise unusable(f"is damaged: {error}") from error
    return manifest


def load_sentence_encoder(
    models: Path, name: str, *, threads: int = 0, long_running: bool = False, for_queries: bool = False
) -> SentenceEncoder:
    """Return the exported text encoder of this name; raise ModelUnavailable when it is missing or damaged.

    With `long_running`, OpenVINO runs it where it is faster (`search.encoders.runtimes.best_runtime`): slower to start,
    faster for each text. The files are then checked byte by byte. With `for_queries`, ONNX Runtime runs it everywhere.
    Loaded encoders are cached.
    """
    folder = encoder_folder(models, name)
    manifest = read_sentence_manifest(folder)
    if manifest.name != name:
        raise ModelUnavailable(f"The text encoder in {folder} is {manifest.name}, not {name}.", hint=HINT)
    changed = (folder / MANIFEST_FILE).stat().st_mtime_ns
    with _LOADING:
        return _loaded(folder, changed, threads, long_running, long_running and not for_queries)


_LOADING = threading.Lock()


@lru_cache(maxsize=2)  # the one in use, and the one that replaces it
def _loaded(folder: Path, changed: int, threads: int, thoroughly: bool, for_many: bool) -> SentenceEncoder:
    manifest = read_sentence_manifest(folder, thoroughly=thoroughly)
    runtime = best_runtime(manifest.agreement, long_running=for_many)
    try:
        return SentenceEncoder(folder, manifest, runtime.open(folder / MODEL_FILE, threads=threads))
    except Exception as error:  # each runtime raises its own exception types, none of them public
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ModelUnavailable(f"The text encoder in {folder} is damaged: {reason}", hint=HINT) from error
