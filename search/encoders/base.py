"""The protocols of text and image encoders, and checks of the vectors that they return."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from search.errors import IndexUnusable

Vectors = NDArray[np.float32]  # [n, d], rows of length 1


# Rows that are stored as float16 keep their length to about 1e-3.
LENGTH_TOLERANCE = 2e-3
_SHORTEST = 1e-9  # shorter rows have no direction


class TextEncoder(Protocol):
    """Embeds texts: the rows of two texts have a large dot product when the texts mean the same.

    An encoder that cannot read every script says so by an attribute `coverage` (see `search.encoders.coverage`): texts
    that it cannot read are then neither embedded nor searched by meaning. One that embeds queries otherwise than what
    they find has a second method, `encode_queries`, of the same form.
    """

    @property
    def name(self) -> str:
        """The name under which embeddings are stored; different models have different names."""

    @property
    def dimensions(self) -> int:
        """The number of dimensions of a row."""

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Return a float32 row of length 1 for each text, [n, dimensions], also for an empty one."""


def encode_queries(encoder: TextEncoder, texts: Sequence[str]) -> Vectors:
    """Return a row for each query, [n, dimensions]: by the encoder's `encode_queries` if it has one, else as passages.

    >>> encode_queries(encoder, ["a cat"]).shape == (1, encoder.dimensions)
    True
    """
    own: Callable[[Sequence[str]], Vectors] = getattr(encoder, "encode_queries", encoder.encode)
    return own(texts)


class ImageEncoder(Protocol):
    """Embeds pictures and texts in one space: a picture is near to a text that describes it."""

    def probabilities(self, products: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the probability of each text for each picture, given the dot products of their rows.

        Both are [pictures, texts] float32.
        """

    @property
    def name(self) -> str:
        """The name under which embeddings are stored."""

    @property
    def dimensions(self) -> int:
        """The number of dimensions of a row."""

    @property
    def side(self) -> int:
        """The shorter side of a preprocessed picture, in pixels; larger pictures may be decoded at a smaller scale."""

    def prepare(self, picture: Image.Image) -> NDArray[np.float32]:
        """Return a picture preprocessed for the model; may run in another thread while the model is busy."""

    def encode_prepared(self, prepared: Sequence[NDArray[np.float32]]) -> Vectors:
        """Return a float32 row of length 1 for each preprocessed picture, [n, dimensions]."""

    def encode_images(self, pictures: Sequence[Image.Image]) -> Vectors:
        """Return a float32 row of length 1 for each picture, [n, dimensions]."""

    def encode_text(self, texts: Sequence[str]) -> Vectors:
        """Return a float32 row of length 1 for each text, [n, dimensions], comparable with the pictures' rows."""


def text_weight(encoder: ImageEncoder) -> float:
    """Return how much an encoder's fit of words and pictures counts in a ranking, beside one that learned both: 0 to 1.

    1 for an encoder that says nothing of it.
    """
    return float(getattr(encoder, "text_weight", 1.0))


def validate_vectors(vectors: NDArray[np.floating], *, rows: int, dimensions: int, encoder: str) -> Vectors:
    """Return an encoder's output as [rows, dimensions] float32; raise IndexUnusable unless its rows have length 1.

    >>> validate_vectors(np.array([[0.6, 0.8]]), rows=1, dimensions=2, encoder="mine")
    array([[0.6, 0.8]], dtype=float32)
    """
    if vectors.shape != (rows, dimensions):
        raise IndexUnusable(
            f"The encoder {encoder} returned an array of shape {vectors.shape}, not {(rows, dimensions)}."
        )
    found: Vectors = np.ascontiguousarray(vectors, dtype=np.float32)
    if not np.isfinite(found).all():
        raise IndexUnusable(f"The encoder {encoder} returned numbers that are not finite.")
    lengths = np.linalg.norm(found, axis=1)
    if rows and np.abs(lengths - 1).max() > LENGTH_TOLERANCE:
        raise IndexUnusable(f"The encoder {encoder} returned rows whose length is not 1.")
    return found


def unit_rows(rows: NDArray[np.floating]) -> Vectors:
    """Return rows ([n, d]) as float32 and scaled to length 1; a row of zeros stays as it is.

    >>> unit_rows(np.array([[3.0, 4.0], [0.0, 0.0]]))
    array([[0.6, 0.8],
           [0. , 0. ]], dtype=float32)
    """
    found = np.asarray(rows, np.float32)
    scaled: Vectors = found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), _SHORTEST)
    return scaled
