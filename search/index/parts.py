"""The parts of an index generation: how the files of each are built, extended and opened.

Extending a part copies another generation's rows, except those of some memes, and adds new rows. Unchanged files are
shared by hard links, so a written file must never be changed.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from search.images.fingerprints import LOOK_DIMENSIONS
from search.index.columns import MemeColumns, write_columns
from search.index.columns_files import extend_columns, open_columns
from search.index.generations import (
    COLUMNS,
    DENSE,
    FINGERPRINTS,
    LEXICAL,
    LOOKS,
    PICTURES,
    WHITENING,
    link_file,
    link_folder,
)
from search.index.lexical.index import LexicalIndex
from search.index.lexical.writer import Document, build_lexical, extend_lexical
from search.index.vectors.binary import BinaryIndex, build_binary, extend_binary
from search.index.vectors.dense import DenseIndex
from search.index.vectors.dense_writer import build_dense, extend_dense
from search.index.vectors.owners import Ids, OwnedRows
from search.index.vectors.whitening import Whitening, fit_whitening, read_whitening, write_whitening
from search.meme import Field

New = TypeVar("New")
Opened = TypeVar("Opened")


@dataclass(frozen=True)
class Target:
    """The folder that a generation is written into, and for an extension the generation whose rows are copied."""

    folder: Path
    source: Path | None = None  # None for a generation that is built as a whole
    without: Ids = field(default_factory=lambda: np.empty(0, np.int64))  # memes whose rows are not copied


class IndexPart(ABC, Generic[New, Opened]):
    """A file or a folder of a generation."""

    def write(self, target: Target, new: New) -> int:
        """Write the part, built from `new`, or extended by `new` if the target has a source; return its number of rows.

        The memes that `new` belongs to must be among those of `target.without`. Raises IndexUnusable when the source is
        damaged, ValueError when the rows do not fit.
        """
        if target.source is None:
            return self.build(target.folder, new)
        return self.extend(target.source, target.folder, new, without=target.without)

    @abstractmethod
    def build(self, folder: Path, new: New) -> int:
        """Write the part into a generation's folder; return how many rows (documents, memes) it has."""

    @abstractmethod
    def extend(self, source: Path, folder: Path, new: New, *, without: Ids) -> int:
        """Write the part of another generation, without some memes and with new rows; return its number of rows."""

    @abstractmethod
    def open(self, folder: Path) -> Opened:
        """Return the part of a generation, opened; raise IndexUnusable when it is missing or damaged."""


@dataclass(frozen=True)
class DensePart(IndexPart[OwnedRows, DenseIndex]):
    """Rows of length 1, several a meme."""

    path: str
    dimensions: int

    def build(self, folder: Path, new: OwnedRows) -> int:
        build_dense(folder / self.path, new.rows, owners=new.owners)
        return len(new)

    def extend(self, source: Path, folder: Path, new: OwnedRows, *, without: Ids) -> int:
        known = self.open(source)
        if not len(new) and not known.count_rows(without):
            link_folder(source / self.path, folder / self.path)
            return len(known)
        return extend_dense(source / self.path, folder / self.path, new.rows, owners=new.owners, without=without)

    def open(self, folder: Path) -> DenseIndex:
        return DenseIndex.open(folder / self.path, dimensions=self.dimensions)


@dataclass(frozen=True)
class BinaryPart(IndexPart[OwnedRows, BinaryIndex]):
    """Fingerprints, several a meme."""

    path: str

    def build(self, folder: Path, new: OwnedRows) -> int:
        build_binary(folder / self.path, new.rows, owners=new.owners)
        return len(new)

    def extend(self, source: Path, folder: Path, new: OwnedRows, *, without: Ids) -> int:
        return extend_binary(source / self.path, folder / self.path, new.rows, owners=new.owners, without=without)

    def open(self, folder: Path) -> BinaryIndex:
        return BinaryIndex.open(folder / self.path)


class LexicalPart(IndexPart[Iterable[Document], LexicalIndex]):
    """The words of the memes' texts."""

    def build(self, folder: Path, new: Iterable[Document]) -> int:
        return build_lexical(folder / LEXICAL, new)

    def extend(self, source: Path, folder: Path, new: Iterable[Document], *, without: Ids) -> int:
        return extend_lexical(source / LEXICAL, folder / LEXICAL, new, without=without)

    def open(self, folder: Path) -> LexicalIndex:
        return LexicalIndex.open(folder / LEXICAL)


@dataclass(frozen=True)
class WhiteningPart(IndexPart[Iterable[NDArray[np.floating]], Whitening]):
    """The whitening of text embeddings. It is fitted to a whole library, so an extension keeps it as it is."""

    dimensions: int

    def build(self, folder: Path, new: Iterable[NDArray[np.floating]]) -> int:
        whitening = fit_whitening(new, dimensions=self.dimensions)
        write_whitening(folder / WHITENING, whitening)
        return self.dimensions

    def extend(self, source: Path, folder: Path, new: Iterable[NDArray[np.floating]], *, without: Ids) -> int:
        link_file(source / WHITENING, folder / WHITENING)
        return self.dimensions

    def open(self, folder: Path) -> Whitening:
        return read_whitening(folder / WHITENING, dimensions=self.dimensions)


class ColumnsPart(IndexPart[MemeColumns, MemeColumns]):
    """Each meme's values for filters and sorting."""

    def build(self, folder: Path, new: MemeColumns) -> int:
        write_columns(folder / COLUMNS, new)
        return len(new)

    def extend(self, source: Path, folder: Path, new: MemeColumns, *, without: Ids) -> int:
        return len(extend_columns(source, folder, new, without=without))

    def open(self, folder: Path) -> MemeColumns:
        return open_columns(folder)


LEXICAL_PART = LexicalPart()
COLUMNS_PART = ColumnsPart()
LOOKS_PART = DensePart(LOOKS, LOOK_DIMENSIONS)
FINGERPRINTS_PART = BinaryPart(FINGERPRINTS)


def dense_part(field: Field, *, dimensions: int) -> DensePart:
    """Return the part that holds a text field's embeddings."""
    return DensePart(f"{DENSE}/{field.value}", dimensions)


def pictures_part(dimensions: int) -> DensePart:
    """Return the part that holds an image encoder's embeddings."""
    return DensePart(PICTURES, dimensions)
