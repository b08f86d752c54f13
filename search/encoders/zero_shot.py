"""Zero-shot classification: the most probable categories of a picture from the categories' names alone."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from search.encoders.base import ImageEncoder, unit_rows
from search.meme import CATEGORY_SEPARATOR

PROMPTS = ("{}", "a picture of {}", "a meme about {}")  # a name's row is the mean of these


@lru_cache(maxsize=8)
def embed_labels(encoder: Any, names: tuple[str, ...]) -> NDArray[np.float32]:
    """Return a row of length 1 for each name, [n, d] float32; the rows of the last few lists are cached."""
    if not names:
        return np.empty((0, encoder.dimensions), np.float32)
    found = encoder.encode_text([prompt.format(_spoken(name)) for name in names for prompt in PROMPTS])
    return unit_rows(found.reshape(len(names), len(PROMPTS), -1).mean(axis=1))


def classify_zero_shot(
    encoder: ImageEncoder, rows: NDArray[np.float32], names: Sequence[str], *, count: int = 3
) -> list[tuple[str, float]]:
    """Return the `count` most probable names for a picture, each with its probability, the best first.

    `rows` are the embeddings of the picture's frames, [frames, d] float32 of length 1. The probabilities are as the
    encoder's `probabilities` returns them over all names. Without rows or names, the list is empty.

    >>> class Colors:
    ...     dimensions = 2
    ...     def encode_text(self, texts):
    ...         return np.array([[1, 0] if "red" in text else [0, 1] for text in texts], np.float32)
    ...     def probabilities(self, products):
    ...         return products / products.sum(axis=1, keepdims=True)
    >>> classify_zero_shot(Colors(), np.array([[1, 0]], np.float32), ["blue", "red"], count=1)
    [('red', 1.0)]
    """
    if not len(rows) or not names:
        return []
    texts: NDArray[np.float32] = embed_labels(cast(Any, encoder), tuple(names))
    products = np.asarray((rows @ texts.T).mean(axis=0), np.float32)
    found = encoder.probabilities(products[None])[0]
    return [(names[at], float(found[at])) for at in np.argsort(-found, kind="stable")[:count]]


def _spoken(name: str) -> str:
    """Return a category's name in natural language: "TV, Star Trek" for `TV - Star Trek`."""
    return name.replace(CATEGORY_SEPARATOR, ", ")
