"""Move and write files of the library and the data folder: never over another file, never lost half-way."""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from search.errors import LibraryError
from search.system.atomic_write import sync_folder

# The errors of a file system without hard links or of a link to another disk; then files are copied.
_NO_LINK = (errno.EXDEV, errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.ENOTSUP)


def bytes_hash(file: Path) -> str | None:
    """Return the hexadecimal SHA-256 of a file's bytes, for a link of its target's path; None for a missing file.

    >>> _ = (folder / "a.txt").write_bytes(b"")
    >>> bytes_hash(folder / "a.txt")[:8], bytes_hash(folder / "missing")
    ('e3b0c442', None)
    """
    try:
        if file.is_symlink():
            return hashlib.sha256(b"link to " + os.fsencode(file.readlink())).hexdigest()
        with file.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    except (FileNotFoundError, NotADirectoryError):
        return None


def move(source: Path, target: Path, *, aside: str) -> None:
    """Move a file to a free path, also to another disk; after a kill it is at one of both paths, or at both.

    `aside` is the hidden name, in the target's folder, of an unfinished copy. Raises LibraryError when the target
    exists, OSError when the file cannot be moved.

    >>> _ = (folder / "a.txt").write_text("a")
    >>> move(folder / "a.txt", folder / "deep" / "b.txt", aside=".part")
    >>> (folder / "a.txt").exists(), (folder / "deep" / "b.txt").read_text()
    (False, 'a')
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
    """Copy a file with its times to a free path; the copy is synchronized to the disk and verified."""
    try:
        remove_file(aside)
        shutil.copy2(source, aside, follow_symlinks=False)
        if not aside.is_symlink():
            with aside.open("rb") as copied:
                os.fsync(copied.fileno())
        if bytes_hash(aside) != bytes_hash(source):
            raise LibraryError(f"{source} changed while it was copied.", hint="Try again.")
        if not link_free(aside, target):
            raise _occupied(target)
        sync_folder(target.parent)
    finally:
        with suppress(OSError):  # of a disk that has become read-only: the first error says more
            aside.unlink(missing_ok=True)


def write_new(target: Path, body: bytes, *, aside: str = "") -> bool:
    """Write a file whole to a free path and return True; return False when the path exists.

    `aside` is the hidden name of the unfinished file, by default a random one. Raises OSError when the file
    cannot be written.

    >>> write_new(folder / "a.txt", b"one"), write_new(folder / "a.txt", b"two")
    (True, False)
    """
    if not aside and (written := _write_unnamed(target, body)) is not None:
        return written
    # Hidden, so that a scan skips it, and short, so that its name fits wherever the target's fits.
    partial = target.with_name(aside or f".memetica-{secrets.token_hex(8)}.part")
    try:
        with partial.open("wb") as out:
            out.write(body)
            out.flush()
            os.fsync(out.fileno())
        return link_free(partial, target)
    finally:
        with suppress(OSError):  # of a read-only disk: the first error says more
            partial.unlink(missing_ok=True)


def _write_unnamed(target: Path, body: bytes) -> bool | None:
    """Write a file that has no name until it is whole, so that a kill leaves nothing; None where that is not possible.

    It needs Linux and a file system that knows O_TMPFILE.
    """
    try:
        descriptor = os.open(target.parent, os.O_TMPFILE | os.O_WRONLY, 0o666)
    except (AttributeError, OSError):
        return None
    with os.fdopen(descriptor, "wb") as out:
        out.write(body)
        out.flush()
        os.fsync(out.fileno())
        try:
            os.link(f"/proc/self/fd/{out.fileno()}", target, follow_symlinks=True)
        except FileExistsError:
            return False
        except OSError:
            return None  # without /proc, or a file system that only makes such files
    return True


def write_free(target: Path, body: bytes, *, aside: str) -> None:
    """Write a file whole to a free path, as `write_new` does; raise LibraryError when the path exists."""
    if not write_new(target, body, aside=aside):
        raise _occupied(target)


def link_free(aside: Path, path: Path) -> bool:
    """Move a finished file from `aside` to `path` if that is free; return whether it was."""
    try:
        path.hardlink_to(aside)
        return True
    except FileExistsError:
        return False
    except OSError:
        if not aside.exists():
            raise
    # Without hard links, first create the file exclusively, so that nothing is overwritten, then replace it.
    try:
        with path.open("x"):
            pass
    except FileExistsError:
        return False
    aside.replace(path)
    return True


def remove_file(file: Path) -> None:
    """Remove a file if it is there; a missing file is no error on a read-only disk either, where unlink says EROFS.

    >>> remove_file(folder / "missing")
    """
    if os.path.lexists(file):
        file.unlink(missing_ok=True)


def sync_folders(files: Iterable[Path]) -> None:
    """Synchronize the folders of these files to the disk where the system can do so."""
    for folder in {file.parent for file in files}:
        sync_folder(folder)


def remove_empty(folder: Path) -> None:
    """Remove a folder and its subfolders if they contain no file.

    >>> (folder / "a" / "b").mkdir(parents=True)
    >>> remove_empty(folder / "a")
    >>> (folder / "a").exists()
    False
    """
    for root, _, _ in os.walk(folder, topdown=False):
        try:
            Path(root).rmdir()
        except OSError:
            continue


def _occupied(target: Path) -> LibraryError:
    return LibraryError(f"{target} already exists.", hint="Move it away and try again.")
