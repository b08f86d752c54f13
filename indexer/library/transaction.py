"""Change the library's files in one kind of transaction: merge, move, trash, accept an upload, and undo these.

    plan → begin → steps → commit        (undo: begin → steps in reverse → commit)

`begin` stores the operation in the journal, durably, before the first file is touched. `commit` writes the catalogue
and the ledger in one durable transaction. Recovery depends on the stored state:

- An interrupted operation is continued: a begun one forward, an undo backward.
- An operation that fails, because a file has changed or cannot be moved, is first stored as `aborting` and then
  reversed. So is an interrupted operation whose files have changed since.
- An operation that the disk does not let finish, for example of a library that is read-only now, stays as it is until a
  later recovery; other work goes on meanwhile. `give_up` reverses it instead.

The reason is in `docs/decisions/0001-one-file-transaction.md`.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from indexer.library.effects import Effects, effects_of
from indexer.library.files import remove_empty, sync_folders
from indexer.library.format import library_root
from indexer.library.links import OUTSIDE_HINT, leaves_library
from indexer.library.steps import Roots, apply, describe_step, files_of, paths_of, remove_empty_categories, revert
from indexer.library.vanished import check_not_emptied
from indexer.work.locks import Busy, lock
from search.catalogue import PENDING, Catalogue, Operation, OperationKind, OperationState, Verdict
from search.catalogue.journal import ExpectFile, Intent, Step
from search.catalogue.verdicts import new_uid
from search.errors import LibraryError, MemeticaError, NotFound, WrongState
from search.workspace import Workspace

WAIT_SECONDS = 20.0  # longest wait for another operation to end
OnStep = Callable[[str], None]
OnUnfinished = Callable[[LibraryError], None]
logger = logging.getLogger("memetica.library")
_PERMISSIONS = "Check its permissions, the free space, and whether its disk is mounted read-only."


def trash_path(data: Path, uid: str) -> Path:
    """Return the folder of an operation's files in the trash; it keeps their paths relative to the library.

    >>> trash_path(Path("data"), "0123456789abcdef").as_posix()
    'data/trash/0123456789abcdef'
    """
    return data / "trash" / uid


def _roots(workspace: Workspace, library: Path, uid: str) -> Roots:
    return {"library": library, "trash": trash_path(workspace.data, uid), "inbox": workspace.inbox}


@cache
def _reported() -> set[str]:
    """Return what this process has said of operations that cannot be finished, until all of them are."""
    return set()


def _log(error: LibraryError) -> None:
    if error.message not in _reported():
        logger.warning("%s %s", error.message, error.hint)
        _reported().add(error.message)


@contextmanager
def locked_library(
    workspace: Workspace, *, seconds: float | None = None, on_unfinished: OnUnfinished = _log
) -> Iterator[Path]:
    """Lock the library against changes by other processes and return its root; recover interrupted operations first.

    `on_unfinished` is called with the error of each that cannot be finished now; it stays in the journal for the next
    call. Raises Busy when another process holds the lock for longer than `seconds`, LibraryError when the library is
    missing.

    >>> with locked_library(workspace) as library:
    ...     library == workspace.library
    True
    """
    library = library_root(workspace.library)
    with lock(workspace.data, "curating", seconds=WAIT_SECONDS if seconds is None else seconds):
        _recover(workspace, library, on_unfinished)
        yield library


def recover(workspace: Workspace, *, on_unfinished: OnUnfinished = _log) -> list[Operation]:
    """Finish all interrupted operations and return them as they were before; [] when another process holds the lock.

    `on_unfinished` is called with the error of each that cannot be finished now, because a file cannot be moved or the
    library is missing; it stays in the journal for the next call, and everything else goes on.

    >>> recover(workspace)
    []
    """
    pending = workspace.catalogue.journal.in_state(*PENDING)
    if not pending or workspace.catalogue.read_only:
        _reported().clear()
        return []

    def report(error: LibraryError) -> None:
        on_unfinished(error)
        _reported().add(error.message)

    try:
        with locked_library(workspace, seconds=0, on_unfinished=report):
            return pending
    except Busy:
        return []
    except LibraryError as error:
        on_unfinished(error)
        return []


def unfinished_operations(workspace: Workspace) -> list[LibraryError]:
    """Try to finish interrupted operations again; return the error of each that cannot be finished now.

    >>> unfinished_operations(workspace)
    []
    """
    found: list[LibraryError] = []
    recover(workspace, on_unfinished=found.append)
    return found


def _recover(workspace: Workspace, library: Path, on_unfinished: OnUnfinished) -> None:
    pending = workspace.catalogue.journal.in_state(*PENDING)
    if not pending:
        _reported().clear()
    for operation in pending:
        try:
            moved = {path.partition("/")[2] for step in operation.steps for path in paths_of(step)}
            check_not_emptied(workspace, library, apart_from=moved)
            if operation.state is OperationState.UNDOING:
                _finish_undo(workspace, library, operation)
            elif operation.state is OperationState.ABORTING:
                _finish_abort(workspace, library, operation)
            else:
                try:
                    _go_forward(workspace, library, operation)
                except LibraryError:
                    _abort(workspace, library, operation)
        except (OSError, MemeticaError) as error:  # whatever hinders one, the others and new ones go on
            on_unfinished(_unfinished(operation, error))


def _unfinished(operation: Operation, error: OSError | MemeticaError) -> LibraryError:
    reason = f"{_named(error)}: {error.strerror}." if isinstance(error, OSError) else error.message
    can_give_up = operation.state in (OperationState.BEGUN, OperationState.ABORTING)
    return LibraryError(
        f"An interrupted {operation.kind} cannot be finished: {reason}",
        hint=(error.hint or "It is tried again.")
        if isinstance(error, MemeticaError) and not isinstance(error, LibraryError)
        else "It is finished as soon as the library can be written again"
        + (f"; `memetica undo {operation.uid}` gives it up." if can_give_up else "."),
    )


def give_up(workspace: Workspace, uid: str) -> Operation | None:
    """Take an interrupted operation back instead of finishing it, and return it; None when `uid` is no such operation.

    Raises LibraryError when a file that was moved already cannot be moved back: a later recovery does so.

    >>> give_up(workspace, "0123456789abcdef") is None
    True
    """
    with lock(workspace.data, "curating", seconds=WAIT_SECONDS):
        try:
            operation = workspace.catalogue.journal.get(uid)
        except NotFound:
            return None
        if operation.state not in (OperationState.BEGUN, OperationState.ABORTING):
            return None
        try:
            _abort(workspace, library_root(workspace.library), operation)
        except OSError as error:
            raise LibraryError(
                f"The interrupted {operation.kind} is given up, but {_named(error)} cannot be moved back: "
                f"{error.strerror}.",
                hint="It is moved back as soon as the library can be written again.",
            ) from error
        return operation


def _check_writable(steps: Sequence[Step], roots: Roots) -> None:
    """Raise LibraryError unless the folders of all files that the steps change can be written."""
    for file in sorted(files_of([step for step in steps if not isinstance(step, ExpectFile)], roots)):
        folder = next(folder for folder in file.parents if folder.exists())
        if not os.access(folder, os.W_OK | os.X_OK):
            raise LibraryError(f"The folder {folder} cannot be written, so nothing was changed.", hint=_PERMISSIONS)


def run(
    workspace: Workspace,
    library: Path,
    intent: Intent,
    steps: Sequence[Step],
    *,
    uid: str | None = None,
    on_step: OnStep = lambda step: None,
) -> Verdict:
    """Carry out an operation and return the ledger's line; call it inside `locked_library`.

    `on_step` is called before each step. Raises LibraryError when a file has changed or cannot be moved, or the library
    is empty though memes of it are known, DataFolderError when the data folder cannot be written; then all files are
    unchanged.
    """
    check_not_emptied(workspace, library)
    operation = Operation(uid or new_uid(), OperationState.BEGUN, intent, tuple(steps), datetime.now(UTC))
    _check_writable(steps, _roots(workspace, library, operation.uid))
    on_step("begin")
    with workspace.catalogue.durable_transaction():
        workspace.catalogue.journal.add(operation)
        effects_of(operation).begin(workspace, operation)
    try:
        verdict = _go_forward(workspace, library, operation, on_step)
    except (OSError, MemeticaError) as error:
        try:
            _abort(workspace, library, operation)
        except OSError as second:
            told = _as_library_error(error)
            raise LibraryError(
                f"{told.message} {_named(second)} cannot be moved back either: {second.strerror}.",
                hint="It is moved back as soon as the library can be written again.",
            ) from error
        raise _as_library_error(error) from error
    on_step("done")
    return verdict


def undo(workspace: Workspace, uid: str, *, note: str = "", on_step: OnStep = lambda step: None) -> Verdict:
    """Undo a finished operation by moving every file back, and return the ledger's new line.

    A file that was changed since is left unchanged. Raises NotFound for an operation of another data folder, WrongState
    when it is undone already, LibraryError when a file is missing or its former path is occupied; then nothing is
    moved. An undo that fails half-way is finished by the next recovery.
    """
    with locked_library(workspace) as library:
        operation = workspace.catalogue.journal.get(uid)
        if operation.state is not OperationState.DONE:
            raise WrongState(f"That {operation.kind} is undone already.")
        effects = effects_of(operation)
        steps = effects.plan_undo(workspace, library, operation)
        _check_writable(steps, _roots(workspace, library, uid))
        on_step("begin")
        with workspace.catalogue.durable_transaction():
            workspace.catalogue.journal.begin_undo(uid, steps, note=note)
            effects.begin_undo(workspace, operation)
        try:
            verdict = _finish_undo(workspace, library, workspace.catalogue.journal.get(uid), on_step)
        except OSError as error:
            raise _as_library_error(error) from error
    on_step("done")
    return verdict


def _go_forward(
    workspace: Workspace, library: Path, operation: Operation, on_step: OnStep = lambda step: None
) -> Verdict:
    effects, roots = effects_of(operation), _roots(workspace, library, operation.uid)
    if not workspace.settings.follow_links:
        _check_folders(library, operation.steps)
    for step in operation.steps:
        on_step(describe_step(step))
        apply(step, roots, aside=_aside(operation))
    on_step("sync")
    _settle(effects, files_of(operation.steps, roots), library)
    effects.prepare(workspace, operation)
    on_step("commit")
    with workspace.catalogue.durable_transaction(), _revision(workspace.catalogue, operation):
        verdict = effects.commit(workspace, library, operation)
        workspace.catalogue.journal.set_state(operation.uid, OperationState.DONE, unindexed=_moves_memes(operation))
    on_step("tidy")
    effects.finish(workspace, operation)
    return verdict


def _check_folders(library: Path, steps: Sequence[Step]) -> None:
    """Raise LibraryError when a folder of the steps in the library has become a link that leads out of it."""
    paths = [path.removeprefix("library/") for step in steps for path in paths_of(step) if path.startswith("library/")]
    for folder in sorted({path.rpartition("/")[0] for path in paths}):
        if leaves_library(library, folder):
            raise LibraryError(f"{library / folder} is a link that leads out of the library.", hint=OUTSIDE_HINT)


def _abort(workspace: Workspace, library: Path, operation: Operation) -> None:
    with workspace.catalogue.durable_transaction():
        workspace.catalogue.journal.set_state(operation.uid, OperationState.ABORTING)
    _finish_abort(workspace, library, operation)


def _finish_abort(workspace: Workspace, library: Path, operation: Operation) -> None:
    effects = effects_of(operation)
    _go_back(workspace, library, operation)
    with workspace.catalogue.durable_transaction():
        effects.abort(workspace, library, operation)
        workspace.catalogue.journal.remove(operation.uid)


def _finish_undo(
    workspace: Workspace, library: Path, operation: Operation, on_step: OnStep = lambda step: None
) -> Verdict:
    effects = effects_of(operation)
    _go_back(workspace, library, operation, on_step)
    effects.prepare_undo(workspace, operation)
    on_step("commit")
    with workspace.catalogue.durable_transaction(), _revision(workspace.catalogue, operation):
        effects.commit_undo(workspace, library, operation)
        verdict = _undo_line(workspace.catalogue, operation)
        workspace.catalogue.journal.set_state(operation.uid, OperationState.UNDONE, unindexed=_moves_memes(operation))
    return verdict


def _go_back(workspace: Workspace, library: Path, operation: Operation, on_step: OnStep = lambda step: None) -> None:
    """Revert the steps, the last first."""
    roots = _roots(workspace, library, operation.uid)
    for step in reversed(operation.steps):
        on_step(f"reverse {describe_step(step)}")
        revert(step, roots, aside=_aside(operation))
    on_step("sync")
    _settle(effects_of(operation), files_of(operation.steps, roots), library)
    remove_empty(roots["trash"])


def _undo_line(catalogue: Catalogue, operation: Operation) -> Verdict:
    """Return the ledger's line that undoes an operation; write it unless an imported ledger has one already."""
    known = next((verdict for verdict in catalogue.verdicts.all() if verdict.undoes == operation.uid), None)
    return known or catalogue.verdicts.undo(operation.uid, note=operation.undo_note)


def _settle(effects: Effects, files: set[Path], library: Path) -> None:
    sync_folders(files)
    if effects.removes_empty_categories:
        remove_empty_categories(files, library)


def _revision(catalogue: Catalogue, operation: Operation) -> AbstractContextManager[None]:
    """Return the context of a commit: moves and uploads are marked as unindexed, merges raise the revision."""
    return nullcontext() if operation.kind is OperationKind.MERGE else catalogue.separately_indexed()


def _moves_memes(operation: Operation) -> bool:
    # The next index build includes merges; uploads have their own flag.
    return operation.kind in (OperationKind.MOVE, OperationKind.TRASH)


def _aside(operation: Operation) -> str:
    return f".memetica-{operation.uid}.part"


def _as_library_error(error: Exception) -> MemeticaError:
    if isinstance(error, OSError):
        return LibraryError(f"{_named(error)} cannot be moved or written: {error.strerror}.", hint=_PERMISSIONS)
    assert isinstance(error, MemeticaError)
    return error


def _named(error: OSError) -> str:
    return os.fsdecode(error.filename or "a file")
