"""System calls of a process, recorded or interrupted by strace: SIGKILL arrives instead of the n-th call of a kind."""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

# The calls that change what a disk holds; strace leaves out those that this machine's kernel does not have.
CALLS = (
    *("fsync", "fdatasync", "link", "linkat", "rename", "renameat", "renameat2", "unlink", "unlinkat", "rmdir"),
    *("mkdir", "mkdirat", "write", "writev", "pwrite64", "ftruncate", "truncate", "openat", "chmod", "fchmod"),
    *("fchmodat", "utimensat", "copy_file_range", "sendfile", "symlink", "fallocate"),
)
_LINE = re.compile(r"(?P<thread>\d+) +(?P<call>\w+)\((?P<arguments>.*)")
_OPENED_TO_WRITE = re.compile(r"O_WRONLY|O_RDWR|O_CREAT")


@dataclass(frozen=True, order=True)
class Point:
    """A place to interrupt a process at: the n-th call of a kind of one of its threads, from 1."""

    call: str
    number: int

    def __str__(self) -> str:
        return f"{self.call} {self.number}"


def strace() -> str | None:
    """Return the path of strace, None where there is none or it may not trace."""
    found = shutil.which("strace")
    if found is None:
        return None
    tried = subprocess.run([found, "-o", "/dev/null", "true"], capture_output=True, check=False)
    return found if tried.returncode == 0 else None


class Tracer:
    """strace, attached to processes as they start; `attach` is for `Run`, `ended` waits for it."""

    def __init__(self, *options: str) -> None:
        self._options = options
        self._process: subprocess.Popen[str] | None = None

    def attach(self, pid: int) -> None:
        """Attach to a process, and return when it is traced."""
        program = strace()
        assert program is not None
        command = [program, "-f", "-y", "-e", "signal=none", *self._options, "-p", str(pid)]
        self._process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert self._process.stderr is not None
        said = self._process.stderr.readline()
        if "attached" not in said:
            raise RuntimeError(f"strace does not trace: {said}")

    def ended(self) -> None:
        """Wait until everything that was traced has ended."""
        if self._process is not None:
            self._process.communicate()


@contextmanager
def recorded(log: Path) -> Iterator[Tracer]:
    """Yield a tracer that records the calls into a file."""
    tracer = Tracer("-e", "trace=" + ",".join(f"?{call}" for call in CALLS), "-o", str(log))
    yield tracer
    tracer.ended()


@contextmanager
def killed_at(point: Point, *, log: Path = Path(os.devnull)) -> Iterator[Tracer]:
    """Yield a tracer that kills the process instead of its n-th call of a kind, and writes what it saw to a log."""
    inject = f"inject={point.call}:signal=KILL:when={point.number}"
    tracer = Tracer("-e", f"trace={point.call}", "-e", inject, "-o", str(log))
    yield tracer
    tracer.ended()


def points_in(log: Path, folder: Path) -> dict[str, list[Point]]:
    """Return the points of a recorded run whose call concerns a file in a folder, by call, in order."""
    found: dict[str, dict[Point, None]] = {}
    counted: Counter[tuple[str, str]] = Counter()
    for line in log.read_text("utf-8", "replace").splitlines():
        match = _LINE.match(line)
        if match is None:
            continue
        thread, call, arguments = match["thread"], match["call"], match["arguments"]
        counted[thread, call] += 1
        if str(folder) in arguments and (call != "openat" or _OPENED_TO_WRITE.search(arguments)):
            found.setdefault(call, {})[Point(call, counted[thread, call])] = None
    return {call: list(points) for call, points in found.items()}


def shares(cases: int, count: int) -> list[int]:
    """Return how many of the cases each of `count` things gets: as equal as whole numbers can be.

    >>> shares(5, 3)
    [1, 2, 2]
    """
    return [cases * (number + 1) // count - cases * number // count for number in range(count)]


def choose_points(points: dict[str, list[Point]], count: int, draw: random.Random) -> list[Point]:
    """Return `count` points, one of each call in turn, drawn by chance; fewer where there are no more."""
    left = {call: draw.sample(found, len(found)) for call, found in sorted(points.items())}
    found: list[Point] = []
    while len(found) < count and any(left.values()):
        for call in sorted(left, key=lambda call: draw.random()):
            if left[call] and len(found) < count:
                found.append(left[call].pop())
    return found
