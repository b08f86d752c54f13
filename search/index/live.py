"""The live generation of an index and the text encoder that made it, switched together while searches go on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import suppress
from time import monotonic

from search.encoders.base import TextEncoder
from search.encoders.registry import load_text_encoder
from search.errors import IndexUnusable, ModelUnavailable
from search.index.contract import Index
from search.index.generations import live_manifest
from search.index.local import LocalIndex, LocalStore
from search.index.stores import open_index, open_store
from search.settings import Settings

Loading = tuple[str, Future[TextEncoder]]  # the name of a text encoder that a thread loads, and the encoder

AWAY_SECONDS = 10.0  # after which an engine that did not answer is asked again


class LiveIndex:
    """The newest generation that can be used. Any thread may ask for it; a search keeps the one that it started with.

    >>> live = LiveIndex(workspace.settings, text_encoder=encoder)
    >>> live.index.manifest.memes, live.reload_if_changed()
    (9, False)
    """

    def __init__(
        self,
        settings: Settings,
        *,
        text_encoder: TextEncoder | None = None,
        index: Index | None = None,
        load_texts: Callable[[Settings, str], TextEncoder] | None = None,
    ) -> None:
        """Open the live generation, or `index`, which is then the first one.

        Without `text_encoder`, `load_texts` returns the one that made an index, again whenever a newer index was made
        with another. Raises IndexUnusable or ModelUnavailable when there is no index or no text encoder.
        """
        self._settings = settings
        self._store = open_store(settings)
        self._own_encoder = text_encoder
        self._load_texts = load_texts or load_text_encoder
        why_local = ""
        if index is not None:
            encoder = self._encoder_of(index)
        else:
            # Reading the index's files takes as long as loading a model, and each leaves a core to the other.
            with ThreadPoolExecutor(1) as pool:
                loading = self._loading(pool)
                index, why_local = open_index(settings)
                encoder = self._encoder_of(index, loading=loading)
        self._switching = threading.Lock()
        self._refused = ("", why_local)  # the name of a generation that cannot be used, and the reason
        self._asked_again = monotonic() + AWAY_SECONDS if why_local else 0.0  # an engine that did not answer
        self._opened = (index, encoder)

    @property
    def opened(self) -> tuple[Index, TextEncoder]:
        """The open generation and the text encoder that made it."""
        return self._opened

    @property
    def index(self) -> Index:
        """The open generation."""
        return self._opened[0]

    @property
    def refusal(self) -> str:
        """Why the newest generation cannot be used; "" when it is the open one."""
        return self._refused[1]

    def reload_if_changed(self) -> bool:
        """Switch to the live generation if it is newer than the open one; return whether it was.

        When the newer generation cannot be used, the open one stays, and `refusal` has the reason.
        """
        with self._switching:
            if monotonic() < self._asked_again:
                return False
            name = ""
            try:
                name = self._store.live() or ""
                if name in ("", self.index.name, self._refused[0]):
                    return False
                self._use(self._store.open())
            except (IndexUnusable, ModelUnavailable) as error:
                self._refused = (name, f"{error.message} {error.hint}".strip())
                return not name and self._use_local()
            self._refused = ("", "")
            return True

    def _loading(self, pool: Executor) -> Loading | None:
        """Begin to load the text encoder of the index in the data folder; None without an index, or with an encoder."""
        manifest = live_manifest(self._store.folder) if isinstance(self._store, LocalStore) else None
        if self._own_encoder is not None or manifest is None:
            return None  # a missing index is reported without loading a model
        return manifest.text_encoder, pool.submit(self._load_texts, self._settings, manifest.text_encoder)

    def _encoder_of(self, index: Index, *, loading: Loading | None = None) -> TextEncoder:
        """Return the text encoder that made an index."""
        made_by = index.manifest.text_encoder
        if loading is not None and loading[0] == made_by:
            encoder = loading[1].result()
        else:
            encoder = self._own_encoder or self._load_texts(self._settings, made_by)
        if made_by != encoder.name:
            raise IndexUnusable(
                f"The index was made by {made_by}, the text encoder is {encoder.name}.",
                hint="Run `memetica index`, or choose the other encoder with MEMETICA_TEXT_ENCODER.",
            )
        return encoder

    def _use(self, index: Index) -> None:
        encoder = self._opened[1]
        self._opened = (index, encoder if index.manifest.text_encoder == encoder.name else self._encoder_of(index))

    def _use_local(self) -> bool:
        """Switch to the index in the data folder because the engine does not answer; return whether that was done."""
        if isinstance(self._store, LocalStore):
            return False
        self._asked_again = monotonic() + AWAY_SECONDS
        if isinstance(self.index, LocalIndex):
            return False
        with suppress(IndexUnusable, ModelUnavailable):
            self._use(LocalIndex.open(self._settings.absolute().data / "index"))
            return True
        return False
