"""The server's hands for the inbox: what waits is examined and what was decided is indexed, in the background.

Each kind of work has a thread that sleeps when there is nothing, and ends when there is nothing for long: what it holds
ready, the library's corners above all, is then let go. Leases keep two processes from doing the same.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from time import monotonic

from indexer.accepting import recover_uploads
from indexer.examining import Examiner, examine, open_examiner
from indexer.extending import bring_up_to_date
from indexer.inbox import remove_orphans
from indexer.ocr import OcrEngine, load_ocr
from indexer.queue import shift_on
from search.catalogue import Catalogue, Upload, UploadState
from search.encoders import TextEncoder
from search.errors import MemeticaError, ModelUnavailable, WrongUse
from search.meme import Stage
from search.settings import Settings

SOURCE = "inbox"  # of its leases
IDLE_SECONDS = 120.0  # without work, before a thread ends
RETRY_SECONDS = 5.0  # after work that could not be done

logger = logging.getLogger("memetica.inbox")
Learned = Callable[[list[Upload]], None]


class Worker:
    """A thread that does one kind of work whenever it is woken: `prepare` makes ready what is needed and returns it.

    The work does a piece and returns whether there may be more. What it cannot do now is kept as `trouble`, and tried
    again.
    """

    def __init__(
        self,
        name: str,
        prepare: Callable[[], Callable[[], bool]],
        *,
        ended: Callable[[], None] = lambda: None,
        idle: float = IDLE_SECONDS,
        retry: float = RETRY_SECONDS,
    ) -> None:
        self.trouble: MemeticaError | None = None
        self._name = name
        self._prepare = prepare
        self._ended = ended
        self._idle = idle
        self._retry = retry
        self._lock = threading.Lock()
        self._woken = threading.Event()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._resting = threading.Event()
        self._resting.set()

    def wake(self) -> None:
        """Let it look for work, now."""
        with self._lock:
            if self._closed:
                return
            self._resting.clear()
            self._woken.set()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()

    def rest(self, seconds: float) -> bool:
        """Wait until it finds nothing more to do; return whether that was within so many seconds."""
        return self._resting.wait(seconds)

    def close(self) -> None:
        """Let it end after the piece of work that it is at."""
        with self._lock:
            self._closed = True
            self._woken.set()
            thread = self._thread
        if thread is not None:
            thread.join(10)

    def _run(self) -> None:
        work: Callable[[], bool] | None = None
        busy_until = monotonic() + self._idle
        while not self._closed:
            self._woken.clear()
            try:
                work = work or self._prepare()
                while not self._closed and work():
                    busy_until = monotonic() + self._idle
                self.trouble = None
                pause = self._idle
                if not self._woken.is_set():
                    self._resting.set()
            except MemeticaError as error:
                self.trouble = error
                pause = self._retry
                busy_until = monotonic() + self._idle
            except Exception as error:  # a thread's edge: what is not foreseen must not end all later work
                logger.exception("%s failed", self._name)
                self.trouble = MemeticaError(f"Something went wrong here: {type(error).__name__}.")
                work, pause = None, RETRY_SECONDS
                busy_until = monotonic() + self._idle
            self._woken.wait(pause)
            with self._lock:
                if not self._woken.is_set() and monotonic() >= busy_until:
                    self._thread = None
                    self._ended()
                    return


class Ready:
    """An examiner that is made ready when it is first asked for, and let go when it has not been for long."""

    def __init__(
        self,
        settings: Settings,
        catalogue: Catalogue,
        *,
        load_engine: Callable[[Settings], OcrEngine | None] = load_ocr,
    ) -> None:
        self._settings = settings
        self._catalogue = catalogue
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
            engine = self._load_engine(self._settings)
            unread = "" if engine else "No OCR engine is chosen: words in pictures are not read."
        except (ModelUnavailable, WrongUse) as error:
            engine, unread = None, f"{error.message} {error.hint}".strip()
        return open_examiner(self._settings, self._catalogue, engine=engine, unread=unread)


def examining(settings: Settings, catalogue: Catalogue, *, ready: Ready, idle: float = IDLE_SECONDS) -> Worker:
    """Return a worker that examines the uploads that wait."""

    def prepare() -> Callable[[], bool]:
        remove_orphans(settings, catalogue)
        return lambda: _examine_next(catalogue, ready)

    return Worker("inbox: examining", prepare, ended=ready.let_go, idle=idle)


def _examine_next(catalogue: Catalogue, ready: Ready) -> bool:
    """Examine the first upload that waits and that nobody else examines; return whether there was one."""
    if not catalogue.inbox.count(UploadState.WAITING):
        return False
    with shift_on(catalogue, Stage.MEDIA) as shift:
        for upload in catalogue.inbox.in_state(UploadState.WAITING):
            if not shift.take(upload.content_hash, sources=(SOURCE,)):
                continue
            # Whoever had it a moment ago may have examined it.
            if catalogue.inbox.get(upload.id).state is UploadState.WAITING:
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
        examiner.catalogue.inbox.failed(
            upload.id, reason=f"Something went wrong while it was examined: {type(error).__name__}.", hint="Discard it."
        )


def examine_waiting(catalogue: Catalogue, *, ready: Ready, told: Callable[[int], None] = lambda left: None) -> int:
    """Examine every upload that waits and that no other process is examining, here and now; return how many.

    `told` hears how many are left after each.
    """
    done = 0
    while _examine_next(catalogue, ready):
        done += 1
        told(catalogue.inbox.count(UploadState.WAITING))
    return done


def indexing(
    settings: Settings,
    catalogue: Catalogue,
    *,
    load_encoder: Callable[[], TextEncoder],
    learned: Learned = lambda uploads: None,
    idle: float = IDLE_SECONDS,
) -> Worker:
    """Return a worker that lets the index know what was accepted and what was taken back.

    `learned` hears of uploads that are in the index, or out of it, now.
    """

    def prepare() -> Callable[[], bool]:
        recover_uploads(settings, catalogue)

        def work() -> bool:
            done = index_decided(settings, catalogue, load_encoder=load_encoder)
            if done:
                learned(done)
            return bool(done)

        return work

    return Worker("inbox: indexing", prepare, idle=idle)


def index_decided(settings: Settings, catalogue: Catalogue, *, load_encoder: Callable[[], TextEncoder]) -> list[Upload]:
    """Let the index know of all that was accepted or taken back since, at once; return these uploads.

    Raises DataFolderError when the index cannot be written, ModelUnavailable without an encoder; then they wait on.
    """
    if not catalogue.inbox.unindexed():
        return []
    encoder = load_encoder()
    with shift_on(catalogue, Stage.BUILD) as shift:
        taken = [one for one in catalogue.inbox.unindexed() if shift.take(one.content_hash, sources=(SOURCE,))]
        ids = {one.meme_id for one in taken if one.meme_id is not None}
        if ids:
            bring_up_to_date(settings, catalogue, ids, encoder=encoder)
            catalogue.inbox.indexed(taken)
    return taken
