"""The tasks of the processes in the tests of the process pool."""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from indexer.work.process_pool import serve_tasks
from tests.support.waiting import until


def work(task: dict[str, Any]) -> tuple[dict[str, Any], Sequence[bytes]]:
    """Return the reply to a task, unless it is one that ends the process; `tell` is a file that says that it began."""
    if "tell" in task:
        Path(task["tell"]).touch()
    match task["do"]:
        case "parts":
            return {"sizes": task["sizes"]}, [bytes([size % 251]) * size for size in task["sizes"]]
        case "id":
            return {"id": os.getpid()}, ()
        case "wait":
            until(Path(task["until"]).exists)
        case "spin":
            while True:
                pass
        case "sleep":
            time.sleep(1000)
        case "hold":  # Python's lock, as a renderer does
            ctypes.PyDLL(None).sleep(1000)
        case "die":
            os._exit(7)
        case "allocate":
            try:
                bytearray(task["megabytes"] * 1_000_000)
            except MemoryError:
                return {"allocated": False}, ()
            return {"allocated": True}, ()
        case "shout":
            print("x" * 100_000, flush=True)  # noqa: T201
            return {"shouted": True}, ()
        case "garble":
            os.write(3, b"\xff" * 100)
    return {}, ()


if __name__ == "__main__":
    if begin := os.environ.get("POOLED_TASKS_BEGIN_WITH"):
        until(Path(begin).exists)
    serve_tasks(work)
