"""Files of the data folder written whole or not at all: beside the target, then in its place by one rename."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from search.errors import DataFolderError


@contextmanager
def atomic_file(path: Path, *, durable: bool = True, private: bool = False) -> Iterator[BinaryIO]:
    """Return a binary file to write in a `with` block; it takes the place of `path` when the block ends without error.

    Missing folders are made. `durable` says that the file is on the disk when the block has ended, which takes
    milliseconds: a cache does without. A `private` file can be read by its owner alone. Raises DataFolderError when the
    disk refuses; `path` is then as it was.

    >>> with atomic_file(folder / "a.txt") as out:
    ...     _ = out.write(b"whole")
    >>> (folder / "a.txt").read_bytes(), [file.name for file in folder.iterdir()]
    (b'whole', ['a.txt'])
    """
    # Hidden, so that a scan passes over it, and short, so that no name is too long that the target's is not.
    aside = path.with_name(f".memetica-{secrets.token_hex(8)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if private else 0o666)
            with os.fdopen(descriptor, "wb") as out:
                yield out
                out.flush()
                if durable:
                    os.fsync(out.fileno())
            aside.replace(path)
            if durable:
                sync_folder(path.parent)
        finally:
            aside.unlink(missing_ok=True)
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
    """Return once the names in a folder are on the disk, as far as the system can tell; never raise OSError."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return  # gone, or a system that does not open folders
    try:
        with suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
