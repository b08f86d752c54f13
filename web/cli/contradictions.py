"""`memetica contradictions`: memes whose texts disagree."""

from __future__ import annotations

import click

from search.index.text_encoder import text_encoder_in_use
from search.texts.agreement import find_contradictions
from web.cli.command import Command, Session
from web.cli.output import contradiction_row, show_contradiction

SHOWN = 50


@click.command(cls=Command, examples=("memetica contradictions", "memetica contradictions --details -k 10"))
@click.option(
    "-k", type=click.IntRange(1), metavar="N", show_default=f"{SHOWN}; all with --json", help="Number of memes."
)
@click.option("--details", is_flag=True, help="Also texts that differ only in a color, a number or a negation.")
def contradictions(session: Session, k: int | None, details: bool) -> None:
    """List memes whose descriptions or OCR texts contradict each other, newest first.

    The texts of a meme are listed from the least supported to the most supported.
    """
    terminal = session.terminal
    with session.workspace() as workspace:
        found = find_contradictions(
            workspace.catalogue, encoder=text_encoder_in_use(workspace.settings), details=details
        )
        shown = session.limited(found, k, default=SHOWN)
        if not shown:
            terminal.say("No texts contradict each other.")
        for one in shown:
            if terminal.as_json:
                terminal.row(contradiction_row(one))
            else:
                show_contradiction(terminal, one)
        if next(found, None) is not None:
            terminal.say("More contradictions are not listed: -k N lists more of them, --json all.", style="dim")
