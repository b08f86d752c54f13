"""Undo what the curator decided, whatever it was."""

from __future__ import annotations

from indexer.curation.merge import undo_merge
from indexer.curation.move import undo_refiling
from search.catalogue import Verdict, VerdictKind
from search.workspace import Workspace


def undo(workspace: Workspace, verdict_uid: str, *, note: str = "") -> Verdict:
    """Undo a decision and return the ledger line that says so; the files of a merge or a move return to their places.

    Raises NotFound for an unknown verdict, WrongUse when it is undone already, LibraryError when a file cannot be put
    back; then no file is moved.
    """
    kind = workspace.catalogue.verdicts.get(verdict_uid).kind
    if kind is VerdictKind.MERGED:
        return undo_merge(workspace, verdict_uid, note=note)
    if kind is VerdictKind.MOVED:
        return undo_refiling(workspace, verdict_uid, note=note)
    return workspace.catalogue.verdicts.undo(verdict_uid, note=note)
