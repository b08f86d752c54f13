"""Guesses run out for who guesses, not for others, and come back."""

from __future__ import annotations

import pytest

from web.curator import rate_limit as module
from web.curator.rate_limit import Guesses, network


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_guesses_run_out_and_come_back_one_by_one() -> None:
    clock = Clock()
    guesses = Guesses(at_once=3, seconds=10, clock=clock)
    assert [guesses.take("a") for _ in range(4)] == [0, 0, 0, 10]
    clock.now = 4
    assert guesses.take("a") == pytest.approx(6)
    clock.now = 10
    assert guesses.take("a") == pytest.approx(0)
    assert guesses.take("a") == pytest.approx(10)
    clock.now = 10_000
    assert [guesses.take("a") for _ in range(4)] == [0, 0, 0, 10]  # never more than at first


def test_waiting_is_never_made_longer_by_asking() -> None:
    clock = Clock()
    guesses = Guesses(at_once=1, seconds=10, clock=clock)
    guesses.take("a")
    for clock.now in range(1, 10):
        assert guesses.take("a") == pytest.approx(10 - clock.now)
    clock.now = 10
    assert guesses.take("a") == 0


def test_one_guesser_costs_another_nothing() -> None:
    guesses = Guesses(at_once=1, clock=Clock())
    assert guesses.take("a") == 0 and guesses.take("a") > 0
    assert guesses.take("b") == 0
    guesses.forgive("a")
    assert guesses.take("a") == 0


def test_memory_is_bounded_and_the_newest_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEPT", 3)
    guesses = Guesses(at_once=1, clock=Clock())
    for name in "abcd":
        guesses.take(name)
    assert guesses.take("d") > 0
    assert guesses.take("a") == 0  # forgotten


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
def test_an_address_in_ipv6_counts_with_its_network(address: str | None, owner: str) -> None:
    assert network(address) == owner
