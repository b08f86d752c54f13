"""How often a password may be guessed: a bucket of guesses for each guesser, which fills again by itself."""

from __future__ import annotations

import ipaddress
import threading
from collections.abc import Callable
from time import monotonic

KEPT = 10_000  # guessers remembered at once; the longest unheard of is forgotten first


class Guesses:
    """A few guesses at once, then one in a while. Nobody is locked out for longer than one guess takes to come back."""

    def __init__(self, *, at_once: int = 5, seconds: float = 10.0, clock: Callable[[], float] = monotonic) -> None:
        self._at_once = at_once
        self._seconds = seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: dict[str, tuple[float, float]] = {}  # guesses left, and when they were counted

    def take(self, guesser: str) -> float:
        """Use up a guess and return 0, or return how many seconds are to wait for one."""
        with self._lock:
            now = self._clock()
            left, at = self._buckets.pop(guesser, (float(self._at_once), now))
            left = min(self._at_once, left + (now - at) / self._seconds)
            allowed = left > 1 - 1e-9  # what came back in steps adds up to a little less than a whole
            self._buckets[guesser] = (left - allowed, now)
            while len(self._buckets) > KEPT:
                del self._buckets[next(iter(self._buckets))]
            return 0.0 if allowed else (1 - left) * self._seconds

    def forgive(self, guesser: str) -> None:
        """Give a guesser all guesses back."""
        with self._lock:
            self._buckets.pop(guesser, None)


def network(address: str | None) -> str:
    """Return who an address belongs to: itself in IPv4, its /64 in IPv6, where everybody has many."""
    try:
        found = ipaddress.ip_address(address or "")
    except ValueError:
        return "unknown"
    if found.version == 4:
        return str(found)
    return str(ipaddress.ip_network((found, 64), strict=False))
