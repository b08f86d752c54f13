"""Links to a lexical index in a folder that may be read-only: tantivy writes a lock beside an index even to read it."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir

from search.index.lexical.schema import LOCKS

_PREFIX = "memetica-words-"
_MOST_SECONDS = 3600  # far more than opening an index takes


@contextmanager
def linked(folder: Path) -> Iterator[str]:
    """Yield the path of a temporary folder of links to the files of an index, which is removed afterwards.

    It may be removed once the files are mapped. Those of processes that were killed meanwhile are removed too.

    >>> _ = (folder / "meta.json").write_text("{}")
    >>> with linked(folder) as links:
    ...     os.listdir(links)
    ['meta.json']
    """
    _remove_those_of_killed()
    with TemporaryDirectory(prefix=_PREFIX, ignore_cleanup_errors=True) as links:
        for file in folder.absolute().iterdir():
            if file.match(LOCKS):
                continue  # of a build: through a link to a read-only disk it could not be locked
            (Path(links) / file.name).symlink_to(file)
        yield links


@cache
def _remove_those_of_killed() -> None:
    """Remove old folders of links, once in a process. Of others' in a shared folder nothing can be removed."""
    with suppress(OSError), os.scandir(gettempdir()) as entries:
        for entry in entries:
            if not entry.name.startswith(_PREFIX) or not entry.is_dir(follow_symlinks=False):
                continue
            if time.time() - entry.stat(follow_symlinks=False).st_mtime > _MOST_SECONDS:
                shutil.rmtree(entry.path, ignore_errors=True)  # the links, not what they lead to
