"""The live generation of an index and the text encoder that made it, switched together while searches go on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import wraps
from time import monotonic
from typing import Any, TypeVar, cast

from search.encoders.base import TextEncoder
from search.encoders.registry import load_text_encoder
from search.errors import IndexUnusable, MemeticaError, ModelUnavailable
from search.index.contract import Index, IndexStore
from search.index.generations import live_manifest
from search.index.local import LocalIndex, LocalStore
from search.index.stores import open_index, open_store
from search.settings import Settings

Loading = tuple[str, Future[TextEncoder]]  # the name of a text encoder that a thread loads, and the encoder

AGAIN_SECONDS = 10.0  # after which an engine that did not answer is asked again, and an index that was refused opened

Result = TypeVar("Result")
Method = TypeVar("Method", bound=Callable[..., Any])


@dataclass(frozen=True)
class _Refusal:
    """A generation that cannot be used, by its name, the reason, and when it is tried again."""

    name: str = ""
    reason: str = ""
    until: float = 0.0


class LiveIndex:
    """The newest generation that can be used. Any thread may ask for it; a search keeps the one that it started with.

    Where an engine keeps the index and does not answer, the index in the data folder stands in for it.

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
        self._store = open_store(settings)
        self._files = LocalStore(settings.absolute().data / "index")
        self._settings = settings
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
        self._refused = _Refusal()
        self._away = why_local  # why an engine does not answer; "" while it does
        self._ask_at = monotonic() + AGAIN_SECONDS
        self._asking: threading.Thread | None = None
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
        return self._away or self._refused.reason

    def reload_if_changed(self) -> bool:
        """Switch to the live generation if it is another than the open one; return whether it was.

        When it cannot be used, the open one stays, `refusal` has the reason, and it is tried again later.
        """
        with self._switching:
            if self._away:
                self._ask_again()
                return self._follow(self._files)
            return self._follow(self._store)

    def answered(self, ask: Callable[[], Result]) -> Result:
        """Return what `ask` returns; where an engine stops answering meanwhile, ask the index in the data folder.

        Raises IndexUnusable as `ask` does, where there is none.
        """
        index = self.index
        try:
            return ask()
        except IndexUnusable as error:
            with self._switching:
                if not self._turn_to_files(error) and self.index is index:
                    raise
        return ask()

    def _follow(self, store: IndexStore) -> bool:
        """Switch to the live generation of a store if it is another one; return whether it was."""
        name = ""
        try:
            name = store.live() or ""
            if name in ("", self.index.name) or (name == self._refused.name and monotonic() < self._refused.until):
                return False
            self._use(store.open())
        except (IndexUnusable, ModelUnavailable) as error:
            if not name and not isinstance(store, LocalStore):
                return self._turn_to_files(error)
            self._refused = _Refusal(name, _sentences(error), monotonic() + AGAIN_SECONDS)
            return False
        self._refused = _Refusal()
        return True

    def _turn_to_files(self, error: MemeticaError) -> bool:
        """Switch to the index in the data folder because the engine does not answer; return whether that was done."""
        if isinstance(self._store, LocalStore):
            return False
        self._away, self._ask_at = _sentences(error), monotonic() + AGAIN_SECONDS
        if isinstance(self.index, LocalIndex):
            return False
        with suppress(IndexUnusable, ModelUnavailable):
            self._use(self._files.open())
            return True
        return False

    def _ask_again(self) -> None:
        """Ask the engine in a thread of its own: a server that hangs takes as long as all attempts may."""
        if monotonic() >= self._ask_at and not (self._asking and self._asking.is_alive()):
            self._asking = threading.Thread(target=self._return, name="engine", daemon=True)
            self._asking.start()

    def _return(self) -> None:
        """Switch to the engine's index if it answers."""
        try:
            found = self._store.open()
            with self._switching:
                self._use(found)
                self._away, self._refused = "", _Refusal()
        except (IndexUnusable, ModelUnavailable) as error:
            with self._switching:
                self._away, self._ask_at = _sentences(error), monotonic() + AGAIN_SECONDS

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


def or_from_files(method: Method) -> Method:
    """Let a method of what has a `_live` index ask the one in the data folder where an engine stops answering."""

    @wraps(method)
    def asked(self: Any, *arguments: Any, **named: Any) -> Any:
        live: LiveIndex = self._live
        return live.answered(lambda: method(self, *arguments, **named))

    return cast(Method, asked)


def _sentences(error: MemeticaError) -> str:
    return f"{error.message} {error.hint}".strip()
