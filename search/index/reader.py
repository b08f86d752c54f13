"""A generation of the index, opened: everything that a search reads, as it was when it was built."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from search.errors import IndexUnusable
from search.images.fingerprints import LOOK_DIMENSIONS
from search.index import BinaryIndex, VectorIndex
from search.index.columns import MemeTable, read_table
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
from search.index.lexical import WordIndex
from search.index.whitening import Whitening, read_whitening
from search.meme import Field

ATTEMPTS = 3  # to open the live generation while another process builds one after another


@dataclass(frozen=True)
class OpenIndex:
    """The opened files of one generation. Nothing in it changes; a request holds on to the one it began with."""

    manifest: Manifest
    table: MemeTable
    words: WordIndex
    meanings: Mapping[Field, VectorIndex]  # whitened; empty when the library's texts were never embedded
    whitening: Whitening | None
    looks: VectorIndex
    fingerprints: BinaryIndex
    pictures: VectorIndex | None = None  # the image encoder's, when there was one

    @property
    def name(self) -> str:
        """The generation's name."""
        return self.manifest.generation


@dataclass(frozen=True)
class Sight:
    """What an image encoder saw in a library: its name, and the rows of each meme's frames."""

    encoder: str
    pictures: VectorIndex


def open_index(index: Path) -> OpenIndex:
    """Return the live generation, opened; raise IndexUnusable when there is none or it is damaged."""
    for _ in range(ATTEMPTS - 1):
        folder = live_folder(index)
        try:
            return _opened(folder)
        except IndexUnusable:
            # Two builds may have ended since its name was read, and the folder be gone: then there is another name.
            if live_generation(index) == folder.name:
                raise
    return _opened(live_folder(index))


def open_sight(index: Path) -> Sight | None:
    """Return what the image encoder that the live generation was made by saw; None without one."""
    try:
        folder = live_folder(index)
        manifest = read_manifest(folder)
        pictures = _pictures(folder, manifest)
    except IndexUnusable:
        return None
    return None if pictures is None else Sight(manifest.image_encoder, pictures)


def _pictures(folder: Path, manifest: Manifest) -> VectorIndex | None:
    if not manifest.image_encoder:
        return None
    return VectorIndex.open(folder / PICTURES, dimensions=manifest.encoders.get(manifest.image_encoder, 0))


def _opened(folder: Path) -> OpenIndex:
    manifest = read_manifest(folder)
    dimensions = manifest.encoders.get(manifest.text_encoder, 0)
    meanings: dict[Field, VectorIndex] = {}
    whitening = None
    if dimensions:
        whitening = read_whitening(folder / WHITENING, dimensions=dimensions)
        for field in TEXT_FIELDS:
            meanings[field] = VectorIndex.open(folder / MEANINGS / field.value, dimensions=dimensions)
    found = OpenIndex(
        manifest=manifest,
        table=read_table(folder / TABLE),
        words=WordIndex.open(folder / WORDS),
        meanings=meanings,
        whitening=whitening,
        looks=VectorIndex.open(folder / LOOKS, dimensions=LOOK_DIMENSIONS),
        fingerprints=BinaryIndex.open(folder / FINGERPRINTS),
        pictures=_pictures(folder, manifest),
    )
    if len(found.table) != manifest.memes:
        raise IndexUnusable(f"The index in {folder} does not fit together.", hint="Run `memetica index`.")
    return found
