"""The process of a command: how it starts, and how it ends without wasting its user's time."""

from __future__ import annotations

import atexit
import gc
import os
import sys
from contextlib import suppress

from web.cli.main import main

# Objects between two looks of the garbage collector at the youngest ones. Starting up makes some hundred thousand, and
# nearly all of them stay: with Python's 700, looking at them is a tenth of the time of a start.
_YOUNG_OBJECTS = 50_000

_exit_code: int | None = None  # of a command that may end at once


def run() -> None:
    """Run the command, and end the process with its exit code; the entry point of `memetica`."""
    global _exit_code
    gc.set_threshold(_YOUNG_OBJECTS)
    atexit.register(_end)  # before all others: it is called after them, and after all threads have ended
    try:
        main(prog_name="memetica")
    except SystemExit as ended:
        if ended.code is None or isinstance(ended.code, int):
            _exit_code = ended.code or 0
        raise


def _end() -> None:
    """End the process without freeing its memory object by object, which takes a tenth of a second."""
    if _exit_code is None:
        return  # an error that nobody expected: Python ends the process
    with suppress(OSError, ValueError):  # where a pipe is closed, Python says so
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(_exit_code)
