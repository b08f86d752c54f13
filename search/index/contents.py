"""Read the rows for an index from the catalogue: those of all present memes, or of some.

Both selections give the same types in the same order (by meme id, then as stored), so that the writer need not know
which one it has.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby

import numpy as np

from search.catalogue import Catalogue
from search.catalogue.texts import PassageRow
from search.index.columns import Ids, MemeColumns, are_among, columns_without
from search.index.generations import TEXT_FIELDS
from search.index.vectors.owners import OwnedRows
from search.meme import Field, Meme


def joined_texts(rows: Iterable[PassageRow]) -> Iterator[tuple[int, Field, str]]:
    """Yield (meme id, field, text) of passages, with those that one text was split into joined to one.

    Texts are split to fit an encoder; a phrase may go from one passage to the next.

    >>> rows = list(workspace.catalogue.texts.passages(Field.OCR))
    >>> len(list(joined_texts(rows))) == len(rows), next(iter(joined_texts([rows[0], rows[0]])))[2].count("\\n")
    (True, 0)
    """

    def text_of(row: PassageRow) -> tuple[int, Field, str, str]:
        return row.meme_id, row.passage.field, row.passage.source, row.passage.heading

    for key, own in groupby((row for row in rows if row.passage.field in TEXT_FIELDS), text_of):
        yield key[0], key[1], " ".join(row.passage.body for row in own)


@dataclass(frozen=True)
class Contents:
    """The catalogue's rows for an index, of all present memes or of the present ones among `ids`.

    Texts with a weight below `least_weight` are excluded.
    """

    catalogue: Catalogue
    least_weight: float
    ids: Collection[int] | None = None

    @cached_property
    def memes(self) -> list[Meme]:
        """The memes, by rising id."""
        if self.ids is None:
            return self.catalogue.memes.everything()
        return sorted(self.catalogue.memes.many(sorted(self.ids)), key=lambda meme: meme.id)

    def without_gone(self, columns: MemeColumns, changed: Ids) -> MemeColumns:
        """Return columns without those of the changed memes ([n] rising) that are not among these any more."""
        return columns_without(
            columns, changed[~are_among(changed, np.array([meme.id for meme in self.memes], np.int64))]
        )

    def texts(self) -> Iterator[tuple[int, Field, str]]:
        """Yield (meme id, field, text), by meme id; passages of one text are joined."""
        if self.ids is None:
            passages = self.catalogue.texts.passages(least_weight=self.least_weight)
        else:
            passages = iter(self.catalogue.texts.passages_of(self._found, least_weight=self.least_weight))
        yield from joined_texts(passages)

    def text_embeddings(self, encoder: str, field: Field, *, share: float = 1.0) -> OwnedRows:
        """Return the embeddings ([n, d] float16) of a text field's passages by one encoder.

        With a `share` below 1, those of about this share of all memes, always the same ones.
        """
        embeddings = self.catalogue.embeddings
        if self.ids is None:
            return OwnedRows(*embeddings.of_field(encoder, field, least_weight=self.least_weight, share=share))
        passages = self.catalogue.texts.passages_of(self._found, fields=[field], least_weight=self.least_weight)
        known = embeddings.get(encoder, [row.input_hash for row in passages])
        own = [row for row in passages if row.input_hash in known]
        rows = np.array([known[row.input_hash] for row in own], np.float16)
        return OwnedRows(
            np.array([row.meme_id for row in own], np.int64), rows.reshape(len(own), embeddings.dimensions(encoder))
        )

    def fingerprints(self, algorithm: str, *, dtype: np.dtype, width: int) -> OwnedRows:
        """Return the fingerprints ([n, width] of a dtype) by an algorithm, one row for each frame."""
        pictures = self.catalogue.pictures
        found: Iterator[tuple[int, bytes]]
        if self.ids is None:
            found = ((id, bits) for id, _, bits in pictures.fingerprints(algorithm))
        else:
            found = (
                (meme.id, bits)
                for meme in self.memes
                for bits in pictures.fingerprints_of(meme.content_hash, algorithm)
            )
        owners, rows = array("q"), bytearray()  # a list of the rows would take their memory twice
        for id, bits in found:
            owners.append(id)
            rows += bits
        return OwnedRows(np.array(owners, np.int64), np.frombuffer(rows, dtype).reshape(len(owners), width))

    def picture_embeddings(self, encoder: str) -> OwnedRows:
        """Return an image encoder's embeddings ([n, d]), one row for each frame."""
        embeddings = self.catalogue.embeddings
        if self.ids is None:
            return OwnedRows(*embeddings.of_pictures(encoder))
        found = [(meme.id, embeddings.of_picture(encoder, meme.content_hash)) for meme in self.memes]
        owners = [id for id, rows in found for _ in rows]
        empty = np.empty((0, embeddings.dimensions(encoder)), np.float32)
        return OwnedRows(np.array(owners, np.int64), np.concatenate([empty, *(rows for _, rows in found)]))

    @cached_property
    def _found(self) -> list[int]:
        return [meme.id for meme in self.memes]
