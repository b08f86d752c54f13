"""Counts of the whole library that pages share: to ask for a page costs no pass over the memes.

A count reads every meme, so that its cost grows with the library, and anybody may ask for the pages that show it. It is
kept until the catalogue changes. While the catalogue changes all the time, as during `memetica index`, a count that
takes long is made again only after a while: whatever visitors ask for, counting takes a bounded share of a processor.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from time import monotonic, thread_time
from typing import Any, Generic, TypeVar, cast

from flask import Flask, current_app

from indexer.stages.find_duplicates import count_uncompared
from indexer.status import LibraryStatus, library_status
from search.encoders.registry import chosen_text_encoder, image_encoder_spec
from search.meme import Meme
from web.context import site

NEW_DAYS = 14
SHARE = 0.05  # of a processor, that a count takes at most while the catalogue changes
QUICK_SECONDS = 0.05  # of processor time, up to which a count is made again after every change
MOST_SECONDS = 60.0  # that a count is kept: not everything it depends on is in the catalogue

Value = TypeVar("Value")


@dataclass(frozen=True)
class _Counted:
    value: Any
    state: Hashable
    at: float
    seconds: float


class Recounted(Generic[Value]):
    """A value that is computed again when a state has changed, but not all the time. Any thread may use it.

    >>> counted = Recounted()
    >>> [counted.get(state, lambda: state) for state in ("a", "a", "b")]
    ['a', 'a', 'b']
    """

    def __init__(self, *, clock: Callable[[], float] = monotonic, processor: Callable[[], float] = thread_time) -> None:
        self._clock, self._processor = clock, processor
        self._lock = threading.Lock()
        self._known: _Counted | None = None

    def get(self, state: Hashable, count: Callable[[], Value]) -> Value:
        """Return the value in a state; one of an earlier state where counting took long, and not long ago.

        Only one thread counts: the others get the earlier value, or wait where there is none or it is soon made.
        """
        known = self._known
        if known is None or not self._serves(known, state):
            may_wait = known is None or known.seconds <= QUICK_SECONDS
            if self._lock.acquire(blocking=may_wait):
                try:
                    known = self._known
                    if known is None or not self._serves(known, state):
                        worked = self._processor()
                        value = count()
                        known = self._known = _Counted(value, state, self._clock(), self._processor() - worked)
                finally:
                    self._lock.release()
        return cast(Value, known.value if known is not None else None)

    def _serves(self, known: _Counted, state: Hashable) -> bool:
        age = self._clock() - known.at
        if known.seconds > QUICK_SECONDS and age < known.seconds / SHARE:
            return True
        return known.state == state and age < MOST_SECONDS


@dataclass(frozen=True)
class CategoryCount:
    """A category: its name, its number of memes, how many of them are new, and the newest with a thumbnail."""

    name: str
    memes: int
    fresh: int
    newest: Meme | None


class Counts:
    """The counts of an application's library."""

    def __init__(self) -> None:
        self.categories: Recounted[list[CategoryCount]] = Recounted()
        self.status: Recounted[LibraryStatus] = Recounted()
        self.comparisons: Recounted[tuple[int, int]] = Recounted()


def register(app: Flask) -> None:
    """Add the counts of an application."""
    app.extensions["counts"] = Counts()


def _counts() -> Counts:
    return cast(Counts, current_app.extensions["counts"])


def counted_categories() -> list[CategoryCount]:
    """Return every category by name."""
    memes = site().catalogue.memes

    def count() -> list[CategoryCount]:
        newest = memes.newest_of_categories()
        since = datetime.now(UTC) - timedelta(days=NEW_DAYS)
        return [
            CategoryCount(name, number, fresh, newest.get(name))
            for name, number, fresh in memes.categories(since=since)
        ]

    return _counts().categories.get(site().catalogue.changes(), count)


def counted_status() -> LibraryStatus:
    """Return the status of the library and of each stage."""
    workspace = site().workspace
    encoders = chosen_text_encoder(workspace.settings), image_encoder_spec(workspace.settings)
    return _counts().status.get((workspace.catalogue.changes(), encoders), lambda: library_status(workspace))


def counted_comparisons() -> tuple[int, int]:
    """Return how many decoded pictures were compared for duplicates, and how many contents are still to be."""
    workspace = site().workspace

    def count() -> tuple[int, int]:
        uncompared = count_uncompared(workspace)
        return max(0, workspace.catalogue.pictures.count() - uncompared), uncompared

    return _counts().comparisons.get(workspace.catalogue.changes(), count)
