"""Serves the site with waitress, a WSGI server for production."""

from __future__ import annotations

import signal
from collections.abc import Callable
from contextlib import suppress
from types import FrameType

from waitress.server import create_server

from search.errors import MemeticaError, WrongUse
from search.workspace import Workspace
from web.app import create_app


def serve(workspace: Workspace, *, on_ready: Callable[[str], None]) -> None:
    """Serve the site of a workspace until SIGINT or SIGTERM arrives; the workspace stays open.

    `on_ready` is called with the site's address as soon as requests are answered. Port 0 takes a free port. Raises
    WrongUse when the address cannot be bound.
    """
    settings = workspace.settings
    app = create_app(workspace)
    try:
        # Loads the models now, so that the first visitor does not wait. The pages report what is missing.
        with suppress(MemeticaError):
            app.extensions["site"].searcher()
        try:
            server = create_server(
                app, host=settings.host, port=settings.port, threads=settings.server_threads, ident="memetica"
            )
        except OSError as error:
            raise WrongUse(
                f"{settings.host}:{settings.port} cannot be bound: {error.strerror or error}.",
                hint="Choose another port with `--port`; 0 takes a free one.",
            ) from error

        def stop(signal_number: int, frame: FrameType | None) -> None:
            raise SystemExit(0)

        signal.signal(signal.SIGTERM, stop)
        app.extensions["image_encoder"].start()
        # A host name can have several addresses, each with a socket. Port 0 gives each of them another port.
        port = getattr(server, "effective_port", None) or server.effective_listen[0][1]
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        on_ready(f"http://{host}:{port}/")
        try:
            server.run()
        finally:
            server.close()
    finally:
        app.extensions["site"].close()
