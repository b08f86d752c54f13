"""A thread that does one kind of work whenever it is woken."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from time import monotonic

from search.errors import MemeticaError

logger = logging.getLogger("memetica.work")
IDLE_SECONDS = 120.0  # without work, before a thread ends


RETRY_SECONDS = 5.0  # after work that could not be done


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
