"""Set the number of threads that faiss uses."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import faiss


def set_index_threads(threads: int) -> None:
    """Let faiss use this many threads for calls from the current thread.

    One query always runs on one thread, and a search releases the interpreter lock: a server gains from its
    own threads alone and is fastest with 1. A build is fastest with one for each core.

    >>> set_index_threads(1)
    """
    faiss.omp_set_num_threads(max(1, threads))


@contextmanager
def one_thread() -> Iterator[None]:
    """Let faiss use one thread for calls from the current thread in a `with` block, and as many as before after it.

    >>> with one_thread():
    ...     pass
    """
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)
