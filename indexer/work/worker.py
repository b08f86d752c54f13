"""The Worker class: a background thread that does one kind of work when woken."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from time import monotonic

from search.errors import MemeticaError

logger = logging.getLogger("memetica.work")
IDLE_SECONDS = 120.0  # time without work after which the thread ends
RETRY_SECONDS = 5.0  # pause after work that failed


class Worker:
    """A thread that starts when woken and ends after `idle_seconds` without work.

    `prepare` runs once in each thread and returns the work: a function that does one piece of it and returns whether
    there may be more. A failure is stored in `error`, and the work is retried after `retry_seconds`. `on_idle` is
    called when the thread ends, to release resources.

    >>> pieces = [1, 2, 3]
    >>> worker = Worker("example", lambda: lambda: bool(pieces) and bool(pieces.pop()))
    >>> worker.wake()
    >>> worker.wait_until_idle(5), pieces
    (True, [])
    >>> worker.close()
    >>> worker.wait_until_ended(0)
    True
    """

    def __init__(
        self,
        name: str,
        prepare: Callable[[], Callable[[], bool]],
        *,
        on_idle: Callable[[], None] = lambda: None,
        idle_seconds: float = IDLE_SECONDS,
        retry_seconds: float = RETRY_SECONDS,
    ) -> None:
        self.error: MemeticaError | None = None
        self._name = name
        self._prepare = prepare
        self._on_idle = on_idle
        self._idle_seconds = idle_seconds
        self._retry_seconds = retry_seconds
        self._lock = threading.Lock()
        self._woken = threading.Event()
        self._thread: threading.Thread | None = None  # the last one, also when it ends or has ended
        self._running = False  # whether that thread will still look for work
        self._closed = False
        self._idle = threading.Event()
        self._idle.set()

    def wake(self) -> None:
        """Look for work now; does nothing after `close`."""
        with self._lock:
            if self._closed:
                return
            self._idle.clear()
            self._woken.set()
            if not self._running:
                thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                thread.start()
                self._thread, self._running = thread, True

    def wait_until_idle(self, seconds: float) -> bool:
        """Wait until there is no more work; return whether that happened within this many seconds."""
        return self._idle.wait(seconds)

    def wait_until_ended(self, seconds: float) -> bool:
        """Wait until no thread is left, nor what it had open; return whether that happened within this many seconds."""
        with self._lock:
            thread = self._thread
        if thread is None:
            return True
        thread.join(seconds)  # a thread that `threading.enumerate` no longer lists may still be closing files
        return not thread.is_alive()

    def close(self) -> None:
        """End the thread after its current piece of work, and wait at most 10 seconds for it."""
        with self._lock:
            self._closed = True
            self._woken.set()
        self.wait_until_ended(10)

    def _run(self) -> None:
        work: Callable[[], bool] | None = None
        busy_until = monotonic() + self._idle_seconds
        self._woken.clear()
        while not self._closed:
            try:
                work = work or self._prepare()
                while not self._closed and work():
                    busy_until = monotonic() + self._idle_seconds
                self.error = None
                pause = self._idle_seconds
                if not self._woken.is_set():
                    self._idle.set()
            except MemeticaError as error:
                self.error = error
                pause = self._retry_seconds
                busy_until = monotonic() + self._idle_seconds
            except Exception as error:  # outermost handler: an unexpected error must not end all later work
                logger.exception("%s failed", self._name)
                self.error = MemeticaError(
                    f"An unexpected error occurred: {type(error).__name__}.", hint="See the log."
                )
                work, pause = None, self._retry_seconds
                busy_until = monotonic() + self._idle_seconds
            self._woken.wait(pause)
            with self._lock:
                if not self._woken.is_set() and monotonic() >= busy_until:
                    self._running = False
                    self._on_idle()
                    return
                self._woken.clear()  # holding the lock, so that no `close` comes between this and the loop's condition
