"""A browser for each file of tests that drive one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.support.browsing import chromium
from tests.support.waiting import PATIENCE

expect.set_options(timeout=PATIENCE * 1000)  # five seconds are too few on a busy machine


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found
