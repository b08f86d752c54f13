"""Keep the data folder to its owner: it holds a password's hash, a key, sessions, and texts that nobody has accepted.

Where the system has no permissions by user, as on Windows, nothing is done.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

FOLDER_MODE, FILE_MODE = 0o700, 0o600
# Files that stay private when somebody opens the folder to others.
SECRETS = (
    "catalogue.sqlite*",
    "settings.json",
    "curator.json",
    "server-secret",
    "sessions.json",
    "keys.json",
    "backups/*",
)
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def make_private(data: Path, *, library: Path) -> list[str]:
    """Take others' permissions from a data folder and its secret files; return a sentence for each that stays open.

    The folder itself is left as it is where it contains the library, which other programs may serve.

    >>> folder.chmod(0o755)
    >>> make_private(folder, library=folder.parent / "memes"), oct(folder.stat().st_mode & 0o777)
    ([], '0o700')
    """
    if os.name != "posix":
        return []
    shared = library.absolute().is_relative_to(data.absolute())
    files = ((file, FILE_MODE) for pattern in SECRETS for file in data.glob(pattern))
    folders = () if shared else ((data, FOLDER_MODE),)
    return [sentence for path, mode in (*folders, *files) for sentence in _restrict(path, mode)]


def _restrict(path: Path, mode: int) -> Iterator[str]:
    try:
        found = path.stat().st_mode
        if not found & _OTHERS:
            return
        # Only others' permissions are taken: a folder that its owner made read-only stays so.
        path.chmod(stat.S_IMODE(found) & ~_OTHERS)
    except FileNotFoundError:
        return
    except OSError as error:
        yield (
            f"Other users of this machine may read {path}, and its permissions cannot be changed: {error.strerror}. "
            f"Its owner can: chmod {mode:o} {path}"
        )
        return
    if path.stat().st_mode & _OTHERS:
        yield f"Other users of this machine may read {path}: its file system keeps no permissions."
