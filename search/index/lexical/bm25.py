"""BM25 as tantivy computes it, in single precision and with its coded lengths, so that scores are the same."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

_K1, _B = np.float32(1.2), np.float32(0.75)
_EXACT = 40  # lengths up to which each has a code of its own


def _lengths() -> NDArray[np.int64]:
    """Return the length that each code stands for ([256]), as in Lucene: three bits after the highest one."""
    found = [*range(_EXACT)]
    while len(found) < 256:
        found.append(found[-1] + (1 << (len(found) - 33) // 8))
    return np.array(found, np.int64)


LENGTHS = _lengths()


def coded_lengths(lengths: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Return the code of each length, in words: of the greatest that is no longer.

    >>> codes = coded_lengths(np.array([3, 40, 41, 42, 1000]))
    >>> codes.tolist(), LENGTHS[codes].tolist()
    ([3, 40, 40, 41, 87], [3, 40, 40, 42, 984])
    """
    return (np.searchsorted(LENGTHS, lengths, "right") - 1).astype(np.uint8)


@dataclass(frozen=True)
class Bm25:
    """BM25 of a field of so many documents and words on average."""

    documents: int
    mean_length: float

    def weights(self, frequencies: Sequence[int]) -> NDArray[np.float32]:
        """Return what a term adds at most ([terms]), by the number of documents that have it."""
        holding = np.array(frequencies, np.float32)
        ratios = (np.float32(self.documents) - holding + np.float32(0.5)) / (holding + np.float32(0.5))
        return np.log(1 + ratios, dtype=np.float64).astype(np.float32) * (1 + _K1)

    def scores(
        self, counts: NDArray[np.float32], lengths: NDArray[np.uint8], weights: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Return the score of each document ([n]) by how often it has each term ([terms, n]), and the terms' weights.

        `lengths` are its coded lengths ([n]).

        >>> field, counts = Bm25(2, 4.0), np.array([[1, 0]], np.float32)
        >>> field.scores(counts, np.array([4, 4], np.uint8), field.weights([1])).tolist()
        [0.6931471824645996, 0.0]
        """
        # The terms' shares are added one after another, as tantivy adds them.
        return np.add.reduce(weights[:, None] * (counts / (counts + self._norms[lengths])), axis=0)

    @cached_property
    def _norms(self) -> NDArray[np.float32]:
        """What each coded length adds to a count."""
        relative = _B * LENGTHS.astype(np.float32) / np.float32(self.mean_length)
        return (_K1 * (1 - _B + relative)).astype(np.float32)


def read_model(explanation: str) -> Bm25:
    """Return BM25 of a field from tantivy's explanation, in JSON, of the score of a document by a term.

    >>> read_model('{"details": [{"value": 2.0, "description": "N, total"}, {"value": 4.5, "description": "avgdl"}]}')
    Bm25(documents=2, mean_length=4.5)
    """
    found: dict[str, float] = {}
    waiting = [json.loads(explanation)]
    while waiting:
        one = waiting.pop()
        found[one.get("description", "").partition(",")[0]] = one.get("value")
        waiting += one.get("details", [])
    return Bm25(int(found["N"]), float(found["avgdl"]))
