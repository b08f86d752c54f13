"""The time that the server's loop has run, by which connections are judged."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

LONGEST_ROUND = 1.0  # seconds: for as long the loop waits when nothing happens, so that a longer round is a pause


class LoopClock:
    """A clock of seconds to which each round of the server's loop adds one at most.

    While the process or the machine is stopped, or too busy to run the loop, nobody reads what clients sent, and nobody
    may be called slow for it. All sockets of a server share one clock; `clock` is what it measures with.

    >>> times = iter([10.0, 10.5, 10.5, 70.0, 70.0])
    >>> now = LoopClock(clock=lambda: next(times))
    >>> now.next_round()
    >>> now()
    0.5
    >>> now.next_round()  # after a minute
    >>> now()
    1.5
    """

    def __init__(self, *, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._began = clock()  # of this round, by `clock`
        self._before = 0.0  # seconds of the rounds before

    def __call__(self) -> float:
        """Return the seconds for which the loop has run."""
        return self._before + min(self._clock() - self._began, LONGEST_ROUND)

    def next_round(self) -> None:
        """Begin a round; called by the loop."""
        now = self._clock()
        self._before += min(now - self._began, LONGEST_ROUND)
        self._began = now
