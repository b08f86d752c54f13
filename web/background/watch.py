"""Watches the library while a site is served, indexes what changes, and tells a webhook what is new.

Indexing runs as `memetica index` in a process of its own: it has that command's guards against a disk that vanishes and
a folder that is suddenly empty, and the site takes the new generation by itself.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from time import monotonic
from typing import Any

from flask import Flask
from watchfiles import Change, watch

from search.errors import MemeticaError
from search.meme import Meme
from search.settings import Settings
from web.background.webhook import message, webhook_of
from web.context import Site

QUIET_SECONDS = 2.0  # without a change before indexing begins: a copy of many files is one change
LONGEST_SECONDS = 30.0  # from the first change: a folder that never rests is indexed too
MISSING_SECONDS = 5.0  # between two looks for a library that is not there
LOOK_MS = 1000  # between two looks whether the folder is still the same, milliseconds
MOST_TOLD = 100  # new memes that are named in one message
logger = logging.getLogger("memetica.watch")


class LibraryWatcher:
    """A thread that calls `index` when the library has changed and rests; `start` starts it."""

    def __init__(
        self,
        site: Site,
        *,
        index: Callable[[Settings], bool] | None = None,
        quiet_seconds: float = QUIET_SECONDS,
        missing_seconds: float = MISSING_SECONDS,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._site = site
        self._index = index or IndexProcess()
        self._quiet_seconds = quiet_seconds
        self._missing_seconds = missing_seconds
        self._clock = clock
        self._closed = threading.Event()
        self._webhook = webhook_of(site.settings)
        self._thread = threading.Thread(target=self._run, name="library watcher", daemon=True)

    def start(self) -> None:
        """Start watching; the library is indexed once at the start, for what changed meanwhile."""
        self._thread.start()

    def close(self) -> None:
        """Stop watching, after an index run that is under way."""
        self._closed.set()
        if self._thread.is_alive():
            self._thread.join(30)
        if self._webhook is not None:
            self._webhook.close()

    def _run(self) -> None:
        library = self._site.settings.library
        told_missing = False
        while not self._closed.is_set():
            before = _identity(library)
            if before is None:
                if not told_missing:
                    logger.warning("%s is not there: it is watched again when it returns.", library)
                told_missing = True
                self._closed.wait(self._missing_seconds)
                continue
            told_missing = False
            try:
                self._watch(library, before)
            # The folder vanished, there are too many folders for the system, or the data folder cannot be read.
            except (OSError, RuntimeError, MemeticaError) as error:
                logger.warning("%s cannot be watched: %s. It is tried again.", library, error)
                self._closed.wait(self._missing_seconds)

    def _watch(self, library: Path, identity: tuple[int, int]) -> None:
        """Index at once and after changes, until the folder is another one: unmounted, mounted or replaced."""
        # Indexed for the first time once it is watched, so that no change falls in between.
        first: float | None = self._clock() - self._quiet_seconds
        last = first
        for changes in watch(
            library,
            watch_filter=self._is_ours,
            debounce=400,
            step=100,
            stop_event=self._closed,
            rust_timeout=LOOK_MS if self._quiet_seconds >= 1 else int(self._quiet_seconds * 1000),
            yield_on_timeout=True,
            raise_interrupt=False,
        ):
            now = self._clock()
            if changes:
                first, last = first or now, now
            if first is not None and last is not None:
                rests = now - last >= self._quiet_seconds
                if rests or now - first >= LONGEST_SECONDS:
                    first = last = None
                    self._bring_up_to_date()  # changes meanwhile are collected, and come next
            if _identity(library) != identity:
                return

    def _is_ours(self, change: Change, path: str) -> bool:
        """Whether a change can concern the index: nothing hidden, and nothing in the data folder."""
        file = Path(path)
        if file.is_relative_to(self._site.settings.data):
            return False
        return not any(part.startswith(".") for part in file.parts[len(self._site.settings.library.parts) :])

    def _bring_up_to_date(self) -> None:
        memes = self._site.catalogue.memes
        before = {meme.id for meme in memes.everything()}
        self._index(self._site.settings)  # also where something failed, the rest is indexed
        after = memes.everything()
        if self._webhook is not None and before != {meme.id for meme in after}:
            gone = len(before - {meme.id for meme in after})
            self._webhook.send(indexed([meme for meme in after if meme.id not in before], gone=gone, memes=len(after)))


class IndexProcess:
    """Runs `memetica index`; what it says of a failure is logged once, and again when it says something else."""

    def __init__(self) -> None:
        self._said = ""

    def __call__(self, settings: Settings) -> bool:
        """Return whether nothing failed."""
        command = [sys.executable, "-P", "-m", "web.cli", "--quiet", "index", "--data", str(settings.data)]
        # By the environment: a library that a command names is meant, even if most of its memes are gone.
        environment = os.environ | {"MEMETICA_LIBRARY": str(settings.library)}
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        said = " ".join(done.stderr.split())[:1000] or "something failed; `memetica status` lists it."
        if done.returncode and said != self._said:
            logger.warning("Indexing after a change: %s", said)
        self._said = said if done.returncode else ""
        return done.returncode == 0


def indexed(new: Sequence[Meme], *, gone: int, memes: int) -> dict[str, Any]:
    """Return the message for a webhook about an index run: the first of the new memes, and how many there are."""
    named = [{"id": one.id, "path": one.path, "category": one.category} for one in new[:MOST_TOLD]]
    return message("indexed", memes=memes, new=len(new), gone=gone, new_memes=named)


def _identity(folder: Path) -> tuple[int, int] | None:
    """Return what tells a folder from another at its path, None for a missing one."""
    try:
        found = os.stat(folder)  # noqa: PTH116  # the path is followed, as indexing follows it
    except OSError:
        return None
    return found.st_dev, found.st_ino


def register(app: Flask) -> None:
    """Add the watcher; its `start` begins to watch."""
    site: Site = app.extensions["site"]
    app.extensions["watch"] = watcher = LibraryWatcher(site)
    site.on_close(watcher.close)
