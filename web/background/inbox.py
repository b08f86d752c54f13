"""The inbox workers: one examines uploads, the other adds accepted uploads to the index."""

from __future__ import annotations

from typing import cast

from flask import Flask, current_app

from indexer.inbox.workers import ExaminerCache, examine_worker, index_worker
from indexer.work.worker import IDLE_SECONDS, Worker
from search.catalogue import UploadState
from search.errors import MemeticaError
from web.background.categories import CategoryWorkers
from web.context import Site


class InboxWorkers:
    """The two workers of a site's inbox, and the cache of their examiner.

    A worker's thread ends after `idle_seconds` without work; the next `wake` starts another one.
    """

    def __init__(self, site: Site, categories: CategoryWorkers, *, idle_seconds: float = IDLE_SECONDS) -> None:
        self._catalogue = site.catalogue
        self.ready = ExaminerCache(site.workspace)
        self.examining: Worker = examine_worker(site.workspace, examiners=self.ready, idle_seconds=idle_seconds)
        self.indexing: Worker = index_worker(
            site.workspace,
            load_encoder=site.encoder,
            on_indexed=lambda uploads: categories.mark_changed(
                one.meme_id for one in uploads if one.meme_id is not None
            ),
            idle_seconds=idle_seconds,
        )

    def wake(self) -> None:
        """Start the workers that have something to do."""
        uploads = self._catalogue.uploads
        if uploads.count(UploadState.WAITING):
            self.examining.wake()
        if uploads.unindexed() or uploads.count(UploadState.ACCEPTING, UploadState.UNDOING):
            self.indexing.wake()

    def close(self) -> None:
        """Stop each worker when it has finished its current upload."""
        self.examining.close()
        self.indexing.close()

    def wait_until_idle(self, seconds: float) -> bool:
        """Wait until both workers are idle; return False when they are not idle after `seconds`."""
        return self.examining.wait_until_idle(seconds) and self.indexing.wait_until_idle(seconds)

    @property
    def errors(self) -> list[MemeticaError]:
        """The errors after which workers wait to try again."""
        return [one.error for one in (self.examining, self.indexing) if one.error is not None]


def register(app: Flask) -> None:
    """Add the workers, and start them when an earlier process left uploads unexamined or unindexed."""
    site: Site = app.extensions["site"]
    app.extensions["inbox"] = workers = InboxWorkers(site, app.extensions["categories"])
    site.on_close(workers.close)
    if not site.catalogue.read_only:
        workers.wake()


def inbox_workers() -> InboxWorkers:
    """Return the inbox workers of the current application."""
    return cast(InboxWorkers, current_app.extensions["inbox"])
