"""Switches a serving site to another image encoder: a child process embeds the pictures again."""

from __future__ import annotations

import os
import subprocess
import threading
from contextlib import suppress
from dataclasses import replace

from flask import Flask

from indexer.stages.switch_image_encoder import switch_in_child_process, uses_chosen_encoder
from search.encoders.clip_models import BUILT_IN
from search.encoders.registry import image_encoder_spec
from search.errors import MemeticaError, WrongUse
from search.settings import Settings, stored_setting
from web.context import Site

POLL_SECONDS = 5.0  # between two reads of the setting
RETRY_SECONDS = 600.0  # after weights that could not be downloaded or loaded


class ImageEncoderWatcher:
    """Watches which image encoder is chosen, and starts a child process that embeds the pictures with it.

    A choice by `memetica models --use` is noticed within seconds; the searcher switches to the
    new index when it is complete.
    """

    def __init__(self, site: Site) -> None:
        self.error: MemeticaError | None = None
        self._site = site
        self._closed = threading.Event()
        self._child: subprocess.Popen[str] | None = None
        self._thread = threading.Thread(target=self._watch, name="image encoder", daemon=True)

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
        tried = ""
        while not self._closed.is_set():
            chosen = current_choice(self._site.settings)
            self._update_status(chosen)
            pause = POLL_SECONDS
            if chosen.image_encoder == tried and self.error is not None:
                pause, tried = RETRY_SECONDS, ""  # the status reports the error; the next attempt is much later
            elif not uses_chosen_encoder(chosen):
                tried = chosen.image_encoder
                self.error = self._switch(chosen)
            else:
                self.error = None
            self._update_status(chosen)
            self._wait(pause, unless=chosen)

    def _update_status(self, chosen: Settings) -> None:
        """Make the searcher's status report the chosen encoder, and the error that prevents its use."""
        with suppress(MemeticaError):  # there is no index yet
            self._site.searcher().choose(chosen.image_encoder, error=self.error)

    def _wait(self, seconds: float, *, unless: Settings) -> None:
        """Wait `seconds`, or until another encoder is chosen or the site closes."""
        waited = 0.0
        while waited < seconds and not self._closed.wait(POLL_SECONDS):
            waited += POLL_SECONDS
            if current_choice(self._site.settings).image_encoder != unless.image_encoder:
                self.error = None
                return

    def _switch(self, chosen: Settings) -> MemeticaError | None:
        try:
            switch_in_child_process(chosen, on_start=self._on_start)
        except MemeticaError as error:
            return error
        return None

    def _on_start(self, child: subprocess.Popen[str]) -> None:
        self._child = child
        if self._closed.is_set():
            child.kill()


def current_choice(settings: Settings) -> Settings:
    """Return the site's settings with the image encoder that the data folder's settings name now.

    The environment takes precedence over the data folder. An empty name is a choice too: no image encoder.
    """
    if "MEMETICA_IMAGE_ENCODER" in os.environ:
        return _resolved(settings)
    try:
        kept = stored_setting(settings.data, "image_encoder")
    except WrongUse:
        kept = None  # a settings file edited to something invalid is reported by the next command that starts
    return _resolved(settings if kept is None else replace(settings, image_encoder=kept))


def _resolved(settings: Settings) -> Settings:
    """Return the settings with the model that `auto` and other words stand for."""
    return replace(settings, image_encoder=image_encoder_spec(settings, otherwise=BUILT_IN))


def register(app: Flask) -> None:
    """Add the watcher; its `start` begins to watch."""
    site: Site = app.extensions["site"]
    app.extensions["image_encoder"] = watcher = ImageEncoderWatcher(site)
    site.on_close(watcher.close)
