"""The index reader: opens the files of one generation. An open index never changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from search.errors import IndexUnusable
from search.index.binary import BinaryIndex
from search.index.checksums import FileWatch, damaged_files
from search.index.columns import MemeColumns
from search.index.dense import DenseIndex, RowSelection
from search.index.generations import FORMAT, PICTURES, TEXT_FIELDS, Manifest, live_generation, read_live
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

REBUILD_HINT = "`memetica index` builds it again; `memetica check` lists what else is damaged."
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
    watch: FileWatch | None = field(default=None, repr=False, compare=False)

    @classmethod
    def open(cls, index: Path) -> Index:
        """Return the live generation in an index folder, opened; raise IndexUnusable when it is missing or damaged.

        The checksum of every file is compared first.

        >>> from search.index import Index
        >>> index = Index.open(workspace.index)
        >>> len(index.columns), len(index.looks), index.looks.dimensions
        (9, 9, 704)
        """
        for _ in range(ATTEMPTS - 1):
            name = live_generation(index)
            try:
                return _opened(*read_live(index))
            except IndexUnusable:
                # Two builds may have ended since the name was read and removed the folder: then there is a new name.
                if live_generation(index) == name:
                    raise
        return _opened(*read_live(index))

    def check_unchanged(self) -> None:
        """Raise IndexUnusable when a file was written to since it was opened and is damaged now."""
        found = self.watch.damaged() if self.watch is not None else []
        if found:
            raise _damaged(self.watch.folder if self.watch else Path(), found)

    def rows_without(self, field: Field, others: Sequence[Field]) -> RowSelection:
        """Return the rows of a text field of the memes that have nothing in the other fields."""
        found = self._rows_without.get((field, *others))
        if found is None:
            found = self.dense[field].select(self.columns.ids_with(field, without=others))
            self._rows_without[(field, *others)] = found
        return found

    @cached_property
    def _rows_without(self) -> dict[tuple[Field, ...], RowSelection]:
        return {}

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
        folder, manifest = read_live(index)
        verify_files(folder, manifest, part=PICTURES)
        pictures = _pictures(folder, manifest)
    except IndexUnusable:
        return None
    return None if pictures is None else PictureVectors(manifest.image_encoder, pictures)


def verify_files(folder: Path, manifest: Manifest, *, part: str = "") -> None:
    """Raise IndexUnusable unless the files of a generation, or of one of its folders, are as they were written.

    A generation of a format without checksums is not verified.
    """
    expected = {path: sha for path, sha in manifest.files.items() if not part or path.startswith(f"{part}/")}
    found = damaged_files(folder, expected)
    if found:
        raise _damaged(folder, found)


def verified_manifest(index: Path) -> Manifest | None:
    """Return the live generation's manifest; None when it has an earlier format, or any of its files is damaged.

    >>> verified_manifest(workspace.index).memes
    9
    """
    try:
        folder, manifest = read_live(index)
        verify_files(folder, manifest)
    except IndexUnusable:
        return None
    return manifest if manifest.format == FORMAT else None


def _damaged(folder: Path, paths: list[str]) -> IndexUnusable:
    more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
    return IndexUnusable(f"The index in {folder} is damaged: {paths[0]}{more}.", hint=REBUILD_HINT)


def _pictures(folder: Path, manifest: Manifest) -> DenseIndex | None:
    if not manifest.image_encoder:
        return None
    return pictures_part(manifest.encoders.get(manifest.image_encoder, 0)).open(folder)


def _opened(folder: Path, manifest: Manifest) -> Index:
    watch = FileWatch.begin(folder, manifest.files)
    verify_files(folder, manifest)
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
        watch=watch,
    )
    if len(found.columns) != manifest.memes:
        raise IndexUnusable(
            f"The index in {folder} is damaged: it has {len(found.columns)} memes, its manifest {manifest.memes}.",
            hint=REBUILD_HINT,
        )
    return found
