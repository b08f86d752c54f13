"""A real server on a free port, and a headless Chromium where the machine has one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from flask import Flask

import benchmarks.browser
from benchmarks.harness import Skipped
from search.settings import Settings
from tests.support.serving import app_over, close_app
from tests.support.waiting import PATIENCE
from web.server.serve import bind

if TYPE_CHECKING:
    from playwright.sync_api import Browser  # tests without a browser start more quickly without it


@contextmanager
def serving(settings: Settings) -> Iterator[str]:
    """Give the address of a server of the site, stopped afterwards."""
    with listening(app_over(replace(settings, host="127.0.0.1", port=0))) as address:
        yield address


@contextmanager
def listening(app: Flask) -> Iterator[str]:
    """Give the address of a server of an app, which is closed with it afterwards."""
    server = bind(app)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.effective_listen[0][1]}"
    finally:
        server.close()
        thread.join(PATIENCE)
        close_app(app)


class _QuietFiles(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass

    def copyfile(self, source: Any, outputfile: Any) -> None:
        with suppress(ConnectionError):  # the browser has gone on to another page
            super().copyfile(source, outputfile)


@contextmanager
def serving_files(folder: Path) -> Iterator[str]:
    """Give the address of a server like `python -m http.server` of a folder, stopped afterwards."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_QuietFiles, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def chromium() -> Iterator[Browser]:
    """Give the headless Chromium of the benchmarks; skip the test when there is none."""
    with ExitStack() as stack:
        try:
            browser = stack.enter_context(benchmarks.browser.chromium())
        except Skipped as error:
            pytest.skip(str(error))
        yield browser
