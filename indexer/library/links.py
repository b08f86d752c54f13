"""Open files of the library without leaving it: links that lead out of the library are followed only when told.

The library may be a folder that others write to, as a synchronised one. A link in it, `x.png` → `/etc/passwd`, must not
show visitors what is outside. Links within the library are followed, also where the library itself is reached by one.
"""

from __future__ import annotations

import os
import stat
from io import BufferedReader
from pathlib import Path

from search.errors import UnreadableFile

# Left by file managers and file systems; hidden names are ignored too.
IGNORED = {"thumbs.db", "desktop.ini", "@eadir", "__macosx", "#recycle", "$recycle.bin", "lost+found"}
OUTSIDE = "It is a link that leads out of the library, and is not followed."
OUTSIDE_HINT = "Put the file itself into the library, or follow such links with the setting `follow_links`."

# Windows has none of these; there the file is compared with the checked path after it is opened.
_BY_FOLDER = os.open in os.supports_dir_fd
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
_FOLDER = getattr(os, "O_PATH", os.O_RDONLY) | getattr(os, "O_DIRECTORY", 0) | _NO_FOLLOW
_FILE = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)  # opening a pipe would block


class LeavesLibrary(UnreadableFile):
    """A link leads out of the library, and the settings do not say to follow it."""

    def __init__(self, message: str = OUTSIDE, *, hint: str = OUTSIDE_HINT) -> None:
        super().__init__(message, hint=hint)


def is_ignored(name: str) -> bool:
    """Return whether a file or folder of this name is no part of a library: a hidden one, or one that systems leave.

    >>> is_ignored(".git"), is_ignored("Thumbs.db"), is_ignored("Cats")
    (True, True, False)
    """
    return name.startswith(".") or name.lower() in IGNORED


def leaves_library(library: Path, path: str) -> bool:
    """Return whether a path of the library is reached by a link that leads to a place which is no part of the library.

    Hidden folders are no part of it: Memetica's own data folder may be one.

    >>> (folder / "memes" / "Cats").mkdir(parents=True)
    >>> (folder / "memes" / "Cats" / "a.png").symlink_to("/etc/passwd")
    >>> leaves_library(folder / "memes", "Cats/a.png"), leaves_library(folder / "memes", "Cats")
    (True, False)
    """
    return _parts(library, path) is None


def _parts(library: Path, path: str) -> tuple[str, ...] | None:
    """Return the names on the way from the library's real folder to the real file; None when it is outside."""
    root = os.path.realpath(library)
    try:
        real = os.path.realpath(os.path.join(root, path))  # noqa: PTH118 - a library's names may end with dots
    except OSError:  # a link to what may not be looked at
        return None
    if real == os.path.join(root, path):  # noqa: PTH118 - no link on the way
        return tuple(path.split("/"))
    try:
        parts = Path(real).relative_to(root).parts
    except ValueError:
        return None
    return None if any(map(is_ignored, parts)) else parts


def open_file(library: Path, path: str, *, follow_links: bool = False) -> BufferedReader:
    """Return a file of the library, opened to be read; raise LeavesLibrary, or OSError when it cannot be opened.

    What is opened is what was checked, also when somebody puts a link in its place at the same moment: every folder on
    the way is opened without following a link. A pipe or a device raises UnreadableFile.

    >>> with open_file(workspace.library, "Cats/monday.png") as opened:
    ...     opened.read(4)
    b'\\x89PNG'
    """
    if follow_links:
        return _regular(os.open(library / path, _FILE))
    parts = _parts(library, path)
    if parts is None:
        raise LeavesLibrary()
    root = os.path.realpath(library)
    if not _BY_FOLDER:
        descriptor = os.open(Path(root, *parts), _FILE)
        if not os.path.samestat(os.fstat(descriptor), Path(root, *parts).lstat()):
            os.close(descriptor)
            raise LeavesLibrary()
        return _regular(descriptor)
    folder = os.open(root, _FOLDER)
    try:
        for part in parts[:-1]:
            inner = os.open(part, _FOLDER, dir_fd=folder)
            os.close(folder)
            folder = inner
        return _regular(os.open(parts[-1], _FILE | _NO_FOLLOW, dir_fd=folder))
    finally:
        os.close(folder)


def _regular(descriptor: int) -> BufferedReader:
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise UnreadableFile("It is not a regular file but a pipe, a socket or a device.", hint="Remove it.")
    return os.fdopen(descriptor, "rb")


def checked_file(library: Path, path: str, *, follow_links: bool = False) -> Path:
    """Return the path of a file of the library for code that opens paths; raise LeavesLibrary.

    >>> checked_file(workspace.library, "Cats/monday.png").name
    'monday.png'
    """
    if follow_links:
        return library / path
    parts = _parts(library, path)
    if parts is None:
        raise LeavesLibrary()
    return Path(os.path.realpath(library), *parts)
