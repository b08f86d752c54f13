"""The scan stage: write the state of the library's files to the catalogue."""

from __future__ import annotations

import os
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Literal

from indexer.library.format import (
    VIDEO_EXTENSIONS,
    MemeFile,
    SidecarFile,
    UnusableFile,
    find_meme_file,
    meme_hash,
    scan,
)
from indexer.library.sidecars import read_first_seen, read_sidecar
from indexer.library.vanished import Known, check_not_gone
from indexer.work.progress import Progress, track_stage
from search.catalogue import Catalogue, MemeRecord, SidecarRecord
from search.errors import LibraryError, UnreadableFile
from search.meme import MediaType, Stage, name_key

BATCH = 200  # memes per transaction: a killed run scans these again


@dataclass(frozen=True)
class _Read:
    """The new or changed data of a meme: its hash and its texts."""

    content_hash: str | None
    first_seen: datetime
    first_seen_source: Literal["sidecar", "mtime"]
    sidecars: tuple[SidecarRecord, ...]
    unreadable: tuple[tuple[str, UnreadableFile], ...]


def scan_library(
    library: Path,
    catalogue: Catalogue,
    *,
    progress: Progress,
    follow_links: bool = False,
    gone: bool = False,
    new_library: bool = False,
) -> tuple[int, int]:
    """Write the library's state to the catalogue; return the number of memes and the number of failures.

    Only new and changed files, by size and modification time, are read. Vanished files are marked before new ones are
    added, so that a renamed file keeps its row. Other processes can write between batches; uploads that are accepted or
    removed during the scan stay as they are. Raises LibraryError when the folder cannot be read, or most memes are gone
    and neither `gone` nor `new_library` says that this is meant; nothing is changed then.

    >>> from indexer.work.progress import SILENT
    >>> found, failed = scan_library(workspace.library, workspace.catalogue, progress=SILENT)
    >>> found == workspace.catalogue.memes.count(), failed
    (True, 0)
    """
    # Read before the folder is listed, so that a file added in between does not count as vanished.
    known = catalogue.memes.known()
    sidecars = catalogue.texts.sidecars_known()
    entries = list(scan(library, follow_links=follow_links))
    found = [entry for entry in entries if isinstance(entry, MemeFile)]
    unusable = [entry for entry in entries if isinstance(entry, UnusableFile)]
    spellings = category_spellings(found)
    found = [replace(entry, category=spellings[entry.category]) for entry in found]
    missing = _missing(known, found, unusable)
    hashes: dict[str, str] = {}
    if not gone and not (new_library and found):
        outside = sum(one.outside for one in unusable)
        hashes = check_not_gone(library, missing, found, known, follow_links=follow_links, outside=outside)
    catalogue.failures.forget(Stage.SCAN)
    for entry in unusable:
        catalogue.failures.record(Stage.SCAN, entry.path, UnreadableFile(entry.reason, hint=entry.hint))
    with catalogue.transaction():
        # A row that the curator has moved since is at another path.
        current = ((known[path][0], catalogue.memes.known_at(path)) for path in missing)
        catalogue.memes.mark_vanished([id for id, row in current if row is not None and row[0] == id])
        for folder, category in spellings.items():
            if folder != category:
                catalogue.memes.respell_category(folder, category)
    failed = len(unusable)
    with track_stage(progress, Stage.SCAN, len(found), unit="memes"):
        for start in range(0, len(found), BATCH):
            batch = found[start : start + BATCH]
            # Before the transaction, which blocks other writers: large files or a slow disk take long.
            read = [
                _read(library, meme, known.get(meme.path), sidecars, hashes=hashes, follow_links=follow_links)
                for meme in batch
            ]
            with catalogue.transaction():
                for meme, data in zip(batch, read, strict=True):
                    lost = _enter(meme, data, known.get(meme.path), sidecars, catalogue)
                    failed += lost
                    progress.advance(failed=bool(lost))
    catalogue.failures.forget_vanished()
    return len(found), failed


def category_spellings(found: Iterable[MemeFile]) -> dict[str, str]:
    """Return the category of each top-level folder: folders that people read as one name are one category.

    Its spelling is that of the folder with the most memes, in composed letters.

    >>> category_spellings([])
    {}
    """
    counts = Counter(entry.category for entry in found)
    named: dict[str, str] = {}
    for folder, _ in sorted(counts.items(), key=lambda one: (-one[1], one[0])):
        named.setdefault(name_key(folder), unicodedata.normalize("NFC", folder))
    return {folder: named[name_key(folder)] for folder in counts}


def _missing(known: Mapping[str, Known], found: Iterable[MemeFile], unusable: Iterable[UnusableFile]) -> list[str]:
    """Return the paths of the present memes that are gone.

    A file in an unreadable folder is not: it stays until its folder can be read.
    """
    here = {entry.path for entry in found}
    unseen = {entry.path for entry in unusable if entry.out_of_sight}
    if "" in unseen:  # the library itself, whose disk went away while it was read
        return []
    below = tuple(path + "/" for path in unseen)
    return [
        path
        for path, (*_, present) in known.items()
        if present and path not in here and path not in unseen and not path.startswith(below)
    ]


def scan_again(library: Path, catalogue: Catalogue, paths: Iterable[str], *, follow_links: bool = False) -> None:
    """Update the catalogue for these paths of the library only.

    A path that cannot be read is recorded as a failure and keeps its row: it has not vanished.

    >>> (workspace.library / "Cats/monday.png").unlink()
    >>> scan_again(workspace.library, workspace.catalogue, ["Cats/monday.png"])
    >>> "Cats/monday.png" in [meme.path for meme in workspace.catalogue.memes.everything()]
    False
    """
    with catalogue.transaction():
        for path in sorted(set(paths)):
            known = catalogue.memes.known_at(path)
            try:
                found = find_meme_file(library, path, follow_links=follow_links)
            except (LibraryError, UnreadableFile) as error:
                catalogue.failures.record(Stage.SCAN, path, error)
                continue
            if found is not None:
                spelt = catalogue.memes.category_named(found.category)
                found = replace(found, category=spelt or unicodedata.normalize("NFC", found.category))
                sidecars = {} if known is None else catalogue.texts.sidecars_known(known[0])
                read = _read(library, found, known, sidecars, hashes={}, follow_links=follow_links)
                _enter(found, read, known, sidecars, catalogue)
            elif known is not None:
                catalogue.memes.mark_vanished([known[0]])


def _read(
    library: Path,
    entry: MemeFile,
    known: Known | None,
    sidecars: dict[int, dict[str, tuple[int, int]]],
    *,
    hashes: Mapping[str, str],
    follow_links: bool,
) -> _Read | UnreadableFile:
    """Return the new or changed data of one meme and its sidecars, or the error when the meme cannot be read."""
    first_seen, origin = read_first_seen(library, entry, follow_links=follow_links)
    try:
        unchanged = known is not None and known[2:4] == (entry.size, entry.mtime_ns)
        hashed = hashes.get(entry.path)
        if hashed is None and not unchanged:
            hashed = meme_hash(library, entry.path, follow_links=follow_links)
    except UnreadableFile as error:
        return error
    stored = {} if known is None else sidecars.get(known[0], {})
    records, unreadable = [], []
    for sidecar in entry.sidecars:
        if stored.get(sidecar.path) != (sidecar.size, sidecar.mtime_ns):
            try:
                records.append(_record(library, sidecar, follow_links=follow_links))
            except UnreadableFile as error:
                # Not stored in the catalogue, so that the next scan reads it again.
                unreadable.append((sidecar.path, error))
    return _Read(hashed, first_seen, origin, tuple(records), tuple(unreadable))


def _enter(
    entry: MemeFile,
    read: _Read | UnreadableFile,
    known: Known | None,
    sidecars: dict[int, dict[str, tuple[int, int]]],
    catalogue: Catalogue,
) -> int:
    """Write one meme and its sidecars to the catalogue; return the number of its files that could not be read."""
    if isinstance(read, UnreadableFile):
        catalogue.failures.record(Stage.SCAN, entry.path, read)
        return 1
    present = known is not None and known[4]
    if (read.content_hash is not None or not present) and not os.path.lexists(entry.file):
        return 0  # removed since it was listed
    id = _enter_file(entry, read, known, catalogue)
    for path, error in read.unreadable:
        catalogue.failures.record(Stage.SCAN, path, error)
    # A renamed file has taken the row of the vanished one, with the sidecars of the old path.
    stored = sidecars[id] if id in sidecars else catalogue.texts.sidecars_known(id).get(id, {})
    gone = stored.keys() - {sidecar.path for sidecar in entry.sidecars}
    if read.sidecars or gone:
        catalogue.texts.put_sidecars(id, read.sidecars, gone=gone)
    return len(read.unreadable)


def _enter_file(entry: MemeFile, read: _Read, known: Known | None, catalogue: Catalogue) -> int:
    """Write one file to the catalogue and return its id."""
    if known is not None and read.content_hash is None:
        catalogue.memes.see_again(
            known[0], first_seen=read.first_seen, first_seen_source=read.first_seen_source, back=not known[4]
        )
        return known[0]
    assert read.content_hash is not None
    return catalogue.memes.put(
        MemeRecord(
            path=entry.path,
            category=entry.category,
            content_hash=read.content_hash,
            type=_type_by_name(entry.path),
            size=entry.size,
            mtime_ns=entry.mtime_ns,
            first_seen=read.first_seen,
            first_seen_source=read.first_seen_source,
        )
    )


def _type_by_name(path: str) -> MediaType:
    """Return the type suggested by a file's name; decoding determines it from the content."""
    if path.lower().endswith(VIDEO_EXTENSIONS):
        return MediaType.VIDEO
    return MediaType.GIF if path.lower().endswith(".gif") else MediaType.IMAGE


def _record(library: Path, sidecar: SidecarFile, *, follow_links: bool) -> SidecarRecord:
    text = read_sidecar(library, sidecar, follow_links=follow_links)
    return SidecarRecord(
        path=sidecar.path,
        kind=text.kind,
        source=text.source,
        body=text.body,
        size=sidecar.size,
        mtime_ns=sidecar.mtime_ns,
    )
