"""Counts of the whole library are shared by requests, and made again when the library changed."""

from __future__ import annotations

import threading

from search.workspace import Workspace
from tests.support.serving import open_app
from tests.support.waiting import PATIENCE
from web.background.counts import MOST_SECONDS, QUICK_SECONDS, SHARE, Recounted


class Clock:
    """A clock, and processor time of which each count takes `cost` seconds."""

    def __init__(self, cost: float) -> None:
        self.now, self.worked, self.cost, self.counts = 0.0, 0.0, cost, 0

    def count(self) -> int:
        self.worked += self.cost
        self.counts += 1
        return self.counts

    def recounted(self) -> Recounted[int]:
        return Recounted(clock=lambda: self.now, processor=lambda: self.worked)


def test_a_quick_count_is_made_again_after_every_change_and_only_then() -> None:
    clock = Clock(QUICK_SECONDS / 2)
    counted = clock.recounted()
    assert [counted.get(state, clock.count) for state in ("a", "a", "b", "b", "a")] == [1, 1, 2, 2, 3]


def test_a_slow_count_takes_a_bounded_share_of_a_processor_whatever_changes() -> None:
    clock = Clock(2.0)
    counted = clock.recounted()
    seen = []
    for clock.now in (0.0, 1.0, 2.0 / SHARE - 0.1, 2.0 / SHARE + 0.1, 2.0 / SHARE + 0.2):
        seen.append(counted.get(clock.now, clock.count))
    assert seen == [1, 1, 1, 2, 2]


def test_a_count_is_made_again_after_a_while_though_the_catalogue_did_not_change() -> None:
    clock = Clock(0.0)
    counted = clock.recounted()
    counted.get("same", clock.count)
    clock.now = MOST_SECONDS + 1
    assert counted.get("same", clock.count) == 2


def test_requests_do_not_wait_for_a_slow_count_that_another_makes() -> None:
    clock = Clock(2.0)
    counted = clock.recounted()
    counted.get("before", clock.count)
    clock.now = 1000.0
    counting, may_end = threading.Event(), threading.Event()

    def slow() -> int:
        counting.set()
        assert may_end.wait(PATIENCE)
        return 99

    other = threading.Thread(target=counted.get, args=("after", slow))
    other.start()
    assert counting.wait(PATIENCE)
    assert counted.get("after", clock.count) == 1
    may_end.set()
    other.join()
    assert counted.get("after", clock.count) == 99


def test_an_error_while_counting_is_raised_and_the_next_request_counts() -> None:
    counted: Recounted[int] = Recounted()
    for value in (0, 1):
        try:
            assert counted.get("a", lambda value=value: 1 // value) == 1
        except ZeroDivisionError:
            assert value == 0


def test_every_door_shows_a_change_at_once(workspace: Workspace) -> None:
    cats = [meme.id for meme in workspace.catalogue.memes.everything() if meme.category == "Cats"]
    with open_app(workspace.settings) as app:
        client = app.test_client()

        def shown() -> tuple[int, int, bool]:
            stages = {row["stage"]: row["done"] for row in client.get("/api/status").json["hits"]}
            memes = {row["category"]: row["memes"] for row in client.get("/api/categories").json["hits"]}
            return stages["scan"], memes.get("Cats", 0), ">Cats<" in client.get("/").text

        assert shown() == (9, len(cats), True)
        workspace.catalogue.memes.mark_vanished(cats)
        assert shown() == (9 - len(cats), 0, False)
