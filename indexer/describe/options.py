"""The options and the statistics of a run of descriptions."""

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
    """A model, the address where it runs, and the kind of text that it writes."""

    model: str
    kind: TextKind
    endpoint: str


@dataclass(frozen=True)
class DescribeOptions:
    """The options of a run of descriptions.

    `seconds` is the longest duration of a call; `first_pause` and `longest_pause` are the seconds between tries of a
    call; prices are per million tokens.
    """

    workers: int = 1  # simultaneous calls at each endpoint
    limit: int | None = None  # memes per model and kind in one run
    with_category: bool = False
    only_undescribed: bool = False  # skip memes that have a text of this kind by another model
    contents: frozenset[str] | None = None  # these alone, also where the model has described them before
    write_sidecars: bool = False
    structured: bool = False  # ask for answers by a JSON schema, where the endpoint has them
    prompts: Path | None = None
    seconds: float = 300.0
    tries: int = 5
    first_pause: float = 1.0
    longest_pause: float = 60.0
    price_in: float | None = None
    price_out: float | None = None


@dataclass(frozen=True)
class DescribeStats:
    """The statistics of a run so far.

    `cost` is in the currency of the prices, None without prices; `seconds_to_go` and `cost_to_go` are None
    while unknown. `elsewhere` counts memes that another process described or is describing.
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
    stopped: tuple[str, ...] = ()  # the reasons of endpoints' permanent failures


def validate_options(options: DescribeOptions, assignments: Sequence[Assignment]) -> DescribeOptions:
    """Return the options unchanged; raise WrongUse where they or the assignments are invalid."""
    if not assignments:
        raise WrongUse("No model is named.", hint="Name one with --model.")
    if (
        options.workers < 1
        or options.tries < 1
        or options.seconds <= 0
        or (options.limit is not None and options.limit < 1)
    ):
        raise WrongUse("Workers, limit, tries and seconds must be at least 1.")
    if any(price is not None and price < 0 for price in (options.price_in, options.price_out)):
        raise WrongUse("A price must be 0 or more.")
    for assignment in assignments:
        safe_name(assignment.model)
        if assignment.kind not in KINDS:
            raise WrongUse(f"{assignment.kind} is not a kind of description.", hint=f"Choose {' or '.join(KINDS)}.")
    return options
