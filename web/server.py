"""The site behind a real server."""

from __future__ import annotations

import signal
from collections.abc import Callable
from contextlib import suppress
from types import FrameType

from waitress.server import create_server

from search.errors import MemeticaError, WrongUse
from search.settings import Settings
from web.app import create_app


def serve(settings: Settings, *, ready: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM; tell `ready` the address once requests are answered.

    Port 0 takes a free one. Raises WrongUse when the address cannot be bound.
    """
    app = create_app(settings)
    # So that the first visitor does not wait for models to load. What is missing is said on the pages that need it.
    with suppress(MemeticaError):
        app.extensions["site"].searcher()
    try:
        server = create_server(
            app, host=settings.host, port=settings.port, threads=settings.server_threads, ident="memetica"
        )
    except OSError as error:
        raise WrongUse(
            f"{settings.host}:{settings.port} cannot be bound: {error.strerror or error}.",
            hint="Choose another with `--port`; 0 takes a free one.",
        ) from error

    def stop(signal_number: int, frame: FrameType | None) -> None:
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, stop)
    app.extensions["seeing"].start()
    # An IPv6 host can stand for several sockets; they share one number only when it was chosen.
    port = getattr(server, "effective_port", None) or server.effective_listen[0][1]
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    ready(f"http://{host}:{port}/")
    try:
        server.run()
    finally:
        server.close()
        for name in ("inbox", "categories", "seeing"):
            app.extensions[name].close()
