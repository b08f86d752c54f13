"""Move memes with their sidecars from the library to the data folder's trash, and back."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from indexer.library.effects import Effects
from indexer.library.files import bytes_hash
from indexer.library.format import find_meme_file, meme_hash
from indexer.library.scan import scan_again
from indexer.library.transaction import OnStep, locked_library, run, trash_path
from search.catalogue import Operation, Verdict, VerdictKind
from search.catalogue.journal import MoveFile, Step, Trash
from search.errors import LibraryError, UnreadableFile, WrongUse
from search.meme import Meme
from search.workspace import Workspace


def trash_memes(
    workspace: Workspace,
    memes: Sequence[Meme],
    *,
    note: str = "",
    uid: str | None = None,
    on_step: OnStep = lambda step: None,
) -> Verdict:
    """Move memes and their sidecars to the trash and return the ledger's line, whose uid is `uid` if given.

    `index_moves` removes them from the index. `on_step` is called before each step. Raises WrongUse without memes,
    LibraryError when a file has changed or cannot be moved; then no file has changed.

    >>> meme = workspace.catalogue.memes.freshest(1)[0]
    >>> trash_memes(workspace, [meme]).kind.value
    'trashed'
    >>> (workspace.library / meme.path).exists()
    False
    """
    if not memes:
        raise WrongUse("There is no meme to move to the trash.")
    with locked_library(workspace) as library:
        follow_links = workspace.settings.follow_links
        steps: list[Step] = []
        for meme in memes:
            steps += _steps(library, meme, follow_links=follow_links)
        intent = Trash(tuple((meme.path, meme.content_hash) for meme in memes), note)
        return run(workspace, library, intent, steps, uid=uid, on_step=on_step)


class TrashEffects(Effects):
    """The effects of trashing memes on the catalogue and the ledger."""

    removes_empty_categories = False  # so that an undo finds the folder

    def commit(self, workspace: Workspace, library: Path, operation: Operation) -> Verdict:
        """Scan the paths and write the decision to the ledger."""
        intent = _intent(operation)
        _scan(workspace, library, intent)
        return workspace.catalogue.verdicts.add(
            VerdictKind.TRASHED,
            [content for _, content in intent.removed],
            paths=[path for path, _ in intent.removed],
            note=intent.note,
            uid=operation.uid,
        )

    def abort(self, workspace: Workspace, library: Path, operation: Operation) -> None:
        """Scan the paths that were changed and restored."""
        _scan(workspace, library, _intent(operation))

    def plan_undo(self, workspace: Workspace, library: Path, operation: Operation) -> Sequence[Step]:
        """Return the operation's steps; raise LibraryError unless every file can be restored."""
        check_restorable(workspace, library, operation)
        return operation.steps

    def commit_undo(self, workspace: Workspace, library: Path, operation: Operation) -> None:
        """Scan the restored paths."""
        _scan(workspace, library, _intent(operation))


EFFECTS = TrashEffects()


def check_restorable(workspace: Workspace, library: Path, operation: Operation) -> None:
    """Raise LibraryError unless every file that an operation moved to the trash is there, and its place is free."""
    trash = trash_path(workspace.data, operation.uid)
    for step in operation.steps:
        if not isinstance(step, MoveFile) or step.anchor:
            continue
        path = step.source.partition("/")[2]
        if bytes_hash(trash / path) != step.sha256:
            raise LibraryError(f"{path} is missing from the trash or has changed, so nothing was moved.")
        if os.path.lexists(library / path):
            raise LibraryError(f"{path} exists again, so nothing was moved.", hint="Move it away and try again.")


def _intent(operation: Operation) -> Trash:
    assert isinstance(operation.intent, Trash)
    return operation.intent


def _steps(library: Path, meme: Meme, *, follow_links: bool) -> list[Step]:
    """Return the steps of one meme, its sidecars first; raise LibraryError when it is missing or has changed."""
    found = find_meme_file(library, meme.path, follow_links=follow_links)
    try:
        unchanged = found and meme_hash(library, meme.path, follow_links=follow_links) == meme.content_hash
    except UnreadableFile:
        unchanged = False
    if found is None or not unchanged:
        raise LibraryError(f"{meme.path} is missing or has changed.", hint="Run `memetica index`.")
    steps: list[Step] = []
    for path in (*(one.path for one in (*found.sidecars, found.first_seen) if one is not None), meme.path):
        content = bytes_hash(library / path)
        if content is None:
            raise LibraryError(f"{path} is no longer in the library.", hint="Run `memetica index`.")
        steps.append(MoveFile(f"library/{path}", f"trash/{path}", content))
    return steps


def _scan(workspace: Workspace, library: Path, intent: Trash) -> None:
    paths = [path for path, _ in intent.removed]
    scan_again(library, workspace.catalogue, paths, follow_links=workspace.settings.follow_links)
