"""Write files whole or not at all: into a temporary file next to the target, which one rename puts in its place."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from search.errors import DataFolderError


@contextmanager
def atomic_file(path: Path, *, durable: bool = True, private: bool = False) -> Iterator[BinaryIO]:
    """Return a binary file to write in a `with` block; it replaces `path` when the block ends without error.

    Missing folders are made. With `durable`, the file is synchronized to the disk before the block ends, which takes
    milliseconds; caches do not need it. A `private` file, and its folder if that is made, is its owner's only. Raises
    DataFolderError when the file cannot be written; `path` is then unchanged.

    >>> with atomic_file(folder / "a.txt") as out:
    ...     _ = out.write(b"whole")
    >>> (folder / "a.txt").read_bytes(), [file.name for file in folder.iterdir()]
    (b'whole', ['a.txt'])
    """
    # Hidden, so that a scan skips it, and short, so that its name fits wherever the target's fits.
    temporary = path.with_name(f".memetica-{os.urandom(8).hex()}.part")
    try:
        path.parent.mkdir(mode=0o700 if private else 0o777, parents=True, exist_ok=True)
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if private else 0o666)
            with os.fdopen(descriptor, "wb") as out:
                yield out
                out.flush()
                if durable:
                    os.fsync(out.fileno())
            temporary.replace(path)
            if durable:
                sync_folder(path.parent)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise DataFolderError(
            f"{path} cannot be written: {error.strerror or error}.",
            hint="Free some space or check the folder's permissions, then run the same command again.",
        ) from error


def write_atomically(path: Path, content: bytes | str, *, durable: bool = True, private: bool = False) -> None:
    """Write a file whole or not at all; a text is written as UTF-8. Arguments and errors are those of `atomic_file`.

    >>> write_atomically(folder / "made" / "b.txt", "größer")
    >>> (folder / "made" / "b.txt").read_text("utf-8")
    'größer'
    """
    with atomic_file(path, durable=durable, private=private) as out:
        out.write(content.encode("utf-8") if isinstance(content, str) else content)


def sync_folder(folder: Path) -> None:
    """Synchronize a folder's entries to the disk where the system can do so; never raise OSError."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return  # the folder is gone, or the system cannot open folders
    try:
        with suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
