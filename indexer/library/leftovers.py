"""Parts of files that killed processes left: they have names of their own, and none is older than its process."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

AFTER = 3600  # seconds: whoever writes a file for longer touches it meanwhile
_IN_DATA = ("", "backups", "inbox", "index", "models")  # folders of the data folder that files are written into


def find_leftovers(data: Path, library: Path, *, older_than: float = AFTER) -> list[Path]:
    """Return the unfinished files and folders in a data folder and in the library's categories, sorted.

    Those changed in the last `older_than` seconds may still be written to, and are not listed.

    >>> find_leftovers(workspace.data, workspace.library)
    []
    """
    latest = time.time() - older_than
    found = []
    for path in {*_in_data(data), *_in_library(library)}:
        with suppress(OSError):
            if path.lstat().st_mtime <= latest:
                found.append(path)
    return sorted(found)


def remove_leftovers(data: Path, library: Path) -> int:
    """Remove the leftovers that can be removed; return their number."""
    removed = 0
    for path in find_leftovers(data, library):
        with suppress(OSError):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
            removed += 1
    return removed


def _in_data(data: Path) -> Iterator[Path]:
    for folder in _IN_DATA:
        yield from (data / folder).glob(".*.part*")
    yield from (data / "thumbnails").glob("**/.*.part")
    yield from (data / "index").glob("building-*")
    if not (data / "restore.json").exists():  # a restore that is finished by the next command needs its files
        yield from data.glob("restoring-*/")


def _in_library(library: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(library):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            if name.startswith(".memetica-") and name.endswith(".part"):
                yield Path(folder, name)
