"""The files of an export: its own alone, because an export from elsewhere must not name other files of this machine."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from pathlib import Path

from indexer.imports.records import NotImported
from indexer.library.links import is_ignored

UNNAMED = "The export's description does not name it."
MISSING = "Its file is not in the folder."
NOT_OWN = "It is no file of the folder: a link that leads out of it, to a folder or nowhere, or a device."
SEVERAL = "Several files of the folder have its name."


def own_files(folder: Path) -> list[Path]:
    """Return every file of an export, without hidden ones and without what is not its own."""
    return [file for file in _entries(folder) if _is_own(file, folder)]


def foreign_entries(folder: Path) -> Iterator[NotImported]:
    """Yield what is below a folder and no file of it: links that lead out, to folders or nowhere, and devices."""
    for file in _entries(folder):
        if not _is_own(file, folder):
            yield NotImported(file.relative_to(folder).as_posix(), NOT_OWN)


def _is_own(file: Path, folder: Path) -> bool:
    """Whether a path is a file of an export; a link within the export leads to one."""
    try:
        return file.is_file() and file.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError):  # a link that leads to itself
        return False


def _entries(folder: Path) -> list[Path]:
    """Return what is below a folder but for its folders; links to folders are not followed."""
    found: list[Path] = []
    for root, folders, names in os.walk(folder):
        links = [name for name in folders if Path(root, name).is_symlink()]
        found += [Path(root, name) for name in (*names, *links) if not is_ignored(name) and not name.startswith(".")]
    return sorted(found)


def unused_files(folder: Path, used: Collection[Path]) -> Iterator[NotImported]:
    """Yield the files of an export that its description does not name."""
    for file in own_files(folder):
        if file not in used:
            yield NotImported(file.relative_to(folder).as_posix(), UNNAMED)
