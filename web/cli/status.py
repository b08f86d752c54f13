"""`memetica status`: the progress of each stage, the state of the index, and failures."""

from __future__ import annotations

import click

from indexer.status import library_status
from search.encoders.hub import current_download
from search.errors import MemeticaError
from search.index.status import IndexStatus
from search.searcher import Searcher
from web.cli.command import Command, Session
from web.cli.download_bar import in_words
from web.cli.output import show_status
from web.schemas import status_rows


@click.command(cls=Command, examples=("memetica status", "memetica status --json | jq 'select(.failure)'"))
def status(session: Session) -> int:
    """Show the progress of each stage, what failed and why, and whether the index is up to date.

    The exit code is 1 when something failed.
    """
    with session.workspace() as workspace:
        known = library_status(workspace)
        index: IndexStatus | MemeticaError
        try:
            with Searcher(workspace) as searcher:
                index = searcher.status()
        except MemeticaError as error:
            index = error
        download = current_download(workspace.models)
        if session.terminal.as_json:
            session.terminal.row({"data": str(workspace.data), "library": str(workspace.library)})
            for row in status_rows(known, index, download=download):
                session.terminal.row(row)
        else:
            show_status(session.terminal, workspace.settings, known, index)
            if download is not None:
                session.terminal.out.print(in_words(download))
        return 1 if known.failures else 0
