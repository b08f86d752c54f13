"""Locks between processes: only one at a time scans, builds, exports or changes the library."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from search.errors import DataFolderError

LONG_WAIT = 3600.0  # seconds: the first scan reads every file of the library


class Busy(DataFolderError):
    """Another process holds a lock for longer than the allowed wait."""


@contextmanager
def lock(data: Path, work: str, *, seconds: float = LONG_WAIT) -> Iterator[None]:
    """Hold the lock on one kind of work in a data folder; a process that ends releases its locks.

    `work` is the name in messages and of the file `<work>.lock` in the data folder, which is created if missing.
    Raises Busy when another process holds the lock for more than `seconds`, DataFolderError when the folder cannot be
    written.

    >>> with lock(folder, "scanning"):
    ...     (folder / "scanning.lock").exists()
    True
    """
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        held = FileLock(data / f"{work}.lock").acquire(timeout=seconds)
    except Timeout as error:
        raise Busy(
            f"Another process has been {work} for more than {seconds:,.0f} seconds.",
            hint="Wait until it is done and try again; `memetica status` shows its progress.",
        ) from error
    except OSError as error:
        raise DataFolderError(
            f"The data folder {data} cannot be written: {error.strerror}.",
            hint="Choose another with `--data` or MEMETICA_DATA.",
        ) from error
    with held:
        yield
