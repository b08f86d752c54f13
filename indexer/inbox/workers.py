"""The server's hands for the inbox: what waits is examined and what was decided is indexed, in the background.

Each kind of work has a thread that sleeps when there is nothing, and ends when there is nothing for long: what it holds
ready, the library's corners above all, is then let go. Leases keep two processes from doing the same.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from indexer.inbox.examiner import Examiner, examine
from indexer.inbox.reception import remove_orphans
from indexer.library.transaction import recover
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

SOURCE = "inbox"  # of its leases

logger = logging.getLogger("memetica.inbox")
Learned = Callable[[list[Upload]], None]


class Ready:
    """An examiner that is made ready when it is first asked for, and let go when it has not been for long."""

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
        """Return the examiner; what comes into the library later, it finds by fingerprints alone."""
        with self._lock:
            self._held = self._held or self._opened()
            return self._held

    def let_go(self) -> None:
        """Forget the examiner: the next one knows the library as it is then."""
        with self._lock:
            self._held = None

    def _opened(self) -> Examiner:
        try:
            engine = self._load_engine(self._workspace.settings)
            unread = "" if engine else "No OCR engine is chosen: words in pictures are not read."
        except (ModelUnavailable, WrongUse) as error:
            engine, unread = None, f"{error.message} {error.hint}".strip()
        return Examiner.open(self._workspace, engine=engine, no_engine_reason=unread)


def examining(workspace: Workspace, *, ready: Ready, idle: float = IDLE_SECONDS) -> Worker:
    """Return a worker that examines the uploads that wait."""

    def prepare() -> Callable[[], bool]:
        remove_orphans(workspace)
        return lambda: _examine_next(workspace.catalogue, ready)

    return Worker("inbox: examining", prepare, ended=ready.let_go, idle=idle)


def _examine_next(catalogue: Catalogue, ready: Ready) -> bool:
    """Examine the first upload that waits and that nobody else examines; return whether there was one."""
    if not catalogue.uploads.count(UploadState.WAITING):
        return False
    with work_lease(catalogue, Stage.MEDIA) as lease:
        for upload in catalogue.uploads.in_state(UploadState.WAITING):
            if not lease.acquire(upload.content_hash, sources=(SOURCE,)):
                continue
            # Whoever had it a moment ago may have examined it.
            if catalogue.uploads.get(upload.id).state is UploadState.WAITING:
                _examine(ready.examiner(), upload)
            return True
    return False


def _examine(examiner: Examiner, upload: Upload) -> None:
    try:
        examine(examiner, upload)
    except MemeticaError:
        raise
    except Exception as error:  # whatever hostile bytes do to a decoder is this upload's failure, and no other's
        logger.exception("upload %s could not be examined", upload.id)
        examiner.workspace.catalogue.uploads.failed(
            upload.id, reason=f"Something went wrong while it was examined: {type(error).__name__}.", hint="Discard it."
        )


def examine_waiting(catalogue: Catalogue, *, ready: Ready, told: Callable[[int], None] = lambda left: None) -> int:
    """Examine every upload that waits and that no other process is examining, here and now; return how many.

    `told` hears how many are left after each.
    """
    done = 0
    while _examine_next(catalogue, ready):
        done += 1
        told(catalogue.uploads.count(UploadState.WAITING))
    return done


def indexing(
    workspace: Workspace,
    *,
    load_encoder: Callable[[], TextEncoder],
    learned: Learned = lambda uploads: None,
    idle: float = IDLE_SECONDS,
) -> Worker:
    """Return a worker that lets the index know what was accepted and what was taken back.

    `learned` hears of uploads that are in the index, or out of it, now.
    """

    def prepare() -> Callable[[], bool]:
        recover(workspace)

        def work() -> bool:
            done = index_decided(workspace, load_encoder=load_encoder)
            if done:
                learned(done)
            return bool(done)

        return work

    return Worker("inbox: indexing", prepare, idle=idle)


def index_decided(workspace: Workspace, *, load_encoder: Callable[[], TextEncoder]) -> list[Upload]:
    """Let the index know of all that was accepted or taken back since, at once; return these uploads.

    Raises DataFolderError when the index cannot be written, ModelUnavailable without an encoder; then they wait on.
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
            workspace.catalogue.uploads.indexed(taken)
    return taken
