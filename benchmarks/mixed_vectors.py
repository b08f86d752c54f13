"""Vectors of made-up passages: of each, the mixture of the vectors of the two texts that it was put together from."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from benchmarks.data import cache
from search.encoders.base import TextEncoder, Vectors

FIRST = 0.6  # share of the text that a passage begins with: all of it, and half of the other's
NOISE = 0.3  # length of what is added to a mixture: two passages of the same two texts differ
MIXED = "mixtures-of-"  # what the name of such an encoder begins with, unless it is given another
_ENDS = 24  # characters that tell one text from the others


def put_together(first: str, second: str) -> str:
    """Return the words of one text and the last half of another's, at most 900 characters."""
    ending = second.split()
    return " ".join([*first.split(), *ending[len(ending) // 2 :]])[:900]


class MixedVectors:
    """A text encoder whose rows of passages are made, not inferred; queries are encoded by a real one.

    Passages of two real texts lie near the vectors of these, as a library's memes lie around its templates and
    subjects. `texts` are what `put_together` was given. A name lies near any of them, the same for all of its category.
    """

    def __init__(self, real: TextEncoder, texts: Iterable[str], name: str | None = None) -> None:
        self.name = name or f"{MIXED}{real.name}"
        self.dimensions = real.dimensions
        self._real = real
        distinct = sorted({" ".join(text.split()) for text in texts} - {""})
        self._begin = {text[:_ENDS]: place for place, text in enumerate(distinct)}
        self._end = {text[-_ENDS:]: place for place, text in enumerate(distinct)}
        self._rows = self._embedded(distinct)

    def _embedded(self, texts: Sequence[str]) -> Vectors:
        known = zlib.crc32("\n".join([self._real.name, *texts]).encode())
        file = cache() / f"mixed-{known:08x}.npy"
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            np.save(file, self._real.encode(texts))
        return np.load(file)

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Return a row for each text, [n, dimensions] float32."""
        rows = np.empty((len(texts), self.dimensions), np.float32)
        for at, text in enumerate(texts):
            category = zlib.crc32(text.split(":")[0].encode()) % len(self._rows)
            first = self._begin.get(text[:_ENDS], category)
            second = self._end.get(text[-_ENDS:], first)  # its end is cut off: of the first alone
            draw = np.random.default_rng(zlib.crc32(text.encode()))
            rows[at] = draw.standard_normal(self.dimensions, np.float32) * (NOISE / np.sqrt(self.dimensions))
            rows[at] += FIRST * self._rows[first] + (1 - FIRST) * self._rows[second]
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        """Return the real encoder's rows of queries, [n, dimensions] float32."""
        own: Callable[[Sequence[str]], Vectors] = getattr(self._real, "encode_queries", self._real.encode)
        return own(texts)
