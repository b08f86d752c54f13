"""A site that goes on serving while its pictures are shown to another image encoder."""

from __future__ import annotations

import os
import subprocess
import threading
from contextlib import suppress
from dataclasses import replace
from typing import cast

from flask import Flask

from indexer.stages.switch_image_encoder import switch_in_child_process, uses_chosen_encoder
from search.errors import MemeticaError, WrongUse
from search.settings import Settings, kept_setting
from web.context import Site

POLL_SECONDS = 5.0  # between looks at what is chosen
RETRY_SECONDS = 600.0  # after weights that could not be had


class Seeing:
    """Watches which image encoder is chosen, and brings the index to it in a process of its own.

    A choice made by `memetica models --use` while the site serves is seen within seconds; the searcher switches to the
    new index by itself when it is done.
    """

    def __init__(self, found: Site) -> None:
        self.trouble: MemeticaError | None = None
        self._site = found
        self._over = threading.Event()
        self._child: subprocess.Popen[str] | None = None
        self._thread = threading.Thread(target=self._watch, name="pictures", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def close(self) -> None:
        """Let it end, and what it waits for."""
        self._over.set()
        if self._child is not None:
            self._child.kill()
        if self._thread.is_alive():
            self._thread.join(10)

    def _watch(self) -> None:
        tried = ""
        while not self._over.is_set():
            chosen = chosen_now(self._site.settings)
            self._tell(chosen)
            pause = POLL_SECONDS
            if chosen.image_encoder == tried and self.trouble is not None:
                pause, tried = RETRY_SECONDS, ""  # said once, and tried again much later
            elif not uses_chosen_encoder(chosen):
                tried = chosen.image_encoder
                self.trouble = self._seen(chosen)
            else:
                self.trouble = None
            self._tell(chosen)
            self._wait(pause, unless=chosen)

    def _tell(self, chosen: Settings) -> None:
        """Let the searcher's status say what is chosen, and what is in its way."""
        with suppress(MemeticaError):  # there is no index yet
            self._site.searcher().choose(chosen.image_encoder, trouble=self.trouble)

    def _wait(self, seconds: float, *, unless: Settings) -> None:
        """Wait so long, or until something else is chosen, or the site ends."""
        waited = 0.0
        while waited < seconds and not self._over.wait(POLL_SECONDS):
            waited += POLL_SECONDS
            if chosen_now(self._site.settings).image_encoder != unless.image_encoder:
                self.trouble = None
                return

    def _seen(self, chosen: Settings) -> MemeticaError | None:
        try:
            switch_in_child_process(chosen, begun=self._begun)
        except MemeticaError as error:
            return error
        return None

    def _begun(self, child: subprocess.Popen[str]) -> None:
        self._child = child
        if self._over.is_set():
            child.kill()


def chosen_now(settings: Settings) -> Settings:
    """Return a site's settings with the image encoder that is chosen now: in its data folder, unless told otherwise.

    To choose none there is a choice too.
    """
    if "MEMETICA_IMAGE_ENCODER" in os.environ:
        return settings
    try:
        kept = kept_setting(settings.data, "image_encoder")
    except WrongUse:
        return settings  # wrong by somebody's hand: whoever starts Memetica next is told
    return settings if kept is None else replace(settings, image_encoder=kept)


def register(app: Flask) -> None:
    """Let the site watch; `start` begins."""
    found = cast(Site, app.extensions["site"])
    app.extensions["seeing"] = seeing = Seeing(found)
    found.on_close(seeing.close)
