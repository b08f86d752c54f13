"""Merge duplicates: keep one file, move the others to the trash, and undo this byte for byte.

The removed memes' descriptions become sidecars of the kept meme, because the library's format stores them there: they
outlive the data folder, and other programs can read them. Descriptions that are only in the catalogue are copied within
the catalogue. OCR texts are not copied.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from indexer.curation.trash import check_restorable
from indexer.library.effects import Effects
from indexer.library.files import bytes_hash
from indexer.library.format import MemeFile, find_meme_file, meme_hash
from indexer.library.links import open_file
from indexer.library.scan import scan_again
from indexer.library.sidecars import kind_of, read_first_seen
from indexer.library.transaction import OnStep, locked_library, run
from search.catalogue import Operation, Verdict, VerdictKind
from search.catalogue.journal import ExpectFile, Merge, MoveFile, Step, WriteFile
from search.errors import LibraryError, UnreadableFile, WrongUse
from search.meme import Meme, TextKind
from search.workspace import Workspace

_PERMISSIONS = "Check its permissions, and whether its disk is mounted read-only."


def merge(
    workspace: Workspace,
    *,
    keep: Meme,
    remove: Sequence[Meme],
    note: str = "",
    uid: str | None = None,
    on_step: OnStep = lambda step: None,
) -> Verdict:
    """Move memes and their sidecars to the trash, keep one of their duplicates, and return the ledger's line.

    The line's uid is `uid` if given. `on_step` is called before each step. Raises WrongUse when there is nothing to
    remove, LibraryError when a file has changed or cannot be moved, DataFolderError when the data folder cannot be
    written; then no file has changed.

    >>> keep, remove = workspace.catalogue.memes.freshest(2)
    >>> merge(workspace, keep=keep, remove=[remove]).kind.value
    'merged'
    """
    with locked_library(workspace) as library:
        steps = _plan(library, keep, remove, follow_links=workspace.settings.follow_links)
        removed = tuple((one.path, one.content_hash) for one in remove)
        return run(
            workspace,
            library,
            Merge(keep.path, keep.content_hash, removed, note),
            steps,
            uid=uid,
            on_step=on_step,
        )


class MergeEffects(Effects):
    """The effects of a merge on the catalogue and the ledger."""

    removes_empty_categories = False  # the removed meme's folder stays, so that an undo finds it

    def commit(self, workspace: Workspace, library: Path, operation: Operation) -> Verdict:
        """Write the merge to the ledger, copy stored texts to the kept meme, and scan the changed paths."""
        intent, catalogue = _intent(operation), workspace.catalogue
        verdict = catalogue.verdicts.add(
            VerdictKind.MERGED,
            [intent.kept_content, *(content for _, content in intent.removed)],
            keep=intent.kept_content,
            paths=[intent.kept, *(path for path, _ in intent.removed)],
            note=intent.note,
            uid=operation.uid,
        )
        catalogue.inherited_texts.copy(
            operation.uid, kept=intent.kept_content, removed={content for _, content in intent.removed}
        )
        self._scan(workspace, library, intent)
        return verdict

    def abort(self, workspace: Workspace, library: Path, operation: Operation) -> None:
        """Scan the paths that were changed and restored."""
        self._scan(workspace, library, _intent(operation))

    def plan_undo(self, workspace: Workspace, library: Path, operation: Operation) -> Sequence[Step]:
        """Return the merge's steps; raise LibraryError unless every removed file can be restored."""
        check_restorable(workspace, library, operation)
        return operation.steps

    def commit_undo(self, workspace: Workspace, library: Path, operation: Operation) -> None:
        """Remove the copies of stored texts and scan the changed paths."""
        workspace.catalogue.inherited_texts.remove(operation.uid)
        self._scan(workspace, library, _intent(operation))

    def _scan(self, workspace: Workspace, library: Path, intent: Merge) -> None:
        paths = [intent.kept, *(path for path, _ in intent.removed)]
        scan_again(library, workspace.catalogue, paths, follow_links=workspace.settings.follow_links)


EFFECTS = MergeEffects()


def _intent(operation: Operation) -> Merge:
    assert isinstance(operation.intent, Merge)
    return operation.intent


def _plan(library: Path, keep: Meme, remove: Sequence[Meme], *, follow_links: bool) -> list[Step]:
    """Return the steps of a merge; raise WrongUse or LibraryError when it is not possible."""
    if not remove:
        raise WrongUse("There is nothing to remove.")
    if len({keep.path, *(one.path for one in remove)}) <= len(remove):
        raise WrongUse("A meme cannot be merged into itself.")
    kept = _checked(library, keep, follow_links=follow_links)
    others = [_checked(library, one, follow_links=follow_links) for one in remove]
    for one in others:
        if kept.file.resolve() == one.file.resolve() and not one.file.is_symlink():
            raise WrongUse(f"{keep.path} is a link to {one.path}: they are one file.", hint="Keep the other.")
    for folder in {one.file.parent for one in (kept, *others)}:
        if not os.access(folder, os.W_OK):
            raise LibraryError(f"The folder {folder} cannot be written, so nothing was moved.", hint=_PERMISSIONS)
    steps = [
        *_first_seen(library, kept, others, follow_links=follow_links),
        *_descriptions(library, kept, others, follow_links=follow_links),
    ]
    for one in others:
        texts = [sidecar.path for sidecar in (*one.sidecars, one.first_seen) if sidecar is not None]
        steps += [_to_trash(library, path) for path in (*texts, one.path)]
    return [*steps, ExpectFile(f"library/{keep.path}", keep.content_hash)]


def _checked(library: Path, meme: Meme, *, follow_links: bool) -> MemeFile:
    """Return a meme's files; raise LibraryError if it has changed since it was compared."""
    found = find_meme_file(library, meme.path, follow_links=follow_links)
    if found is None:
        raise LibraryError(f"{meme.path} is no longer in the library.", hint="Run `memetica index`.")
    try:
        unchanged = meme_hash(library, meme.path, follow_links=follow_links) == meme.content_hash
    except UnreadableFile:
        unchanged = False
    if not unchanged:
        raise LibraryError(f"{meme.path} has changed since it was compared.", hint="Run `memetica index`.")
    return found


def _to_trash(library: Path, path: str, *, anchor: str = "") -> MoveFile:
    found = bytes_hash(library / path)
    if found is None:
        raise LibraryError(f"{path} is no longer in the library.", hint="Run `memetica index`.")
    return MoveFile(f"library/{path}", f"trash/{path}", found, anchor)


def _write(path: str, body: bytes) -> WriteFile:
    return WriteFile(f"library/{path}", hashlib.sha256(body).hexdigest(), body.hex())


def _body(library: Path, path: str, *, follow_links: bool) -> bytes:
    with open_file(library, path, follow_links=follow_links) as opened:
        return opened.read()


def _first_seen(library: Path, kept: MemeFile, others: Sequence[MemeFile], *, follow_links: bool) -> Iterator[Step]:
    """Yield the steps that give the kept meme the earliest first-seen time of all."""
    times = {one.path: read_first_seen(library, one, follow_links=follow_links)[0] for one in (kept, *others)}
    earliest = min(others, key=lambda one: times[one.path])
    if times[earliest.path] >= times[kept.path]:
        return
    if kept.first_seen is not None:
        yield _to_trash(library, kept.first_seen.path, anchor=f"library/{kept.path}")
    written = times[earliest.path].isoformat().replace("+00:00", "Z") + "\n"
    yield _write(f"{kept.path}.first-seen.txt", written.encode())


def _descriptions(library: Path, kept: MemeFile, others: Sequence[MemeFile], *, follow_links: bool) -> Iterator[Step]:
    """Yield the steps that write the others' descriptions as sidecars of the kept meme, under free names."""
    bodies = {_body(library, one.path, follow_links=follow_links) for one in kept.sidecars}
    # Lower case, because some file systems do not distinguish case.
    taken = {one.path.lower() for one in kept.sidecars}
    for meme in others:
        for sidecar in meme.sidecars:
            body = _body(library, sidecar.path, follow_links=follow_links)
            if kind_of(sidecar.label)[0] is TextKind.OCR or body in bodies:
                continue
            bodies.add(body)
            path = next(path for path in _names(kept.path, sidecar.label) if path.lower() not in taken)
            taken.add(path.lower())
            yield _write(path, body)


def _names(meme: str, label: str) -> Iterator[str]:
    """Yield names for a sidecar: with its label, then with a number between its source and its kind."""
    yield f"{meme}.{label}.txt"
    kind, source = kind_of(label)
    ending = "" if kind is TextKind.OTHER else f".{kind}"
    for number in range(2, 10_000):
        yield f"{meme}.{source}.{number}{ending}.txt"
