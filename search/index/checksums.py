"""SHA-256 of a generation's files: computed when it is written, compared when it is opened.

A damaged index file must not change rankings silently, and one flipped bit in a file of vectors does. Hashing reads
every file once, in threads; who opens an index to search it does so once a day and after each change (see `verified`).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

from search.index.verified import VerifiedFiles

Checksums = Mapping[str, str]  # path in the generation's folder -> hexadecimal SHA-256
LOOK_SECONDS = 0.05  # between two looks at the files, so that a slow file system is not asked for every search
_Stamp = tuple[int, int, int]  # inode, bytes, modification time in nanoseconds


_known: dict[tuple[int, ...], str] = {}  # by a file's stamp: the checksum of what this process has read or written
_MOST_KNOWN = 1000  # files


def sha256_of(file: Path) -> str:
    """Return the hexadecimal SHA-256 of a file; raise OSError when it cannot be read.

    >>> _ = (folder / "a").write_bytes(b"")
    >>> sha256_of(folder / "a")[:8]
    'e3b0c442'
    """
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def file_checksums(folder: Path, *, known: Checksums, known_in: Path | None) -> dict[str, str]:
    """Return the checksum of every file below a folder, by path.

    Files that are hard links to files of the folder `known_in` have their checksums in `known`.
    """
    files = sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file())

    def checksum(path: str) -> str:
        other = None if known_in is None else known_in / path
        if other is not None and path in known and other.exists() and other.samefile(folder / path):
            return known[path]
        return _checksum(folder / path)

    with ThreadPoolExecutor(os.cpu_count()) as pool:  # hashing releases the interpreter lock
        return dict(zip(files, pool.map(checksum, files), strict=True))


def damaged_files(folder: Path, expected: Checksums, *, verified: VerifiedFiles | None = None) -> list[str]:
    """Return the paths whose file is missing, unreadable or has another checksum, sorted.

    Files that `verified` remembers are not read; it is told of those that are.

    >>> _ = (folder / "a").write_bytes(b"")
    >>> damaged_files(folder, {"a": sha256_of(folder / "a"), "b": ""})
    ['b']
    """

    def is_damaged(path: str) -> bool:
        try:
            return _checksum(folder / path, expected=expected[path], verified=verified) != expected[path]
        except OSError:
            return True

    # The largest files first, so that the threads end at about the same time.
    paths = sorted(expected, key=lambda path: -_size(folder / path))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = sorted(path for path, damaged in zip(paths, pool.map(is_damaged, paths), strict=True) if damaged)
    if verified is not None:
        verified.write()
    return found


def _checksum(file: Path, *, expected: str = "", verified: VerifiedFiles | None = None) -> str:
    """Return a file's checksum; one that this process has read, and nobody has written to since, is not read again.

    Generations share files by hard links: without this, one added meme makes a server read the whole index again. What
    `verified` remembers to be as `expected` counts as read.
    """
    found = file.stat()
    stamp = found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
    known = _known.get(stamp)
    if known is not None:
        return known
    if verified is not None and verified.has(found, expected):
        _keep(stamp, expected)
        return expected
    checksum = sha256_of(file)
    if verified is not None and checksum == expected:
        verified.add(found, checksum)
    after = file.stat()
    if (after.st_dev, after.st_ino, after.st_size, after.st_mtime_ns) == stamp:
        _keep(stamp, checksum)
    return checksum


def _keep(stamp: tuple[int, ...], checksum: str) -> None:
    while len(_known) >= _MOST_KNOWN:
        _known.pop(next(iter(_known), stamp), None)
    _known[stamp] = checksum


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0


@dataclass
class FileWatch:
    """Notices that files were written to after they were opened: mapped memory changes with them.

    Reading mapped memory of a file that was cut short would end the process. A file that was removed or replaced is no
    damage to those who have the old one open, nor is one that was read into memory, such as numpy's.
    """

    folder: Path
    expected: Checksums
    stamps: dict[str, tuple[Path, _Stamp]]  # paths are joined once: this is looked at for every search
    looked_at: float = 0.0
    found: list[str] = field(default_factory=list)

    @classmethod
    def begin(cls, folder: Path, expected: Checksums) -> FileWatch:
        """Return a watch of these files as they are now; call it before they are verified and opened."""
        files = {path: folder / path for path in expected if not path.endswith((".npy", ".npz", ".json"))}
        return cls(folder, expected, {path: (file, stamp) for path, file in files.items() if (stamp := _stamp(file))})

    def damaged(self) -> list[str]:
        """Return the paths of files that were written to and now have another checksum, as of the last look."""
        if monotonic() < self.looked_at + LOOK_SECONDS:
            return self.found
        found = []
        for path, (file, known) in self.stamps.items():
            stamp = _stamp(file)
            if stamp is None or stamp == known or stamp[0] != known[0]:
                continue
            if damaged_files(self.folder, {path: self.expected[path]}):
                found.append(path)
            else:
                self.stamps[path] = file, stamp
        self.looked_at, self.found = monotonic(), found
        return found


def _stamp(file: Path) -> _Stamp | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
