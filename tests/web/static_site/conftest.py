"""The scripts of an exported site in a browser, without a site."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.support.browsing import chromium, serving_files
from web.static_site import app

BROWSER = Path(app.__file__).parent / "browser"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture
def page(browser: Browser, tmp_path: Path) -> Iterator[Page]:
    """A page of a server of a copy of the browser's scripts, which is `tmp_path`."""
    for file in BROWSER.iterdir():
        shutil.copy(file, tmp_path)
    (tmp_path / "index.html").write_text("<!doctype html><title>Test</title>", "utf-8")
    with serving_files(tmp_path) as address:
        found = browser.new_page()
        found.goto(f"{address}/index.html")
        yield found
        found.close()
