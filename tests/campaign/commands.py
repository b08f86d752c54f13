"""Runs of the `memetica` command, each in a process of its own that is forked from one that has imported everything.

The forked process differs from a user's in two things: it starts in a tenth of a second, and its text encoder is the
readable one of the tests. `on_start` is called before its first line, so that a tracer can be attached.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from tests.campaign.memetica import use_readable_encoder
from tests.support.paths import ROOT
from web.cli.main import main

SECONDS = 120.0  # a command that takes longer hangs
_PR_SET_PTRACER, _ANY = 0x59616D61, -1


@dataclass(frozen=True)
class Ran:
    """How a run ended: the exit code, negative for a signal, None when it hung, and what it wrote."""

    code: int | None
    out: str
    err: str

    @property
    def was_killed(self) -> bool:
        """Whether SIGKILL ended it."""
        return self.code == -signal.SIGKILL


class Run:
    """A command that was started; `wait` ends it."""

    def __init__(
        self,
        *arguments: str | Path,
        stdin: str = "",
        environ: Mapping[str, str] | None = None,
        on_start: Callable[[int], None] = lambda pid: None,
    ) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="memetica-run-")
        self.folder = Path(self._folder.name)
        (self.folder / "stdin").write_text(stdin, "utf-8")
        words = [str(one) for one in arguments]
        ours, theirs = _context().Pipe()
        self._process = _context().Process(target=_run, args=(words, dict(environ or {}), str(self.folder), theirs))
        self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid
        on_start(self.pid)
        with suppress(OSError):
            ours.send(True)
        ours.close()

    @property
    def out(self) -> str:
        """What it has written to stdout so far."""
        return (self.folder / "stdout").read_text("utf-8", "replace") if (self.folder / "stdout").exists() else ""

    @property
    def is_alive(self) -> bool:
        """Whether it runs."""
        return self._process.is_alive()

    def send(self, signal_number: int) -> None:
        """Send it a signal."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal_number)

    def wait(self, seconds: float = SECONDS) -> Ran:
        """Wait until it has ended and return how; one that hangs is killed."""
        self._process.join(seconds)
        hung = self._process.is_alive()
        if hung:
            self._process.kill()
            self._process.join()
        code = None if hung else self._process.exitcode
        error = self.folder / "stderr"
        ran = Ran(code, self.out, error.read_text("utf-8", "replace") if error.exists() else "")
        self._folder.cleanup()
        return ran


def memetica(
    *arguments: str | Path, stdin: str = "", environ: Mapping[str, str] | None = None, seconds: float = SECONDS
) -> Ran:
    """Run a command and return how it ended; one that takes more than so many seconds is killed."""
    return Run(*arguments, stdin=stdin, environ=environ).wait(seconds)


def _context() -> multiprocessing.context.ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    # The server of forks is started with these at the first run; a module that it cannot find would be left out.
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH", ""))))
    context.set_forkserver_preload([__name__, "tests.campaign.preload"])
    return context


def _run(arguments: list[str], environ: dict[str, str], folder: str, gate: Connection) -> None:
    """Run the command with its streams in files of a folder, as soon as the gate opens."""
    with suppress(OSError, AttributeError):  # where the kernel lets only a parent trace
        ctypes.CDLL(None).prctl(_PR_SET_PTRACER, ctypes.c_long(_ANY), 0, 0, 0)
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        flags = os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT | os.O_APPEND
        opened = os.open(f"{folder}/{name}", flags, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stdout, sys.stderr = (open(number, "w", encoding="utf-8", closefd=False) for number in (1, 2))  # noqa: SIM115
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ |= {"NO_COLOR": "1", "COLUMNS": "200", **environ}
    use_readable_encoder()
    with suppress(EOFError):
        gate.recv()
    try:
        main(arguments, prog_name="memetica")
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
