"""What encoders promise: text encoders, image encoders, and the vectors they return."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from search.errors import IndexUnusable

Vectors = NDArray[np.float32]  # [n, d], rows of length 1


# Rows that went through float16 and back keep their length to about 1e-3.
LENGTH_TOLERANCE = 2e-3
_SHORTEST = 1e-9  # a row that is shorter has no direction


class TextEncoder(Protocol):
    """Turns texts into vectors; texts that mean the same get rows with a large product."""

    @property
    def name(self) -> str:
        """The name under which embeddings are kept; another model, or another way to run it, has another name."""

    @property
    def dimensions(self) -> int:
        """How many numbers a row has."""

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Return a float32 row of length 1 for each text, [n, dimensions]; an empty text has a row too."""


class ImageEncoder(Protocol):
    """Turns pictures and texts into vectors of one space: a picture is near to a text that describes it."""

    def probabilities(self, products: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return how likely each text is a picture's ([pictures, texts]), from the products of their rows."""

    @property
    def name(self) -> str:
        """The name under which embeddings are kept."""

    @property
    def dimensions(self) -> int:
        """How many numbers a row has."""

    def prepare(self, picture: Image.Image) -> NDArray[np.float32]:
        """Return a picture as the model takes it; another thread may do so while the model is busy."""

    def encode_prepared(self, prepared: Sequence[NDArray[np.float32]]) -> Vectors:
        """Return a float32 row of length 1 for each prepared picture, [n, dimensions]."""

    def encode_images(self, pictures: Sequence[Image.Image]) -> Vectors:
        """Return a float32 row of length 1 for each picture, [n, dimensions]."""

    def encode_text(self, texts: Sequence[str]) -> Vectors:
        """Return a float32 row of length 1 for each text, [n, dimensions], comparable with the pictures' rows."""


def validate_vectors(vectors: NDArray[np.floating], *, rows: int, dimensions: int, encoder: str) -> Vectors:
    """Return an encoder's answer as float32 [rows, dimensions], rows of length 1; raise IndexUnusable if it is not."""
    if vectors.shape != (rows, dimensions):
        raise IndexUnusable(f"The encoder {encoder} gave numbers of shape {vectors.shape}, not {(rows, dimensions)}.")
    found: Vectors = np.ascontiguousarray(vectors, dtype=np.float32)
    if not np.isfinite(found).all():
        raise IndexUnusable(f"The encoder {encoder} gave numbers that are not finite.")
    lengths = np.linalg.norm(found, axis=1)
    if rows and np.abs(lengths - 1).max() > LENGTH_TOLERANCE:
        raise IndexUnusable(f"The encoder {encoder} gave rows that are not of length 1.")
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
