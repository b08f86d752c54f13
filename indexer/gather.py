"""Take over what other machines have computed with `memetica index --part`: their catalogues and thumbnails."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from indexer.media.thumbnails import is_whole
from indexer.stages.decode import DECODER
from search.catalogue import inspect_catalogue
from search.errors import DataFolderError, WrongUse
from search.system.atomic_write import write_atomically
from search.workspace import Workspace

CATALOGUE = "catalogue.sqlite"


@dataclass(frozen=True)
class GatherReport:
    """How much was taken over from a data folder."""

    folder: Path
    pictures: int
    texts: int
    embeddings: int
    thumbnails: int


def gather_parts(workspace: Workspace, folders: list[Path]) -> Iterator[GatherReport]:
    """Take over from each data folder what this one lacks; yield a report of each.

    What is there already stays, so that a second time adds nothing. A folder's rows are taken over all or not at all,
    and its thumbnails before them: whatever a killed run leaves out is taken over by the next. Raises WrongUse for a
    folder without a catalogue or for this one, DataFolderError for a catalogue of another version or one that cannot be
    read where it is.

    >>> from indexer.gather import gather_parts
    >>> list(gather_parts(workspace, []))
    []
    """
    checked = [_checked(workspace, folder) for folder in folders]  # a wrong name is said before hours of copying
    for folder in checked:
        thumbnails = _take_thumbnails(folder, workspace.data)
        found = workspace.catalogue.gather(folder / CATALOGUE, decoder=DECODER)
        yield GatherReport(folder, found.pictures, found.texts, found.embeddings, thumbnails)


def _checked(workspace: Workspace, folder: Path) -> Path:
    """Return the data folder that was named by itself or by its catalogue."""
    folder = folder.parent if folder.name == CATALOGUE else folder
    if not (folder / CATALOGUE).is_file():
        raise WrongUse(f"There is no catalogue in {folder}.", hint="Name data folders of `memetica index --part`.")
    if folder.samefile(workspace.data):
        raise WrongUse(f"{folder} is this data folder itself.", hint="Name the data folders of the other parts.")
    log = folder / f"{CATALOGUE}-wal"
    if log.exists() and log.stat().st_size and not os.access(folder, os.W_OK):
        raise DataFolderError(
            f"{folder} cannot be written, and SQLite has to write there to read the newest rows in {log.name}.",
            hint="Run its `memetica index` to the end, or gather a copy of the folder.",
        )
    inspect_catalogue(replace(workspace.settings, data=folder)).close()  # raises for a damaged one or another version
    return folder


def _take_thumbnails(source: Path, target: Path) -> int:
    """Copy the whole thumbnails and stills that are missing in another data folder; return their number."""
    taken = 0
    for file in sorted((source / "thumbnails").glob("??/*.webp")):
        own = target / "thumbnails" / file.parent.name / file.name
        if is_whole(own) or not is_whole(file):
            continue
        try:
            write_atomically(own, file.read_bytes(), durable=False)
        except OSError as error:
            raise DataFolderError(
                f"{own} cannot be written: {error.strerror}.",
                hint="Free some space and run the same command again.",
            ) from error
        taken += 1
    return taken
