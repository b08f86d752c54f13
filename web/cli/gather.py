"""`memetica gather`: add what other machines have indexed."""

from __future__ import annotations

from pathlib import Path

import click

from indexer.gather import gather_parts
from web.cli.command import Command, Session
from web.cli.terminal import counted


@click.command(
    cls=Command, examples=("memetica gather part-1 part-2", "memetica gather --data /srv/memetica /mnt/parts/*")
)
@click.argument("others", type=click.Path(path_type=Path), nargs=-1, required=True, metavar="OTHER...")
def gather(session: Session, others: tuple[Path, ...]) -> None:
    """Add what other machines computed with `memetica index --part`.

    Each OTHER is a data folder, or a copy of one: of its files, the catalogue and the thumbnails are read, and nothing
    is changed there. Pictures, texts and embeddings are known by content, so what is here already stays, and the same
    folder named twice adds nothing. Then `memetica index` does what is still missing and builds the index.
    """
    with session.workspace(create=True, migrate=True) as workspace:
        for report in gather_parts(workspace, list(others)):
            if session.terminal.as_json:
                session.terminal.row({**vars(report), "folder": str(report.folder)})
            else:
                session.terminal.say(
                    f"{report.folder}: {counted(report.pictures, 'picture')}, {counted(report.texts, 'text')}, "
                    f"{counted(report.embeddings, 'embedding')}, {counted(report.thumbnails, 'thumbnail')} added."
                )
    session.terminal.say("Run `memetica index` to build the index of them.")
