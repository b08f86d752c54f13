"""Run work in a child process, which frees its memory at its end and ends with its parent."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

from search.errors import MemeticaError
from search.system.processes import end_with_parent

OnStart = Callable[["subprocess.Popen[str]"], None]


def run_child(module: str, *arguments: str, on_start: OnStart = lambda child: None) -> str | None:
    """Run a module that calls `child_main`; return None when it succeeded, else its error message.

    `on_start` is called with the process, so that the caller can end it.
    """
    # -P keeps Python from importing a folder called `search` or `indexer` in the working directory.
    command = [sys.executable, "-P", "-m", module, *arguments]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as child:
        on_start(child)
        assert child.stderr is not None
        message = child.stderr.read()
        child.wait()
    return (message.strip().splitlines() or ["The process was killed."])[-1] if child.returncode else None


def child_main(work: Callable[..., None]) -> None:
    """Call `work` with the command's arguments and exit as `run_child` expects: a MemeticaError becomes its message."""
    end_with_parent()
    try:
        work(*sys.argv[1:])
    except MemeticaError as error:
        sys.exit(f"{error.message} {error.hint}".strip())
