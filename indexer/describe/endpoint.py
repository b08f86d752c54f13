"""One endpoint of a run of descriptions: its client, its worklists in order, and its permanent failure."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from urllib.parse import urlsplit

from indexer.describe.client import VisionClient
from indexer.describe.failures import CallFailed, FailureScope
from indexer.describe.options import DescribeOptions
from indexer.describe.worklist import Worklist

# After this many failures in a row, the endpoint counts as failed, regardless of the single errors.
FAILURES_IN_A_ROW = 6


class Endpoint:
    """One endpoint of a run with its worklists in order; `failure` is set once it has failed permanently."""

    def __init__(self, url: str, worklists: Sequence[Worklist], *, keys: str, options: DescribeOptions) -> None:
        self.client = VisionClient(url, key=key_for(url, keys), seconds=options.seconds, structured=options.structured)
        self.worklists = worklists
        self.failure: CallFailed | None = None
        self._in_a_row = 0
        self._lock = threading.Lock()

    def subject(self, worklist: Worklist) -> str:
        """Return the name under which failures of a model at this endpoint are listed."""
        return f"{worklist.model} at {self.client.name}"

    def record_success(self) -> None:
        """Record that a call was answered."""
        with self._lock:
            self._in_a_row = 0

    def record_failure(self, error: CallFailed) -> bool:
        """Record that a call failed after all tries; return whether this makes the endpoint fail permanently."""
        with self._lock:
            self._in_a_row += 1
            if self.failure is not None or (
                error.scope is not FailureScope.ENDPOINT and self._in_a_row < FAILURES_IN_A_ROW
            ):
                return False
            self.failure = error
            return True


def key_for(url: str, keys: str) -> str:
    """Return the key for an address: the only key, or the key of its host in `host=key host=key`.

    >>> key_for("https://api.example/v1", "api.example=sk-1 other.example=sk-2")
    'sk-1'
    """
    host = (urlsplit(url if "//" in url else f"http://{url}").hostname or "").lower()
    named = {}
    for entry in keys.split():
        name, sign, key = entry.partition("=")
        if not sign or not key.strip("="):
            return entry if len(keys.split()) == 1 else ""
        named[name.lower()] = key
    return named.get(host, "")
