"""How long work tells that it goes on: one seam, so that the library never prints."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from search.meme import Stage


@dataclass(frozen=True)
class StageReport:
    """What a stage did in one run. `note` says why it did nothing, when that needs saying."""

    stage: Stage
    done: int
    failed: int
    seconds: float
    note: str = ""


class Progress(Protocol):
    """Hears of each stage: how much there is to do, and each step done."""

    def begin(self, stage: Stage, total: int, *, unit: str) -> None:
        """Hear that a stage begins with this many steps."""

    def advance(self, steps: int = 1, *, failed: bool = False) -> None:
        """Hear that steps are done, or failed."""

    def end(self) -> None:
        """Hear that the stage has ended, by success or not."""


class _Silent:
    """Hears and says nothing."""

    def begin(self, stage: Stage, total: int, *, unit: str) -> None:
        """Do nothing."""

    def advance(self, steps: int = 1, *, failed: bool = False) -> None:
        """Do nothing."""

    def end(self) -> None:
        """Do nothing."""


SILENT: Progress = _Silent()


@contextmanager
def track_stage(progress: Progress, stage: Stage, total: int, *, unit: str) -> Iterator[Progress]:
    """Begin a stage and end it, whatever happens."""
    progress.begin(stage, total, unit=unit)
    try:
        yield progress
    finally:
        progress.end()
