"""The curator's actions, shared by the pages and the API. Each changes the library and wakes the workers it needs.

Every function acts on the workspace of the current application.
"""

from __future__ import annotations

from werkzeug.datastructures import FileStorage

from indexer.curation.categories import memes_of, resolve_by_moving
from indexer.curation.reversal import undo
from indexer.inbox.acceptance import accept, undo_decision
from indexer.inbox.reception import receive
from search.catalogue import Upload, Verdict, VerdictKind
from search.categories.issues import Issue
from search.errors import MemeticaError, WrongUse
from web.background.categories import category_workers, suggest_for
from web.background.inbox import inbox_workers
from web.context import site
from web.suggestions import SuggestedCategories, suggest_categories

MAX_FILES = 50  # in a request


def receive_files(files: list[FileStorage], *, source: str) -> tuple[list[Upload], list[tuple[str, MemeticaError]]]:
    """Put files into the inbox; return the uploads, and the name and error of each file that was refused.

    `source`, `page`, `api` or `key:NAME`, is stored with each upload. Raises WrongUse without a file or with too many.
    """
    chosen = [one for one in files if one.filename]
    if not chosen:
        raise WrongUse("There is no picture in the request.", hint="Choose one, paste one, or drag one here.")
    if len(chosen) > MAX_FILES:
        raise WrongUse(f"At most {MAX_FILES} files can be sent at once.", hint="Send them in several parts.")
    received: list[Upload] = []
    refused: list[tuple[str, MemeticaError]] = []
    for one in chosen:
        try:
            received.append(receive(site().workspace, one.stream, name=one.filename or "", received_by=source))
        except MemeticaError as error:
            refused.append((one.filename or "", error))
    inbox_workers().wake()
    return received, refused


def accept_upload(id: int, *, category: str, reason: str = "") -> Upload:
    """Write an upload into a category and index it in the background; `reason` says why a suspected duplicate is added.

    Raises NotFound, WrongUse for a bad category, WrongState, SuspectedDuplicate without a reason, LibraryError.
    """
    try:
        return accept(site().workspace, id, category=category, reason=reason)
    finally:
        inbox_workers().wake()  # also after an error: what was begun is finished in the background


def undo_upload(id: int) -> Upload:
    """Undo the decision about an upload and update the index; raise NotFound, WrongState or LibraryError."""
    try:
        return undo_decision(site().workspace, id)
    finally:
        inbox_workers().wake()


def retry_upload(id: int) -> None:
    """Examine an upload again."""
    site().catalogue.uploads.retry(id)
    inbox_workers().wake()


def suggestions_for(upload: Upload) -> SuggestedCategories:
    """Return the categories to suggest for an examined upload."""
    catalogue = site().catalogue
    fingerprints = catalogue.uploads.fingerprints_of(upload.content_hash)
    suggestion = suggest_for(fingerprints, dict(upload.findings or {}), content_hash=upload.content_hash)
    return suggest_categories(catalogue, upload, suggestion)


def move_memes(finding: Issue, *, category: str) -> Verdict:
    """Move the memes of a category issue to another category; the suggester and the index follow in the background."""
    workspace = site().workspace
    memes = memes_of(workspace.catalogue, finding)
    verdict = resolve_by_moving(workspace, finding, category=category)
    category_workers().mark_changed(meme.id for meme in memes)
    category_workers().wake_indexing()
    return verdict


def undo_verdict(uid: str) -> Verdict:
    """Undo any verdict and return the ledger line that says so; files that were merged, moved or added return.

    Raises NotFound for an unknown verdict, WrongState when it is undone already, LibraryError when a file cannot
    return.
    """
    catalogue = site().catalogue
    was_move = catalogue.verdicts.get(uid).kind in (VerdictKind.MOVED, VerdictKind.RENAMED, VerdictKind.TRASHED)
    try:
        verdict = undo(site().workspace, uid)
    finally:
        inbox_workers().wake()  # an accepted upload leaves the index
    if was_move:
        memes = [meme.id for content in verdict.contents for meme in catalogue.memes.with_content(content)]
        category_workers().mark_changed(memes)
        category_workers().wake_indexing()
    return verdict
