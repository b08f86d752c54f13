"""Set the number of threads that faiss uses."""

from __future__ import annotations

import faiss


def set_index_threads(threads: int) -> None:
    """Let faiss use this many threads for calls from the current thread.

    One query always runs on one thread, and a search releases the interpreter lock: a server gains from its
    own threads alone and is fastest with 1. A build is fastest with one for each core.

    >>> set_index_threads(1)
    """
    faiss.omp_set_num_threads(max(1, threads))
