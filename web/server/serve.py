"""`serve` runs the site of a workspace until it is stopped."""

from __future__ import annotations

import gc
import signal
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from types import FrameType

from flask import Flask
from waitress.server import MultiSocketServer

from indexer.media.decode import warm_decoders
from search.errors import MemeticaError, WrongUse
from search.settings import Settings
from search.workspace import Workspace
from web.access.body_limits import body_limit, largest_body
from web.access.proxies import is_trusted
from web.app import create_app
from web.local.listener import LocalListener
from web.server.connections import create_server
from web.server.limits import ConnectionLimits, available_connections
from web.server.ranges import file_ranges

COLLECTED_AFTER = 10_000  # new objects; Python's own number is 700, a third of those of one search


def bind(app: Flask) -> MultiSocketServer:
    """Return the server of a site at the address of its settings; it answers from when its `run` is called.

    Raises WrongUse when the address cannot be bound.
    """
    settings: Settings = app.extensions["site"].settings
    try:
        return create_server(
            file_ranges(app),
            host=settings.host,
            port=settings.port,
            threads=settings.server_threads,
            body_limit=partial(body_limit, settings=settings),
            largest_body=largest_body(settings),
            limits=ConnectionLimits(
                connections=available_connections(settings.max_connections),
                per_address=settings.connections_per_address,
            ),
            is_proxy=lambda address: is_trusted(address, settings.trusted_proxies),
        )
    except OSError as error:
        raise WrongUse(
            f"{settings.host}:{settings.port} cannot be bound: {error.strerror or error}.",
            hint="Choose another port with `--port`; 0 takes a free one.",
        ) from error


def collect_seldom() -> None:
    """Let Python's garbage collector leave what is loaded now alone, and look at what is new less often.

    Looking through the packages and models takes 50 ms of one search in 150, and finds nothing.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECTED_AFTER, *gc.get_threshold()[1:])


def serve(workspace: Workspace, *, on_ready: Callable[[str], None]) -> None:
    """Serve the site of a workspace until SIGINT or SIGTERM arrives; the workspace stays open.

    `on_ready` is called with the site's address as soon as requests are answered. Port 0 takes a free port. Raises
    WrongUse when the address cannot be bound.
    """
    settings = workspace.settings
    app = create_app(workspace)
    warm_decoders()
    try:
        # Loads the models now, so that the first visitor does not wait. The pages report what is missing.
        with suppress(MemeticaError):
            app.extensions["site"].searcher()
        server = bind(app)
        commands = LocalListener(settings, app.extensions["site"].searcher)
        app.extensions["site"].on_close(commands.close)
        commands.start()

        def stop(signal_number: int, frame: FrameType | None) -> None:
            raise SystemExit(0)

        signal.signal(signal.SIGTERM, stop)
        app.extensions["image_encoder"].start()
        app.extensions["text_encoder"].start()
        app.extensions["copies"].start()
        if settings.watch:
            app.extensions["watch"].start()
        # A host name can have several addresses, each with a socket. Port 0 gives each of them another port.
        port = server.effective_listen[0][1]
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        collect_seldom()
        on_ready(f"http://{host}:{port}/")
        try:
            server.run()
        finally:
            server.close()
    finally:
        app.extensions["site"].close()
