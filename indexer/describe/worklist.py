"""The worklist of a model: the memes that it has not described yet, shared by threads and processes."""

from __future__ import annotations

import math
import threading
from collections import deque

from indexer.library.sidecars import safe_name
from indexer.work.leases import WorkLease
from search.catalogue import Catalogue
from search.catalogue.descriptions import work_label
from search.meme import Meme, TextKind


class Worklist:
    """The memes without a text of one kind by a model; threads take memes from it, newest first."""

    def __init__(
        self,
        catalogue: Catalogue,
        lease: WorkLease,
        model: str,
        kind: TextKind,
        *,
        limit: int | None,
        only_undescribed: bool,
        contents: frozenset[str] | None = None,
    ) -> None:
        self.model = model
        self.kind = kind
        self.source = safe_name(model)
        self.label = work_label(self.source, kind)
        self.elsewhere = 0
        self._catalogue = catalogue
        self._lease = lease
        self._only_undescribed = only_undescribed
        self._contents = contents
        # Two models that describe memes without any text of this kind must not take the same meme.
        self._sources = (self.label, f"any.{kind}") if only_undescribed else (self.label,)
        self._lock = threading.Lock()
        self._seen: set[str] = set()
        self._waiting: deque[Meme] = deque()
        self._fill()
        self._left = math.inf if limit is None else limit
        self.total = int(min(self._left, len(self._waiting)))

    def _fill(self) -> None:
        for meme in self._wanted():
            if meme.content_hash not in self._seen:
                self._seen.add(meme.content_hash)
                self._waiting.append(meme)

    def _wanted(self) -> list[Meme]:
        if self._contents is not None:
            copies = (self._catalogue.memes.with_content(content) for content in sorted(self._contents))
            return [found[0] for found in copies if found]
        return self._catalogue.descriptions.missing(self.kind, self.source, by_any_source=self._only_undescribed)

    def take(self) -> Meme | None:
        """Return a meme leased to this run, or None when there are no more."""
        with self._lock:
            while self._left > 0:
                if not self._waiting:
                    self._fill()  # memes added during the run
                    if not self._waiting:
                        return None
                meme = self._waiting.popleft()
                if self._lease.acquire(meme.content_hash, sources=self._sources):
                    # Another process may have described it just before.
                    if self._is_missing(meme):
                        self._left -= 1
                        return meme
                    self.release(meme)
                self.elsewhere += 1
            return None

    def _is_missing(self, meme: Meme) -> bool:
        if self._contents is not None:
            return bool(self._catalogue.memes.with_content(meme.content_hash))
        return self._catalogue.descriptions.is_missing(
            meme.content_hash, self.kind, self.source, by_any_source=self._only_undescribed
        )

    def release(self, meme: Meme) -> None:
        """Release a meme that is described or whose description failed."""
        self._lease.release(meme.content_hash, sources=self._sources)

    def requeue(self, meme: Meme, *, done_elsewhere: bool = False) -> None:
        """Return a meme without a call; it stays in the worklist unless another process described it."""
        self.release(meme)
        with self._lock:
            self._left += 1
            if done_elsewhere:
                self.elsewhere += 1
            else:
                self._waiting.appendleft(meme)
