"""Background workers of the inbox: one examines waiting uploads, one indexes the accepted ones.

Each is a thread that ends after a period without work; the examiner, which holds the library's keypoints in
memory, is then released. Leases keep two processes from doing the same work.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from indexer.inbox.examiner import Examiner, examine
from indexer.inbox.reception import remove_orphans
from indexer.library.transaction import recover, unfinished_operations
from indexer.ocr.engines import OcrEngine, load_ocr_engine
from indexer.stages.update_index import update_index
from indexer.work.leases import work_lease
from indexer.work.worker import IDLE_SECONDS, Worker
from search.catalogue import Catalogue, Upload, UploadState
from search.encoders.base import TextEncoder
from search.errors import MemeticaError, ModelUnavailable, WrongUse
from search.meme import Stage
from search.settings import Settings
from search.workspace import Workspace

SOURCE = "inbox"  # the source named in its leases

logger = logging.getLogger("memetica.inbox")
OnIndexed = Callable[[list[Upload]], None]


class ExaminerCache:
    """An examiner that is opened when first needed, and released when the worker is idle."""

    def __init__(
        self,
        workspace: Workspace,
        *,
        load_engine: Callable[[Settings], OcrEngine | None] = load_ocr_engine,
    ) -> None:
        self._workspace = workspace
        self._load_engine = load_engine
        self._lock = threading.Lock()
        self._held: Examiner | None = None

    def examiner(self) -> Examiner:
        """Return the examiner; memes that are added to the library later are found by fingerprints alone."""
        with self._lock:
            self._held = self._held or self._open()
            return self._held

    def release(self) -> None:
        """Release the examiner; the next use opens a new one over the current library."""
        with self._lock:
            self._held = None

    def _open(self) -> Examiner:
        try:
            engine = self._load_engine(self._workspace.settings)
            unread = "" if engine else "No OCR engine is chosen: text in pictures is not read."
        except (ModelUnavailable, WrongUse) as error:
            engine, unread = None, f"{error.message} {error.hint}".strip()
        return Examiner.open(self._workspace, engine=engine, no_engine_reason=unread)


def examine_worker(workspace: Workspace, *, examiners: ExaminerCache, idle_seconds: float = IDLE_SECONDS) -> Worker:
    """Return a worker that examines the waiting uploads."""

    def prepare() -> Callable[[], bool]:
        remove_orphans(workspace)
        return lambda: _examine_next(workspace.catalogue, examiners)

    return Worker("inbox: examining", prepare, on_idle=examiners.release, idle_seconds=idle_seconds)


def _examine_next(catalogue: Catalogue, examiners: ExaminerCache) -> bool:
    """Examine the first waiting upload that no other process examines; return whether there was one."""
    if not catalogue.uploads.count(UploadState.WAITING):
        return False
    with work_lease(catalogue, Stage.MEDIA) as lease:
        for upload in catalogue.uploads.in_state(UploadState.WAITING):
            if not lease.acquire(upload.content_hash, sources=(SOURCE,)):
                continue
            # Another process may have examined it just before.
            if catalogue.uploads.get(upload.id).state is UploadState.WAITING:
                _examine(examiners.examiner(), upload)
            return True
    return False


def _examine(examiner: Examiner, upload: Upload) -> None:
    try:
        examine(examiner, upload)
    except MemeticaError:
        raise
    except Exception as error:  # a decoder may raise anything on hostile bytes: only this upload fails
        logger.exception("upload %s could not be examined", upload.id)
        examiner.workspace.catalogue.uploads.mark_failed(
            upload.id, reason=f"Examining the file failed: {type(error).__name__}.", hint="Discard it."
        )


def examine_waiting(
    catalogue: Catalogue, *, examiners: ExaminerCache, on_progress: Callable[[int], None] = lambda left: None
) -> int:
    """Examine all waiting uploads that no other process examines, and return how many.

    `on_progress` is called after each with the number of waiting uploads.

    >>> examine_waiting(workspace.catalogue, examiners=ExaminerCache(workspace))
    0
    """
    done = 0
    while _examine_next(catalogue, examiners):
        done += 1
        on_progress(catalogue.uploads.count(UploadState.WAITING))
    return done


def index_worker(
    workspace: Workspace,
    *,
    load_encoder: Callable[[], TextEncoder],
    on_indexed: OnIndexed = lambda uploads: None,
    idle_seconds: float = IDLE_SECONDS,
) -> Worker:
    """Return a worker that updates the index after uploads were accepted or acceptances undone.

    `on_indexed` is called with these uploads when the index is up to date.
    """

    def prepare() -> Callable[[], bool]:
        recover(workspace)

        def work() -> bool:
            done = index_decided(workspace, load_encoder=load_encoder)
            if done:
                on_indexed(done)
            elif unfinished := unfinished_operations(workspace):
                raise unfinished[0]  # shown by the site, and tried again
            return bool(done)

        return work

    return Worker("inbox: indexing", prepare, idle_seconds=idle_seconds)


def index_decided(workspace: Workspace, *, load_encoder: Callable[[], TextEncoder]) -> list[Upload]:
    """Update the index for all uploads that were accepted or undone since the last update, and return them.

    Raises DataFolderError when the index cannot be written, ModelUnavailable without an encoder; the uploads then wait
    for the next call.

    >>> index_decided(workspace, load_encoder=lambda: encoder)
    []
    """
    if not workspace.catalogue.uploads.unindexed():
        return []
    encoder = load_encoder()
    with work_lease(workspace.catalogue, Stage.BUILD) as lease:
        taken = [
            one for one in workspace.catalogue.uploads.unindexed() if lease.acquire(one.content_hash, sources=(SOURCE,))
        ]
        ids = {one.meme_id for one in taken if one.meme_id is not None}
        if ids:
            update_index(workspace, ids, encoder=encoder)
            workspace.catalogue.uploads.mark_indexed(taken)
    return taken
