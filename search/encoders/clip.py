"""Run an exported CLIP model: both towers as ONNX files, the tokenizer, and a manifest."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property, lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tokenizers import Tokenizer

from search.encoders.base import unit_rows
from search.encoders.clip_preprocess import ImagePreprocessing, TextPreprocessing
from search.encoders.coverage import Coverage, coverage_of
from search.encoders.runtimes import Runtime, RuntimeKind, best_runtime
from search.errors import ModelUnavailable

FORMAT = "clip-1"  # a new name makes every export outdated
IMAGE_FILE, TEXT_FILE, TOKENIZER_FILE, MANIFEST_FILE = "image.onnx", "text.onnx", "tokenizer.json", "manifest.json"
BATCH = 16  # pictures or texts in one call of a model
PREFIX = "clip-"
HINT = "Run `memetica index` to export it again."


@dataclass(frozen=True)
class ClipManifest:
    """The files of an exported model, and how to use it.

    `agreement` gives each runtime's least cosine to the original, over both towers. `scale` and `bias` turn dot
    products into logits: of a sigmoid for each text where there is a bias, else of a softmax over all texts.
    """

    name: str  # the model's specification and the digest of its weights
    spec: str
    dimensions: int
    picture: ImagePreprocessing
    text: TextPreprocessing | None  # None where texts are embedded by the text encoder
    scale: float
    bias: float | None
    agreement: dict[str, float]
    made_with: dict[str, str]
    files: dict[str, dict[str, Any]]
    weights_from: dict[str, float]  # when each local file of weights was last modified, in seconds since 1970

    def write(self, folder: Path) -> None:
        """Write the manifest into the folder of the files that it lists."""
        written = {"format": FORMAT} | asdict(self)
        (folder / MANIFEST_FILE).write_text(json.dumps(written, indent=1, ensure_ascii=False) + "\n", "utf-8")


def read_manifest(folder: Path) -> ClipManifest:
    """Return the manifest in a folder; raise ModelUnavailable when it is missing, damaged or of another version."""
    try:
        written = json.loads((folder / MANIFEST_FILE).read_text("utf-8"))
        if written.pop("format") != FORMAT:
            raise ModelUnavailable(
                f"The image encoder in {folder} was exported by another version of Memetica.", hint=HINT
            )
        tuples = {key: tuple(written["picture"][key]) for key in ("size", "mean", "std")}
        picture = ImagePreprocessing(**(written["picture"] | tuples))
        text = TextPreprocessing(**written["text"]) if written["text"] is not None else None
        found = ClipManifest(**(written | {"picture": picture, "text": text}))
        for name, known in found.files.items():
            if (folder / name).stat().st_size != known["bytes"]:
                raise ModelUnavailable(f"The image encoder in {folder} is damaged: {name} has changed.", hint=HINT)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelUnavailable(f"The image encoder in {folder} is missing or damaged: {error}.", hint=HINT) from error
    return found


def prepared_models(models: Path) -> Iterator[tuple[Path, ClipManifest]]:
    """Yield the folder and the manifest of each exported model, the newest first."""
    folders = [folder for folder in models.glob(f"{PREFIX}*") if (folder / MANIFEST_FILE).is_file()]
    for folder in sorted(folders, key=lambda folder: (folder / MANIFEST_FILE).stat().st_mtime, reverse=True):
        try:
            yield folder, read_manifest(folder)
        except ModelUnavailable:
            continue


def model_folder(models: Path, name: str) -> Path:
    """Return the folder of the model with this name."""
    return models / (PREFIX + re.sub(r"[^A-Za-z0-9.-]+", "-", name).strip("-"))


def encoder_name(spec: str, digest: str) -> str:
    """Return the name for a model's embeddings: other weights of the same specification have another name."""
    return f"{spec}#{digest[:12]}"


def weights_digest(parts: Iterable[bytes]) -> str:
    """Return the SHA-256 of a model's parts as hexadecimal digits."""
    found = hashlib.sha256(FORMAT.encode())
    for part in parts:
        found.update(part)
    return found.hexdigest()


class Clip:
    """An image encoder; any thread may use it. Each tower is loaded at its first use, since a search needs only one."""

    def __init__(self, folder: Path, manifest: ClipManifest, *, runtime: RuntimeKind, threads: int = 0) -> None:
        """Use the model in a folder; `manifest` is what `read_manifest` returned, `threads` 0 uses one per core."""
        self.manifest = manifest
        self.name = manifest.name
        self.dimensions = manifest.dimensions
        self.side = min(manifest.picture.size)
        self._folder = folder
        self._threads = threads
        self._runtime = runtime
        self._opening = threading.Lock()
        self._towers: dict[str, Runtime] = {}
        self._tokenizer: Tokenizer | None = None

    @cached_property
    def coverage(self) -> Coverage:
        """The scripts that its tokenizer has words of."""
        return coverage_of(Tokenizer.from_file(str(self._folder / TOKENIZER_FILE)))

    def prepare(self, picture: Image.Image) -> NDArray[np.float32]:
        """Return a picture preprocessed for the model, [3, height, width] float32."""
        return self.manifest.picture(picture)

    def encode_prepared(self, prepared: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Return a row of length 1 for each preprocessed picture, [n, dimensions] float32."""
        tower = self._tower(IMAGE_FILE)
        parts = [tower.run({"input": np.stack(batch)}) for batch in _batches(prepared)]
        return _unit_rows(parts, self.dimensions)

    def encode_images(self, pictures: Sequence[Image.Image]) -> NDArray[np.float32]:
        """Return a row of length 1 for each picture, [n, dimensions] float32."""
        return self.encode_prepared([self.prepare(picture) for picture in pictures])

    def encode_text(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return a row of length 1 for each text, [n, dimensions] float32; a long text is cut at the context length."""
        tower = self._tower(TEXT_FILE)
        assert self._tokenizer is not None and self.manifest.text is not None
        tokens = self.manifest.text(self._tokenizer, texts)
        parts = [tower.run({"input": np.stack(batch)}) for batch in _batches(list(tokens))]
        return _unit_rows(parts, self.dimensions)

    def probabilities(self, products: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the probability of each text for each picture, as the model was trained to give it.

        Both arrays are [pictures, texts] float32. With a sigmoid each text is judged alone; with a softmax the
        probabilities of a picture sum to 1.
        """
        logits = self.manifest.scale * products.astype(np.float64)
        if self.manifest.bias is not None:
            found = 1 / (1 + np.exp(-np.clip(logits + self.manifest.bias, -60, 60)))
        else:
            powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
            found = powers / powers.sum(axis=-1, keepdims=True)
        return found.astype(np.float32)

    def _tower(self, name: str) -> Runtime:
        with self._opening:
            try:
                if name not in self._towers:
                    self._towers[name] = self._runtime.open(self._folder / name, threads=self._threads)
                if name == TEXT_FILE and self._tokenizer is None:
                    self._tokenizer = Tokenizer.from_file(str(self._folder / TOKENIZER_FILE))
            except Exception as error:  # each runtime raises types of its own, none of them public
                reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
                raise ModelUnavailable(
                    f"The image encoder in {self._folder} is damaged: {reason}", hint=HINT
                ) from error
            return self._towers[name]


@lru_cache(maxsize=2)  # the one in use, and the one that replaces it
def _loaded(kind: Callable[..., Clip], folder: Path, changed: float, threads: int, long_running: bool) -> Clip:
    manifest = read_manifest(folder)
    return kind(folder, manifest, runtime=best_runtime(manifest.agreement, long_running=long_running), threads=threads)


def load_clip(
    models: Path, name: str, *, threads: int = 0, long_running: bool = False, kind: Callable[..., Clip] = Clip
) -> Clip:
    """Return the exported model of this name; raise ModelUnavailable when it is missing or damaged.

    With `long_running`, the model starts more slowly and is faster for each picture or text. Loaded models are cached.
    """
    folder = model_folder(models, name)
    try:
        changed = (folder / MANIFEST_FILE).stat().st_mtime
    except OSError as error:
        raise ModelUnavailable(
            f"The image encoder {name}, which the index was made with, is not in {models}.", hint=HINT
        ) from error
    return _loaded(kind, folder, changed, threads, long_running)


def _batches(items: Sequence[NDArray[Any]]) -> Iterator[list[NDArray[Any]]]:
    remaining = iter(items)
    while batch := list(islice(remaining, BATCH)):
        yield batch


def _unit_rows(parts: Sequence[NDArray[np.float32]], dimensions: int) -> NDArray[np.float32]:
    return unit_rows(np.concatenate(parts)) if parts else np.empty((0, dimensions), np.float32)
