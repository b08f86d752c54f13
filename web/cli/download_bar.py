"""The progress of a model's download on the terminal: bytes, rate and time left."""

from __future__ import annotations

import os
import sys
import time
from types import TracebackType

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from search.encoders.hub import Download
from web.cli.output import duration
from web.cli.terminal import Terminal

LINE_SECONDS = 30.0  # between two lines where stderr is no terminal


def in_words(progress: Download) -> str:
    """Return a download's progress as a sentence, with rate and time left where they are known.

    >>> in_words(Download("ViT-B-32", 121_000_000, 605_000_000, 4_000_000.0))
    'Downloading ViT-B-32: 121 of 605 MB, 4.0 MB a second, 2 minutes left.'
    """
    if progress.message:
        return progress.message
    left = progress.seconds_left
    rest = f", {progress.rate / 1e6:.1f} MB a second, {duration(left)} left" if left is not None else ""
    return f"Downloading {progress.model}: {progress.received / 1e6:,.0f} of {progress.total / 1e6:,.0f} MB{rest}."


class DownloadBar:
    """Shows a download while the `with` block runs: a bar on a terminal, else a line every half minute."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._bars: Progress | None = None
        self._said = 0.0
        self._message = ""

    def __enter__(self) -> DownloadBar:
        """Show nothing until something is downloaded."""
        return self

    def __call__(self, progress: Download) -> None:
        """Show the progress."""
        if progress.message and progress.message != self._message:
            self._terminal.say(progress.message, style="yellow")
        self._message = progress.message
        if self._terminal.quiet or not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
            if time.monotonic() - self._said > LINE_SECONDS and not progress.message:
                self._said = time.monotonic()
                self._terminal.say(in_words(progress), style="dim")
            return
        if self._bars is None:
            self._bars = Progress(
                TextColumn("{task.description}"),
                BarColumn(bar_width=None),
                DownloadColumn(),
                TransferSpeedColumn(),
                TimeRemainingColumn(),
                TextColumn("left", style="dim"),
                console=self._terminal.err,
                transient=True,
            )
            self._bars.add_task("downloading", total=progress.total, completed=progress.received)
            self._bars.start()
        self._bars.update(self._bars.task_ids[0], total=progress.total, completed=progress.received)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove the bar."""
        if self._bars is not None:
            self._bars.stop()
            self._bars = None
