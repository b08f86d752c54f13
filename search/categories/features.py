"""Features that predict a category: the OCR text and its embedding, the picture's embedding, look and fingerprint.

The text itself counts beside its embedding, because an encoder that does not read a script has no embedding of it.
Descriptions are not used: they were written by models that knew the category, so a classifier trained on them would
know the answer.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from search.catalogue import Catalogue
from search.images.fingerprints import LOOK, LOOK_DIMENSIONS, PDQ, PDQ_BITS
from search.meme import Field, Meme

# The lengths of a row's parts act as their weights; tuned on one half of the memes by `benchmarks/categories.py`.
TEXT_WEIGHT, DESCRIPTOR_WEIGHT, FINGERPRINT_WEIGHT = 1.0, 2.0, 0.5
Rows = NDArray[np.float32]  # [n, d]
Places = NDArray[np.int64]  # positions in a list of memes


@dataclass(frozen=True)
class Features:
    """Features of memes: text embedding, visual descriptor and fingerprint bits side by side, pictures and texts.

    `rows` is [n, dimensions + LOOK_DIMENSIONS + PDQ_BITS] float32. Each part is scaled to the length of its weight, or
    is zeros if a meme does not have it; `words`, `descriptors` and `bits` are views. `pictures` ([n, p] float32) are
    rows of length 1 by the image encoder, zeros for a picture that it has not seen; p is 0 without an image encoder.
    `texts` are the OCR texts.

    >>> features = combine_features(np.ones((1, 4)), np.ones((1, LOOK_DIMENSIONS)), np.ones((1, PDQ_BITS)))
    >>> len(features), features.words.tolist()
    (1, [[0.5, 0.5, 0.5, 0.5]])
    """

    rows: Rows
    dimensions: int  # of the text embedding
    pictures: Rows
    texts: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def words(self) -> Rows:
        """The text embeddings, [n, dimensions], of length TEXT_WEIGHT."""
        return self.rows[:, : self.dimensions]

    @property
    def descriptors(self) -> Rows:
        """The visual descriptors, [n, LOOK_DIMENSIONS], of length DESCRIPTOR_WEIGHT."""
        return self.rows[:, self.dimensions : self.dimensions + LOOK_DIMENSIONS]

    @property
    def bits(self) -> Rows:
        """The fingerprints, [n, PDQ_BITS], of length FINGERPRINT_WEIGHT; positive where a bit is set."""
        return self.rows[:, self.dimensions + LOOK_DIMENSIONS :]

    def of(self, places: Places | NDArray[np.bool_] | slice) -> Features:
        """Return the features of some of the memes."""
        texts = tuple(np.array(self.texts, dtype=object)[places])
        return Features(self.rows[places], self.dimensions, self.pictures[places], texts)

    def joined(self, more: Features) -> Features:
        """Return the features of these memes followed by those of `more`."""
        return Features(
            np.concatenate([self.rows, more.rows]),
            self.dimensions,
            np.concatenate([self.pictures, more.pictures]),
            self.texts + more.texts,
        )

    def descriptor_cosines(self, others: Features) -> Rows:
        """Return the cosine of each visual descriptor with each descriptor of `others`, [n, m]."""
        found: Rows = self.descriptors @ others.descriptors.T / np.float32(DESCRIPTOR_WEIGHT * DESCRIPTOR_WEIGHT)
        return found


@dataclass(frozen=True)
class Examples:
    """The memes to train on, with their features and categories; [n] each."""

    ids: Places
    contents: tuple[str, ...]  # content hashes
    categories: tuple[str, ...]
    features: Features

    def __len__(self) -> int:
        return len(self.ids)

    def of(self, places: Places) -> Examples:
        """Return some of the examples."""
        return Examples(
            self.ids[places],
            tuple(self.contents[place] for place in places),
            tuple(self.categories[place] for place in places),
            self.features.of(places),
        )

    def joined(self, more: Examples) -> Examples:
        """Return these examples followed by `more`."""
        return Examples(
            np.concatenate([self.ids, more.ids]),
            self.contents + more.contents,
            self.categories + more.categories,
            self.features.joined(more.features),
        )


def combine_features(
    words: Rows, descriptors: Rows, bits: Rows, *, pictures: Rows | None = None, texts: Sequence[str] | None = None
) -> Features:
    """Return features from their parts: [n, d], [n, LOOK_DIMENSIONS], [n, PDQ_BITS], [n, p], and n texts.

    Rows may have any length.
    """
    weighted = ((words, TEXT_WEIGHT), (descriptors, DESCRIPTOR_WEIGHT), (bits, FINGERPRINT_WEIGHT))
    rows = np.empty((len(words), sum(part.shape[1] for part, _ in weighted)), np.float32)
    start = 0
    for part, weight in weighted:
        rows[:, start : start + part.shape[1]] = unit(part) * np.float32(weight)
        start += part.shape[1]
    return Features(
        rows,
        words.shape[1],
        np.zeros((len(words), 0), np.float32) if pictures is None else unit(pictures),
        ("",) * len(words) if texts is None else tuple(texts),
    )


def picture_features(
    words: Rows | None,
    descriptors: Sequence[bytes],
    prints: Sequence[bytes],
    *,
    dimensions: int,
    text: str = "",
    frames: Rows | None = None,
) -> Features:
    """Return the features of one picture: of its text embeddings ([m, dimensions]), its frames' fingerprints, its text.

    `frames` ([frames, p]) are its frames' rows by the image encoder.
    """
    return combine_features(
        np.zeros((1, dimensions), np.float32) if words is None else words.sum(axis=0, keepdims=True),
        _sum_descriptors(descriptors)[None],
        _bits_of(prints)[None],
        pictures=None if frames is None else frames.sum(axis=0, keepdims=True),
        texts=[text],
    )


def library_examples(
    catalogue: Catalogue, *, encoder: str, image_encoder: str = "", fields: Collection[Field] = (Field.OCR,)
) -> Examples:
    """Return the present, decoded memes by id, with features; `fields` are the fields whose texts are used.

    `encoder` and `image_encoder` are names of embeddings; without the latter, pictures have no row.

    >>> examples = library_examples(workspace.catalogue, encoder=encoder.name)
    >>> len(examples) == len(examples.categories) == len(examples.features)
    True
    """
    memes = sorted((meme for meme in catalogue.memes.everything() if meme.has_thumbnail), key=lambda meme: meme.id)
    place = {meme.id: at for at, meme in enumerate(memes)}
    words = np.zeros((len(memes), catalogue.embeddings.dimensions(encoder)), np.float32)
    for field in fields:
        owners, vectors = catalogue.embeddings.of_field(encoder, field)
        rows = np.array([place.get(int(id), -1) for id in owners], np.int64)
        np.add.at(words, rows[rows >= 0], vectors[rows >= 0].astype(np.float32))
    descriptors = np.zeros((len(memes), LOOK_DIMENSIONS), np.float32)
    for id, _, blob in catalogue.pictures.fingerprints(LOOK):
        if id in place:
            descriptors[place[id]] += np.frombuffer(blob, "<f2").astype(np.float32)
    bits = np.zeros((len(memes), PDQ_BITS), np.float32)
    for id, frame, blob in catalogue.pictures.fingerprints(PDQ):
        if id in place and frame == 0:
            bits[place[id]] = _bits_of([blob])
    pictures = np.zeros((len(memes), catalogue.embeddings.dimensions(image_encoder)), np.float32)
    if image_encoder:
        owners, vectors = catalogue.embeddings.of_pictures(image_encoder)
        rows = np.array([place.get(int(id), -1) for id in owners], np.int64)
        np.add.at(pictures, rows[rows >= 0], vectors[rows >= 0].astype(np.float32))
    texts = [""] * len(memes)
    for row in (row for field in fields for row in catalogue.texts.passages(field)):
        if row.meme_id in place:
            at = place[row.meme_id]
            texts[at] = f"{texts[at]} {row.passage.body}".strip()
    return _examples(memes, combine_features(words, descriptors, bits, pictures=pictures, texts=texts))


def examples_of(catalogue: Catalogue, ids: Sequence[int], *, encoder: str, image_encoder: str = "") -> Examples:
    """Return what `library_examples` returns, for these memes only."""
    memes = sorted((meme for meme in catalogue.memes.many(ids) if meme.has_thumbnail), key=lambda meme: meme.id)
    dimensions = catalogue.embeddings.dimensions(encoder)
    parts = (dimensions, LOOK_DIMENSIONS, PDQ_BITS, catalogue.embeddings.dimensions(image_encoder))
    words, looks, bits, pictures = (np.empty((0, width), np.float32) for width in parts)
    found = combine_features(words, looks, bits, pictures=pictures, texts=())
    for meme in memes:
        passages = [row for row in catalogue.texts.passages_of([meme.id]) if row.passage.field is Field.OCR]
        vectors = catalogue.embeddings.get(encoder, [row.input_hash for row in passages])
        features = picture_features(
            np.stack([vectors[row.input_hash] for row in passages if row.input_hash in vectors]) if vectors else None,
            catalogue.pictures.fingerprints_of(meme.content_hash, LOOK),
            catalogue.pictures.fingerprints_of(meme.content_hash, PDQ),
            dimensions=dimensions,
            text=" ".join(row.passage.body for row in passages),
            frames=catalogue.embeddings.of_picture(image_encoder, meme.content_hash),
        )
        found = found.joined(features)
    return _examples(memes, found)


def _examples(memes: Sequence[Meme], features: Features) -> Examples:
    return Examples(
        np.array([meme.id for meme in memes], np.int64),
        tuple(meme.content_hash for meme in memes),
        tuple(meme.category for meme in memes),
        features,
    )


def _sum_descriptors(descriptors: Sequence[bytes]) -> NDArray[np.float32]:
    found = np.zeros(LOOK_DIMENSIONS, np.float32)
    for blob in descriptors:
        found += np.frombuffer(blob, "<f2").astype(np.float32)
    return found


def _bits_of(prints: Sequence[bytes]) -> NDArray[np.float32]:
    if not prints:
        return np.zeros(PDQ_BITS, np.float32)
    found: NDArray[np.float32] = np.unpackbits(np.frombuffer(prints[0], np.uint8)).astype(np.float32) * 2 - 1
    return found


def unit(rows: Rows) -> Rows:
    """Return rows scaled to length 1; a row of zeros stays zeros."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    found: Rows = (rows / np.maximum(lengths, 1e-9)).astype(np.float32)
    return found
