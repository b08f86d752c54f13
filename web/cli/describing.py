"""What `memetica describe` says: how far it is in memes, time and money, and the models that it is told of."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict

from indexer.describe.options import Assignment, DescribeStats
from search.meme import TextKind
from web.cli.terminal import Terminal
from web.schemas import Row

SECONDS_BETWEEN = 30.0


def assignments_of(models: Sequence[str], kind: TextKind, *, endpoints: Sequence[str]) -> list[Assignment]:
    """Return who writes where: `NAME@URL` at its own address, `NAME` at each of the endpoints."""
    found = []
    for model in models:
        name, sign, address = model.partition("@http")
        found += [Assignment(name, kind, url) for url in ([f"http{address}"] if sign else endpoints)]
    return found


def tally_row(tally: DescribeStats) -> Row:
    """Return how far a run is as a row; times in seconds."""
    row = asdict(tally)
    for name in ("seconds", "seconds_to_go"):
        row[name] = None if row[name] is None else round(row[name], 1)
    for name in ("cost", "cost_to_go"):
        row[name] = None if row[name] is None else round(row[name], 6)
    return row


def sentence(tally: DescribeStats) -> str:
    """Return how far a run is as a person reads it."""
    said = [f"{tally.done:,} described"]
    if tally.failed:
        said.append(f"{tally.failed:,} failed")
    if tally.elsewhere:
        said.append(f"{tally.elsewhere:,} left to others")
    if tally.written or tally.unwritten:
        said.append(f"{tally.written:,} written beside their memes")
    if tally.unwritten:
        said.append(f"{tally.unwritten:,} could not be written there")
    said[-1] += f" in {_duration(tally.seconds)}"
    if tally.to_go:
        left = "" if tally.seconds_to_go is None else f", about {_duration(tally.seconds_to_go)}"
        said.append(f"{tally.to_go:,} to go{left}")
    if tally.tokens_in or tally.tokens_out:
        said.append(f"{tally.tokens_in:,} + {tally.tokens_out:,} tokens")
    if tally.cost is not None:
        left = f", about {tally.cost_to_go:,.2f} to go" if tally.to_go and tally.cost_to_go is not None else ""
        said.append(f"cost {tally.cost:,.2f}{left}")
    return "; ".join(said) + "."


class Teller:
    """Says now and then how far a run is."""

    def __init__(self, terminal: Terminal, *, seconds: float = SECONDS_BETWEEN) -> None:
        self._terminal = terminal
        self._seconds = seconds
        self._next = time.monotonic() + seconds
        self._stopped = 0

    def __call__(self, tally: DescribeStats) -> None:
        """Hear how far a run is; say it when it is time, and at once why an endpoint was given up."""
        for reason in tally.stopped[self._stopped :]:
            self._terminal.say(reason, style="yellow")
        self._stopped = len(tally.stopped)
        if time.monotonic() >= self._next and tally.to_go:
            self._next = time.monotonic() + self._seconds
            self._terminal.say(sentence(tally))


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
