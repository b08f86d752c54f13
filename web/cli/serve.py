"""`memetica serve`: the site and the API."""

from __future__ import annotations

import sys

import click

from indexer.library.format import library_root
from search.catalogue import open_catalogue
from search.errors import LibraryError
from search.settings import Settings
from search.workspace import Workspace
from web.access.hosts import is_loopback
from web.cli.command import Command, Session
from web.cli.options import setting_help
from web.server.serve import serve as serve_site


@click.command(cls=Command, examples=("memetica serve --watch", "memetica serve --host 0.0.0.0 --port 80"))
@click.option("--host", help=setting_help("host"))
@click.option("--port", type=click.IntRange(0, 65535), metavar="N", help=setting_help("port"))
@click.option("--watch", is_flag=True, default=None, help="Index the library a few seconds after it changes.")
def serve(session: Session, host: str | None, port: int | None, watch: bool | None) -> None:
    """Serve the site and the API until interrupted."""
    serve_settings(session, session.settings(host=host, port=port, watch=watch))


def advice(settings: Settings) -> list[str]:
    """Return sentences on who can reach the site of these settings, and by which names."""
    if settings.trusted_hosts:
        return []
    if settings.trusted_proxies:
        return ["Requests that a proxy passes on are refused until the setting `trusted_hosts` has the site's name."]
    if not is_loopback(settings.host):
        return [
            f"Other machines can reach the site at {settings.host}, by IP address or a local name. To use a public "
            "name, set `trusted_hosts`; on the internet, put a proxy with TLS before it."
        ]
    return []


def serve_settings(session: Session, settings: Settings) -> None:
    """Serve the site of these settings until interrupted, and write its address."""
    terminal = session.terminal

    def write_address(address: str) -> None:
        terminal.say(f"Memetica is at {address}  (Ctrl-C stops it)")
        if terminal.as_json:
            terminal.row({"url": address})
            sys.stdout.flush()

    try:
        library_root(settings.library)
    except LibraryError as error:
        terminal.say(
            f"{error.message} {error.hint} Until then pictures are not shown in full size; search works.",
            style="yellow",
        )
    for sentence in advice(settings):
        terminal.say(sentence, style="yellow")
    with Workspace(settings, open_catalogue(settings, migrate=True)) as workspace:
        serve_site(workspace, on_ready=write_address)
