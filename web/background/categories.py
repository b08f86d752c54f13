"""What the site knows of categories: learnt in the background, and held while somebody works with it."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any, cast

from flask import Flask, current_app

from indexer.curation.move import index_refiled, recover_refilings
from indexer.stages.train_categories import brought_up_to_date, learn, learn_apart, open_suggester, traits_of_upload
from indexer.work.worker import Worker
from search.catalogue import FingerprintRecord, RefilingState
from search.categories.suggester import Suggester, Suggestion
from search.errors import MemeticaError
from web.context import Site, site

RETRY_SECONDS = 60.0  # after a learning that failed


class Categories:
    """Learns and keeps what suggestions need, with threads for what takes longer than a request may.

    All is learnt in a process of its own when `apart`: one that can load the site's encoder.
    """

    def __init__(self, found: Site, *, apart: bool) -> None:
        self._site = found
        self._apart = apart
        self._lock = threading.Lock()
        self._held: Suggester | None = None
        self._changed: set[int] = set()
        self._anew = False
        self._wanted = False
        self._closed = False
        self._child: subprocess.Popen[str] | None = None
        self.learning = Worker("categories: learning", self._prepare, ended=self._let_go, retry=RETRY_SECONDS)
        self.indexing = Worker("categories: indexing", self._prepare_indexing)

    def suggester(self) -> Suggester | None:
        """Return the suggester, or None while it is being made ready; `trouble` says why it cannot be."""
        if self._held is None and not self._site.catalogue.read_only:
            self._wanted = True
            self.learning.wake()
        return self._held

    def changed(self, ids: Iterable[int]) -> None:
        """Let it learn some memes as they are now, and forget those that are gone."""
        with self._lock:
            self._changed |= set(ids)
        if self._held is not None:
            self.learning.wake()

    def learn_anew(self) -> None:
        """Let it learn everything again, and look for what is wrong."""
        self._anew = True
        self.learning.wake()

    @property
    def busy(self) -> bool:
        """Whether it is learning everything again."""
        return self._anew

    @property
    def trouble(self) -> MemeticaError | None:
        """What could not be done and is tried again."""
        return self.learning.trouble or self.indexing.trouble

    def wake_indexing(self) -> None:
        """Let the index know of memes that were moved."""
        self.indexing.wake()

    def close(self) -> None:
        """Let the threads end, and what they wait for."""
        self._closed = True
        if self._child is not None:
            self._child.kill()
        self.learning.close()
        self.indexing.close()

    def rest(self, seconds: float) -> bool:
        """Wait until there is nothing left to do; return whether that was within so many seconds."""
        return self.learning.rest(seconds) and self.indexing.rest(seconds)

    def _prepare(self) -> Callable[[], bool]:
        return self._learn

    def _learn(self) -> bool:
        found, encoder = self._site, self._site.encoder()
        if self._anew:
            self._learn_all()
            self._held, self._anew = None, False
            self._wanted = True
        with self._lock:
            changed, self._changed = self._changed, set()
        if self._held is None:
            if self._wanted:
                self._held = open_suggester(found.workspace, encoder=encoder, learn_all=self._learn_all)
            return False
        if changed:
            self._held = brought_up_to_date(self._held, found.catalogue, sorted(changed), encoder=encoder)
        return bool(self._changed)

    def _learn_all(self) -> None:
        if self._apart:
            learn_apart(self._site.settings, begun=self._begun)
        else:
            learn(self._site.workspace, encoder=self._site.encoder())

    def _begun(self, child: subprocess.Popen[str]) -> None:
        self._child = child
        if self._closed:
            child.kill()

    def _let_go(self) -> None:
        self._held, self._wanted = None, False

    def _prepare_indexing(self) -> Callable[[], bool]:
        found = self._site
        recover_refilings(found.workspace)
        return lambda: bool(index_refiled(found.workspace, load_encoder=found.encoder))


def register(app: Flask) -> None:
    """Let the site know categories; what was left undone is gone on with."""
    found: Site = app.extensions["site"]
    app.extensions["categories"] = categories = Categories(found, apart=not found.has_own_encoder)
    found.on_close(categories.close)
    if not found.catalogue.read_only and (found.catalogue.refilings.unindexed() or _interrupted(found)):
        categories.wake_indexing()


def _interrupted(found: Site) -> bool:
    return bool(found.catalogue.refilings.in_state(RefilingState.BEGUN, RefilingState.UNDOING))


def the_categories() -> Categories:
    """Return what this site knows of categories."""
    return cast(Categories, current_app.extensions["categories"])


def suggestion_of(
    fingerprints: Sequence[FingerprintRecord], findings: dict[str, Any], *, content_hash: str
) -> Suggestion | None:
    """Return where a picture may belong, by what examining it found; None while nothing is learnt."""
    suggester = the_categories().suggester()
    if suggester is None:
        return None
    traits = traits_of_upload(fingerprints, str(findings.get("text", "")), encoder=site().encoder())
    return suggester.suggest(traits, content_hash=content_hash)
