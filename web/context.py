"""What every request works with: the settings, the catalogue, the searcher."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial

from flask import current_app

from search.catalogue import Catalogue, open_catalogue
from search.encoders.base import TextEncoder
from search.encoders.registry import load_image_encoder
from search.errors import MemeticaError
from search.index.reader import open_index
from search.index.status import IndexStatus
from search.searcher import Searcher
from search.settings import Settings
from search.workspace import Workspace


class Site:
    """Holds the catalogue open, and the searcher from the moment that there is an index."""

    def __init__(self, settings: Settings, *, load_encoder: Callable[[Settings], TextEncoder]) -> None:
        self.workspace = Workspace(settings, open_catalogue(settings))
        self._load_encoder = load_encoder
        self._opening = threading.Lock()
        self._encoder: TextEncoder | None = None
        self._searcher: Searcher | None = None

    @property
    def settings(self) -> Settings:
        """The settings of the site."""
        return self.workspace.settings

    @property
    def catalogue(self) -> Catalogue:
        """The catalogue of the library that is served."""
        return self.workspace.catalogue

    def searcher(self) -> Searcher:
        """Return the searcher; raise IndexUnusable or ModelUnavailable while there is none."""
        if self._searcher is None:
            with self._opening:
                if self._searcher is None:
                    # The index first: that there is none is said without loading a model to say it.
                    index = open_index(self.settings.data / "index")
                    self._encoder = self._encoder or self._load_encoder(self.settings)
                    self._searcher = Searcher(
                        self.workspace,
                        index=index,
                        text_encoder=self._encoder,
                        load_images=partial(load_image_encoder, often=True),
                    )
        return self._searcher

    def encoder(self) -> TextEncoder:
        """Return the text encoder that searching uses too; raise ModelUnavailable."""
        with self._opening:
            self._encoder = self._encoder or self._load_encoder(self.settings)
            return self._encoder

    def index_status(self) -> IndexStatus | MemeticaError:
        """Return the state of the index, or the error that stands in its place."""
        try:
            return self.searcher().status()
        except MemeticaError as error:
            return error


def site() -> Site:
    """Return what the current request works with."""
    found: Site = current_app.extensions["site"]
    return found
