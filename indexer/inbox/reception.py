"""Receive uploads: check their content, store them in the data folder, discard and restore them.

A file lies at `inbox/<content hash>` before its row is in the catalogue, so that a killed process leaves at most a file
without a row. Browsers get only the preview next to it, a new picture without metadata.
"""

from __future__ import annotations

import errno
import hashlib
import io
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from PIL import Image

from indexer.library.files import sync_folders
from indexer.media.decode import REQUEST, DecodedMedia, decode, picture_webp
from indexer.media.raster import telling_picture
from indexer.media.signatures import SIGNATURE_BYTES, fitting_suffix
from indexer.media.thumbnails import is_whole
from search.catalogue import Catalogue, Upload, UploadState
from search.errors import DataFolderError, InboxFull, NotFound, UnreadableFile, WrongState
from search.settings import Settings
from search.system.atomic_write import write_atomically
from search.workspace import Workspace

PREVIEW_SIDE = 1280  # pixels
DISCARDED_KEPT = 200  # discarded uploads that can be restored; older ones are deleted
ORPHANS_AFTER = 3600  # seconds after which a file without a row in the catalogue is deleted
_CHUNK = 1 << 20


def inbox_path(data: Path, content_hash: str) -> Path:
    """Return the path of an upload's bytes, whether or not it exists.

    >>> inbox_path(Path("data"), "c0ffee").as_posix()
    'data/inbox/c0ffee'
    """
    return data / "inbox" / content_hash


def preview_path(data: Path, content_hash: str) -> Path:
    """Return the path of an upload's preview, whether or not it exists.

    >>> preview_path(Path("data"), "c0ffee").as_posix()
    'data/inbox/c0ffee.webp'
    """
    return data / "inbox" / f"{content_hash}.webp"


def receive(workspace: Workspace, source: IO[bytes], *, name: str, received_by: str) -> Upload:
    """Store an upload and return it, or the undecided upload with the same bytes.

    `received_by` is `page`, `api`, `command`, or `key:NAME` of an API key. Raises UnreadableFile when the file is
    damaged, too large or not a picture or video, or takes too long to decode; TooBusy; InboxFull; DataFolderError when
    it cannot be written. Then nothing is stored.

    >>> with (workspace.library / "Dogs/fine.png").open("rb") as file:
    ...     upload = receive(workspace, file, name="fine.png", received_by="page")
    >>> upload.name, upload.state.value
    ('fine.png', 'waiting')
    """
    count, held_bytes = workspace.catalogue.uploads.load()
    if count >= workspace.settings.inbox_files or held_bytes >= workspace.settings.inbox_bytes:
        raise InboxFull(
            f"The inbox is full: {count:,} uploads wait there.", hint="Accept or discard some, or raise inbox_files."
        )
    folder = workspace.inbox
    aside = folder / f".{secrets.token_hex(8)}.part"
    with _written(folder):
        folder.mkdir(parents=True, exist_ok=True)
        try:
            content_hash, size = _saved(source, aside, most=workspace.settings.upload_bytes)
            known = workspace.catalogue.uploads.held(content_hash)
            if known is not None:
                return known
            decoded = _decoded(workspace.settings, aside)
            suffix = suffix_by_content(aside, name)
            _write_preview(workspace.data, content_hash, decoded)
            aside.replace(inbox_path(workspace.data, content_hash))
            sync_folders([inbox_path(workspace.data, content_hash)])
        finally:
            aside.unlink(missing_ok=True)
    try:
        return workspace.catalogue.uploads.add(
            content_hash,
            name=shown_name(name),
            suffix=suffix,
            size=size,
            received_by=received_by,
            max_uploads=workspace.settings.inbox_files,
            max_bytes=workspace.settings.inbox_bytes,
        )
    except InboxFull:
        if not _needed(workspace.catalogue, content_hash):  # unless a discarded upload that can be restored needs it
            forget_files(workspace.data, content_hash)
        raise


def _saved(source: IO[bytes], file: Path, *, most: int) -> tuple[str, int]:
    """Write a stream to a file, synced; return the SHA-256 and the number of its bytes."""
    digest, size = hashlib.sha256(), 0
    with file.open("xb") as out:
        while block := source.read(_CHUNK):
            size += len(block)
            if size > most:
                raise UnreadableFile(
                    f"It has more than {most:,} bytes, which the setting upload_bytes allows.", hint="Make it smaller."
                )
            digest.update(block)
            out.write(block)
        out.flush()
        os.fsync(out.fileno())
    return digest.hexdigest(), size


@contextmanager
def _written(folder: Path) -> Iterator[None]:
    """Turn the disk's errors into DataFolderError."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DataFolderError(
                f"The disk that holds {folder} is full.", hint="Free some space and upload it again."
            ) from error
        raise DataFolderError(
            f"{folder} cannot be written: {error.strerror or error}.", hint="Check the data folder's permissions."
        ) from error


def suffix_by_content(file: Path, name: str) -> str:
    """Return the extension for a decoded file: that of `name` if it fits the content."""
    with file.open("rb") as opened:
        return fitting_suffix(opened.read(SIGNATURE_BYTES), name)


def shown_name(name: str) -> str:
    """Return the last part of an uploaded file's name, printable and at most 200 characters long.

    >>> shown_name("..\\\\holiday\\\\cat.png")
    'cat.png'
    """
    last = name.encode("utf-8", "replace").decode("utf-8").replace("\\", "/").rstrip("/").rpartition("/")[2]
    return "".join(one for one in last if one.isprintable()).strip()[:200] or "upload"


def _write_preview(data: Path, content_hash: str, decoded: DecodedMedia) -> None:
    picture = telling_picture(decoded.pictures)
    write_atomically(preview_path(data, content_hash), picture_webp(picture, PREVIEW_SIDE), durable=False)


def open_preview(data: Path, content_hash: str) -> Image.Image:
    """Return an upload's preview as RGB; raise OSError when it is not there."""
    with Image.open(io.BytesIO(preview_path(data, content_hash).read_bytes())) as picture:
        return picture.convert("RGB")


def ensure_preview(settings: Settings, content_hash: str) -> Path:
    """Return the path of an upload's preview; draw it again from the upload's bytes where it is missing or cut short.

    Raises NotFound when the bytes are not in the inbox, UnreadableFile or TooBusy when they cannot be decoded now,
    DataFolderError or OSError when the preview cannot be written.
    """
    preview, file = preview_path(settings.data, content_hash), inbox_path(settings.data, content_hash)
    if not is_whole(preview):
        if not file.is_file():
            raise NotFound("This upload has no preview: its file is not in the inbox.")
        _write_preview(settings.data, content_hash, _decoded(settings, file))
    return preview


def _decoded(settings: Settings, file: Path) -> DecodedMedia:
    """Return an upload decoded as small as its preview; raise UnreadableFile or TooBusy."""
    return decode(
        file, max_pixels=settings.max_pixels, max_bytes=settings.upload_bytes, limits=REQUEST, side=PREVIEW_SIDE
    )


def forget_files(data: Path, content_hash: str) -> None:
    """Remove an upload's bytes and preview."""
    for path in (inbox_path(data, content_hash), preview_path(data, content_hash)):
        path.unlink(missing_ok=True)


def discard(workspace: Workspace, id: int) -> Upload:
    """Discard an upload and return it; recent ones can be restored. Raises NotFound, or WrongState if it is accepted.

    >>> with (workspace.library / "Dogs/fine.png").open("rb") as file:
    ...     upload = receive(workspace, file, name="fine.png", received_by="page")
    >>> discard(workspace, upload.id).state.value
    'discarded'
    """
    with workspace.catalogue.transaction():
        upload = workspace.catalogue.uploads.get(id)
        if upload.state is UploadState.DISCARDED:
            return upload
        if upload.state not in (UploadState.WAITING, UploadState.EXAMINED, UploadState.FAILED):
            raise WrongState(f"{upload.name} is {upload.state.value}: it cannot be discarded.", hint="Undo that first.")
        workspace.catalogue.uploads.mark_discarded(id)
    _forget_old(workspace)
    return workspace.catalogue.uploads.get(id)


def restore_discarded(workspace: Workspace, id: int) -> Upload:
    """Let a discarded upload wait for a decision again and return it.

    Raises WrongState when it is not discarded, its bytes are no longer stored, or an upload with the same bytes waits.

    >>> with (workspace.library / "Dogs/fine.png").open("rb") as file:
    ...     upload = receive(workspace, file, name="fine.png", received_by="page")
    >>> _ = discard(workspace, upload.id)
    >>> restore_discarded(workspace, upload.id).state.value
    'waiting'
    """
    with workspace.catalogue.transaction():
        upload = workspace.catalogue.uploads.get(id)
        if upload.state is not UploadState.DISCARDED:
            raise WrongState(f"{upload.name} is not discarded.")
        if workspace.catalogue.uploads.held(upload.content_hash) is not None:
            raise WrongState(f"The same file as {upload.name} is already waiting in the inbox.")
        if not inbox_path(workspace.data, upload.content_hash).is_file():
            raise WrongState(f"{upload.name} is no longer stored.", hint="Upload it again.")
        workspace.catalogue.uploads.reopen(id)
    return workspace.catalogue.uploads.get(id)


def _forget_old(workspace: Workspace) -> None:
    """Delete the oldest discarded uploads beyond DISCARDED_KEPT or the setting `inbox_bytes`."""
    total = 0
    discarded = workspace.catalogue.uploads.in_state(UploadState.DISCARDED)
    newest_first = sorted(discarded, key=lambda one: (str(one.decided_at), one.id), reverse=True)
    for kept, upload in enumerate(newest_first, start=1):
        total += upload.size
        if kept > DISCARDED_KEPT or (kept > 1 and total > workspace.settings.inbox_bytes):
            with workspace.catalogue.transaction():
                workspace.catalogue.uploads.forget(upload.id)
                if not _needed(workspace.catalogue, upload.content_hash):
                    forget_files(workspace.data, upload.content_hash)


def _needed(catalogue: Catalogue, content_hash: str) -> bool:
    if catalogue.uploads.held(content_hash) is not None:
        return True
    return any(one.content_hash == content_hash for one in catalogue.uploads.in_state(UploadState.DISCARDED))


def remove_orphans(workspace: Workspace) -> int:
    """Remove files of the inbox without an upload, left by a killed process; return the number of files."""
    needed = {
        one.content_hash for one in workspace.catalogue.uploads.in_state(*(set(UploadState) - {UploadState.ACCEPTED}))
    }
    removed = 0
    folder = workspace.inbox
    for file in folder.iterdir() if folder.is_dir() else ():
        try:
            old = time.time() - file.stat().st_mtime > ORPHANS_AFTER
        except FileNotFoundError:
            continue
        if old and file.name.removesuffix(".webp") not in needed:
            file.unlink(missing_ok=True)
            removed += 1
    return removed
