"""The rows of queries that are remembered."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from search.encoders.row_cache import MOST, RowCache
from tests.support.waiting import PATIENCE


def test_of_threads_that_ask_at_once_one_encodes() -> None:
    rows, calls, all_ask = RowCache(), [], threading.Event()

    def encode() -> np.ndarray:
        calls.append(threading.get_ident())
        assert all_ask.wait(PATIENCE)
        return np.ones(3, np.float32)

    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(rows.get, "a cat", encode) for _ in range(4)]
        while not calls:
            pass
        all_ask.set()
        found = [one.result() for one in asked]
    assert len(calls) == 1 and all(row.tolist() == [1, 1, 1] for row in found)
    found[0][:] = 7  # each caller's own
    assert rows.get("a cat", encode).tolist() == [1, 1, 1]


def test_a_failure_is_told_to_all_who_waited_and_not_remembered() -> None:
    rows = RowCache()

    def fail() -> np.ndarray:
        raise RuntimeError("no memory")

    with pytest.raises(RuntimeError, match="no memory"):
        rows.get("a cat", fail)
    assert rows.get("a cat", lambda: np.zeros(1, np.float32)).tolist() == [0]


def test_the_texts_asked_for_last_are_kept() -> None:
    rows = RowCache()
    for number in range(MOST + 1):
        rows.get(str(number), lambda: np.zeros(1, np.float32))
        rows.get("0", lambda: np.ones(1, np.float32))
    assert rows.get("0", lambda: np.full(1, 2, np.float32)).tolist() == [0]
    assert rows.get("1", lambda: np.full(1, 2, np.float32)).tolist() == [2]
