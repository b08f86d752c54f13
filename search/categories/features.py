"""What a new upload has that can tell its category: the words in it, how it looks, its template. No description.

Descriptions were written by models that were told the category: a suggestion learnt from them would read the answer.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from search.catalogue import Catalogue
from search.images.fingerprints import LOOK, LOOK_DIMENSIONS, PDQ, PDQ_BITS
from search.meme import Field, Meme

# What each kind of trait weighs beside the others; tuned on one half of the memes by `benchmarks/categories.py`.
WORDS, LOOKS, TEMPLATE = 1.0, 2.0, 0.5
Rows = NDArray[np.float32]  # [n, d]
Places = NDArray[np.int64]  # positions in a list of memes


@dataclass(frozen=True)
class Traits:
    """Memes by their traits, a row each: the meaning of their words, their look, and their fingerprint's bits.

    Each part has the length of its weight, or is zeros where a meme has no such trait. They lie side by side in `rows`
    ([n, dimensions + LOOK_DIMENSIONS + PDQ_BITS]), and the parts are views of it.
    """

    rows: Rows
    dimensions: int  # of the meaning

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def words(self) -> Rows:
        """The meaning of the words, [n, dimensions]."""
        return self.rows[:, : self.dimensions]

    @property
    def looks(self) -> Rows:
        """The looks, [n, LOOK_DIMENSIONS], of length LOOKS."""
        return self.rows[:, self.dimensions : self.dimensions + LOOK_DIMENSIONS]

    @property
    def bits(self) -> Rows:
        """The fingerprints, [n, PDQ_BITS], of length TEMPLATE; positive where a bit is set."""
        return self.rows[:, self.dimensions + LOOK_DIMENSIONS :]

    def of(self, places: Places | NDArray[np.bool_] | slice) -> Traits:
        """Return the traits of some of the memes."""
        return Traits(self.rows[places], self.dimensions)

    def look_cosines(self, others: Traits) -> Rows:
        """Return how alike each looks to each of others, [n, m]."""
        found: Rows = self.looks @ others.looks.T / np.float32(LOOKS * LOOKS)
        return found


@dataclass(frozen=True)
class Known:
    """The memes that there are to learn from: [n] each."""

    ids: Places
    contents: tuple[str, ...]  # content hashes
    categories: tuple[str, ...]
    traits: Traits

    def __len__(self) -> int:
        return len(self.ids)

    def of(self, places: Places) -> Known:
        """Return some of them."""
        return Known(
            self.ids[places],
            tuple(self.contents[place] for place in places),
            tuple(self.categories[place] for place in places),
            self.traits.of(places),
        )

    def joined(self, more: Known) -> Known:
        """Return these and more."""
        return Known(
            np.concatenate([self.ids, more.ids]),
            self.contents + more.contents,
            self.categories + more.categories,
            Traits(np.concatenate([self.traits.rows, more.traits.rows]), self.traits.dimensions),
        )


def traits_of(words: Rows, looks: Rows, bits: Rows) -> Traits:
    """Return traits from their parts, a row each of any length: [n, d], [n, LOOK_DIMENSIONS], [n, PDQ_BITS]."""
    weighed = ((words, WORDS), (looks, LOOKS), (bits, TEMPLATE))
    rows = np.empty((len(words), sum(part.shape[1] for part, _ in weighed)), np.float32)
    start = 0
    for part, weight in weighed:
        rows[:, start : start + part.shape[1]] = unit(part) * np.float32(weight)
        start += part.shape[1]
    return Traits(rows, words.shape[1])


def traits_of_picture(
    words: Rows | None, looks: Sequence[bytes], prints: Sequence[bytes], *, dimensions: int
) -> Traits:
    """Return the traits of one picture: embeddings of its words ([m, dimensions]), fingerprints of its frames."""
    return traits_of(
        np.zeros((1, dimensions), np.float32) if words is None else words.sum(axis=0, keepdims=True),
        _look_of(looks)[None],
        _bits_of(prints)[None],
    )


def library_traits(catalogue: Catalogue, *, encoder: str, fields: Collection[Field] = (Field.OCR,)) -> Known:
    """Return the present memes that were decoded, by id, with their traits; `fields` are those whose texts are read."""
    memes = sorted((meme for meme in catalogue.memes.everything() if meme.has_thumbnail), key=lambda meme: meme.id)
    place = {meme.id: at for at, meme in enumerate(memes)}
    words = np.zeros((len(memes), catalogue.embeddings.dimensions(encoder)), np.float32)
    for field in fields:
        owners, vectors = catalogue.embeddings.of_field(encoder, field)
        rows = np.array([place.get(int(id), -1) for id in owners], np.int64)
        np.add.at(words, rows[rows >= 0], vectors[rows >= 0].astype(np.float32))
    looks = np.zeros((len(memes), LOOK_DIMENSIONS), np.float32)
    for id, _, blob in catalogue.pictures.fingerprints(LOOK):
        if id in place:
            looks[place[id]] += np.frombuffer(blob, "<f2").astype(np.float32)
    bits = np.zeros((len(memes), PDQ_BITS), np.float32)
    for id, frame, blob in catalogue.pictures.fingerprints(PDQ):
        if id in place and frame == 0:
            bits[place[id]] = _bits_of([blob])
    return _known(memes, traits_of(words, looks, bits))


def some_traits(catalogue: Catalogue, ids: Sequence[int], *, encoder: str) -> Known:
    """Return what `library_traits` does, of a few memes alone."""
    memes = sorted((meme for meme in catalogue.memes.many(ids) if meme.has_thumbnail), key=lambda meme: meme.id)
    dimensions = catalogue.embeddings.dimensions(encoder)
    found = [np.empty((0, dimensions + LOOK_DIMENSIONS + PDQ_BITS), np.float32)]
    for meme in memes:
        passages = [row for row in catalogue.texts.passages_of([meme.id]) if row.passage.field is Field.OCR]
        vectors = catalogue.embeddings.get(encoder, [row.input_hash for row in passages])
        one = traits_of_picture(
            np.stack([vectors[row.input_hash] for row in passages if row.input_hash in vectors]) if vectors else None,
            catalogue.pictures.fingerprints_of(meme.content_hash, LOOK),
            catalogue.pictures.fingerprints_of(meme.content_hash, PDQ),
            dimensions=dimensions,
        )
        found.append(one.rows)
    return _known(memes, Traits(np.concatenate(found), dimensions))


def _known(memes: Sequence[Meme], traits: Traits) -> Known:
    return Known(
        np.array([meme.id for meme in memes], np.int64),
        tuple(meme.content_hash for meme in memes),
        tuple(meme.category for meme in memes),
        traits,
    )


def _look_of(looks: Sequence[bytes]) -> NDArray[np.float32]:
    found = np.zeros(LOOK_DIMENSIONS, np.float32)
    for blob in looks:
        found += np.frombuffer(blob, "<f2").astype(np.float32)
    return found


def _bits_of(prints: Sequence[bytes]) -> NDArray[np.float32]:
    if not prints:
        return np.zeros(PDQ_BITS, np.float32)
    found: NDArray[np.float32] = np.unpackbits(np.frombuffer(prints[0], np.uint8)).astype(np.float32) * 2 - 1
    return found


def unit(rows: Rows) -> Rows:
    """Return rows of length 1; a row of zeros stays one."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    found: Rows = (rows / np.maximum(lengths, 1e-9)).astype(np.float32)
    return found
