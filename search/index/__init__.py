"""Vector indexes: rows of length 1 by cosine, fingerprints by the bits in which they differ. The only faiss."""

from __future__ import annotations

import faiss

from search.index.binary import BinaryIndex, build_binary, extend_binary, near_pairs
from search.index.dense import EXACT_UP_TO, DenseIndex, build_dense, extend_dense

__all__ = [
    "EXACT_UP_TO",
    "BinaryIndex",
    "DenseIndex",
    "build_binary",
    "build_dense",
    "extend_binary",
    "extend_dense",
    "near_pairs",
    "set_index_threads",
]


def set_index_threads(threads: int) -> None:
    """Let faiss use this many threads from the calling thread on.

    A single query runs on one thread whatever this says, and searches release the interpreter: a server gains by its
    own threads alone and is best with one. Building is best with one per core.
    """
    faiss.omp_set_num_threads(max(1, threads))
