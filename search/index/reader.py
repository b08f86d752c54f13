"""A generation of the index, opened: everything that a search reads, as it was when it was built."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from search.errors import IndexUnusable
from search.images.fingerprints import LOOK_DIMENSIONS
from search.index import BinaryIndex, DenseIndex
from search.index.columns import MemeColumns, read_columns
from search.index.generations import (
    FINGERPRINTS,
    LOOKS,
    MEANINGS,
    PICTURES,
    TABLE,
    TEXT_FIELDS,
    WHITENING,
    WORDS,
    Manifest,
    live_folder,
    live_generation,
    read_manifest,
)
from search.index.lexical import LexicalIndex
from search.index.whitening import Whitening, read_whitening
from search.meme import Field

ATTEMPTS = 3  # to open the live generation while another process builds one after another


@dataclass(frozen=True)
class Index:
    """The opened files of one generation, immutable; a request uses one generation from start to end."""

    manifest: Manifest
    columns: MemeColumns
    lexical: LexicalIndex
    dense: Mapping[Field, DenseIndex]  # whitened; empty when no text of the library has been embedded
    whitening: Whitening | None
    looks: DenseIndex
    fingerprints: BinaryIndex
    pictures: DenseIndex | None = None  # the image encoder's; None without one

    @classmethod
    def open(cls, index: Path) -> Index:
        """Return the live generation in an index folder, opened; raise IndexUnusable when it is missing or damaged."""
        for _ in range(ATTEMPTS - 1):
            folder = live_folder(index)
            try:
                return _opened(folder)
            except IndexUnusable:
                # Two builds may have ended since its name was read, and the folder be gone: then there is another name.
                if live_generation(index) == folder.name:
                    raise
        return _opened(live_folder(index))

    @property
    def name(self) -> str:
        """The generation's name."""
        return self.manifest.generation


@dataclass(frozen=True)
class PictureVectors:
    """What an image encoder saw in a library: its name, and the rows of each meme's frames."""

    encoder: str
    pictures: DenseIndex


def open_picture_vectors(index: Path) -> PictureVectors | None:
    """Return what the image encoder that the live generation was made by saw; None without one."""
    try:
        folder = live_folder(index)
        manifest = read_manifest(folder)
        pictures = _pictures(folder, manifest)
    except IndexUnusable:
        return None
    return None if pictures is None else PictureVectors(manifest.image_encoder, pictures)


def _pictures(folder: Path, manifest: Manifest) -> DenseIndex | None:
    if not manifest.image_encoder:
        return None
    return DenseIndex.open(folder / PICTURES, dimensions=manifest.encoders.get(manifest.image_encoder, 0))


def _opened(folder: Path) -> Index:
    manifest = read_manifest(folder)
    dimensions = manifest.encoders.get(manifest.text_encoder, 0)
    dense: dict[Field, DenseIndex] = {}
    whitening = None
    if dimensions:
        whitening = read_whitening(folder / WHITENING, dimensions=dimensions)
        for field in TEXT_FIELDS:
            dense[field] = DenseIndex.open(folder / MEANINGS / field.value, dimensions=dimensions)
    found = Index(
        manifest=manifest,
        columns=read_columns(folder / TABLE),
        lexical=LexicalIndex.open(folder / WORDS),
        dense=dense,
        whitening=whitening,
        looks=DenseIndex.open(folder / LOOKS, dimensions=LOOK_DIMENSIONS),
        fingerprints=BinaryIndex.open(folder / FINGERPRINTS),
        pictures=_pictures(folder, manifest),
    )
    if len(found.columns) != manifest.memes:
        raise IndexUnusable(f"The index in {folder} does not fit together.", hint="Run `memetica index`.")
    return found
