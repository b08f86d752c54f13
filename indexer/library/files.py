"""Files between the library and the data folder's trash: never over another file, never lost half-way."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from indexer.library.sidecars import link_free
from search.errors import LibraryError

# What a file system answers that has no hard links, or not to there; then files are copied.
_NO_LINK = (errno.EXDEV, errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.ENOTSUP)


def bytes_hash(file: Path) -> str | None:
    """Return the SHA-256 of a file's bytes, or of where a link points; None when nothing is there."""
    try:
        if file.is_symlink():
            return hashlib.sha256(b"link to " + os.fsencode(file.readlink())).hexdigest()
        with file.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    except (FileNotFoundError, NotADirectoryError):
        return None


def move(source: Path, target: Path, *, aside: str) -> None:
    """Move a file to a free name, to another file system too; after a kill it is at one of both, or at both.

    `aside` is a hidden name in the target's folder that a copy has until it is whole. Raises LibraryError when
    something is there already, OSError when the disk refuses.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target, follow_symlinks=False)
    except FileExistsError as error:
        raise _occupied(target) from error
    except OSError as error:
        if error.errno not in _NO_LINK:
            raise
        _copy(source, target, target.with_name(aside))
    source.unlink()


def _copy(source: Path, target: Path, aside: Path) -> None:
    """Copy a file whole, with its times, to a free name; the copy is on the disk and compared when this returns."""
    try:
        aside.unlink(missing_ok=True)
        shutil.copy2(source, aside, follow_symlinks=False)
        if not aside.is_symlink():
            with aside.open("rb") as copied:
                os.fsync(copied.fileno())
        if bytes_hash(aside) != bytes_hash(source):
            raise LibraryError(f"{source} changed while it was copied.", hint="Try again.")
        if not link_free(aside, target):
            raise _occupied(target)
        sync_folders([target])
    finally:
        aside.unlink(missing_ok=True)


def write_free(target: Path, body: bytes, *, aside: str) -> None:
    """Write a file whole under a free name; raise LibraryError when something is there already."""
    partial = target.with_name(aside)
    try:
        with partial.open("wb") as out:
            out.write(body)
            out.flush()
            os.fsync(out.fileno())
        if not link_free(partial, target):
            raise _occupied(target)
    finally:
        partial.unlink(missing_ok=True)


def sync_folders(files: Iterable[Path]) -> None:
    """Return once the names of these files are on the disk, as far as it can tell."""
    for folder in {file.parent for file in files}:
        try:
            descriptor = os.open(folder, os.O_RDONLY)
        except OSError:
            continue  # gone, or a system that does not open folders
        try:
            os.fsync(descriptor)
        except OSError:
            pass
        finally:
            os.close(descriptor)


def remove_empty(folder: Path) -> None:
    """Remove a folder and those in it as far as they hold no file."""
    for root, _, _ in os.walk(folder, topdown=False):
        try:
            Path(root).rmdir()
        except OSError:
            continue


def _occupied(target: Path) -> LibraryError:
    return LibraryError(f"There is something else at {target}.", hint="Move it away and try again.")
