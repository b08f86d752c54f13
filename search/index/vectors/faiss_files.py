"""Write faiss indexes to files through Python, so that a full disk is an OSError with its reason.

faiss itself raises RuntimeError for a block that cannot be written, and only prints a warning when closing the file
fails: the file is then cut short, without an error.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import faiss

_BLOCK = 1 << 20  # bytes written at once
_untyped: Any = faiss  # faiss's type stubs lack the writers


def write_faiss(index: Any, path: Path, *, write: Callable[[Any, Any], None] = faiss.write_index) -> None:
    """Write an index to a file by `write`, faiss' function for its kind; raise OSError when it cannot be written."""
    failures: list[OSError] = []
    with path.open("wb") as out:

        def put(block: bytes) -> None:
            try:
                out.write(block)
            except OSError as error:
                failures.append(error)
                raise

        try:
            write(index, _untyped.PyCallbackIOWriter(put, _BLOCK))
        except RuntimeError as error:
            raise (failures[0] if failures else error) from error
