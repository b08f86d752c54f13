"""The first stage: what is in the library's folder now, written to the catalogue."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from indexer.library import (
    VIDEO_EXTENSIONS,
    Found,
    SidecarFile,
    Unusable,
    content_hash,
    look_at,
    read_first_seen,
    read_sidecar,
    scan,
)
from indexer.progress import Progress, stage_of
from search.catalogue import Catalogue, MemeRecord, SidecarRecord
from search.errors import LibraryError, UnreadableFile
from search.meme import MediaType, Stage

BATCH = 200  # memes a transaction: what a killed run scans again


def scan_library(library: Path, catalogue: Catalogue, *, progress: Progress) -> tuple[int, int]:
    """Write to the catalogue what the library holds; return how many memes are there and how many things failed.

    Only what is new or changed, by size and modification time, is read. Files that are gone are marked before new ones
    are entered, so that a renamed file finds its earlier row. Raises LibraryError when the folder cannot be read.
    """
    entries = list(scan(library))
    found = [entry for entry in entries if isinstance(entry, Found)]
    unusable = [entry for entry in entries if isinstance(entry, Unusable)]
    catalogue.failures.forget(Stage.SCAN)
    for entry in unusable:
        catalogue.failures.record(Stage.SCAN, entry.path, UnreadableFile(entry.reason, hint=entry.hint))
    known = catalogue.memes.known()
    sidecars = catalogue.texts.sidecars_known()
    here = {entry.path for entry in found}
    # What cannot be looked at is not gone: it stays until it can be, or its folder is there and empty.
    unseen = tuple(entry.path for entry in unusable if entry.out_of_sight)
    below = tuple(path + "/" for path in unseen)
    catalogue.memes.mark_vanished(
        id
        for path, (id, *_, present) in known.items()
        if present and path not in here and path not in unseen and not path.startswith(below)
    )
    failed = len(unusable)
    with stage_of(progress, Stage.SCAN, len(found), unit="memes"):
        for start in range(0, len(found), BATCH):
            with catalogue.transaction():
                for meme in found[start : start + BATCH]:
                    lost = _enter(library, meme, known.get(meme.path), sidecars, catalogue)
                    failed += lost
                    progress.advance(failed=bool(lost))
    catalogue.failures.forget_vanished()
    return len(found), failed


def scan_again(library: Path, catalogue: Catalogue, paths: Iterable[str]) -> None:
    """Bring the catalogue up to date with some paths of the library alone.

    What cannot be read there is recorded and stays as it was known: it is not gone.
    """
    with catalogue.transaction():
        for path in sorted(set(paths)):
            known = catalogue.memes.known_at(path)
            try:
                found = look_at(library, path)
            except (LibraryError, UnreadableFile) as error:
                catalogue.failures.record(Stage.SCAN, path, error)
                continue
            if found is not None:
                sidecars = {} if known is None else catalogue.texts.sidecars_known(known[0])
                _enter(library, found, known, sidecars, catalogue)
            elif known is not None:
                catalogue.memes.mark_vanished([known[0]])


def _enter(
    library: Path,
    entry: Found,
    known: tuple[int, str, int, int, bool] | None,
    sidecars: dict[int, dict[str, tuple[int, int]]],
    catalogue: Catalogue,
) -> int:
    """Write one meme and its sidecars to the catalogue; return how many of these files could not be read."""
    try:
        id = _enter_file(library, entry, known, catalogue)
    except UnreadableFile as error:
        catalogue.failures.record(Stage.SCAN, entry.path, error)
        return 1
    return _enter_sidecars(library, entry, id, sidecars.get(id, {}), catalogue)


def _enter_file(
    library: Path, entry: Found, known: tuple[int, str, int, int, bool] | None, catalogue: Catalogue
) -> int:
    """Write one file to the catalogue and return its id, hashing it only when it is new or has changed."""
    first_seen, origin = read_first_seen(library, entry)
    if known is not None and known[2:4] == (entry.size, entry.mtime_ns):
        catalogue.memes.see_again(known[0], first_seen=first_seen, first_seen_is=origin)
        return known[0]
    return catalogue.memes.put(
        MemeRecord(
            path=entry.path,
            category=entry.category,
            content_hash=content_hash(entry.file),
            type=_type_by_name(entry.path),
            size=entry.size,
            mtime_ns=entry.mtime_ns,
            first_seen=first_seen,
            first_seen_is=origin,
        )
    )


def _type_by_name(path: str) -> MediaType:
    """Return the type that a name promises; decoding decides by content."""
    if path.lower().endswith(VIDEO_EXTENSIONS):
        return MediaType.VIDEO
    return MediaType.GIF if path.lower().endswith(".gif") else MediaType.IMAGE


def _enter_sidecars(
    library: Path, entry: Found, id: int, known: dict[str, tuple[int, int]], catalogue: Catalogue
) -> int:
    """Write a meme's new and changed sidecars to the catalogue; return how many could not be read."""
    changed = [one for one in entry.sidecars if known.get(one.path) != (one.size, one.mtime_ns)]
    gone = known.keys() - {one.path for one in entry.sidecars}
    if not changed and not gone:
        return 0
    failed = 0
    records = []
    for one in changed:
        try:
            records.append(_record(library, one))
        except UnreadableFile as error:
            # Left out of the catalogue, so that the next scan tries it again.
            catalogue.failures.record(Stage.SCAN, one.path, error)
            failed += 1
    if records or gone:
        catalogue.texts.put_sidecars(id, records, gone=gone)
    return failed


def _record(library: Path, sidecar: SidecarFile) -> SidecarRecord:
    text = read_sidecar(library, sidecar)
    return SidecarRecord(
        path=sidecar.path,
        kind=text.kind,
        source=text.source,
        body=text.body,
        size=sidecar.size,
        mtime_ns=sidecar.mtime_ns,
    )
