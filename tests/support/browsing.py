"""A real server on a free port, and a headless Chromium where the machine has one."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from flask import Flask
from playwright.sync_api import Browser, sync_playwright

from search.settings import Settings
from tests.support.serving import app_over, close_app
from web.server.serve import bind

# What keeps Chromium from asking its maker's hosts for anything.
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


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
        thread.join(5)
        close_app(app)


class _QuietFiles(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


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
    """Give a headless Chromium: MEMETICA_CHROMIUM, or the first that is on the PATH; skip when there is none."""
    found = os.environ.get("MEMETICA_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip("there is no Chromium on this machine: install one, or name it in MEMETICA_CHROMIUM")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()
