"""Read the rows for an index from the catalogue: those of all present memes, or of some.

Both selections give the same types in the same order (by meme id, then as stored), so that the writer need not know
which one it has.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from search.catalogue import Catalogue
from search.index.generations import TEXT_FIELDS
from search.index.owners import OwnedRows
from search.meme import Field, Meme


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

    def texts(self) -> Iterator[tuple[int, Field, str]]:
        """Yield (meme id, field, text) of each passage, by meme id."""
        if self.ids is None:
            passages = self.catalogue.texts.passages(least_weight=self.least_weight)
        else:
            passages = iter(self.catalogue.texts.passages_of(self._found, least_weight=self.least_weight))
        for row in passages:
            if row.passage.field in TEXT_FIELDS:
                yield row.meme_id, row.passage.field, row.passage.body

    def text_embeddings(self, encoder: str) -> dict[Field, OwnedRows]:
        """Return, for each text field, the embeddings ([n, d]) of its passages by one encoder."""
        if self.ids is None:
            return {
                field: OwnedRows(*self.catalogue.embeddings.of_field(encoder, field, least_weight=self.least_weight))
                for field in TEXT_FIELDS
            }
        passages = self.catalogue.texts.passages_of(self._found, least_weight=self.least_weight)
        known = self.catalogue.embeddings.get(encoder, [row.input_hash for row in passages])
        dimensions = self.catalogue.embeddings.dimensions(encoder)
        found = {}
        for field in TEXT_FIELDS:
            own = [row for row in passages if row.passage.field is field and row.input_hash in known]
            rows = np.array([known[row.input_hash] for row in own], np.float32).reshape(len(own), dimensions)
            found[field] = OwnedRows(np.array([row.meme_id for row in own], np.int64), rows)
        return found

    def fingerprints(self, algorithm: str, *, dtype: np.dtype, width: int) -> OwnedRows:
        """Return the fingerprints ([n, width] of a dtype) by an algorithm, one row for each frame."""
        pictures = self.catalogue.pictures
        if self.ids is None:
            found = [(id, bits) for id, _, bits in pictures.fingerprints(algorithm)]
        else:
            found = [
                (meme.id, bits)
                for meme in self.memes
                for bits in pictures.fingerprints_of(meme.content_hash, algorithm)
            ]
        rows = np.frombuffer(b"".join(bits for _, bits in found), dtype).reshape(len(found), width)
        return OwnedRows(np.array([id for id, _ in found], np.int64), rows)

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
