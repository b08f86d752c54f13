"""Back up what cannot be computed again: decisions, texts, uploads, removed files, settings and the password's hash."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from indexer.upkeep.archive import CATALOGUE, FILES, FOLDERS, Manifest, OnFile, verify, write_archive
from indexer.work.locks import lock
from search.catalogue.copies import copy_catalogue, version_of
from search.errors import DataFolderError, WrongUse
from search.settings import Settings
from search.system.atomic_write import atomic_file
from search.system.distribution import __version__

LEFT_OVER_AFTER = 3600  # seconds after which a part of a killed backup is removed
WAIT_SECONDS = 20.0  # for decisions that move files


@dataclass(frozen=True)
class BackupReport:
    """A backup that was written: its file, its bytes, and how many files of each kind it holds."""

    path: Path
    size: int
    uploads: int
    trash: int
    seconds: float


def back_up(settings: Settings, target: Path | None = None, *, on_file: OnFile = lambda path: None) -> BackupReport:
    """Write a backup of a data folder into one file, read it back, and return a report of it.

    `target` is a new .zip file, or a folder that gets a file named by the time; None is the working directory. The
    index, thumbnails and what is computed from the library's files are left out; `memetica index` makes them again.
    Processes that use the data folder go on; decisions that move files wait. Raises WrongUse when the file exists or
    there is no such folder, DataFolderError when the catalogue is damaged or the file cannot be written, and then there
    is none.

    >>> report = back_up(workspace.settings, folder / "kept.zip")
    >>> report.path.name, report.uploads, report.trash
    ('kept.zip', 0, 0)
    """
    started = perf_counter()
    path = _target(target)
    data = settings.data
    if not (data / CATALOGUE).exists():
        raise DataFolderError(f"There is no catalogue in {data}.", hint="Name the data folder with `--data`.")
    _remove_leftovers(path.parent)
    with _still(data), TemporaryDirectory(prefix=".memetica-backup-", dir=_scratch(path)) as scratch:
        copy = Path(scratch) / CATALOGUE
        copy_catalogue(data / CATALOGUE, copy, computed=False)
        files = {CATALOGUE: copy} | dict(_files(data))
        about = Manifest(
            datetime.now(UTC).isoformat(timespec="seconds"), __version__, version_of(copy), str(settings.library)
        )
        with atomic_file(path, private=True) as out:
            write_archive(out, files, about, on_file=on_file)
    try:
        verify(path)
    except DataFolderError as error:
        path.unlink(missing_ok=True)
        raise DataFolderError(
            f"The backup {path} was written and reads back otherwise, so it is removed: {error.message}",
            hint="Check the disk; write the backup to another.",
        ) from error
    return BackupReport(
        path,
        path.stat().st_size,
        sum(one.startswith("inbox/") and not one.endswith(".webp") for one in files),
        sum(one.startswith("trash/") for one in files),
        perf_counter() - started,
    )


def _target(target: Path | None) -> Path:
    path = (target or Path()).expanduser().absolute()
    if path.is_dir():
        path /= f"memetica-backup-{datetime.now():%Y-%m-%dT%H%M%S}.zip"
    if os.path.lexists(path):
        raise WrongUse(f"{path} exists already, so nothing was written.", hint="Name another file, or a folder.")
    if path.suffix.lower() != ".zip":  # of a disk that is not mounted, not even the folder is there
        raise WrongUse(
            f"There is no folder {path}, so nothing was written.",
            hint="Is its disk mounted? The name of a file ends with .zip.",
        )
    return path


def _scratch(path: Path) -> Path:
    """Return the folder for the catalogue's copy: that of the backup, where space is needed anyway."""
    if not path.parent.is_dir():  # not made: a backup belongs on another disk, whose place is missing while it is away
        raise WrongUse(
            f"There is no folder {path.parent}, so nothing was written.",
            hint="Is its disk mounted? A new folder must be made first.",
        )
    if not os.access(path.parent, os.W_OK):
        raise DataFolderError(
            f"{path.parent} cannot be written.", hint="Name another folder: `memetica backup FOLDER`."
        )
    return path.parent


@contextmanager
def _still(data: Path) -> Iterator[None]:
    """Keep other processes from moving files; a data folder that cannot be written is still by itself."""
    if not os.access(data, os.W_OK):
        yield
        return
    with lock(data, "curating", seconds=WAIT_SECONDS):
        yield


def _files(data: Path) -> Iterator[tuple[str, Path]]:
    """Yield the files to copy, except the catalogue, by their path in the data folder."""
    for name in FILES:
        if name != CATALOGUE and (data / name).is_file():
            yield name, data / name
    for folder in FOLDERS:
        for file in sorted((data / folder).rglob("*")):
            hidden = folder == "inbox" and file.name.startswith(".")  # an upload that is being received
            if (file.is_symlink() or file.is_file()) and not hidden:
                yield file.relative_to(data).as_posix(), file


def _remove_leftovers(folder: Path) -> None:
    """Remove what a killed backup left in a folder."""
    with suppress(OSError):
        for file in (*folder.glob(".memetica-*.part"), *folder.glob(".memetica-backup-*/*")):
            if time.time() - file.lstat().st_mtime > LEFT_OVER_AFTER:
                file.unlink(missing_ok=True)
        for left in folder.glob(".memetica-backup-*"):
            left.rmdir()  # an empty one
