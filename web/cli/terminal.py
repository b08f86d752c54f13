"""The command's streams: results on stdout, messages and progress on stderr."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.padding import Padding
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Task as ProgressTask
from rich.table import Table
from rich.text import Text

from indexer.work.progress import StageReport
from search.errors import MemeticaError
from search.meme import Stage

_PLURAL_VERBS = {"is": "are", "was": "were", "has": "have"}
LABELS = {
    Stage.SCAN: "scanning the folder",
    Stage.MEDIA: "decoding pictures",
    Stage.OCR: "running OCR",
    Stage.DESCRIBE: "describing",
    Stage.EMBED: "embedding texts",
    Stage.PICTURES: "embedding pictures",
    Stage.BUILD: "building the index",
    Stage.DUPLICATES: "comparing pictures",
}


def counted(count: int, noun: str, verb: str = "") -> str:
    """Return a count with its noun and verb in the number that goes with it.

    >>> counted(1, "meme", "is"), counted(1200, "category")
    ('1 meme is', '1,200 categories')
    """
    if count == 1:
        words = f"1 {noun} {verb}"
    else:
        plural = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
        words = f"{count:,} {plural} {_PLURAL_VERBS.get(verb, verb)}"
    return words.rstrip()


class Terminal:
    """The two streams of a command; with `quiet`, stderr gets only errors and what failed."""

    def __init__(self, *, quiet: bool, as_json: bool) -> None:
        self.as_json = as_json
        self.quiet = quiet
        self.out = Console(file=sys.stdout, highlight=False, soft_wrap=not sys.stdout.isatty(), emoji=False)
        self.err = Console(file=sys.stderr, highlight=False, quiet=quiet, emoji=False)
        self._errors = Console(file=sys.stderr, highlight=False, emoji=False)

    def row(self, row: Mapping[str, Any]) -> None:
        """Write one row of JSON to stdout."""
        sys.stdout.write(json.dumps(row, ensure_ascii=False, default=str) + "\n")

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[str | Text]], *, title: str = "") -> None:
        """Write a table to stdout, with numbers aligned to the right; or a block for each row in a narrow terminal.

        No name is broken, so that each can be copied; a pipe gets lines as long as they are.
        """
        lines = [[cell if isinstance(cell, Text) else Text(cell) for cell in row] for row in rows]
        widths = [max(map(cell_len, (name, *(row[at].plain for row in lines)))) for at, name in enumerate(columns)]
        width = sum(widths) + 2 * (len(widths) - 1)
        if sys.stdout.isatty() and width > self.out.width:
            self._blocks(columns, lines, title=title)
            return
        table = Table(title=title or None, title_justify="left", box=None, header_style="dim", pad_edge=False)
        for name in columns:
            table.add_column(name, justify="right" if name in NUMBERS else "left", overflow="fold")
        for row in lines:
            table.add_row(*row)
        out = self.out
        if width > out.width:
            out = Console(file=sys.stdout, width=width, highlight=False, emoji=False)
        out.print(table)

    def _blocks(self, columns: Sequence[str], rows: Sequence[Sequence[Text]], *, title: str) -> None:
        """Write each row as a block: its first cell, then a line for each other cell that is not empty.

        A sentence is wrapped beside the name of its column; a name or a path is not broken.
        """
        if title:
            self.out.print(Text(title))
        names = max(map(cell_len, columns[1:]), default=0)
        for row in rows:
            self.out.print(row[0], soft_wrap=True)
            for name, cell in zip(columns[1:], row[1:], strict=True):
                if not cell.plain:
                    continue
                lines = cell.wrap(self.out, max(20, self.out.width - names - 6)) if name in SENTENCES else [cell]
                for at, line in enumerate(lines):
                    self.out.print(Text.assemble(f"    {'' if at else name:<{names}}  ", line), soft_wrap=True)

    def paragraph(self, text: Text, *, indent: int = 0) -> None:
        """Write a text to stdout; the lines of a terminal are indented alike, and a pipe gets one line."""
        if self.out.soft_wrap:
            self.out.print(Text.assemble(" " * indent, text))
        else:
            self.out.print(Padding(text, (0, 0, 0, indent)))

    def say(self, sentence: str, *, style: str = "", failed: bool = False) -> None:
        """Write a message to stderr; one that tells why the exit code is not 0 is written with `quiet` too."""
        (self._errors if failed else self.err).print(Text(sentence, style=style))

    def say_hidden(self, count: int, noun: str) -> None:
        """Write how many rows -k left out, if any, and how to see them; `noun` is what one of them is."""
        if count > 0:
            self.say(f"{counted(count, f'more {noun}', 'is')} not listed: -k N lists more of them.", style="dim")

    def show_error(self, error: MemeticaError) -> None:
        """Write an error and its hint to stderr, as JSON with --json."""
        if self.as_json:
            body = {"error": {"code": error.code, "message": error.message, "hint": error.hint}}
            sys.stderr.write(json.dumps(body, ensure_ascii=False) + "\n")
            return
        self._errors.print(Text.assemble(("memetica: ", "bold red"), error.message))
        if error.hint:
            self._errors.print(Text(error.hint, style="dim"))

    def show_report(self, report: StageReport) -> None:
        """Write what a stage has done, unless it had nothing to do."""
        if not (report.done or report.failed) and report.stage is not Stage.SCAN:
            return
        rate = f", {report.done / report.seconds:.3g} a second" if report.seconds > 1 and report.done > 20 else ""
        sentence = f"{LABELS[report.stage]}: {report.done:,} in {report.seconds:.1f} s{rate}"
        failed = f"; {report.failed:,} failed" if report.failed else ""
        self.say(f"{sentence}{failed}{': ' + report.note if report.note else ''}", style="yellow" if failed else "")


SENTENCES = {"known for", "state", "what"}
NUMBERS = {"score", "done", "missing", "failed", "value", "memes", "queries", "#"}


class Rate(ProgressColumn):
    """The current number of steps a second."""

    def render(self, task: ProgressTask) -> Text:
        """Return the rate, empty while it is unknown."""
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.1f}/s", style="dim")


class ProgressBars:
    """A progress bar for each stage, with rate and time left; none with `quiet` or when stderr is not a terminal."""

    def __init__(self, terminal: Terminal) -> None:
        self._shown = not terminal.quiet and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._console = terminal.err
        self._bars: Progress | None = None
        self._failed = 0

    def begin(self, stage: Stage | str, total: int, *, unit: str) -> None:
        """Show a bar for a stage, or for other work by its name, unless there is nothing to do."""
        if not self._shown or not total:
            return
        self._failed = 0
        self._bars = Progress(
            TextColumn("{task.description:<20}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("{task.fields[unit]}", style="dim"),
            Rate(),
            TimeElapsedColumn(),
            TextColumn("left", style="dim"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[failed]}", style="yellow"),
            console=self._console,
            transient=True,
        )
        self._bars.add_task(LABELS[stage] if isinstance(stage, Stage) else stage, total=total, unit=unit, failed="")
        self._bars.start()

    def advance(self, steps: int = 1, *, failed: bool = False) -> None:
        """Advance the bar."""
        if self._bars is None:
            return
        self._failed += failed
        self._bars.update(
            self._bars.task_ids[0], advance=steps, failed=f"{self._failed} failed" if self._failed else ""
        )

    def end(self) -> None:
        """Remove the bar."""
        if self._bars is not None:
            self._bars.stop()
            self._bars = None
