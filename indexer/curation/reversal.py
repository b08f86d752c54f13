"""Undo any decision of the curator by its line in the ledger."""

from __future__ import annotations

from indexer.library import transaction
from indexer.library.transaction import OnStep
from search.catalogue import Verdict, VerdictKind
from search.errors import NotFound
from search.workspace import Workspace

_BY_FILES = (VerdictKind.MERGED, VerdictKind.MOVED, VerdictKind.RENAMED, VerdictKind.ADDED, VerdictKind.TRASHED)


def undo(workspace: Workspace, verdict_uid: str, *, note: str = "", on_step: OnStep = lambda step: None) -> Verdict:
    """Undo a decision and return the ledger's new line.

    Files return to where they were: merged and trashed ones from the trash, moved ones to their category, an accepted
    upload to the inbox. A decision that changed no file, such as "not duplicates", is only marked as undone. `on_step`
    is called before each step. Raises NotFound for an unknown verdict, or one whose files another data folder moved;
    WrongState when it is undone already; LibraryError when a file cannot be restored, and then no file is moved.

    >>> from indexer.curation.merges import merge
    >>> keep, remove = workspace.catalogue.memes.freshest(2)
    >>> merged = merge(workspace, keep=keep, remove=[remove])
    >>> line = undo(workspace, merged.uid, note="not the same")
    >>> line.kind.value, line.undoes == merged.uid
    ('undone', True)
    """
    verdict = workspace.catalogue.verdicts.get(verdict_uid)
    try:
        workspace.catalogue.journal.get(verdict_uid)
    except NotFound:
        if verdict.kind in _BY_FILES:
            raise
        return workspace.catalogue.verdicts.undo(verdict_uid, note=note)
    return transaction.undo(workspace, verdict_uid, note=note, on_step=on_step)
