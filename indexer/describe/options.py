"""What a run of descriptions is asked to do, and how far it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from indexer.describe.prompts import KINDS
from indexer.library.sidecars import safe_name
from search.errors import WrongUse
from search.meme import TextKind


@dataclass(frozen=True)
class Assignment:
    """A model, the address where it runs, and the kind of text that it is to write."""

    model: str
    kind: TextKind
    endpoint: str


@dataclass(frozen=True)
class Terms:
    """How memes are described. Seconds are a call's longest and the first and longest pause between tries of one;
    prices are for a million tokens."""

    workers: int = 1  # calls at once, at each endpoint
    limit: int | None = None  # memes that a model is asked about for a kind, in one run
    with_category: bool = False
    only_undescribed: bool = False  # leave out memes that have a text of this kind by another model
    write_sidecars: bool = False
    prompts: Path | None = None
    seconds: float = 300.0
    tries: int = 5
    first_pause: float = 1.0
    longest_pause: float = 60.0
    price_in: float | None = None
    price_out: float | None = None


@dataclass(frozen=True)
class Tally:
    """How far a run is. `cost` is in the currency of the prices, None without them; `*_to_go` are None while unknown.

    `elsewhere` counts memes that another process did, or is doing.
    """

    done: int = 0
    failed: int = 0
    elsewhere: int = 0
    to_go: int = 0
    written: int = 0  # sidecars
    unwritten: int = 0
    calls: int = 0
    seconds: float = 0.0
    tokens_in: int = 0
    tokens_out: int = 0
    seconds_to_go: float | None = None
    cost: float | None = None
    cost_to_go: float | None = None
    stopped: tuple[str, ...] = ()  # why endpoints were given up


def checked(terms: Terms, assignments: Sequence[Assignment]) -> Terms:
    """Return the terms of a run of these assignments; raise WrongUse where they make no sense."""
    if not assignments:
        raise WrongUse("There is no model to describe with.", hint="Name one with --model.")
    if terms.workers < 1 or terms.tries < 1 or terms.seconds <= 0 or (terms.limit is not None and terms.limit < 1):
        raise WrongUse("Workers, limit, tries and seconds are at least 1.")
    if any(price is not None and price < 0 for price in (terms.price_in, terms.price_out)):
        raise WrongUse("A price is 0 or more.")
    for one in assignments:
        safe_name(one.model)
        if one.kind not in KINDS:
            raise WrongUse(f"{one.kind} is no kind of description.", hint=f"Choose {' or '.join(KINDS)}.")
    return terms
