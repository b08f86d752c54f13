"""Files that were verified lately, remembered on the disk: a command does not read a whole index for one search.

A file is known by its device, inode and size and the times of its last change, to the nanosecond. The system sets the
time of an inode's change itself, whoever writes: what is written to, replaced, restored or linked is verified again.
What no file system tells, such as a block that a disk forgets, is found within a day, when a memory ends.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from time import time

from search.errors import DataFolderError
from search.system.atomic_write import write_atomically

VERIFIED = "verified.json"  # beside the folders of generations
KEEP_SECONDS = 24 * 3600.0
SETTLED_SECONDS = 2.0  # two writes within one tick of a file system's clock, 2 s for FAT, have the same time
_VERSION = 1


@dataclass(frozen=True)
class _Entry:
    """The checksum that a file had, and when it was computed, in seconds since 1970."""

    checksum: str
    at: float


class VerifiedFiles:
    """The checksums of files that were read within a day and have not changed since.

    >>> _ = (folder / "a").write_bytes(b"")
    >>> verified = VerifiedFiles(folder / "verified.json")
    >>> verified.has((folder / "a").stat(), "e3b0c442")
    False
    """

    def __init__(self, file: Path) -> None:
        """Read what `file` has; nothing where it is missing, damaged or of another version."""
        self._file = file
        self._entries = _read(file)
        self._is_changed = False

    def has(self, found: os.stat_result, checksum: str) -> bool:
        """Return whether a file is as it was when it was verified to have a checksum."""
        entry = self._entries.get(_stamp(found))
        return entry is not None and entry.checksum == checksum and _is_kept(entry, time())

    def add(self, found: os.stat_result, checksum: str) -> None:
        """Remember the checksum of a file that was read just now, unless it changed too lately to tell the next change.

        `found` is how the file was before it was read: one that was written to meanwhile is another one afterwards.
        """
        now = time()
        if now - max(found.st_mtime, found.st_ctime) > SETTLED_SECONDS:
            self._entries[_stamp(found)] = _Entry(checksum, now)
            self._is_changed = True

    def write(self) -> None:
        """Write what was added; a folder that cannot be written to is left as it is."""
        if not self._is_changed:
            return
        now = time()
        kept = {stamp: [entry.checksum, entry.at] for stamp, entry in self._entries.items() if _is_kept(entry, now)}
        try:
            write_atomically(self._file, json.dumps({"version": _VERSION, "files": kept}), durable=False)
        except DataFolderError:
            return  # on a read-only disk each process verifies for itself
        self._is_changed = False


def _read(file: Path) -> dict[str, _Entry]:
    try:
        body = json.loads(file.read_text("utf-8"))
        if body["version"] != _VERSION:
            return {}
        files: Mapping[str, tuple[str, float]] = body["files"]
        return {str(stamp): _Entry(str(checksum), float(at)) for stamp, (checksum, at) in files.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}


def _is_kept(entry: _Entry, now: float) -> bool:
    return 0 <= now - entry.at < KEEP_SECONDS


def _stamp(found: os.stat_result) -> str:
    return f"{found.st_dev}:{found.st_ino}:{found.st_size}:{found.st_mtime_ns}:{found.st_ctime_ns}"
