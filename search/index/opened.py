"""Keep what was made of files as long as somebody has it, so that generations that share the files share it too.

One added meme makes a new generation, whose large files are hard links to those of the one before: a reader that
switches to it would otherwise read and check all of them again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Sequence
from pathlib import Path
from typing import Generic, TypeVar
from weakref import WeakValueDictionary

Opened = TypeVar("Opened")


class OpenedFiles(Generic[Opened]):
    """What was made of some files, by the files' identity. Any thread may ask.

    A file that was replaced or written to since is another one. What nobody has any more is forgotten.
    """

    def __init__(self) -> None:
        self._known: WeakValueDictionary[Hashable, Opened] = WeakValueDictionary()
        self._lock = threading.Lock()

    def get(self, files: Sequence[Path], make: Callable[[], Opened]) -> Opened:
        """Return what was made of these files before, or `make()`. A file may be missing.

        >>> from search.index.opened import OpenedFiles
        >>> _ = (folder / "a").write_bytes(b"1")
        >>> opened: OpenedFiles[np.ndarray] = OpenedFiles()
        >>> one = opened.get([folder / "a"], lambda: np.zeros(1))
        >>> opened.get([folder / "a"], lambda: np.zeros(1)) is one
        True
        """
        key = tuple(map(_stamp, files))
        with self._lock:
            known = self._known.get(key)
        if known is None:
            known = make()
            if tuple(map(_stamp, files)) == key:  # not written to while it was read
                with self._lock:
                    known = self._known.setdefault(key, known)
        return known


def _stamp(file: Path) -> tuple[int, ...]:
    try:
        found = file.stat()
    except OSError:
        return ()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
