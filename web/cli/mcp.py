"""`memetica mcp`: a server of the Model Context Protocol, for AI assistants."""

from __future__ import annotations

import click

from search.errors import WrongUse
from search.system.distribution import require_extra
from web.access.keys import find_key
from web.cli.command import Command, Session


@click.command(
    cls=Command,
    examples=("memetica mcp --data path/to/.memetica", "memetica mcp --http --port 8001"),
)
@click.option("--http", is_flag=True, help="Serve over streamable HTTP, not stdin and stdout.")
@click.option("--host", default="127.0.0.1", show_default=True, help="With --http, the address to bind.")
@click.option(
    "--port", default=8001, show_default=True, type=click.IntRange(0, 65535), metavar="N", help="With --http, the port."
)
@click.option(
    "--key",
    envvar="MEMETICA_KEY",
    default="",
    metavar="KEY",
    help="The API key that uploads need; or the environment variable MEMETICA_KEY.",
)
def mcp(session: Session, http: bool, host: str, port: int, key: str) -> None:
    """Let an AI assistant search the library, look at memes and fill the inbox.

    The assistant starts this command and talks to it by the Model Context Protocol over stdin and stdout. With --http
    it is a server, and each program sends its own key in the header `Authorization: Bearer KEY`.
    """
    require_extra("mcp", ["mcp", "uvicorn"], purpose="Assistants")
    # Late: the protocol's package is an extra, which the line above asks for.
    from web.mcp.server import Library, make_server, serve_http

    with session.workspace() as workspace:
        if http and key:
            raise WrongUse("With --http each program sends its own key.", hint="Leave out --key and MEMETICA_KEY.")
        if key and find_key(workspace.data, key) is None:
            raise WrongUse("This API key is unknown or was revoked.", hint="`memetica keys add NAME` makes a new one.")
        library = Library(workspace)
        try:
            server = make_server(library, key=key)
            if http:
                serve_http(
                    server,
                    library,
                    host=host,
                    port=port,
                    on_ready=lambda url: _tell(session, url),
                )
            else:
                server.run("stdio")
        finally:
            library.close()


def _tell(session: Session, url: str) -> None:
    session.terminal.say(f"The Model Context Protocol is served at {url}  (Ctrl-C stops it)")
    if session.terminal.as_json:
        click.echo(f'{{"url": "{url}"}}')
