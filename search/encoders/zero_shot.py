"""Which of a library's categories a picture fits by their names alone, without one example: zero-shot."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from search.encoders.base import ImageEncoder

PROMPTS = ("{}", "a picture of {}", "a meme about {}")  # a name's row is the middle of these


@lru_cache(maxsize=8)
def embed_labels(encoder: Any, names: tuple[str, ...]) -> NDArray[np.float32]:
    """Return an ImageEncoder's row of length 1 for each name, [n, d]; those of the last few lists are kept."""
    if not names:
        return np.empty((0, encoder.dimensions), np.float32)
    found = encoder.encode_text([prompt.format(_spoken(name)) for name in names for prompt in PROMPTS])
    middle = found.reshape(len(names), len(PROMPTS), -1).mean(axis=1)
    return (middle / np.maximum(np.linalg.norm(middle, axis=1, keepdims=True), 1e-9)).astype(np.float32)


def classify_zero_shot(
    encoder: ImageEncoder, rows: NDArray[np.float32], names: Sequence[str], *, count: int = 3
) -> list[tuple[str, float]]:
    """Return the names that fit a picture best, by its frames' rows ([frames, d]), each with its probability."""
    if not len(rows) or not names:
        return []
    texts: NDArray[np.float32] = embed_labels(cast(Any, encoder), tuple(names))
    products = np.asarray((rows @ texts.T).mean(axis=0), np.float32)
    found = encoder.probabilities(products[None])[0]
    return [(names[at], float(found[at])) for at in np.argsort(-found, kind="stable")[:count]]


def _spoken(name: str) -> str:
    """Return a category's name as one would say it: `TV - Star Trek` as "TV, Star Trek"."""
    return name.replace(" - ", ", ")
