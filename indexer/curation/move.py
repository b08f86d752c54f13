"""Move memes with their sidecars to another category of the library or another name, and back."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from indexer.library.effects import Effects
from indexer.library.files import bytes_hash
from indexer.library.format import find_meme_file, meme_hash
from indexer.library.naming import checked_category, free_path, safe_stem
from indexer.library.scan import scan_again
from indexer.library.transaction import OnStep, locked_library, run
from indexer.stages.update_index import update_index
from search.catalogue import Catalogue, Operation, Verdict, VerdictKind
from search.catalogue.journal import Move, MoveFile, Relocation, Step, Trash
from search.encoders.base import TextEncoder
from search.errors import LibraryError, WrongState, WrongUse
from search.meme import Meme
from search.workspace import Workspace


def move_memes(
    workspace: Workspace,
    memes: Sequence[Meme],
    *,
    category: str,
    about: str = "",
    note: str = "",
    uid: str | None = None,
    on_step: OnStep = lambda step: None,
) -> Verdict:
    """Move memes to a category, under a new name if theirs is taken, and return the ledger's line.

    The catalogue has the new paths when this returns; `index_moves` updates the index. `about` is the issue that the
    move settles, `uid` becomes the line's; `on_step` is called before each step. Raises WrongUse when there is nothing
    to move or the category cannot be a folder's name, LibraryError when a file has changed or cannot be moved; then no
    file has changed.

    >>> meme = workspace.catalogue.memes.freshest(1)[0]
    >>> move_memes(workspace, [meme], category="Elsewhere").kind.value
    'moved'
    >>> workspace.catalogue.memes.get(meme.id).category
    'Elsewhere'
    """
    with locked_library(workspace) as library:
        known = [name for name, _, _ in workspace.catalogue.memes.categories()]
        category = checked_category(category, known=known)
        moved, steps = _plan(
            library, workspace.catalogue, memes, category, follow_links=workspace.settings.follow_links
        )
        return run(workspace, library, Move(category, tuple(moved), about, note), steps, uid=uid, on_step=on_step)


def rename_meme(
    workspace: Workspace, meme: Meme, *, name: str, uid: str | None = None, on_step: OnStep = lambda step: None
) -> Verdict:
    """Give a meme another name, without its extension, and return the ledger's line; its sidecars are renamed too.

    Characters that are not safe in a file's name are left out, and a number is added when the name is taken. Raises
    WrongUse without a name, WrongState when it has that name, LibraryError as `move_memes` does.

    >>> meme = workspace.catalogue.memes.at("Cats/monday.png")
    >>> rename_meme(workspace, meme, name="a bad day").kind.value
    'renamed'
    >>> workspace.catalogue.memes.get(meme.id).path
    'Cats/a bad day.png'
    """
    suffix = meme.name[meme.name.rindex(".") :]
    stem = safe_stem(f"{name.strip()}{suffix}") if name.strip() else ""
    if not stem:
        raise WrongUse("The name is empty.", hint="Enter a name.")
    if f"{stem}{suffix}" == meme.name:
        raise WrongState(f"Its name is {meme.name} already.")
    with locked_library(workspace) as library:
        follow_links = workspace.settings.follow_links
        after = free_path(
            library,
            workspace.catalogue,
            category=meme.category,
            name=f"{stem}{suffix}",
            suffix=suffix,
            follow_links=follow_links,
        )
        relocation, steps = _relocate(library, meme, after, follow_links=follow_links)
        return run(workspace, library, Move(meme.category, (relocation,)), steps, uid=uid, on_step=on_step)


def index_moves(workspace: Workspace, *, load_encoder: Callable[[], TextEncoder]) -> int:
    """Update the index for all memes that were moved, trashed or restored since the last update; return their number.

    Raises DataFolderError when the index cannot be written, ModelUnavailable without an encoder; the memes then stay
    pending.

    >>> index_moves(workspace, load_encoder=lambda: encoder)
    0
    """
    waiting = workspace.catalogue.journal.unindexed()
    memes = workspace.catalogue.memes
    contents = {content for operation in waiting for content in _contents(operation)}
    ids = {meme.id for content in contents for meme in memes.with_content(content)}
    for operation in waiting:
        if isinstance(operation.intent, Trash):
            ids |= {known[0] for path, _ in operation.intent.removed if (known := memes.known_at(path)) is not None}
    if ids:
        update_index(workspace, ids, encoder=load_encoder())
    workspace.catalogue.journal.mark_indexed(waiting)
    return len(ids)


class MoveEffects(Effects):
    """The effects of a move on the catalogue and the ledger."""

    def commit(self, workspace: Workspace, library: Path, operation: Operation) -> Verdict:
        """Scan the old and the new paths and write the move to the ledger."""
        intent = _intent(operation)
        _scan(workspace, library, [(one.before, one.after) for one in intent.memes])
        renamed = all(one.before.rpartition("/")[0] == one.after.rpartition("/")[0] for one in intent.memes)
        where = intent.memes[0].after.rpartition("/")[2] if renamed else intent.category
        return workspace.catalogue.verdicts.add(
            VerdictKind.RENAMED if renamed else VerdictKind.MOVED,
            [one.content_hash for one in intent.memes],
            paths=[one.before for one in intent.memes],
            note=intent.note or f"to {where}",
            about=intent.about,
            uid=operation.uid,
        )

    def abort(self, workspace: Workspace, library: Path, operation: Operation) -> None:
        """Scan the paths that were changed and restored."""
        _scan(workspace, library, [(one.after, one.before) for one in _intent(operation).memes])

    def plan_undo(self, workspace: Workspace, library: Path, operation: Operation) -> Sequence[Step]:
        """Return the moves to reverse: of the memes and of all their current sidecars."""
        steps: list[Step] = []
        follow_links = workspace.settings.follow_links
        for one in _intent(operation).memes:
            found = find_meme_file(library, one.after, follow_links=follow_links)
            if found is None or meme_hash(library, one.after, follow_links=follow_links) != one.content_hash:
                raise LibraryError(
                    f"{one.after} was moved again, merged or changed since.",
                    hint="Undo that change first, or move the file yourself.",
                )
            texts = [text.path for text in (*found.sidecars, found.first_seen) if text is not None]
            for path in (*texts, one.after):
                before = one.before + path.removeprefix(one.after)
                if os.path.lexists(library / before):
                    raise LibraryError(
                        f"{before} exists again, so nothing was moved.",
                        hint="Move it away and try again.",
                    )
                steps.append(_move(library, before, path, there=path))
        return steps

    def commit_undo(self, workspace: Workspace, library: Path, operation: Operation) -> None:
        """Scan the old and the new paths."""
        _scan(workspace, library, [(one.after, one.before) for one in _intent(operation).memes])


EFFECTS = MoveEffects()


def _intent(operation: Operation) -> Move:
    assert isinstance(operation.intent, Move)
    return operation.intent


def _contents(operation: Operation) -> list[str]:
    if isinstance(operation.intent, Trash):
        return [content for _, content in operation.intent.removed]
    return [one.content_hash for one in _intent(operation).memes]


def _plan(
    library: Path, catalogue: Catalogue, memes: Sequence[Meme], category: str, *, follow_links: bool
) -> tuple[list[Relocation], list[Step]]:
    """Return each meme's relocation, and the steps, sidecars before memes; raise WrongUse or LibraryError."""
    going = [meme for meme in memes if meme.category != category]
    if not going:
        raise WrongState(f"There is nothing to move: all memes are already in {category}.")
    moved: list[Relocation] = []
    steps: list[Step] = []
    for meme in going:
        taken = {one.after.casefold() for one in moved}
        after = _free(library, catalogue, meme, category, taken=taken, follow_links=follow_links)
        relocation, own_steps = _relocate(library, meme, after, follow_links=follow_links)
        moved.append(relocation)
        steps += own_steps
    return moved, steps


def _relocate(library: Path, meme: Meme, after: str, *, follow_links: bool) -> tuple[Relocation, list[Step]]:
    """Return a meme's relocation and its steps, sidecars first; raise LibraryError when it has changed."""
    found = find_meme_file(library, meme.path, follow_links=follow_links)
    if found is None or meme_hash(library, meme.path, follow_links=follow_links) != meme.content_hash:
        raise LibraryError(f"{meme.path} is missing or has changed.", hint="Run `memetica index`.")
    texts = [one.path for one in (*found.sidecars, found.first_seen) if one is not None]
    steps: list[Step] = [
        _move(library, path, after + path.removeprefix(meme.path), there=path) for path in (*texts, meme.path)
    ]
    return Relocation(meme.path, after, meme.content_hash), steps


def _move(library: Path, before: str, after: str, *, there: str) -> MoveFile:
    """Return the step from one path to another; `there` is the file's current path."""
    found = bytes_hash(library / there)
    if found is None:
        raise LibraryError(f"{there} is no longer in the library.", hint="Run `memetica index`.")
    return MoveFile(f"library/{before}", f"library/{after}", found)


def _free(
    library: Path, catalogue: Catalogue, meme: Meme, category: str, *, taken: set[str], follow_links: bool
) -> str:
    """Return a path in a category that no file and no other meme of this move has."""
    name = meme.path.rpartition("/")[2]
    suffix = name[name.rindex(".") :]
    stem = name
    for number in range(2, 1000):
        path = free_path(library, catalogue, category=category, name=stem, suffix=suffix, follow_links=follow_links)
        if path.casefold() not in taken:
            return path
        stem = f"{name.removesuffix(suffix)} {number}{suffix}"
    raise LibraryError(f"There are too many files named {name} in {category}.", hint="Rename the file.")


def _scan(workspace: Workspace, library: Path, renamed: Sequence[tuple[str, str]]) -> None:
    # Vanished paths first, so that each new path finds its earlier row, and the meme keeps its id.
    follow_links = workspace.settings.follow_links
    scan_again(library, workspace.catalogue, [before for before, _ in renamed], follow_links=follow_links)
    scan_again(library, workspace.catalogue, [after for _, after in renamed], follow_links=follow_links)
