"""Attempts run out for one client, not for others, and are refilled."""

from __future__ import annotations

import pytest

from web.access import rate_limit as module
from web.access.rate_limit import RateLimit, client_network


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_attempts_run_out_and_are_refilled_one_by_one() -> None:
    clock = Clock()
    limit = RateLimit(burst=3, refill_seconds=10, clock=clock)
    assert [limit.acquire("a") for _ in range(4)] == [0, 0, 0, 10]
    clock.now = 4
    assert limit.acquire("a") == pytest.approx(6)
    clock.now = 10
    assert limit.acquire("a") == pytest.approx(0)
    assert limit.acquire("a") == pytest.approx(10)
    clock.now = 10_000
    assert [limit.acquire("a") for _ in range(4)] == [0, 0, 0, 10]  # never more than at first


def test_an_attempt_while_waiting_does_not_lengthen_the_wait() -> None:
    clock = Clock()
    limit = RateLimit(burst=1, refill_seconds=10, clock=clock)
    limit.acquire("a")
    for clock.now in range(1, 10):
        assert limit.acquire("a") == pytest.approx(10 - clock.now)
    clock.now = 10
    assert limit.acquire("a") == 0


def test_one_client_uses_up_no_attempt_of_another() -> None:
    limit = RateLimit(burst=1, clock=Clock())
    assert limit.acquire("a") == 0 and limit.acquire("a") > 0
    assert limit.acquire("b") == 0
    limit.reset("a")
    assert limit.acquire("a") == 0


def test_memory_is_bounded_and_the_newest_clients_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_CLIENTS", 3)
    limit = RateLimit(burst=1, clock=Clock())
    for name in "abcd":
        limit.acquire(name)
    assert limit.acquire("d") > 0
    assert limit.acquire("a") == 0  # forgotten


@pytest.mark.parametrize(
    ("address", "owner"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        (None, "unknown"),
        ("a socket", "unknown"),
    ],
)
def test_an_ipv6_address_counts_with_its_network(address: str | None, owner: str) -> None:
    assert client_network(address) == owner
