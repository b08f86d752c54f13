"""One endpoint of a run: what is to be done there, with which key, and whether it is of use still."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from urllib.parse import urlsplit

from indexer.describe.client import CallFailed, Endpoint, Reach
from indexer.describe.worklist import Todo

# So many calls failing one after the other are no chance, whatever the endpoint says of each.
FAILURES_IN_A_ROW = 6


class Line:
    """One endpoint with what is to be done there, in order, and whether it is of use still."""

    def __init__(self, url: str, todos: Sequence[Todo], *, keys: str, seconds: float) -> None:
        self.endpoint = Endpoint(url, key=key_for(url, keys), seconds=seconds)
        self.todos = todos
        self.given_up: CallFailed | None = None
        self._in_a_row = 0
        self._lock = threading.Lock()

    def subject(self, todo: Todo) -> str:
        """Return what a failure of a model here is listed under."""
        return f"{todo.model} at {self.endpoint.name}"

    def succeeds(self) -> None:
        """Hear that a call was answered."""
        with self._lock:
            self._in_a_row = 0

    def fails(self, error: CallFailed) -> bool:
        """Hear that a call failed for good; return whether that was the one that makes an end."""
        with self._lock:
            self._in_a_row += 1
            if self.given_up is not None or (error.reach is not Reach.ALL and self._in_a_row < FAILURES_IN_A_ROW):
                return False
            self.given_up = error
            return True


def key_for(url: str, keys: str) -> str:
    """Return the key for an address: the only one, or that of its host among `host=key host=key`."""
    host = (urlsplit(url if "//" in url else f"http://{url}").hostname or "").lower()
    named = {}
    for one in keys.split():
        name, sign, key = one.partition("=")
        if not sign or not key.strip("="):
            return one if len(keys.split()) == 1 else ""
        named[name.lower()] = key
    return named.get(host, "")
