"""Accept an upload into the library as a meme, and undo an acceptance."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC
from pathlib import Path

from indexer.inbox.reception import (
    ensure_preview,
    forget_files,
    inbox_path,
    open_preview,
    restore_discarded,
)
from indexer.library.effects import Effects
from indexer.library.files import bytes_hash
from indexer.library.format import find_meme_file
from indexer.library.naming import checked_category, free_path
from indexer.library.scan import scan_again
from indexer.library.transaction import OnStep, locked_library, recover, run, undo
from indexer.media.decode import thumbnail
from indexer.media.thumbnails import is_whole, thumbnail_path
from search.catalogue import (
    Catalogue,
    Operation,
    PictureRecord,
    ReadingRecord,
    Upload,
    UploadState,
    Verdict,
    VerdictKind,
)
from search.catalogue.journal import Accept, MoveFile, Step, WriteFile
from search.errors import DataFolderError, LibraryError, MemeticaError, SuspectedDuplicate, WrongState
from search.evidence import Evidence, Tier
from search.meme import MediaType, Meme, TextKind
from search.system.atomic_write import write_atomically
from search.workspace import Workspace


def accept(
    workspace: Workspace,
    id: int,
    *,
    category: str,
    reason: str = "",
    on_step: OnStep = lambda step: None,
) -> Upload:
    """Move an upload into a category of the library and return it; an accepted upload is returned unchanged.

    `reason` is the reason to add a suspected duplicate; it is stored in the ledger. `on_step` is called before each
    step. The meme is in the catalogue when this returns; `index_decided` updates the index. Raises SuspectedDuplicate
    without a reason, WrongState when the upload cannot be accepted, LibraryError when the library cannot be written.

    >>> from indexer.inbox.reception import receive
    >>> with (workspace.library / "Dogs/fine.png").open("rb") as file:
    ...     upload = receive(workspace, file, name="fine.png", received_by="page")
    >>> workspace.catalogue.uploads.mark_examined(upload.id, {}, [])
    >>> accept(workspace, upload.id, category="Cats", reason="an example").path
    'Cats/fine.png'
    """
    with locked_library(workspace) as library:
        upload = workspace.catalogue.uploads.get(id)
        if upload.state is UploadState.ACCEPTED:
            return upload
        if upload.state is not UploadState.EXAMINED:
            raise WrongState(f"{upload.name} is {upload.state.value}: it cannot be accepted.")
        found = suspected(workspace.catalogue, upload)
        if found and not reason.strip():
            raise SuspectedDuplicate(
                f"{upload.name} looks like {found[0][0].path}, which is in the library.",
                hint="Discard it, or give a reason to add it anyway.",
            )
        if bytes_hash(inbox_path(workspace.data, upload.content_hash)) != upload.content_hash:
            raise LibraryError(f"The inbox's file of {upload.name} is missing or has changed.", hint="Upload it again.")
        known = [name for name, _, _ in workspace.catalogue.memes.categories()]
        folder = checked_category(category, known=known)
        path = free_path(
            library,
            workspace.catalogue,
            category=folder,
            name=upload.name,
            suffix=upload.suffix,
            follow_links=workspace.settings.follow_links,
        )
        intent = Accept(id, folder, path, reason.strip()[:500])
        first_seen = _first_seen(upload)
        steps: list[Step] = [
            WriteFile(f"library/{path}.first-seen.txt", hashlib.sha256(first_seen).hexdigest(), first_seen.hex()),
            MoveFile(f"inbox/{upload.content_hash}", f"library/{path}", upload.content_hash),
        ]
        run(workspace, library, intent, steps, on_step=on_step)
    return workspace.catalogue.uploads.get(id)


def undo_decision(workspace: Workspace, id: int, *, on_step: OnStep = lambda step: None) -> Upload:
    """Undo the decision about an upload, so that it waits again, and return it.

    An accepted file returns to the inbox; its sidecars are moved to the data folder's trash. Raises WrongState when the
    upload is undecided, LibraryError when its file has changed since or cannot be moved.

    >>> from indexer.inbox.reception import receive
    >>> with (workspace.library / "Dogs/fine.png").open("rb") as file:
    ...     upload = receive(workspace, file, name="fine.png", received_by="page")
    >>> workspace.catalogue.uploads.mark_examined(upload.id, {}, [])
    >>> _ = accept(workspace, upload.id, category="Cats", reason="an example")
    >>> undo_decision(workspace, upload.id).state.value
    'examined'
    """
    if workspace.catalogue.uploads.get(id).state is UploadState.DISCARDED:
        return restore_discarded(workspace, id)
    recover(workspace)
    upload = workspace.catalogue.uploads.get(id)
    if upload.state is not UploadState.ACCEPTED or upload.verdict is None:
        raise WrongState(f"There is no decision about {upload.name} to undo: it is still waiting.")
    undo(workspace, upload.verdict, on_step=on_step)
    return workspace.catalogue.uploads.get(id)


def suspected(catalogue: Catalogue, upload: Upload) -> list[tuple[Meme, Evidence]]:
    """Return the memes of the library that an upload may duplicate, with the evidence, most certain first.

    >>> from indexer.inbox.reception import receive
    >>> with (workspace.library / "Dogs/fine.png").open("rb") as file:
    ...     upload = receive(workspace, file, name="fine.png", received_by="page")
    >>> [meme.path for meme, evidence in suspected(workspace.catalogue, upload)]
    ['Dogs/fine.png']
    """
    return [
        (meme, evidence)
        for meme, evidence in similar_memes(catalogue, upload)
        if evidence.tier and evidence.tier.is_duplicate
    ]


def similar_memes(catalogue: Catalogue, upload: Upload) -> list[tuple[Meme, Evidence]]:
    """Return the memes of the library that are like an upload, also variants, with the evidence, most certain first.

    >>> from indexer.inbox.reception import receive
    >>> with (workspace.library / "Dogs/fine.png").open("rb") as file:
    ...     upload = receive(workspace, file, name="fine.png", received_by="page")
    >>> [(meme.path, evidence.tier.value) for meme, evidence in similar_memes(workspace.catalogue, upload)]
    [('Dogs/fine.png', 'identical')]
    """
    found = [(meme, Evidence(Tier.IDENTICAL)) for meme in catalogue.memes.with_content(upload.content_hash)[:1]]
    for row in (upload.findings or {}).get("alike", ()):
        if row["content_hash"] != upload.content_hash:
            memes = catalogue.memes.with_content(row["content_hash"])
            found += [(meme, Evidence.from_json(row["evidence"])) for meme in memes[:1]]
    return found


class AcceptEffects(Effects):
    """The effects of accepting an upload on the catalogue, the ledger and the data folder."""

    def begin(self, workspace: Workspace, operation: Operation) -> None:
        """Mark the upload, so that it is neither discarded nor received again meanwhile."""
        intent = _intent(operation)
        workspace.catalogue.uploads.mark_accepting(
            intent.upload, category=intent.category, path=intent.path, note=intent.note
        )

    def prepare(self, workspace: Workspace, operation: Operation) -> None:
        """Write the thumbnail."""
        upload = _upload(workspace, operation)
        path = thumbnail_path(workspace.data, upload.content_hash)
        if not is_whole(path):
            with suppress(OSError, DataFolderError):  # the next `memetica index` draws missing thumbnails
                picture = open_preview(workspace.data, upload.content_hash)
                write_atomically(path, thumbnail(picture, workspace.settings.thumbnail_side), durable=False)

    def commit(self, workspace: Workspace, library: Path, operation: Operation) -> Verdict:
        """Write the meme, the findings about it, and the ledger's line."""
        catalogue, upload = workspace.catalogue, _upload(workspace, operation)
        path = _intent(operation).path
        findings = upload.findings or {}
        scan_again(library, catalogue, [path], follow_links=workspace.settings.follow_links)
        meme = catalogue.memes.at(path)
        picture = findings.get("picture")
        if picture:
            record = PictureRecord(content_hash=upload.content_hash, **(picture | {"type": MediaType(picture["type"])}))
            catalogue.pictures.put(record, catalogue.uploads.fingerprints_of(upload.content_hash))
        reading = findings.get("reading")
        if reading:
            catalogue.readings.put(ReadingRecord(upload.content_hash, TextKind.OCR, **reading))
        others = [other for other, _ in suspected(catalogue, upload) if other.id != meme.id] if upload.note else []
        verdict = catalogue.verdicts.add(
            VerdictKind.KEEP_ALL if others else VerdictKind.ADDED,
            [upload.content_hash, *(other.content_hash for other in others)],
            paths=[path, *(other.path for other in others)],
            note=upload.note,
            uid=operation.uid,
        )
        catalogue.uploads.mark_accepted(upload.id, meme_id=meme.id, verdict=verdict.uid)
        return verdict

    def finish(self, workspace: Workspace, operation: Operation) -> None:
        """Remove the preview."""
        forget_files(workspace.data, _upload(workspace, operation).content_hash)

    def abort(self, workspace: Workspace, library: Path, operation: Operation) -> None:
        """Let the upload wait for a decision again."""
        workspace.catalogue.uploads.reopen(_intent(operation).upload)
        scan_again(
            library, workspace.catalogue, [_intent(operation).path], follow_links=workspace.settings.follow_links
        )

    def plan_undo(self, workspace: Workspace, library: Path, operation: Operation) -> Sequence[Step]:
        """Return the steps to reverse: the file returns to the inbox, all its sidecars go to the trash."""
        upload, path = _upload(workspace, operation), _intent(operation).path
        if workspace.catalogue.uploads.held(upload.content_hash) is not None:
            raise WrongState(f"The same picture as {upload.name} waits in the inbox again already.")
        if bytes_hash(library / path) != upload.content_hash:
            raise LibraryError(
                f"{path} was moved, merged or changed after it was accepted.",
                hint="Undo that change first, or move the file yourself.",
            )
        found = find_meme_file(library, path, follow_links=workspace.settings.follow_links)
        sidecars = () if found is None else (*found.sidecars, found.first_seen)
        texts = [sidecar.path for sidecar in sidecars if sidecar is not None]
        return [
            MoveFile(f"inbox/{upload.content_hash}", f"library/{path}", upload.content_hash),
            *(MoveFile(f"trash/{text}", f"library/{text}", bytes_hash(library / text) or "") for text in texts),
        ]

    def begin_undo(self, workspace: Workspace, operation: Operation) -> None:
        """Mark the upload, so that its bytes are not received again meanwhile."""
        workspace.catalogue.uploads.mark_undoing(_intent(operation).upload)

    def prepare_undo(self, workspace: Workspace, operation: Operation) -> None:
        """Draw the preview again; where the decoders are busy or refuse it now, the page that shows it does."""
        with suppress(OSError, MemeticaError):
            ensure_preview(workspace.settings, _upload(workspace, operation).content_hash)

    def commit_undo(self, workspace: Workspace, library: Path, operation: Operation) -> None:
        """Let the upload wait again."""
        scan_again(
            library, workspace.catalogue, [_intent(operation).path], follow_links=workspace.settings.follow_links
        )
        workspace.catalogue.uploads.reopen(_intent(operation).upload)


EFFECTS = AcceptEffects()


def _intent(operation: Operation) -> Accept:
    assert isinstance(operation.intent, Accept)
    return operation.intent


def _upload(workspace: Workspace, operation: Operation) -> Upload:
    return workspace.catalogue.uploads.get(_intent(operation).upload)


def _first_seen(upload: Upload) -> bytes:
    return (upload.received_at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z") + "\n").encode()
