"""A watched library: changes are indexed once they rest, whatever happens to the folder, and a webhook is told."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from search.errors import DataFolderError, WrongUse
from search.settings import Settings, load_settings
from search.workspace import Workspace
from tests.support.receiving import Receiver
from tests.support.waiting import PATIENCE, until
from web.background.watch import IndexProcess, LibraryWatcher
from web.context import Site

QUIET = 0.05  # seconds


class Runs:
    """Counts the index runs that a watcher asks for."""

    def __init__(self) -> None:
        self.count = 0
        self._changed = threading.Condition()

    def __call__(self, settings: Settings) -> bool:
        with self._changed:
            self.count += 1
            self._changed.notify_all()
        return True

    def wait_for(self, count: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self.count >= count, PATIENCE), f"{self.count} runs, not {count}"


class Clock:
    """A clock that a test moves, and that counts how often the watcher looked at it."""

    def __init__(self) -> None:
        self.now = 0.0
        self.looks = 0

    def __call__(self) -> float:
        self.looks += 1
        return self.now

    def wait_for_looks(self) -> None:
        """Wait until the watcher has looked a few times, and seen what was changed before."""
        enough = self.looks + 4
        until(lambda: self.looks >= enough)

    def let_the_folder_rest(self) -> None:
        self.wait_for_looks()
        self.now += QUIET


@dataclass(frozen=True)
class Watched:
    """A library that is watched, the index runs that were asked for, and the watcher's time."""

    library: Path
    runs: Runs
    clock: Clock


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as one:
        yield one


@pytest.fixture
def watched(workspace: Workspace) -> Iterator[Watched]:
    runs, clock = Runs(), Clock()
    watcher = LibraryWatcher(Site(workspace), index=runs, quiet_seconds=QUIET, missing_seconds=0.01, clock=clock)
    watcher.start()
    runs.wait_for(1)  # at the start, once the folder is watched
    yield Watched(workspace.library, runs, clock)
    watcher.close()


def test_many_changes_at_once_are_indexed_once(watched: Watched) -> None:
    for number in range(30):
        (watched.library / "Cats" / f"{number}.png").write_bytes(b"x")
    watched.clock.wait_for_looks()
    assert watched.runs.count == 1  # the folder does not rest yet
    watched.clock.let_the_folder_rest()
    watched.runs.wait_for(2)
    watched.clock.let_the_folder_rest()
    watched.clock.wait_for_looks()
    assert watched.runs.count == 2


def test_what_changes_while_it_is_indexed_is_indexed_next(workspace: Workspace) -> None:
    counted = Runs()

    def index(settings: Settings) -> bool:
        if counted.count < 2:  # the first and the second run each meet a change
            (settings.library / "Cats" / f"during {counted.count}.png").write_bytes(b"x")
        return counted(settings)

    watcher = LibraryWatcher(Site(workspace), index=index, quiet_seconds=QUIET)
    watcher.start()
    counted.wait_for(3)
    watcher.close()


def test_a_folder_that_is_renamed_and_hidden_files(watched: Watched) -> None:
    library, runs, clock = watched.library, watched.runs, watched.clock
    (library / "Cats" / ".part").write_bytes(b"x")
    clock.let_the_folder_rest()
    clock.wait_for_looks()
    assert runs.count == 1
    (library / "Cats").rename(library / "Felines")
    clock.let_the_folder_rest()
    runs.wait_for(2)
    (library / "Felines" / "new.png").write_bytes(b"x")  # what is below its new name is watched too
    clock.let_the_folder_rest()
    runs.wait_for(3)


def test_a_library_that_vanishes_is_watched_again_when_it_returns(
    watched: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    library, runs = watched.library, watched.runs
    away = library.rename(library.with_name("unmounted"))
    until(lambda: "is not there" in caplog.text)
    before = runs.count
    away.rename(library)
    runs.wait_for(before + 1)
    seen = runs.count
    (library / "Dogs" / "new.png").write_bytes(b"x")
    watched.clock.let_the_folder_rest()
    runs.wait_for(seen + 1)


def test_a_webhook_is_told_what_is_new_and_nothing_when_nothing_is(workspace: Workspace, receiver: Receiver) -> None:
    fine = workspace.catalogue.memes.at("Dogs/fine.png")

    def index(settings: Settings) -> bool:  # finds the meme again that is marked as vanished
        workspace.catalogue.memes.see_again(fine.id, first_seen=fine.first_seen, first_seen_source="mtime", back=True)
        return True

    site = Site(replace(workspace, settings=replace(workspace.settings, webhook=receiver.address)))
    workspace.catalogue.memes.mark_vanished([fine.id])
    watcher = LibraryWatcher(site, index=index)
    for _ in range(2):
        watcher._bring_up_to_date()
    receiver.wait_for(1)
    watcher.close()
    [body] = receiver.told
    assert (body["event"], body["new"], body["gone"], body["memes"]) == ("indexed", 1, 0, 9)
    assert body["new_memes"] == [{"id": fine.id, "path": "Dogs/fine.png", "category": "Dogs"}]


def test_what_hinders_one_index_run_does_not_end_the_watch(workspace: Workspace) -> None:
    runs = Runs()

    def index(settings: Settings) -> bool:
        runs(settings)
        if runs.count == 1:
            raise DataFolderError("The catalogue is locked.")
        return True

    watcher = LibraryWatcher(Site(workspace), index=index, quiet_seconds=QUIET, missing_seconds=0.1)
    watcher.start()
    runs.wait_for(2)
    watcher.close()


def test_what_keeps_failing_is_logged_once(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    said = iter([(1, "a disk\nis full"), (1, "a disk\nis full"), (1, ""), (0, ""), (1, "")])

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        code, text = next(said)
        return subprocess.CompletedProcess(command, code, stderr=text)

    monkeypatch.setattr("web.background.watch.subprocess.run", run)
    index = IndexProcess()
    assert [index(Settings()) for _ in range(5)] == [False, False, False, True, False]
    told = [record.getMessage().partition(": ")[2] for record in caplog.records]
    failed = "something failed; `memetica status` lists it."
    assert told == ["a disk is full", failed, failed]


def test_nothing_is_sent_unless_an_address_is_set() -> None:
    assert Settings().webhook == "" and Settings().watch is False
    environ = {"MEMETICA_DATA": "/nonexistent", "MEMETICA_WEBHOOK": "https://example.org/hook"}
    assert load_settings(environ=environ).webhook == "https://example.org/hook"
    with pytest.raises(WrongUse, match="webhook"):
        load_settings(environ=environ | {"MEMETICA_WEBHOOK": "file:///etc/passwd"})
