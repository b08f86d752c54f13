"""A pool of child processes whose tasks have limits of time and memory: one that passes them is killed and replaced.

A process runs one task at a time, so that killing it costs no other task. Its requests are lines of JSON, its replies
JSON and bytes: nothing is unpickled that a process sent which may have been taken over by the file that it decodes.
It inherits no sockets, imports one module, and ends with its parent, even if that is killed.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from search.errors import MemeticaError

if sys.platform != "win32":
    import fcntl
    import resource

START_SECONDS = 30.0  # in which a new process must have imported its module
RETIRED_BYTES = 200_000_000  # a process that keeps more memory after its task is replaced
_STARTS = 3  # tries to start a process, until that counts as impossible
_MAX_HEAD = 1 << 20  # bytes of a reply's JSON
_MAX_BYTES = 1 << 28  # bytes of a reply's other parts, together
_PIPE_BYTES = 1 << 20
_STEP_SECONDS = 0.25  # of a deadline; a step that takes longer is a pause of this process or of the machine
_GRACE_SECONDS = 30.0  # after the deadline a process without a parent ends itself; pauses are not subtracted there
_ROOT = Path(__file__).parents[2]  # from which the module is imported, installed or not


class TaskTimedOut(Exception):
    """A task passed its deadline and was killed; `cpu_seconds` says how long it had a processor."""

    def __init__(self, cpu_seconds: float) -> None:
        super().__init__(cpu_seconds)
        self.cpu_seconds = cpu_seconds


class NoProcessReady(Exception):
    """No process was ready within the time that a task may wait for one."""


class ProcessDied(Exception):
    """A process ended in the middle of a task: by too much memory, or by a fault in a library."""


@dataclass(frozen=True)
class Reply:
    """The reply to a task: its JSON, and its bytes in parts."""

    head: dict[str, Any]
    parts: tuple[bytearray, ...]


class ProcessPool:
    """Child processes that run `module`, whose main function calls `serve_tasks`.

    A process starts when a task finds none idle. At most `idle` of them wait for another task; `warm` starts some in
    advance, and keeps that many ready. Thread-safe; `close` and the end of this process end them all.
    """

    def __init__(self, module: str, *, idle: int) -> None:
        self._module = module
        self._most_idle = idle
        self._ready = 0  # processes that are kept ready
        self._lock = threading.Lock()
        self._idle: list[_Child] = []
        self._busy: set[_Child] = set()
        self._closed = False
        atexit.register(self.close)

    def warm(self, processes: int) -> None:
        """Start processes until this many are idle, and from now on replace those that end."""
        self._ready = min(processes, self._most_idle)
        self._refill()

    def run(
        self, task: dict[str, Any], *, seconds: float, megabytes: int, start_seconds: float = START_SECONDS
    ) -> Reply:
        """Return the reply to a task; raise TaskTimedOut, ProcessDied, or NoProcessReady after `start_seconds`.

        A pool that is not kept warm waits for the start of a process, however long that takes. `megabytes` is what the
        task may allocate; only Linux enforces it. Raises MemeticaError when no process can start.
        """
        child = self._take(start_seconds if self._ready else START_SECONDS)
        keep = False
        try:
            reply = child.run({"task": task, "seconds": seconds, "megabytes": megabytes}, seconds=seconds)
            keep = reply.head.get("resident", 0) < RETIRED_BYTES
            return reply
        finally:
            with self._lock:
                self._busy.discard(child)
                keep = keep and not self._closed and len(self._idle) < self._most_idle
                if keep:
                    self._idle.append(child)
            if not keep:
                child.end()
                self._refill()

    def process_ids(self) -> list[int]:
        """Return the ids of the processes."""
        with self._lock:
            return [child.process.pid for child in (*self._idle, *self._busy)]

    def close(self) -> None:
        """End every process, also those in the middle of a task."""
        atexit.unregister(self.close)
        with self._lock:
            self._closed = True
            children = [*self._idle, *self._busy]
            self._idle.clear()
        for child in children:
            child.process.kill()
        for child in children:
            child.end()

    def _take(self, seconds: float) -> _Child:
        """Return a process that is ready for a task, from now on counted as busy."""
        for _ in range(_STARTS + len(self._idle)):
            with self._lock:
                if self._closed:
                    raise MemeticaError("Memetica is ending.")
                # The one that worked last: its memory is in the processor's caches.
                ready = next((child for child in reversed(self._idle) if child.started.is_set()), None)
                child = ready or (self._idle[0] if self._idle else _Child(self._module))
                if child in self._idle:
                    self._idle.remove(child)
                self._busy.add(child)
            started = child.started.wait(seconds)
            if started and child.lives():
                return child
            with self._lock:
                self._busy.discard(child)
                if not started:
                    self._idle.append(child)  # for a later task
            if not started:
                raise NoProcessReady
            child.end()
        raise MemeticaError(
            "The process that decodes pictures cannot be started.",
            hint=f"Run `{sys.executable} -m {self._module}` to see why.",
        )

    def _refill(self) -> None:
        with self._lock:
            while not self._closed and len(self._idle) < self._ready:
                self._idle.append(_Child(self._module))


class _Child:
    """One child process, and the pipes to it."""

    def __init__(self, module: str) -> None:
        path = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH", ""))))
        read_end, self._lifeline = os.pipe()  # nothing is written: the process learns that this one has ended
        try:
            self.process = subprocess.Popen(
                # -P keeps Python from importing a folder called `search` or `indexer` in the working directory.
                [sys.executable, "-P", "-m", module, *([str(read_end)] if sys.platform == "linux" else [])],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
                pass_fds=(read_end,) if sys.platform == "linux" else (),
                # One thread and one arena: less memory, and files are decoded side by side already.
                env={**os.environ, "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1"},
            )
        except BaseException:
            os.close(self._lifeline)
            raise
        finally:
            os.close(read_end)
        self.started = threading.Event()  # set when it is ready for a task, or has failed
        self._cpu_seconds: float | None = None  # that it had used at its last reply; None before its first
        self._expired = False
        self._ended = threading.Lock()
        if sys.platform == "linux":
            with suppress(OSError):  # a user's pipes may be limited; the reply then takes more turns
                fcntl.fcntl(self._stdout, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        threading.Thread(target=self._wait_for_start, name="process start", daemon=True).start()

    @property
    def _stdout(self) -> Any:
        return self.process.stdout

    def lives(self) -> bool:
        """Return whether a started process can take a task."""
        return self._cpu_seconds is not None and self.process.poll() is None

    def _wait_for_start(self) -> None:
        """Read the reply that a process sends when it has imported its module."""
        with suppress(EOFError, OSError, ValueError), self._killed_after(START_SECONDS):
            self._cpu_seconds = self._receive().head["cpu"]
        self.started.set()

    def run(self, request: dict[str, Any], *, seconds: float) -> Reply:
        """Return the reply to a request; raise TaskTimedOut or ProcessDied."""
        assert self.process.stdin is not None
        try:
            with self._killed_after(seconds):
                self.process.stdin.write(json.dumps(request).encode("ascii") + b"\n")
                reply = self._receive()
        except (BrokenPipeError, EOFError, ValueError) as error:
            used = self.end() - (self._cpu_seconds or 0)
            if self._expired:
                raise TaskTimedOut(used) from error
            raise ProcessDied(f"exit status {self.process.returncode}") from error
        if self._expired:
            raise TaskTimedOut(self.end() - (self._cpu_seconds or 0))
        self._cpu_seconds = reply.head["cpu"]
        return reply

    def end(self) -> float:
        """Kill the process, wait for its end, and return its seconds of processor time, infinite if unknown."""
        used = float("inf")
        with self._ended:
            if self.process.returncode is None and sys.platform != "win32":
                with suppress(ChildProcessError, ProcessLookupError):
                    os.kill(self.process.pid, signal.SIGKILL)  # `Popen.kill` might reap it, and its usage be lost
                    _, status, usage = os.wait4(self.process.pid, 0)
                    self.process.returncode = os.waitstatus_to_exitcode(status)
                    used = usage.ru_utime + usage.ru_stime
            self.process.kill()
            self.process.wait()
            for pipe in (self.process.stdin, self.process.stdout):
                if pipe is not None:
                    with suppress(OSError):
                        pipe.close()
            if self._lifeline >= 0:
                os.close(self._lifeline)
                self._lifeline = -1
        return used

    @contextmanager
    def _killed_after(self, seconds: float) -> Iterator[None]:
        """Kill the process after so many seconds; a pause, in which it did not run either, counts as one step."""
        done = threading.Event()

        def watch() -> None:
            left = seconds
            while left > 0:
                if done.wait(min(left, _STEP_SECONDS)):
                    return
                left -= _STEP_SECONDS
            self._expired = True
            self.process.kill()

        threading.Thread(target=watch, name="deadline", daemon=True).start()
        try:
            yield
        finally:
            done.set()

    def _receive(self) -> Reply:
        """Return the next reply; raise EOFError when the process ends first, ValueError for one that is malformed."""
        (length,) = struct.unpack(">I", self._read(4))
        if length > _MAX_HEAD:
            raise ValueError("the reply's head is too long")
        head = json.loads(self._read(length))
        sizes = head["parts"]
        if not all(isinstance(size, int) and size >= 0 for size in sizes) or sum(sizes) > _MAX_BYTES:
            raise ValueError("the reply is too long")
        return Reply(head, tuple(self._read(size) for size in sizes))

    def _read(self, size: int) -> bytearray:
        found = bytearray(size)
        left = memoryview(found)
        while left:
            count = self._stdout.readinto(left)
            if not count:
                raise EOFError
            left = left[count:]
        return found


def serve_tasks(work: Callable[[dict[str, Any]], tuple[dict[str, Any], Sequence[bytes]]]) -> None:
    """Run tasks from stdin until it is closed; `work` returns the JSON and the bytes of each reply.

    The main function of a child process. Requests come by stdin, replies go to stdout.
    """
    if sys.platform != "win32":
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # it writes no file
    replies = os.dup(1)
    os.dup2(2, 1)  # what a library prints is no reply
    if sys.platform == "linux" and len(sys.argv) > 1:
        _end_with_lifeline(int(sys.argv[1]))
    _send(replies, {}, ())
    requests = os.fdopen(0, "rb", buffering=0)
    while line := _line(requests):
        request = json.loads(line)
        with _limits(request["seconds"], request["megabytes"]):
            head, parts = work(request["task"])
        _send(replies, head, parts)


def _end_with_lifeline(lifeline: int) -> None:
    """Have the kernel end this process, even one that is deep in a library, when the parent's end of a pipe closes.

    A pipe of its own: at stdin the kernel may signal a request after this process has read it.
    """
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)
    if select.select([lifeline], [], [], 0)[0]:  # it has ended before that
        sys.exit()


@contextmanager
def _limits(seconds: float, megabytes: int) -> Iterator[None]:
    """Hold this process to the limits of a task, whether or not its parent still lives."""
    if sys.platform == "win32":
        yield
        return
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    if sys.platform == "linux":
        allowed = _memory_bytes()[1] + megabytes * 1_000_000
        resource.setrlimit(resource.RLIMIT_DATA, (allowed if most < 0 else min(allowed, most), most))
    signal.setitimer(signal.ITIMER_REAL, seconds + _GRACE_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        if sys.platform == "linux":
            resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def _memory_bytes() -> tuple[int, int]:
    """Return this process's resident memory and its data, (0, 0) where the system does not tell."""
    try:
        fields = Path("/proc/self/statm").read_bytes().split()
    except OSError:
        return 0, 0
    page = os.sysconf("SC_PAGE_SIZE")
    return int(fields[1]) * page, int(fields[5]) * page


def _send(pipe: int, head: dict[str, Any], parts: Sequence[bytes]) -> None:
    sizes = [len(part) for part in parts]
    told = {**head, "parts": sizes, "cpu": time.process_time(), "resident": _memory_bytes()[0]}
    raw = json.dumps(told).encode("ascii")
    for piece in (struct.pack(">I", len(raw)) + raw, *parts):
        left = memoryview(piece)
        while left:
            left = left[os.write(pipe, left) :]


def _line(requests: Any) -> bytes:
    """Return the next line of an unbuffered stream, empty at its end."""
    found = b""
    while not found.endswith(b"\n"):
        block = requests.read(65_536)
        if not block:
            return b""
        found += block
    return found
