"""A headless Chromium for the benchmarks and tests of pages, which are skipped without one and say so."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks.harness import Skipped

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
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


@contextmanager
def chromium() -> Iterator[Any]:
    """Give a Playwright browser: MEMETICA_CHROMIUM, or the first on the PATH. Raises Skipped where there is none."""
    found = os.environ.get("MEMETICA_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    try:
        # Late: it comes with the extra `test`, and other benchmarks do without it.
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        raise Skipped(f"playwright is not installed: {error}.") from error
    if found is None:
        raise Skipped("there is no Chromium here. Install one, or name it in MEMETICA_CHROMIUM.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()
