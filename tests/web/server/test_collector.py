"""The garbage collector of a server."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from web.server.serve import COLLECTED_AFTER, collect_seldom


@pytest.fixture
def collector() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*before)


def test_a_server_leaves_what_is_loaded_alone_and_still_collects_what_is_new(collector: None) -> None:
    collect_seldom()
    assert gc.get_freeze_count() > 1000
    assert len(gc.get_objects()) < gc.get_freeze_count()
    assert gc.get_threshold()[0] == COLLECTED_AFTER

    class Ring:
        pass

    alive = []
    for _ in range(COLLECTED_AFTER):
        ring = Ring()
        ring.itself = ring  # type: ignore[attr-defined]
    alive = [one for one in gc.get_objects() if isinstance(one, Ring)]
    assert len(alive) < COLLECTED_AFTER
