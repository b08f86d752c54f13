"""Output of `search`, `similar` and `show`: hits with their reasons, how a query was understood, one meme."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from pathlib import Path

from rich.markup import escape
from rich.padding import Padding
from rich.style import Style
from rich.text import Text

from search.meme import Meme
from search.meme import Text as MemeText
from search.results import Answer, Hit
from web.cli.terminal import Terminal, counted


def show_answer(
    terminal: Terminal,
    answer: Answer,
    *,
    library: Path,
    offset: int = 0,
    before_hit: Callable[[Hit], object] = lambda hit: None,
) -> None:
    """Write the hits, best first, each with its path and its explanation; paths are links where the terminal can."""
    show_understood(terminal, answer)
    if not answer.hits:
        if not answer.understood.notices:
            terminal.say("No meme matches. Try fewer or other words: what it shows, says or means.")
        return
    for number, hit in enumerate(answer.hits, start=offset + 1):
        before_hit(hit)
        first, *others = _hit(number, hit, library).split("\n")
        terminal.out.print(first, soft_wrap=True)  # no path is broken: it can be copied whole
        for line in others:
            terminal.out.print(line if terminal.out.soft_wrap else Padding(line[5:], (0, 0, 0, 5)))
    terminal.say(f"{count_line(answer)}, {answer.took_ms:.0f} ms{more_line(answer, offset=offset)}", style="dim")


def count_line(answer: Answer) -> str:
    """Return how many memes match and how many weaker hits follow them, in words."""
    phrases, one = answer.understood.phrases, answer.total == 1
    if answer.understood.is_picture:
        looks = "looks" if answer.weaker == 1 else "look"
        return f"{answer.total:,} of the same picture, {answer.weaker:,} that {looks} similar"
    if answer.understood.asks_nothing:
        return f"{answer.total:,} {'meme' if one else 'memes'}"
    if phrases:
        what = ("match that" if one else "matches that") if answer.understood.asks_more else "meme" if one else "memes"
        says = f"{what} {'says' if one else 'say'} {'all of this' if len(phrases) > 1 else 'this'}"
        weaker = f", {answer.weaker:,} with similar words or meaning" if answer.weaker else ""
    else:
        says = "match" if one else "matches"
        weaker = f", {answer.weaker:,} weaker" if answer.weaker else ""
    about = "" if answer.is_exact else "about "
    return f"{about}{answer.total:,} {says}{weaker}"


def more_line(answer: Answer, *, offset: int) -> str:
    """Return how many hits follow those that are shown, and how to see them; "" when there are none."""
    left = answer.total + answer.weaker - offset - len(answer.hits)
    hits = "hit: -k and --offset select it" if left == 1 else "hits: -k and --offset select them"
    return f"; {left:,} more {hits}" if left > 0 else ""


def show_understood(terminal: Terminal, answer: Answer) -> None:
    """Write to stderr which operators were understood, which were not, and the corrected spelling."""
    understood = answer.understood
    if understood.operators:
        terminal.say(" · ".join(one.means for one in understood.operators), style="dim")
    for sentence in understood.notices:
        terminal.say(sentence, style="yellow")
    if understood.showing:
        terminal.say(f"Showing results for “{understood.showing}”; --verbatim searches for “{understood.text}”.")
    if answer.hits and understood.asks_nothing:
        terminal.say("Nothing to search for; all memes, newest first:", style="yellow")
    if answer.hits and understood.certain == 0:
        says_alone = understood.phrases and not understood.asks_more
        near = "these have similar words." if answer.names_words else "best guesses:"
        what = "this" if len(understood.phrases) == 1 else "all of this"
        nothing = "With these filters, nothing" if understood.is_narrowed else "Nothing"
        says = f"{nothing} says {what}; {near}" if says_alone else "No exact match; best guesses:"
        terminal.say(says, style="yellow")


def _hit(number: int, hit: Hit, library: Path) -> Text:
    link = Style(bold=True, link=(library.absolute() / hit.meme.path).as_uri())
    line = Text.assemble((f"{number:>3}  ", "dim"), (hit.meme.path, link), (f"  {hit.score:.3f}", "dim"))
    line.append(f"\n     id {hit.meme.id} · {hit.meme.first_seen:%Y-%m-%d}", style="dim")
    if hit.reasons:
        line.append(" · " + " · ".join(reason.in_words() for reason in hit.reasons), style="dim")
    if hit.variants:
        line.append(f" · +{counted(hit.variants, 'variant')}", style="dim")
    if not hit.certain:
        line.append(" · weaker", style="yellow")
    once = {snippet.html: snippet for snippet in reversed(hit.snippets)}  # a description may be in two fields
    for snippet in [one for one in hit.snippets if once[one.html] is one][:2]:
        line.append(f"\n     {snippet.field.value}: ", style="dim")
        line.append(_marked(snippet.html))
    return line


def _marked(marked: str) -> Text:
    """Return a snippet with its matched words in bold."""
    text = Text()
    for at, part in enumerate(re.split(r"</?mark>", marked)):
        text.append(" ".join(html.unescape(part).split(" ")), style="bold" if at % 2 else "")
    return text


def show_meme(terminal: Terminal, meme: Meme, texts: list[MemeText], *, tags: list[str]) -> None:
    """Write everything known about a meme."""
    size = f"{meme.width} × {meme.height}" if meme.width else "not decoded"
    moving = f", {meme.frames} frames in {meme.seconds:.1f} s" if meme.seconds else ""
    terminal.out.print(Text(meme.path, style="bold"))
    terminal.out.print(f"id {meme.id} · {meme.type.value} · {size}{moving} · {meme.size:,} bytes", style="dim")
    terminal.out.print(f"first seen {meme.first_seen:%Y-%m-%d %H:%M}", style="dim")
    terminal.out.print(f"sha256 {meme.content_hash}", style="dim", soft_wrap=True)
    if tags:
        terminal.out.print(Text.assemble(("tags ", "dim"), ", ".join(tags)))
    for text in texts:
        terminal.out.print(f"\n[dim]{escape(text.source)} · {text.kind.value}[/dim]")
        terminal.out.print(Text(text.body.strip() or "(no words)"))
