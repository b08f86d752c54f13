"""A CLIP as it was made ready once: both towers in ONNX, the tokenizer, and a manifest that says how they are used."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tokenizers import Tokenizer

from search.encoders.clip_preprocess import ImagePreprocessing, TextPreprocessing
from search.encoders.runtimes import Kind, Runtime, best_runtime
from search.errors import ModelUnavailable

FORMAT = "clip-1"  # another name makes every model ready again
IMAGE_FILE, TEXT_FILE, TOKENIZER_FILE, MANIFEST_FILE = "image.onnx", "text.onnx", "tokenizer.json", "manifest.json"
BATCH = 16  # pictures or texts that a model is shown at once
PREFIX = "clip-"
MEND = "Run `memetica index`, which makes it ready again."


@dataclass(frozen=True)
class ClipManifest:
    """What a folder holds. `agreement` gives each runtime's least cosine to the original, over both towers.

    `scale` and `bias` turn products into logits; with a bias they are each a sigmoid's, without one a softmax's.
    """

    name: str  # the setting's value, and the digest of the weights
    spec: str
    dimensions: int
    picture: ImagePreprocessing
    text: TextPreprocessing
    scale: float
    bias: float | None
    agreement: dict[str, float]
    made_with: dict[str, str]
    files: dict[str, dict[str, Any]]
    weights_from: dict[str, float]  # when each local file of weights was changed, seconds

    def write(self, folder: Path) -> None:
        """Write it into a folder, beside the files that it names."""
        written = {"format": FORMAT} | asdict(self)
        (folder / MANIFEST_FILE).write_text(json.dumps(written, indent=1, ensure_ascii=False) + "\n", "utf-8")


def read_manifest(folder: Path) -> ClipManifest:
    """Return a folder's manifest; raise ModelUnavailable when it is missing, damaged or another version's."""
    try:
        written = json.loads((folder / MANIFEST_FILE).read_text("utf-8"))
        if written.pop("format") != FORMAT:
            raise ModelUnavailable(f"The image encoder in {folder} was made ready by another version.", hint=MEND)
        tuples = {key: tuple(written["picture"][key]) for key in ("size", "mean", "std")}
        picture = ImagePreprocessing(**(written["picture"] | tuples))
        found = ClipManifest(**(written | {"picture": picture, "text": TextPreprocessing(**written["text"])}))
        for name, known in found.files.items():
            if (folder / name).stat().st_size != known["bytes"]:
                raise ModelUnavailable(f"The image encoder in {folder} is damaged: {name} has changed.", hint=MEND)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelUnavailable(f"The image encoder in {folder} is missing or damaged: {error}.", hint=MEND) from error
    return found


def prepared_models(models: Path) -> Iterator[tuple[Path, ClipManifest]]:
    """Yield the folders of models that are ready, with their manifests, the newest first."""
    folders = [folder for folder in models.glob(f"{PREFIX}*") if (folder / MANIFEST_FILE).is_file()]
    for folder in sorted(folders, key=lambda one: (one / MANIFEST_FILE).stat().st_mtime, reverse=True):
        try:
            yield folder, read_manifest(folder)
        except ModelUnavailable:
            continue


def model_folder(models: Path, name: str) -> Path:
    """Return the folder that a model of a name has."""
    return models / (PREFIX + re.sub(r"[^A-Za-z0-9.-]+", "-", name).strip("-"))


def encoder_name(spec: str, digest: str) -> str:
    """Return the name under which a model's embeddings are kept: other weights under the same setting have another."""
    return f"{spec}#{digest[:12]}"


def spec_of(name: str) -> str:
    """Return the setting's value that a name was made of."""
    return name.rpartition("#")[0] or name


def weights_digest(parts: Iterable[bytes]) -> str:
    """Return the SHA-256 of all of a model's parts, hexadecimal."""
    found = hashlib.sha256(FORMAT.encode())
    for part in parts:
        found.update(part)
    return found.hexdigest()


class Clip:
    """An image encoder; any thread may use it. Each tower is opened when it is first asked: a search needs but one."""

    def __init__(self, folder: Path, manifest: ClipManifest, *, kind: Kind, threads: int = 0) -> None:
        """Take a folder that `read_manifest` has read, to be run by a kind of runtime."""
        self.manifest = manifest
        self.name = manifest.name
        self.dimensions = manifest.dimensions
        self._folder = folder
        self._threads = threads
        self._kind = kind
        self._opening = threading.Lock()
        self._towers: dict[str, Runtime] = {}
        self._tokenizer: Tokenizer | None = None

    def prepare(self, picture: Image.Image) -> NDArray[np.float32]:
        """Return a picture as the model takes it ([3, height, width]); it may be done in another thread."""
        return self.manifest.picture(picture)

    def encode_prepared(self, prepared: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Return a row of length 1 for each prepared picture, [n, dimensions]."""
        tower = self._tower(IMAGE_FILE)
        parts = [tower.run({"input": np.stack(batch)}) for batch in _batches(prepared)]
        return _unit(parts, self.dimensions)

    def encode_images(self, pictures: Sequence[Image.Image]) -> NDArray[np.float32]:
        """Return a row of length 1 for each picture, [n, dimensions]."""
        return self.encode_prepared([self.prepare(one) for one in pictures])

    def encode_text(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return a row of length 1 for each text, [n, dimensions]; what the model cannot read of a long one is left."""
        tower = self._tower(TEXT_FILE)
        assert self._tokenizer is not None
        tokens = self.manifest.text(self._tokenizer, texts)
        parts = [tower.run({"input": np.stack(batch)}) for batch in _batches(list(tokens))]
        return _unit(parts, self.dimensions)

    def probabilities(self, products: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return how likely each text is a picture's ([pictures, texts]), as the model was taught to say it.

        By a sigmoid each text is judged by itself; by a softmax one of these texts fits, and their shares sum to 1.
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
                    self._towers[name] = self._kind.open(self._folder / name, threads=self._threads)
                if name == TEXT_FILE and self._tokenizer is None:
                    self._tokenizer = Tokenizer.from_file(str(self._folder / TOKENIZER_FILE))
            except Exception as error:  # each runtime has its own kinds, and none of them is public
                reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
                raise ModelUnavailable(
                    f"The image encoder in {self._folder} is damaged: {reason}", hint=MEND
                ) from error
            return self._towers[name]


@lru_cache(maxsize=2)  # the one that is searched by, and the one that takes its place
def _opened(folder: Path, changed: float, threads: int, long_running: bool) -> Clip:
    manifest = read_manifest(folder)
    return Clip(folder, manifest, kind=best_runtime(manifest.agreement, long_running=long_running), threads=threads)


def load_clip(models: Path, name: str, *, threads: int = 0, long_running: bool = False) -> Clip:
    """Return the model under whose name embeddings are kept; raise ModelUnavailable when it is not here.

    With `often` it is slower to start and quicker from then on. Who opens it twice gets the same one.
    """
    folder = model_folder(models, name)
    try:
        changed = (folder / MANIFEST_FILE).stat().st_mtime
    except OSError as error:
        raise ModelUnavailable(
            f"The image encoder {name}, which the index was made by, is not in {models}.", hint=MEND
        ) from error
    return _opened(folder, changed, threads, long_running)


def _batches(items: Sequence[NDArray[Any]]) -> Iterator[list[NDArray[Any]]]:
    remaining = iter(items)
    while batch := list(islice(remaining, BATCH)):
        yield batch


def _unit(parts: Sequence[NDArray[np.float32]], dimensions: int) -> NDArray[np.float32]:
    if not parts:
        return np.empty((0, dimensions), np.float32)
    rows = np.concatenate(parts).astype(np.float32)
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
