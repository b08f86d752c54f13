"""The inbox workers: they start when there is work, end when there is none, and keep nothing open."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from search.settings import Settings
from tests.support.serving import open_app
from tests.support.uploading import REST
from web.background.inbox import InboxWorkers

IDLE = 0.05


@pytest.fixture
def app(tiny_settings: Settings) -> Iterator[Flask]:
    with open_app(tiny_settings) as app:
        yield app


@pytest.fixture
def workers(app: Flask) -> Iterator[InboxWorkers]:
    found = InboxWorkers(app.extensions["site"], app.extensions["categories"], idle_seconds=IDLE)
    yield found
    found.close()


def inbox_threads() -> list[threading.Thread]:
    return [one for one in threading.enumerate() if one.name.startswith("inbox")]


def catalogue_files(settings: Settings) -> int:
    """Return how many times this process has the catalogue's files open."""
    links = [Path("/proc/self/fd", name) for name in os.listdir("/proc/self/fd")]  # noqa: PTH208
    targets = []
    for link in links:
        try:
            targets.append(os.readlink(link))  # noqa: PTH115
        except OSError:  # closed meanwhile
            continue
    return sum(target.startswith(str(settings.data.absolute())) for target in targets)


def wake_and_sleep(workers: InboxWorkers) -> None:
    workers.examining.wake()
    workers.indexing.wake()
    assert workers.wait_until_idle(REST)
    assert workers.examining.wait_until_ended(REST) and workers.indexing.wait_until_ended(REST)


def test_a_worker_that_wakes_and_sleeps_leaves_no_thread_and_no_open_file(
    workers: InboxWorkers, tiny_settings: Settings
) -> None:
    wake_and_sleep(workers)
    before = catalogue_files(tiny_settings)
    assert before > 0
    for _ in range(5):
        wake_and_sleep(workers)
    assert not inbox_threads()
    assert catalogue_files(tiny_settings) == before


def test_nothing_starts_while_the_inbox_is_empty(workers: InboxWorkers) -> None:
    workers.wake()
    assert workers.wait_until_idle(0) and not inbox_threads()


def test_a_closed_site_leaves_no_thread_and_no_open_file(tiny_settings: Settings) -> None:
    before = set(threading.enumerate())
    with open_app(tiny_settings) as app:
        app.extensions["inbox"].examining.wake()
        app.extensions["inbox"].indexing.wake()
        app.test_client().get("/?q=dog")
        assert catalogue_files(tiny_settings) > 0
    assert [one for one in set(threading.enumerate()) - before if not one.daemon] == []
    assert not inbox_threads()
    assert catalogue_files(tiny_settings) == 0
