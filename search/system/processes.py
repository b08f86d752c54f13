"""Whether a process runs, and child processes that end with their parent."""

from __future__ import annotations

import os
import stat
import threading


def end_with_parent() -> None:
    """End this process when the pipe that is its stdin is closed, which happens at the latest when the parent ends.

    Does nothing where stdin is no pipe, as when somebody runs the module by hand.
    """
    try:
        piped = stat.S_ISFIFO(os.fstat(0).st_mode)
    except OSError:
        return
    if piped:
        threading.Thread(target=_wait_for_the_end, daemon=True).start()


def is_running(pid: int) -> bool:
    """Return whether a process of this number runs on this machine; True where that cannot be found out."""
    if os.name != "posix":
        return True  # signal 0 only tests for existence on POSIX
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _wait_for_the_end() -> None:
    # `sys.stdin` would hold its lock while the interpreter shuts down.
    while os.read(0, 1):
        pass
    os._exit(1)
