"""Remembered answers: what the last queries found, for their further pages, other orders and facets.

Everything is of one state of index and catalogue: when either changes, all of it is forgotten.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

MOST = 128  # values; a ranking of 480 memes takes about 0.1 MB
MOST_IDS = 2_000_000  # ids in all values together, 16 MB: a listing has all memes

Value = TypeVar("Value")


class RememberedAnswers:
    """The values computed last, by key, in one state. Any thread may use it.

    >>> answers = RememberedAnswers()
    >>> [answers.get("state 1", "dog", lambda: value) for value in (1, 2)], answers.get("state 2", "dog", lambda: 3)
    ([1, 1], 3)
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._state: Hashable = None
        self._values: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._ids = 0

    def get(
        self,
        state: Hashable,
        key: Hashable,
        compute: Callable[[], Value],
        *,
        ids: Callable[[Value], int] = lambda value: 0,
        is_kept: Callable[[], bool] = lambda: True,
    ) -> Value:
        """Return the value of a key in a state, computed when it is not known.

        `ids` returns how many ids a value holds. A value is not kept when `is_kept` then returns False, or when it
        alone holds more than MOST_IDS.
        """
        with self._lock:
            if state == self._state and key in self._values:
                self._values.move_to_end(key)
                known: Value = self._values[key][0]
                return known
        value = compute()
        size = ids(value)
        if size <= MOST_IDS and is_kept():
            with self._lock:
                self._keep(state, key, value, size)
        return value

    def _keep(self, state: Hashable, key: Hashable, value: object, size: int) -> None:
        if state != self._state:
            self._values.clear()
            self._state, self._ids = state, 0
        self._ids += size - self._values.pop(key, (None, 0))[1]
        self._values[key] = value, size
        while len(self._values) > MOST or self._ids > MOST_IDS:
            self._ids -= self._values.popitem(last=False)[1][1]
