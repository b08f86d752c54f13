"""A token bucket for each client: limits password attempts, searches and uploads."""

from __future__ import annotations

import ipaddress
import threading
from collections.abc import Callable
from time import monotonic

MAX_CLIENTS = 10_000  # remembered at once; the client that was seen longest ago is forgotten first


class RateLimit:
    """Allows each client `burst` attempts at once, then one every `refill_seconds`.

    Nobody waits longer than `refill_seconds` for the next attempt.
    """

    def __init__(self, *, burst: int = 5, refill_seconds: float = 10.0, clock: Callable[[], float] = monotonic) -> None:
        self._burst = burst
        self._refill_seconds = refill_seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: dict[str, tuple[float, float]] = {}  # attempts left, and when they were counted

    def acquire(self, client: str) -> float:
        """Use up one attempt and return 0; when none is left, return the seconds until the next one."""
        with self._lock:
            now = self._clock()
            left, at = self._buckets.pop(client, (float(self._burst), now))
            left = min(self._burst, left + (now - at) / self._refill_seconds)
            allowed = left > 1 - 1e-9  # sums of small refills are a little less than a whole attempt
            self._buckets[client] = (left - allowed, now)
            while len(self._buckets) > MAX_CLIENTS:
                del self._buckets[next(iter(self._buckets))]
            return 0.0 if allowed else (1 - left) * self._refill_seconds

    def reset(self, client: str) -> None:
        """Give a client its full burst again."""
        with self._lock:
            self._buckets.pop(client, None)


class KeyRates:
    """A token bucket for each API key, which allows half of its rate at once."""

    def __init__(self, *, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._by_rate: dict[int, RateLimit] = {}

    def acquire(self, key: str, *, per_minute: int) -> float:
        """Count a request of a key and return 0; beyond its rate, return the seconds until the next one."""
        with self._lock:
            rate = self._by_rate.get(per_minute)
            if rate is None:
                rate = RateLimit(burst=max(1, per_minute // 2), refill_seconds=60 / per_minute, clock=self._clock)
                self._by_rate[per_minute] = rate
        return rate.acquire(key)


def client_network(address: str | None) -> str:
    """Return what identifies a client: its IPv4 address, or the /64 network of an IPv6 address.

    An IPv6 customer owns at least a /64, so a limit on single IPv6 addresses would limit nobody.
    """
    try:
        found = ipaddress.ip_address(address or "")
    except ValueError:
        return "unknown"
    if found.version == 6 and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    if found.version == 4:
        return str(found)
    return str(ipaddress.ip_network((found, 64), strict=False))
