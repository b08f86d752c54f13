"""The map worker: draws the map of the library when somebody first asks for it, and again when much has changed."""

from __future__ import annotations

from typing import cast

from flask import Flask, current_app

from indexer.stages.draw_map import LibraryMap, draw_map, read_map
from indexer.work.worker import Worker
from search.errors import MemeticaError
from search.index.text_encoder import text_encoder_in_use
from web.context import Site

RETRY_SECONDS = 60.0


class MapWorker:
    """Draws the map in the background; `current` is the newest one that there is."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._map: LibraryMap | None = None
        self._worker = Worker("map", lambda: self._draw, retry_seconds=RETRY_SECONDS)

    def current(self) -> LibraryMap | None:
        """Return the map, or None while the first one is drawn; a map that no longer fits is drawn again meanwhile."""
        self._map = self._map or read_map(self._site.workspace)
        if not self._site.catalogue.read_only and (self._map is None or not self._fits(self._map)):
            self._worker.wake()
        return self._map

    @property
    def error(self) -> MemeticaError | None:
        """What prevents a map, if anything."""
        return self._worker.error

    def wait_until_idle(self, seconds: float) -> bool:
        """Wait until no map is being drawn; return False when one is after `seconds`."""
        return self._worker.wait_until_idle(seconds)

    def close(self) -> None:
        """Stop after the map that is being drawn."""
        self._worker.close()

    def _fits(self, found: LibraryMap) -> bool:
        return found.fits([meme.id for meme in self._site.catalogue.memes.everything() if meme.has_thumbnail])

    def _draw(self) -> bool:
        if self._map is None or not self._fits(self._map):
            self._map = draw_map(self._site.workspace, encoder=text_encoder_in_use(self._site.settings))
        return False


def register(app: Flask) -> None:
    """Add the worker."""
    site: Site = app.extensions["site"]
    app.extensions["map"] = worker = MapWorker(site)
    site.on_close(worker.close)


def map_worker() -> MapWorker:
    """Return the map worker of the current application."""
    return cast(MapWorker, current_app.extensions["map"])
