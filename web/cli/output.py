"""Output of the commands that list no hits: status, decisions and progress, and the rows that only commands write."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rich.text import Text

from search.catalogue import Verdict, VerdictKind
from search.catalogue.ledger import verdict_row
from search.errors import MemeticaError
from search.index.status import IndexStatus
from search.settings import Settings
from search.texts.agreement import Contradiction, is_contradicted
from web.cli.terminal import LABELS, Terminal, counted
from web.schemas import Row, page_url

if TYPE_CHECKING:  # these import the decoders and the endpoints' client, which a search does not need
    from indexer.describe.options import DescribeStats
    from indexer.status import LibraryStatus

PROGRESS_SECONDS = 30.0  # between two progress reports of `memetica describe`


def show_status(
    terminal: Terminal, settings: Settings, status: LibraryStatus, index: IndexStatus | MemeticaError
) -> None:
    """Write the progress of each stage, the state of the index, and what failed and why."""
    terminal.out.print(
        f"{counted(status.memes, 'meme')} in {counted(status.categories, 'category')} of {settings.library}"
    )
    terminal.out.print(Text.assemble(("data folder: ", "dim"), str(settings.data)))
    terminal.table(
        ("stage", "done", "missing", "failed", "of"),
        [
            (LABELS[one.stage], f"{one.done:,}", f"{one.missing:,}", f"{one.failed:,}", one.unit)
            for one in status.stages
        ],
    )
    for found in status.stages:
        if found.note:
            terminal.paragraph(Text.assemble((f"{LABELS[found.stage]}: ", "dim"), found.note))
    if isinstance(index, MemeticaError):
        terminal.out.print(Text.assemble(("index: ", "dim"), index.message, f" {index.hint}"))
    else:
        age = datetime.now(UTC) - index.built_at
        fresh = "up to date" if index.fresh else "older than the catalogue: run `memetica index`"
        terminal.out.print(
            Text.assemble(
                ("index: ", "dim"), f"{fresh}, built {duration(age.total_seconds())} ago ({index.generation})"
            )
        )
        terminal.paragraph(Text(index.reads))
        terminal.paragraph(Text(index.eyes))
        for sentence in index.missing:
            terminal.paragraph(Text.assemble(("missing: ", "dim"), sentence))
    if status.damaged:
        terminal.out.print("\ndamaged, but shown", style="yellow")
        for meme in status.damaged:
            terminal.out.print(Text("  " + repr(meme.path)[1:-1], style="bold"), soft_wrap=True)
            terminal.paragraph(Text(str(meme.damage)), indent=4)
    if status.failures:
        terminal.out.print("\nfailed", style="yellow")
        for one in status.failures:
            tries = f" (tried {one.attempts} times)" if one.attempts > 1 else ""
            stage = f"{one.stage.value} by {one.source}" if one.source else one.stage.value
            terminal.out.print(Text("  " + repr(one.subject)[1:-1], style="bold"), soft_wrap=True)
            terminal.paragraph(Text(f"{stage}: {one.reason}{tries}"), indent=4)
            if one.hint:
                terminal.paragraph(Text(one.hint, style="dim"), indent=4)


def show_verdict(terminal: Terminal, verdict: Verdict, message: str = "") -> None:
    """Write a new line of the ledger and how to undo it; `message` replaces the sentence about it."""
    if terminal.as_json:
        terminal.row(verdict_row(verdict))
        return
    terminal.say(message or f"{verdict.kind}: {', '.join(verdict.paths)}")
    if verdict.kind is not VerdictKind.UNDONE:
        terminal.say(f"`memetica undo {verdict.uid}` undoes it.", style="dim")


def show_entry(
    terminal: Terminal, uid: str, at: datetime, *, kept: str, others: Iterable[str], title: str = "", note: str = ""
) -> None:
    """Write a decision: its id and time, what was kept, the other memes, and the note."""
    heading = Text.assemble("\n", (uid, "dim"), f"  {at:%Y-%m-%d %H:%M}")
    if title:
        heading.append(f"  {title}", "bold")
    terminal.out.print(heading)
    if kept:
        terminal.out.print(Text.assemble(("  keep  ", "green"), (kept, "bold")))
    for path in others:
        terminal.out.print(Text(f"        {path}"))
    if note:
        terminal.out.print(Text(f"          {note}", style="dim"))


def show_file_error(terminal: Terminal, file: Path, error: MemeticaError) -> None:
    """Write why one of several files was skipped: a row with --json, else a message."""
    if terminal.as_json:
        terminal.row({"file": str(file), "error": {"message": error.message, "hint": error.hint}})
    else:
        terminal.say(f"{file}: {error.message} {error.hint}".strip(), failed=True)


def contradiction_row(found: Contradiction) -> Row:
    """Return a meme's contradiction as a row, the text with the least support first."""
    return {
        "id": found.meme.id,
        "path": found.meme.path,
        "url": page_url(found.meme),
        "witnesses": [
            {
                "kind": reliability.text.kind.value,
                "source": reliability.text.source,
                "body": reliability.text.body,
                "support": reliability.support,
                "weight": reliability.weight,
                "reasons": list(reliability.reasons),
            }
            for reliability in found.reliabilities
        ],
    }


def show_contradiction(terminal: Terminal, found: Contradiction) -> None:
    """Write a meme's contradiction: each text with its support and what it contradicts."""
    terminal.out.print(Text(found.meme.path, style="bold"))
    for reliability in found.reliabilities:
        style = "yellow" if is_contradicted(reliability) else "dim"
        named = f"  {reliability.support:.2f}  {reliability.text.kind.value} by {reliability.text.source}"
        terminal.out.print(Text(named, style=style))
        for reason in reliability.reasons:
            terminal.paragraph(Text(reason), indent=8)


def tally_row(tally: DescribeStats) -> Row:
    """Return the progress of a run of descriptions as a row; times in seconds."""
    row = asdict(tally)
    for name in ("seconds", "seconds_to_go"):
        row[name] = None if row[name] is None else round(row[name], 1)
    for name in ("cost", "cost_to_go"):
        row[name] = None if row[name] is None else round(row[name], 6)
    return row


def tally_sentence(tally: DescribeStats) -> str:
    """Return the progress of a run of descriptions as a sentence."""
    if not (tally.done or tally.failed or tally.elsewhere or tally.to_go or tally.written or tally.unwritten):
        return "There is nothing left to describe."
    parts = [f"{tally.done:,} described"]
    if tally.failed:
        parts.append(f"{tally.failed:,} failed")
    if tally.elsewhere:
        parts.append(f"{tally.elsewhere:,} left to other runs")
    if tally.written or tally.unwritten:
        parts.append(f"{tally.written:,} sidecars written")
    if tally.unwritten:
        parts.append(f"{tally.unwritten:,} sidecars could not be written")
    parts[-1] += f" in {_duration(tally.seconds)}"
    if tally.to_go:
        left = "" if tally.seconds_to_go is None else f", about {_duration(tally.seconds_to_go)}"
        parts.append(f"{tally.to_go:,} to go{left}")
    if tally.tokens_in or tally.tokens_out:
        parts.append(f"{tally.tokens_in:,} + {tally.tokens_out:,} tokens")
    if tally.cost is not None:
        left = f", about {tally.cost_to_go:,.2f} to go" if tally.to_go and tally.cost_to_go is not None else ""
        parts.append(f"cost {tally.cost:,.2f}{left}")
    return "; ".join(parts) + "."


class DescribeProgress:
    """Reports the progress of a run of descriptions every `seconds`, and at once why an endpoint was stopped.

    The reason of the last of the `endpoints` is the error with which the run ends, and is not reported before it.
    """

    def __init__(self, terminal: Terminal, *, endpoints: int, seconds: float = PROGRESS_SECONDS) -> None:
        self._terminal = terminal
        self._endpoints = endpoints
        self._seconds = seconds
        self._next = time.monotonic() + seconds
        self._stopped = 0

    def __call__(self, tally: DescribeStats) -> None:
        """Report new reasons for stopping, and the tally when it is due."""
        for reason in tally.stopped[self._stopped : self._endpoints - 1]:
            self._terminal.say(reason, style="yellow")
        self._stopped = len(tally.stopped)
        if time.monotonic() >= self._next and tally.to_go:
            self._next = time.monotonic() + self._seconds
            self._terminal.say(tally_sentence(tally))


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def duration(seconds: float) -> str:
    """Return a time in words: "3 hours", "45 seconds"."""
    for unit, length in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length:.0f} {unit}"
    return f"{seconds:.0f} seconds"
