"""Answers as a person reads them in a terminal."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.text import Text

from search.errors import MemeticaError
from search.index.status import IndexStatus
from search.meme import Meme
from search.meme import Text as MemeText
from search.results import Answer, Hit
from search.settings import Settings
from web.cli.terminal import LABELS, Terminal

if TYPE_CHECKING:
    from indexer.status import LibraryStatus  # brings the decoders, which a search does not need


def show_answer(terminal: Terminal, answer: Answer, *, offset: int = 0) -> None:
    """Write the hits, best first: where each is, and why."""
    show_understood(terminal, answer)
    if not answer.hits:
        terminal.say("No meme matches. Try fewer or other words: what it shows, says or means.")
        return
    for number, hit in enumerate(answer.hits, start=offset + 1):
        terminal.out.print(_hit(number, hit))
    certain = answer.total if answer.understood.certain is None else answer.understood.certain
    less = f", {certain:,} for certain" if certain != answer.total else ""
    terminal.say(f"{answer.total:,} in all{less}, {answer.took_ms:.0f} ms", style="dim")


def show_understood(terminal: Terminal, answer: Answer) -> None:
    """Write what was understood beside the words, what was not, and what a slip was read as."""
    understood = answer.understood
    if understood.operators:
        terminal.say(" · ".join(one.means for one in understood.operators), style="dim")
    for sentence in understood.notices:
        terminal.say(sentence, style="yellow")
    if understood.showing:
        terminal.say(f"Showing results for “{understood.showing}”; --verbatim searches for “{understood.text}”.")
    if answer.hits and understood.certain == 0:
        terminal.say("No meme matches for certain; these come nearest.", style="yellow")


def _hit(number: int, hit: Hit) -> Text:
    line = Text.assemble((f"{number:>3}  ", "dim"), (hit.meme.path, "bold"), (f"  {hit.score:.3f}", "dim"))
    shares = [
        f"{field.value} {share:.0%}"
        for field, share in sorted(hit.explanation.items(), key=lambda one: -one[1])
        if share >= 0.01
    ]
    line.append(f"\n     id {hit.meme.id} · {hit.meme.first_seen:%Y-%m-%d}", style="dim")
    if shares:
        line.append(" · " + ", ".join(shares), style="dim")
    if hit.variants:
        line.append(f" · +{hit.variants} variants", style="dim")
    if not hit.certain:
        line.append(" · less certain", style="yellow")
    for snippet in hit.snippets[:2]:
        line.append(f"\n     {snippet.field.value}: ", style="dim")
        line.append(_marked(snippet.html))
    return line


def _marked(marked: str) -> Text:
    """Return a snippet with its matched words standing out."""
    text = Text()
    for at, part in enumerate(re.split(r"</?mark>", marked)):
        text.append(" ".join(html.unescape(part).split(" ")), style="bold" if at % 2 else "")
    return text


def show_meme(terminal: Terminal, meme: Meme, texts: list[MemeText]) -> None:
    """Write everything known about a meme."""
    size = f"{meme.width} × {meme.height}" if meme.width else "not decoded"
    moving = f", {meme.frames} frames in {meme.seconds:.1f} s" if meme.seconds else ""
    terminal.out.print(Text(meme.path, style="bold"))
    terminal.out.print(f"id {meme.id} · {meme.type.value} · {size}{moving} · {meme.size:,} bytes", style="dim")
    terminal.out.print(f"first seen {meme.first_seen:%Y-%m-%d %H:%M} · sha256 {meme.content_hash}", style="dim")
    for text in texts:
        terminal.out.print(f"\n[dim]{escape(text.source)} · {text.kind.value}[/dim]")
        terminal.out.print(Text(text.body.strip() or "(no words)"))


def show_status(
    terminal: Terminal, settings: Settings, status: LibraryStatus, index: IndexStatus | MemeticaError
) -> None:
    """Write how far each stage is, what failed and why, and the state of the index."""
    terminal.out.print(f"{status.memes:,} memes in {status.categories:,} categories of {settings.library}")
    terminal.table(
        ("stage", "done", "missing", "failed", "of", ""),
        [
            (LABELS[one.stage], f"{one.done:,}", f"{one.missing:,}", f"{one.failed:,}", one.unit, one.note)
            for one in status.stages
        ],
    )
    if isinstance(index, MemeticaError):
        terminal.out.print(Text.assemble(("index: ", "dim"), index.message, f" {index.hint}"))
    else:
        age = datetime.now(UTC) - index.built_at
        fresh = "up to date" if index.fresh else "older than the catalogue: run `memetica index`"
        terminal.out.print(
            Text.assemble(("index: ", "dim"), f"{fresh}, built {_age(age.total_seconds())} ago ({index.generation})")
        )
        for sentence in index.missing:
            terminal.out.print(Text.assemble(("missing: ", "dim"), sentence))
    if status.failures:
        terminal.out.print("\nfailed", style="yellow")
        for one in status.failures:
            tries = f" (tried {one.attempts} times)" if one.attempts > 1 else ""
            who = f"{one.stage.value} by {one.source}" if one.source else one.stage.value
            terminal.out.print(Text.assemble(("  " + repr(one.subject)[1:-1], "bold"), f" {who}: {one.reason}{tries}"))
            if one.hint:
                terminal.out.print(Text("    " + one.hint, style="dim"))


def _age(seconds: float) -> str:
    for unit, length in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length:.0f} {unit}"
    return f"{seconds:.0f} seconds"
