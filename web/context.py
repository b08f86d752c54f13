"""What every request works with: the workspace that is served, its searcher and its text encoder."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack
from time import monotonic

from search.catalogue import Catalogue
from search.encoders.base import TextEncoder
from search.encoders.registry import load_text_encoder
from search.errors import IndexUnusable, MemeticaError
from search.index.contract import Index
from search.index.status import IndexStatus
from search.index.stores import open_index
from search.index.text_encoder import text_encoder_in_use
from search.searcher import Searcher
from search.settings import Settings
from search.workspace import Workspace

REFUSED_SECONDS = 1.0  # between two attempts to open an index that cannot be opened


class Site:
    """Holds the workspace of an application, and opens its text encoder and searcher when a request first needs them.

    `close` stops the background workers and closes what the site opened. A workspace that the caller passed in stays
    open unless `owns_workspace` is set.
    """

    def __init__(
        self, workspace: Workspace, *, text_encoder: TextEncoder | None = None, owns_workspace: bool = False
    ) -> None:
        self.workspace = workspace
        self.has_own_encoder = text_encoder is not None  # one that the caller passed in; other processes cannot load it
        self._owns_workspace = owns_workspace
        self._lock = threading.Lock()
        self._own_encoder = text_encoder
        self._loaded: dict[str, TextEncoder] = {}  # by name: the one in use, and for a moment the one before
        self._loading = threading.Lock()
        self._searcher: Searcher | None = None
        self._refusal: tuple[IndexUnusable | None, float] = (None, 0.0)
        self._workers = ExitStack()

    @property
    def settings(self) -> Settings:
        """The settings of the workspace."""
        return self.workspace.settings

    @property
    def catalogue(self) -> Catalogue:
        """The catalogue of the workspace."""
        return self.workspace.catalogue

    def searcher(self) -> Searcher:
        """Return the searcher, opened at the first call; raise IndexUnusable or ModelUnavailable when it cannot be."""
        if self._searcher is None:
            with self._lock:
                if self._searcher is None:
                    # The index is opened first, so that a missing index is reported without loading a model.
                    index = self._opened_index()
                    self._searcher = Searcher(
                        self.workspace,
                        index=index,
                        text_encoder=self._own_encoder,
                        load_texts=self._load_texts,
                    )
        return self._searcher

    def _opened_index(self) -> Index:
        """Open the index; raise IndexUnusable, for REFUSED_SECONDS the same error without another attempt.

        Opening compares the checksum of every file: visitors of a site with a damaged index must not repeat that.
        """
        refusal, until = self._refusal
        if refusal is not None and monotonic() < until:
            raise IndexUnusable(refusal.message, hint=refusal.hint)
        try:
            return open_index(self.settings)[0]
        except IndexUnusable as error:
            self._refusal = error, monotonic() + REFUSED_SECONDS
            raise

    def encoder(self) -> TextEncoder:
        """Return the text encoder of the live index, which the searcher uses too; raise ModelUnavailable without it.

        Ask for it whenever it is needed: a site that switches to another one has another from then on.
        """
        return self._own_encoder or self._load_texts(self.settings, self.encoder_name)

    @property
    def encoder_name(self) -> str:
        """The name of the text encoder that `encoder` returns."""
        return self._own_encoder.name if self._own_encoder is not None else text_encoder_in_use(self.settings)

    def _load_texts(self, settings: Settings, name: str) -> TextEncoder:
        with self._loading:
            if name not in self._loaded:
                self._loaded = {name: load_text_encoder(settings, name, long_running=True, for_queries=True)}
            return self._loaded[name]

    def index_status(self) -> IndexStatus | MemeticaError:
        """Return the status of the index, or the error that explains why there is none."""
        try:
            return self.searcher().status()
        except MemeticaError as error:
            return error

    def on_close(self, close: Callable[[], None]) -> None:
        """Register the `close` of a background worker; workers close in reverse order, before the searcher."""
        self._workers.callback(close)

    def close(self) -> None:
        """Stop the background workers, close the searcher and, if the site owns it, the workspace."""
        self._workers.close()
        with self._lock:
            if self._searcher is not None:
                self._searcher.close()
                self._searcher = None
        if self._owns_workspace:
            self.workspace.close()


def site() -> Site:
    """Return the site of the application that handles the current request."""
    import flask  # not above: a command that prints hits needs no web framework, which takes .1 s

    found: Site = flask.current_app.extensions["site"]
    return found
