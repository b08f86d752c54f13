"""Copies the catalogue once a day while a site is served."""

from __future__ import annotations

import logging
import threading

from flask import Flask

from search.catalogue.copies import keep_daily_copy
from search.errors import MemeticaError
from web.context import Site

CHECK_SECONDS = 600.0  # between two looks at whether there is a copy of today
logger = logging.getLogger("memetica.copies")


class DailyCopies:
    """A thread that makes the day's copy of the catalogue; `start` starts it."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="daily copies", daemon=True)

    def start(self) -> None:
        """Start making copies."""
        self._thread.start()

    def close(self) -> None:
        """Stop making copies, after one that is being made."""
        self._closed.set()
        if self._thread.is_alive():
            self._thread.join(10)

    def _watch(self) -> None:
        told = ""
        while not self._closed.is_set():
            try:
                keep_daily_copy(self._site.settings.data)
                told = ""
            except MemeticaError as error:
                if error.message != told:  # once, not at every look
                    logger.warning("Today's copy of the catalogue is not made. %s %s", error.message, error.hint)
                told = error.message
            self._closed.wait(CHECK_SECONDS)


def register(app: Flask) -> None:
    """Add the copies; their `start` begins to make them."""
    site: Site = app.extensions["site"]
    app.extensions["copies"] = copies = DailyCopies(site)
    site.on_close(copies.close)
