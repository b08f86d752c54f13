"""Progress of a stage, reported through one interface, so that the library itself never prints."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from search.meme import Stage


@dataclass(frozen=True)
class StageReport:
    """The result of a stage in one run; `note` is the reason when it could do nothing."""

    stage: Stage
    done: int
    failed: int
    seconds: float
    note: str = ""


class Progress(Protocol):
    """Receives the progress of one stage after another."""

    def begin(self, stage: Stage, total: int, *, unit: str) -> None:
        """Start a stage of `total` steps, counted in `unit`."""

    def advance(self, steps: int = 1, *, failed: bool = False) -> None:
        """Count steps as done, or as failed."""

    def end(self) -> None:
        """End the stage, whether it succeeded or not."""


class _Silent:
    def begin(self, stage: Stage, total: int, *, unit: str) -> None:
        pass

    def advance(self, steps: int = 1, *, failed: bool = False) -> None:
        pass

    def end(self) -> None:
        pass


SILENT: Progress = _Silent()  # ignores all progress


@contextmanager
def track_stage(progress: Progress, stage: Stage, total: int, *, unit: str) -> Iterator[Progress]:
    """Begin a stage for a `with` block and end it afterwards, also when the block raises.

    >>> from indexer.work.progress import SILENT, track_stage
    >>> from search.meme import Stage
    >>> with track_stage(SILENT, Stage.OCR, 2, unit="pictures") as progress:
    ...     progress.advance(2)
    """
    progress.begin(stage, total, unit=unit)
    try:
        yield progress
    finally:
        progress.end()
