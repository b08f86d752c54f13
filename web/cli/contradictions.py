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
                "kind": witness.text.kind.value,
                "source": witness.text.source,
                "body": witness.text.body,
                "support": witness.support,
                "weight": witness.weight,
                "reasons": list(witness.reasons),
            }
            for witness in found.witnesses
        ],
    }


def show_contradiction(terminal: Terminal, found: Contradiction) -> None:
    """Write a meme's contradiction: each text with its support and what speaks against it."""
    terminal.out.print(Text(found.meme.path, style="bold"))
    for witness in found.witnesses:
        style = "yellow" if is_contradicted(witness) else "dim"
        named = f"  {witness.support:.2f}  {witness.text.kind.value} by {witness.text.source}"
        terminal.out.print(Text(named, style=style))
        for reason in witness.reasons:
            terminal.out.print(Text(f"        {reason}"))
