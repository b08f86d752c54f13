"""Watches which encoder is chosen for a serving site, and starts a child process that embeds the library with it."""

from __future__ import annotations

import os
import subprocess
import threading
from abc import ABC, abstractmethod
from contextlib import suppress
from dataclasses import replace

from indexer.work.child_process import OnStart
from search.errors import MemeticaError, WrongUse
from search.settings import Settings, stored_setting
from web.context import Site

POLL_SECONDS = 5.0  # between two reads of the setting
RETRY_SECONDS = 600.0  # after a model that could not be downloaded or loaded


class EncoderWatcher(ABC):
    """Watches a setting that names an encoder, and switches the index to that encoder in a child process.

    A choice by `memetica models --use` is noticed within seconds; the searcher switches to the new index when it is
    complete.
    """

    setting: str

    def __init__(self, site: Site) -> None:
        self.error: MemeticaError | None = None
        self._site = site
        self._closed = threading.Event()
        self._child: subprocess.Popen[str] | None = None
        self._thread = threading.Thread(target=self._watch, name=self.setting, daemon=True)

    @abstractmethod
    def choice(self) -> Settings:
        """Return the site's settings with the encoder that is chosen now."""

    @abstractmethod
    def is_in_use(self, chosen: Settings) -> bool:
        """Return whether the index was made with the chosen encoder."""

    @abstractmethod
    def switch(self, chosen: Settings, on_start: OnStart) -> None:
        """Embed the library with the chosen encoder in a child process; raise MemeticaError when that fails."""

    @abstractmethod
    def report(self, chosen: Settings) -> None:
        """Make the searcher's status report the chosen encoder, and `error` if that prevents its use."""

    def start(self) -> None:
        """Start watching."""
        self._thread.start()

    def close(self) -> None:
        """Stop watching, and stop a running embedding process."""
        self._closed.set()
        if self._child is not None:
            self._child.kill()
        if self._thread.is_alive():
            self._thread.join(10)

    def _watch(self) -> None:
        tried = None
        while not self._closed.is_set():
            chosen = self.choice()
            named = getattr(chosen, self.setting)
            self._report(chosen)
            pause = POLL_SECONDS
            if named == tried and self.error is not None:
                pause, tried = RETRY_SECONDS, None  # the status reports the error; the next attempt is much later
            elif not self.is_in_use(chosen):
                tried = named
                self.error = self._switch(chosen)
            else:
                self.error = None
            self._report(chosen)
            self._wait(pause, unless=named)

    def _report(self, chosen: Settings) -> None:
        with suppress(MemeticaError):  # there is no index yet
            self.report(chosen)

    def _wait(self, seconds: float, *, unless: str) -> None:
        """Wait `seconds`, or until another encoder is chosen or the site closes."""
        waited = 0.0
        while waited < seconds and not self._closed.wait(POLL_SECONDS):
            waited += POLL_SECONDS
            if getattr(self.choice(), self.setting) != unless:
                self.error = None
                return

    def _switch(self, chosen: Settings) -> MemeticaError | None:
        try:
            self.switch(chosen, self._on_start)
        except MemeticaError as error:
            return error
        return None

    def _on_start(self, child: subprocess.Popen[str]) -> None:
        self._child = child
        if self._closed.is_set():
            child.kill()


def with_stored_choice(settings: Settings, setting: str) -> Settings:
    """Return settings with the value that the data folder has for one now.

    The environment takes precedence over the data folder. An empty value is a choice too.
    """
    if f"MEMETICA_{setting.upper()}" in os.environ:
        return settings
    try:
        kept = stored_setting(settings.data, setting)
    except WrongUse:
        kept = None  # a settings file edited to something invalid is reported by the next command that starts
    return settings if kept is None else replace(settings, **{setting: kept})
