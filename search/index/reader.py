"""The index reader: opens the files of one generation. An open index never changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from search.errors import IndexUnusable
from search.index.binary import BinaryIndex
from search.index.columns import MemeColumns
from search.index.dense import DenseIndex
from search.index.generations import TEXT_FIELDS, Manifest, live_folder, live_generation, read_manifest
from search.index.lexical import LexicalIndex
from search.index.parts import (
    COLUMNS_PART,
    FINGERPRINTS_PART,
    LEXICAL_PART,
    LOOKS_PART,
    WhiteningPart,
    dense_part,
    pictures_part,
)
from search.index.whitening import Whitening
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
        """Return the live generation in an index folder, opened; raise IndexUnusable when it is missing or damaged.

        >>> from search.index import Index
        >>> index = Index.open(workspace.index)
        >>> len(index.columns), len(index.looks), index.looks.dimensions
        (9, 9, 704)
        """
        for _ in range(ATTEMPTS - 1):
            folder = live_folder(index)
            try:
                return _opened(folder)
            except IndexUnusable:
                # Two builds may have ended since the name was read and removed the folder: then there is a new name.
                if live_generation(index) == folder.name:
                    raise
        return _opened(live_folder(index))

    @property
    def name(self) -> str:
        """The generation's name."""
        return self.manifest.generation


@dataclass(frozen=True)
class PictureVectors:
    """The embeddings of a library's pictures: the image encoder's name, and a row for each frame of each meme."""

    encoder: str
    pictures: DenseIndex


def open_picture_vectors(index: Path) -> PictureVectors | None:
    """Return the picture embeddings of the live generation in an index folder, or None."""
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
    return pictures_part(manifest.encoders.get(manifest.image_encoder, 0)).open(folder)


def _opened(folder: Path) -> Index:
    manifest = read_manifest(folder)
    dimensions = manifest.encoders.get(manifest.text_encoder, 0)
    dense = {field: dense_part(field, dimensions=dimensions).open(folder) for field in TEXT_FIELDS if dimensions}
    found = Index(
        manifest=manifest,
        columns=COLUMNS_PART.open(folder),
        lexical=LEXICAL_PART.open(folder),
        dense=dense,
        whitening=WhiteningPart(dimensions).open(folder) if dimensions else None,
        looks=LOOKS_PART.open(folder),
        fingerprints=FINGERPRINTS_PART.open(folder),
        pictures=_pictures(folder, manifest),
    )
    if len(found.columns) != manifest.memes:
        raise IndexUnusable(
            f"The index in {folder} is damaged: it has {len(found.columns)} memes, its manifest {manifest.memes}.",
            hint="Run `memetica index`.",
        )
    return found
