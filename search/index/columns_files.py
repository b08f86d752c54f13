"""The columns of an index in files: one for all memes, and in an extended large index one for those that changed.

The file of all memes stays as it is then, shared by hard links: at a million memes it has 34 MB.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from pathlib import Path

import numpy as np

from search.errors import IndexUnusable
from search.index.columns import Ids, MemeColumns, are_among, read_columns, update_columns, write_columns
from search.index.generations import COLUMNS, link_file
from search.index.opened import OpenedFiles

ADDED, REMOVED = "memes-added.npz", "memes-removed.npy"  # the rows that are new or changed, and the ids they replace
ONE_FILE_UP_TO = 50_000  # memes: to write them all again takes no longer than a second file
MERGED_SHARE = 0.2  # of the memes, new or changed, from which an extension writes one file again

_opened = OpenedFiles[MemeColumns]()
# What was made last of two files is asked for again: when it is written, counted, and by a search that switches to it.
_latest: deque[MemeColumns] = deque(maxlen=1)


def open_columns(folder: Path) -> MemeColumns:
    """Return the columns of a generation; raise IndexUnusable when a file is missing or damaged."""
    if not (folder / ADDED).exists():
        return _main(folder)
    return _joined(folder, lambda: update_columns(_main(folder), read_columns(folder / ADDED), without=_gone(folder)))


def extend_columns(source: Path, folder: Path, new: MemeColumns, *, without: Ids) -> MemeColumns:
    """Write the columns of another generation without some memes and with new ones, and return them.

    The ids of the new memes must be in `without`.
    """
    known = open_columns(source)
    found = update_columns(known, new, without=without)
    main = _main(source)
    gone = without[~are_among(without, new.ids)]
    orphans = known.ids[np.isin(known.variant_of, gone)]  # another meme represents them now
    before = np.union1d(read_columns(source / ADDED).ids, _gone(source)) if (source / ADDED).exists() else gone[:0]
    changed = np.union1d(np.union1d(before, without), orphans)
    if len(main) <= ONE_FILE_UP_TO or len(changed) > MERGED_SHARE * len(main):
        write_columns(folder / COLUMNS, found)
        return found
    link_file(source / COLUMNS, folder / COLUMNS)
    write_columns(folder / ADDED, found.only(changed[are_among(changed, found.ids)]))
    np.save(folder / REMOVED, changed[are_among(changed, main.ids)])
    return _joined(folder, lambda: found)


def _joined(folder: Path, make: Callable[[], MemeColumns]) -> MemeColumns:
    found = _opened.get([folder / name for name in (COLUMNS, ADDED, REMOVED)], make)
    _latest.append(found)
    return found


def _main(folder: Path) -> MemeColumns:
    return _opened.get([folder / COLUMNS], lambda: read_columns(folder / COLUMNS))


def _gone(folder: Path) -> Ids:
    try:
        return np.asarray(np.load(folder / REMOVED), np.int64)
    except (OSError, ValueError, EOFError) as error:
        raise IndexUnusable(f"{REMOVED} of the index is damaged: {error}.", hint="Run `memetica index`.") from error
