"""The rows of the last queries: several encoders share a model of texts, and a query is asked again for its pages."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future

import numpy as np
from numpy.typing import NDArray

MOST = 256  # texts: .4 MB of MiniLM's rows

Row = NDArray[np.float32]


class RowCache:
    """The rows of the texts that were encoded last, for any thread: of those that ask at once, one encodes.

    >>> from search.encoders.row_cache import RowCache
    >>> rows = RowCache()
    >>> [rows.get("a cat", lambda: np.full(1, number)).tolist() for number in (1, 2)]
    [[1], [1]]
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rows: OrderedDict[str, Future[Row]] = OrderedDict()

    def get(self, text: str, encode: Callable[[], Row]) -> Row:
        """Return a text's row ([d] float32) for the caller's own use, encoded when it is not known."""
        with self._lock:
            known = self._rows.get(text)
            if known is None:
                own = self._rows[text] = Future()
                while len(self._rows) > MOST:
                    self._rows.popitem(last=False)
            else:
                self._rows.move_to_end(text)
        if known is not None:
            return known.result().copy()
        try:
            row = encode()
        except BaseException as error:
            with self._lock:
                if self._rows.get(text) is own:
                    del self._rows[text]
            own.set_exception(error)
            raise
        own.set_result(row)
        return row.copy()
