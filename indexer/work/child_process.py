"""Work in a process of its own, whose memory is gone afterwards, and which ends with the one that began it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable

from search.errors import MemeticaError


def run_child(
    module: str, *given: str, begun: Callable[[subprocess.Popen[str]], None] = lambda child: None
) -> str | None:
    """Run a module that calls `child_main`; return None when it did its work, or else what it said of why not.

    `begun` gets the process, so that it can be ended.
    """
    command = [sys.executable, "-P", "-m", module, *given]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as child:
        begun(child)
        assert child.stderr is not None
        said = child.stderr.read()
        child.wait()
    return (said.strip().splitlines() or ["it was killed"])[-1] if child.returncode else None


def child_main(work: Callable[..., None]) -> None:
    """Do the work of a module that is run apart, with its arguments, and end as `run_child` expects."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        work(*sys.argv[1:])
    except MemeticaError as error:
        sys.exit(f"{error.message} {error.hint}".strip())


def _end_with_parent() -> None:
    """End this process once nobody holds its stdin open any more."""
    # Not by `sys.stdin`: its lock would be held as the interpreter ends.
    while os.read(0, 1):
        pass
    os._exit(1)
