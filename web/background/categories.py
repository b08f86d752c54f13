"""The category workers: one trains the suggester and keeps it in memory, the other indexes moved memes."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any, cast

from flask import Flask, current_app

from indexer.curation.move import index_moves
from indexer.library.transaction import recover, unfinished_operations
from indexer.stages.train_categories import (
    open_suggester,
    train_categories,
    train_in_child_process,
    update_suggester,
    upload_features,
)
from indexer.work.worker import Worker
from search.catalogue import PENDING, FingerprintRecord, OperationKind
from search.categories.features import Features
from search.categories.suggester import Suggester, Suggestion
from search.errors import MemeticaError
from web.context import Site

RETRY_SECONDS = 60.0  # after a failed training
MAX_KEPT = 2000  # suggestions, and features of pictures


class CategoryWorkers:
    """Trains the suggester in the background, because training is too slow for a request, and keeps it up to date.

    A training from scratch runs in a child process when that process can load the site's encoder.
    """

    def __init__(self, site: Site) -> None:
        self._site = site
        self._lock = threading.Lock()
        self._suggester: Suggester | None = None
        self._made_with = ""  # the name of the text encoder whose embeddings the suggester has learnt from
        self._changed: set[int] = set()
        self._retrain_requested = False
        self._suggester_requested = False
        self._closed = False
        self._child: subprocess.Popen[str] | None = None
        self._features: dict[tuple[str, ...], Features] = {}
        self._suggested: tuple[Suggester | None, dict[tuple[str, ...], Suggestion]] = (None, {})
        self.training = Worker(
            "categories: training", lambda: self._train, on_idle=self._release, retry_seconds=RETRY_SECONDS
        )
        self.indexing = Worker("categories: indexing", self._prepare_indexing)

    def suggester(self) -> Suggester | None:
        """Return the suggester, or None while it is being prepared; `error` is what prevents it, if anything."""
        if self._suggester is not None and self._made_with != self._site.encoder_name:
            self._suggester = None  # the site has switched to another text encoder
        if self._suggester is None and not self._site.catalogue.read_only:
            self._suggester_requested = True
            self.training.wake()
        return self._suggester

    def suggest(
        self, suggester: Suggester, fingerprints: Sequence[FingerprintRecord], findings: dict[str, Any], content: str
    ) -> Suggestion:
        """Return the suggestion for a picture; a list of uploads asks again for each at every load, so it is kept."""
        encoder = self._site.encoder()
        key = (content, str(findings.get("text", "")), encoder.name, suggester.image_encoder)
        by, known = self._suggested
        if by is not suggester or len(known) > MAX_KEPT:
            known = {}
            self._suggested = suggester, known
        if key not in known:
            features = self._features.get(key)
            if features is None:
                features = upload_features(
                    fingerprints, findings, encoder=encoder, image_encoder=suggester.image_encoder
                )
                if len(self._features) > MAX_KEPT:
                    self._features.clear()
                self._features[key] = features
            known[key] = suggester.suggest(features, content_hash=content)
        return known[key]

    def mark_changed(self, ids: Iterable[int]) -> None:
        """Update the suggester for memes that were added, moved or removed."""
        with self._lock:
            self._changed |= set(ids)
        if self._suggester is not None:
            self.training.wake()

    def retrain(self) -> None:
        """Train from scratch and audit the categories again."""
        self._retrain_requested = True
        self.training.wake()

    @property
    def is_retraining(self) -> bool:
        """Whether a training from scratch is requested or running."""
        return self._retrain_requested

    @property
    def error(self) -> MemeticaError | None:
        """The error after which a worker waits to try again, or None."""
        return self.training.error or self.indexing.error

    def wake_indexing(self) -> None:
        """Bring moved memes into the index."""
        self.indexing.wake()

    def close(self) -> None:
        """Stop the workers and a running training process."""
        self._closed = True
        if self._child is not None:
            self._child.kill()
        self.training.close()
        self.indexing.close()

    def wait_until_idle(self, seconds: float) -> bool:
        """Wait until both workers are idle; return False when they are not idle after `seconds`."""
        return self.training.wait_until_idle(seconds) and self.indexing.wait_until_idle(seconds)

    def _train(self) -> bool:
        workspace, encoder = self._site.workspace, self._site.encoder()
        if self._retrain_requested:
            self._train_all()
            self._suggester, self._retrain_requested = None, False
            self._suggester_requested = True
        if self._suggester is not None and self._made_with != encoder.name:
            self._suggester = None
        with self._lock:
            changed, self._changed = self._changed, set()
        if self._suggester is None:
            if self._suggester_requested:
                self._made_with = encoder.name
                self._suggester = open_suggester(workspace, encoder=encoder, train=self._train_all)
            return False
        if changed:
            self._suggester = update_suggester(self._suggester, workspace.catalogue, sorted(changed), encoder=encoder)
        return bool(self._changed)

    def _train_all(self) -> None:
        if self._site.has_own_encoder:
            train_categories(self._site.workspace, encoder=self._site.encoder())
        else:
            train_in_child_process(self._site.settings, on_start=self._on_start)

    def _on_start(self, child: subprocess.Popen[str]) -> None:
        self._child = child
        if self._closed:
            child.kill()

    def _release(self) -> None:
        self._suggester, self._suggester_requested = None, False

    def _prepare_indexing(self) -> Callable[[], bool]:
        recover(self._site.workspace)
        return self._index

    def _index(self) -> bool:
        indexed = index_moves(self._site.workspace, load_encoder=self._site.encoder)
        if not indexed and (unfinished := unfinished_operations(self._site.workspace)):
            raise unfinished[0]  # shown by the site, and tried again
        return bool(indexed)


def register(app: Flask) -> None:
    """Add the workers; indexing starts when an earlier process left moves unfinished or unindexed."""
    site: Site = app.extensions["site"]
    app.extensions["categories"] = workers = CategoryWorkers(site)
    site.on_close(workers.close)
    journal = site.catalogue.journal
    if not site.catalogue.read_only and (journal.unindexed() or journal.in_state(*PENDING, kind=OperationKind.MOVE)):
        workers.wake_indexing()


def category_workers() -> CategoryWorkers:
    """Return the category workers of the current application."""
    return cast(CategoryWorkers, current_app.extensions["categories"])


def suggest_for(
    fingerprints: Sequence[FingerprintRecord], findings: dict[str, Any], *, content_hash: str
) -> Suggestion | None:
    """Return the suggestion for an examined picture, or None while the suggester is being prepared."""
    workers = category_workers()
    suggester = workers.suggester()
    if suggester is None:
        return None
    return workers.suggest(suggester, fingerprints, findings, content_hash)
