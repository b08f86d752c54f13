"""Memes whose texts contradict each other, as the curator sees them."""

from __future__ import annotations

from rich.text import Text

from search.texts.agreement import Contradiction, is_contradicted
from web.cli.terminal import Terminal
from web.schemas import Row, page_url


def contradiction_row(found: Contradiction) -> Row:
    """Return a meme's contradiction as a row, the least supported text first."""
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
    """Write a meme's contradiction: each text with its support and what speaks against it."""
    terminal.out.print(Text(found.meme.path, style="bold"))
    for reliability in found.reliabilities:
        style = "yellow" if is_contradicted(reliability) else "dim"
        named = f"  {reliability.support:.2f}  {reliability.text.kind.value} by {reliability.text.source}"
        terminal.out.print(Text(named, style=style))
        for reason in reliability.reasons:
            terminal.out.print(Text(f"        {reason}"))
