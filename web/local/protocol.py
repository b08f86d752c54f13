"""Where a server's local socket lies, who may use it, and what both sides must have in common.

The socket is in the data folder, and only in one that its owner alone can enter: that is what permits the questions of
commands and nobody else's. Both sides must run the same code with the same settings of a search, so that an answer is
what the command itself would find.
"""

from __future__ import annotations

import hashlib
import os
import socket
import stat
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from search.settings import Settings
from search.system.distribution import __version__

SOCKET_FILE = "serve.socket"
MAX_PATH = 100  # bytes of a socket's path: systems take 104 to 108
MAX_QUESTION = 100_000  # bytes
TAKEN = b"taken\n"  # said at once by a server that begins to search
# What changes an answer, by the settings' names. The others are of the library's indexing, or of the site.
SEARCH_SETTINGS = (
    "weights",
    "certain_above",
    "certain_odds",
    "certain_for",
    "index_engine",
    "qdrant_key",
    "qdrant_certificate",
    "qdrant_seconds",
    "threads",
)
_PACKAGES = ("search", "web/local")


def has_sockets() -> bool:
    """Return whether this system has sockets that are files, and users who own files."""
    return hasattr(socket, "AF_UNIX") and hasattr(os, "geteuid")


def is_private(data: Path) -> bool:
    """Return whether a data folder is this user's, and nobody else can enter it."""
    try:
        found = data.stat()
    except OSError:
        return False
    return found.st_uid == os.geteuid() and not stat.S_IMODE(found.st_mode) & (stat.S_IRWXG | stat.S_IRWXO)


@contextmanager
def socket_address(data: Path) -> Iterator[str]:
    """Yield the address of a data folder's socket, valid in the block; raise OSError where its path is too long.

    Linux has a short path for a long one, through an open folder.
    """
    path = str(data / SOCKET_FILE)
    if len(os.fsencode(path)) <= MAX_PATH:
        yield path
        return
    descriptor = os.open(data, os.O_RDONLY)
    try:
        yield f"/proc/self/fd/{descriptor}/{SOCKET_FILE}"
    finally:
        os.close(descriptor)


def common_ground(settings: Settings) -> str:
    """Return a digest that is the same in two processes when both would find the same: code, Python, settings.

    A clone keeps its version while its code changes, so the files' times count too.
    """
    found = hashlib.sha256(f"{__version__} {sys.version}".encode())
    project = Path(__file__).parents[2]
    for package in _PACKAGES:
        for file in sorted((project / package).rglob("*.py")):
            stamp = file.stat()
            found.update(f"{file} {stamp.st_mtime_ns} {stamp.st_size}\n".encode())
    for name in SEARCH_SETTINGS:
        found.update(f"{name}={_text(getattr(settings, name))}\n".encode())
    return found.hexdigest()


def _text(value: Any) -> str:
    return repr(sorted((str(key), one) for key, one in value.items())) if isinstance(value, Mapping) else repr(value)
