"""An upload becomes a meme: its file and its First Seen written whole, found like any other, and taken out again.

Beside merging, the one place that changes the library, and only when the curator asks. What is about to be done stands
in the catalogue before the first file is touched. One that was interrupted is brought to its end by `recover_uploads`:
the curator has said what is wanted. Each step can be done twice and does no more than once.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC
from pathlib import Path

from indexer.inbox.receive import (
    draw_preview,
    forget_files,
    inbox_path,
    open_preview,
    preview_path,
    take_back_discarded,
)
from indexer.library.files import bytes_hash, move, sync_folders, write_free
from indexer.library.format import library_root, look_at
from indexer.library.naming import checked_category, free_path
from indexer.library.scan import scan_again
from indexer.library.sidecars import link_free
from indexer.media.decode import thumbnail
from indexer.media.thumbnails import thumbnail_path, write_atomically
from indexer.work.locks import lock
from search.catalogue import Catalogue, PictureRecord, ReadingRecord, Upload, UploadState, VerdictKind
from search.errors import LibraryError, MemeticaError, SuspectedDuplicate, WrongUse
from search.evidence import Evidence, Tier
from search.meme import MediaType, Meme, TextKind
from search.settings import Settings
from search.workspace import Workspace

WAIT_SECONDS = 20  # for another decision to be carried out
_UNDER_WAY = (UploadState.ACCEPTING, UploadState.UNDOING)
_NOTHING = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"  # SHA-256 of no byte at all
_RIGHTS = "Check its permissions, its room, and whether its disk is mounted for reading only."
Told = Callable[[str], None]


def accept(
    workspace: Workspace,
    id: int,
    *,
    category: str,
    anyway: str = "",
    told: Told = lambda step: None,
) -> Upload:
    """Write an upload into a category of the library and return it; once accepted, it is returned as it was accepted.

    `anyway` is the reason to add what looks like a duplicate, and is kept in the ledger. `told` hears of each step
    before it is taken. The catalogue knows the meme when this returns; `index_decided` lets the index know it. Raises
    SuspectedDuplicate, WrongUse when it cannot be accepted, LibraryError when the library cannot be written.
    """
    library = library_root(workspace.library)
    with lock(workspace.data, "curating", seconds=WAIT_SECONDS):
        recover(workspace)
        upload = workspace.catalogue.uploads.get(id)
        if upload.state is UploadState.ACCEPTED:
            return upload
        if upload.state is not UploadState.EXAMINED:
            raise WrongUse(f"{upload.name} is {upload.state.value}: it cannot be accepted.")
        found = suspected(workspace.catalogue, upload)
        if found and not anyway.strip():
            raise SuspectedDuplicate(
                f"{upload.name} looks like {found[0][0].path}, which is in the library.",
                hint="Discard it, or say why it is to be added anyway.",
            )
        if bytes_hash(inbox_path(workspace.data, upload.content_hash)) != upload.content_hash:
            raise LibraryError(f"The file of {upload.name} is not in the inbox as it came.", hint="Send it again.")
        known = [name for name, _, _ in workspace.catalogue.memes.categories()]
        folder = checked_category(category, known=known)
        path = free_path(library, workspace.catalogue, category=folder, name=upload.name, suffix=upload.suffix)
        told("begin")
        with workspace.catalogue.uploads.durably():
            workspace.catalogue.uploads.accepting(id, category=folder, path=path, note=anyway.strip()[:500])
        try:
            _bring_in(workspace, library, workspace.catalogue.uploads.get(id), told=told)
        except (OSError, MemeticaError) as error:
            _give_up(workspace, library, workspace.catalogue.uploads.get(id))
            raise _in_words(error) from error
    told("done")
    return workspace.catalogue.uploads.get(id)


def take_back(workspace: Workspace, id: int, *, told: Told = lambda step: None) -> Upload:
    """Undo what was decided about an upload, so that it waits again, and return it.

    What was accepted leaves the library, everything beside it too, for the data folder's trash. Raises WrongUse when
    nothing was decided, LibraryError when its file has changed since or cannot be moved; then all is as it was.
    """
    if workspace.catalogue.uploads.get(id).state is UploadState.DISCARDED:
        return take_back_discarded(workspace, id)
    library = library_root(workspace.library)
    with lock(workspace.data, "curating", seconds=WAIT_SECONDS):
        recover(workspace)
        upload = workspace.catalogue.uploads.get(id)
        if upload.state is not UploadState.ACCEPTED or upload.path is None:
            raise WrongUse(f"{upload.name} waits for a decision: there is none to undo.")
        if workspace.catalogue.uploads.held(upload.content_hash) is not None:
            raise WrongUse(f"The same picture as {upload.name} waits in the inbox again already.")
        if bytes_hash(library / upload.path) != upload.content_hash:
            raise LibraryError(
                f"{upload.path} is not in the library as it was accepted: moved, merged or changed since.",
                hint="Undo that first, or move it by hand.",
            )
        told("begin")
        with workspace.catalogue.uploads.durably():
            workspace.catalogue.uploads.undoing(id)
        try:
            _take_out(workspace, library, upload, told=told)
        except OSError as error:
            raise _in_words(error) from error
    told("done")
    return workspace.catalogue.uploads.get(id)


def recover_uploads(workspace: Workspace) -> int:
    """Bring what was interrupted to its end; return how many uploads that were. Another process's work is waited for.

    Raises LibraryError when a file cannot be written or moved now.
    """
    if workspace.catalogue.read_only or not workspace.catalogue.uploads.count(*_UNDER_WAY):
        return 0
    with lock(workspace.data, "curating", seconds=WAIT_SECONDS):
        return recover(workspace)


def recover(workspace: Workspace) -> int:
    """Do what `recover_uploads` does, while nobody else decides: what is under way was interrupted."""
    interrupted = workspace.catalogue.uploads.in_state(*_UNDER_WAY)
    library = library_root(workspace.library) if interrupted else workspace.library
    for upload in interrupted:
        try:
            if upload.state is UploadState.UNDOING:
                _take_out(workspace, library, upload)
                continue
            try:
                _bring_in(workspace, library, upload)
            except LibraryError:
                # Its name was taken meanwhile: it waits for another decision, and the file is where it came.
                _give_up(workspace, library, upload)
        except OSError as error:
            raise _in_words(error) from error
    return len(interrupted)


def suspected(catalogue: Catalogue, upload: Upload) -> list[tuple[Meme, Evidence]]:
    """Return the memes of the library that an upload may be a duplicate of, the surest first."""
    return [one for one in alike(catalogue, upload) if one[1].tier is not None and one[1].tier.is_duplicate]


def alike(catalogue: Catalogue, upload: Upload) -> list[tuple[Meme, Evidence]]:
    """Return the memes that an upload was found to be like and that are in the library now, the surest first."""
    found = [(meme, Evidence(Tier.IDENTICAL)) for meme in catalogue.memes.with_content(upload.content_hash)[:1]]
    for row in (upload.findings or {}).get("alike", ()):
        if row["content_hash"] != upload.content_hash:
            memes = catalogue.memes.with_content(row["content_hash"])
            found += [(meme, Evidence.from_json(row["evidence"])) for meme in memes[:1]]
    return found


def _bring_in(workspace: Workspace, library: Path, upload: Upload, *, told: Told = lambda step: None) -> None:
    """Carry out every step that was not, of one that is being accepted."""
    assert upload.path is not None and upload.category is not None
    target = library / upload.path
    sidecar = target.with_name(f"{target.name}.first-seen.txt")
    told("folder")
    target.parent.mkdir(parents=True, exist_ok=True)
    told("first seen")
    _write_once(sidecar, _first_seen(upload), aside=_aside(upload))
    told("file")
    _copy_once(inbox_path(workspace.data, upload.content_hash), target, upload, aside=_aside(upload))
    told("sync")
    sync_folders([target, target.parent])
    told("thumbnail")
    _write_thumbnail(workspace.settings, upload)
    told("commit")
    with workspace.catalogue.uploads.durably():
        _enter(library, workspace.catalogue, upload)
    told("tidy")
    forget_files(workspace.data, upload.content_hash)


def _first_seen(upload: Upload) -> bytes:
    return (upload.came_at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z") + "\n").encode()


def _aside(upload: Upload) -> str:
    return f".memetica-{upload.uid}.part"


def _write_once(path: Path, body: bytes, *, aside: str) -> None:
    path.with_name(aside).unlink(missing_ok=True)
    if path.is_file() and path.read_bytes() == body:
        return
    if bytes_hash(path) == _NOTHING:
        path.unlink()
    write_free(path, body, aside=aside)


def _copy_once(source: Path, target: Path, upload: Upload, *, aside: str) -> None:
    """Copy an upload's bytes to its name, unless they are there; raise LibraryError when something else is."""
    partial = target.with_name(aside)
    partial.unlink(missing_ok=True)
    found = bytes_hash(target)
    if found == upload.content_hash:
        return
    if found == _NOTHING:  # a name taken without a hard link, by one that was killed before it was filled
        target.unlink()
    try:
        shutil.copyfile(source, partial)
        with partial.open("rb") as copied:
            os.fsync(copied.fileno())
        if bytes_hash(partial) != upload.content_hash:
            raise LibraryError(f"{upload.name} changed while it was copied.", hint="Send it again.")
        if not link_free(partial, target):
            raise LibraryError(f"There is something else at {upload.path} now.", hint="Accept it once more.")
    finally:
        partial.unlink(missing_ok=True)


def _write_thumbnail(settings: Settings, upload: Upload) -> None:
    path = thumbnail_path(settings.data, upload.content_hash)
    if not path.exists():
        with suppress(OSError):  # the next `memetica index` draws what is missing
            write_atomically(path, thumbnail(open_preview(settings.data, upload.content_hash), settings.thumbnail_side))


def _enter(library: Path, catalogue: Catalogue, upload: Upload) -> None:
    """Let the catalogue know the meme and all that was found out about it, within one transaction."""
    assert upload.path is not None
    findings = upload.findings or {}
    scan_again(library, catalogue, [upload.path])
    meme = catalogue.memes.at(upload.path)
    picture = findings.get("picture")
    if picture:
        record = PictureRecord(content_hash=upload.content_hash, **(picture | {"type": MediaType(picture["type"])}))
        catalogue.pictures.put(record, catalogue.uploads.fingerprints_of(upload.content_hash))
    reading = findings.get("reading")
    if reading:
        catalogue.texts.put_reading(ReadingRecord(upload.content_hash, TextKind.OCR, **reading))
    verdict = None
    if upload.note:
        others = [one for one, _ in suspected(catalogue, upload) if one.id != meme.id]
        if others:
            verdict = catalogue.verdicts.add(
                VerdictKind.KEEP_ALL,
                [upload.content_hash, *(one.content_hash for one in others)],
                paths=[upload.path, *(one.path for one in others)],
                note=upload.note,
            ).uid
    catalogue.uploads.accepted(upload.id, meme_id=meme.id, verdict=verdict)


def _give_up(workspace: Workspace, library: Path, upload: Upload) -> None:
    """Take back what was written of one that could not be accepted, so that it waits as it did."""
    assert upload.path is not None
    target = library / upload.path
    sidecar = target.with_name(f"{target.name}.first-seen.txt")
    target.with_name(_aside(upload)).unlink(missing_ok=True)
    if bytes_hash(target) == upload.content_hash and inbox_path(workspace.data, upload.content_hash).is_file():
        target.unlink()
    if not os.path.lexists(target) and sidecar.is_file() and sidecar.read_bytes() == _first_seen(upload):
        sidecar.unlink()
    with workspace.catalogue.uploads.durably():
        workspace.catalogue.uploads.reopened(upload.id)
        scan_again(library, workspace.catalogue, [upload.path])


def upload_trash(data: Path, upload: Upload) -> Path:
    """Return where the files of an accepted upload go when that is undone, under their paths in the library."""
    assert upload.decided_at is not None
    return data / "trash" / f"{upload.uid}-{upload.decided_at:%Y%m%dT%H%M%S%f}"


def _take_out(workspace: Workspace, library: Path, upload: Upload, *, told: Told = lambda step: None) -> None:
    """Carry out every step that was not, of one whose acceptance is being undone."""
    assert upload.path is not None
    trash, target = upload_trash(workspace.data, upload), library / upload.path
    inbox = inbox_path(workspace.data, upload.content_hash)
    told("inbox")
    if bytes_hash(inbox) != upload.content_hash:
        there = target if bytes_hash(target) == upload.content_hash else trash / upload.path
        partial = inbox.with_name(f".{upload.uid}.part")
        inbox.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(there, partial)
        with partial.open("rb") as copied:
            os.fsync(copied.fileno())
        partial.replace(inbox)
        sync_folders([inbox])
    found = look_at(library, upload.path)
    texts = [one.path for one in (*found.sidecars, found.first_seen) if one is not None] if found is not None else []
    for path in (*texts, upload.path):
        told(f"move {path}")
        kept = bytes_hash(trash / path)
        if kept is not None and kept == bytes_hash(library / path):
            (library / path).unlink()  # moved before a kill, all but its name
        elif os.path.lexists(library / path) and (path != upload.path or bytes_hash(target) == upload.content_hash):
            move(library / path, trash / path, aside=_aside(upload))
    told("sync")
    sync_folders([target, *(trash / path for path in (*texts, upload.path))])
    with suppress(OSError):
        target.parent.rmdir()  # a category that came with it, and holds nothing else
    if not preview_path(workspace.data, upload.content_hash).exists():
        draw_preview(workspace.settings, upload.content_hash)
    told("commit")
    with workspace.catalogue.uploads.durably():
        scan_again(library, workspace.catalogue, [upload.path])
        standing = {one.uid for one in workspace.catalogue.verdicts.standing()}
        if upload.verdict in standing and upload.verdict is not None:
            workspace.catalogue.verdicts.undo(upload.verdict)
        workspace.catalogue.uploads.reopened(upload.id)


def _in_words(error: Exception) -> MemeticaError:
    if isinstance(error, OSError):
        named = os.fsdecode(error.filename or "a file")
        return LibraryError(f"{named} cannot be moved or written: {error.strerror}.", hint=_RIGHTS)
    assert isinstance(error, MemeticaError)
    return error
