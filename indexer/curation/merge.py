"""Merging duplicates: one file stays, the others go to the trash, and an undo puts every byte back.

The one place that takes files out of the library, and only when the curator asks. What the removed memes were known by
stays with the one that is kept, as sidecars beside it, because that is where the library's format has them: they
outlive the data folder, and every other program that reads the library sees them. What models wrote into the catalogue
alone is copied within the catalogue. OCR texts stay with their own picture.

A journal row is on the disk before the first file is touched. A merge that was interrupted is taken back by
`recover_merges`; an undo that was interrupted is brought to its end.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from indexer.library.files import bytes_hash, move, remove_empty, sync_folders, write_free
from indexer.library.format import Found, content_hash, kind_of, library_root, look_at, read_first_seen
from indexer.library.scan import scan_again
from search.catalogue import Catalogue, MergeRecord, MergeState, Verdict, VerdictKind
from search.catalogue.journal import Move, Step, Write
from search.catalogue.verdicts import new_uid
from search.errors import DataFolderError, LibraryError, MemeticaError, UnreadableFile, WrongUse
from search.meme import Meme, TextKind
from search.settings import Settings
from search.workspace import Workspace

WAIT_SECONDS = 20  # for another merge to end
_NOTHING = hashlib.sha256(b"").hexdigest()
_UNDER_WAY = (MergeState.BEGUN, MergeState.UNDOING)
Told = Callable[[str], None]


def merge(
    workspace: Workspace,
    *,
    keep: Meme,
    remove: Sequence[Meme],
    note: str = "",
    told: Told = lambda step: None,
) -> Verdict:
    """Move memes and their sidecars to the trash in favour of one that stays, and return the ledger's line.

    `told` hears of each step before it is taken. Raises WrongUse when there is nothing to remove, LibraryError when a
    file has changed or cannot be moved, DataFolderError when the trash cannot be written; then all is as it was.
    """
    library = library_root(workspace.library)
    with _alone(workspace.settings, wait=WAIT_SECONDS):
        _recover(library, workspace)
        record = _planned(library, workspace.data, workspace.catalogue, keep, remove)
        told("begin")
        workspace.catalogue.merges.begin(record)
        try:
            _take(record, library, workspace.data, told)
            told("commit")
            with workspace.catalogue.merges.durably():
                verdict = workspace.catalogue.verdicts.add(
                    VerdictKind.MERGED,
                    [keep.content_hash, *(one.content_hash for one in remove)],
                    keep=keep.content_hash,
                    paths=[keep.path, *(one.path for one in remove)],
                    note=note,
                    uid=record.uid,
                )
                workspace.catalogue.merges.inherit(
                    record.uid, kept_content=keep.content_hash, removed=sorted({one.content_hash for one in remove})
                )
                workspace.catalogue.merges.move_on(record.uid, MergeState.DONE)
                scan_again(library, workspace.catalogue, [keep.path, *(one.path for one in remove)])
        except (OSError, MemeticaError) as error:
            _recover(library, workspace)
            raise _in_words(error) from error
    told("done")
    return verdict


def undo_merge(workspace: Workspace, uid: str, *, note: str = "", told: Told = lambda step: None) -> Verdict:
    """Put everything that a merge moved back where it was, byte for byte, and return the ledger's line that says so.

    A text beside the kept meme that somebody has changed since stays as it is. Raises NotFound, WrongUse when the merge
    is undone already, LibraryError when a file is no longer in the trash or something else lies in its place.
    """
    library = library_root(workspace.library)
    with _alone(workspace.settings, wait=WAIT_SECONDS):
        _recover(library, workspace)
        record = workspace.catalogue.merges.get(uid)
        if record.state is not MergeState.DONE:
            raise WrongUse("That merge is undone already.")
        _check_way_back(record, library, workspace.data)
        told("begin")
        with workspace.catalogue.merges.durably():
            workspace.catalogue.merges.move_on(uid, MergeState.UNDOING)
        try:
            return _undo(record, library, workspace.data, workspace.catalogue, note=note, told=told)
        except OSError as error:
            raise _in_words(error) from error


def recover_merges(workspace: Workspace) -> list[MergeRecord]:
    """Take back the merges that were interrupted, end the undos that were, and return both.

    One under way in another process is left to it. Raises LibraryError when a file cannot be put back.
    """
    if not workspace.catalogue.merges.in_state(*_UNDER_WAY) or workspace.catalogue.read_only:
        return []
    library = library_root(workspace.library)
    try:
        with _alone(workspace.settings, wait=0):
            return _recover(library, workspace)
    except _Busy:
        return []


def _recover(library: Path, workspace: Workspace) -> list[MergeRecord]:
    """Do what `recover_merges` does, while nobody else merges: what is under way was interrupted."""
    interrupted = workspace.catalogue.merges.in_state(*_UNDER_WAY)
    for record in interrupted:
        try:
            if record.state is MergeState.BEGUN:
                _give_up(record, library, workspace.data, workspace.catalogue)
            else:
                _undo(record, library, workspace.data, workspace.catalogue)
        except OSError as error:
            raise LibraryError(
                f"A merge was interrupted and {_named(error)} cannot be put back now: {error.strerror}.", hint=_RIGHTS
            ) from error
    return interrupted


def trash_folder(data: Path, uid: str) -> Path:
    """Return where a merge's files lie, under the paths that they had in the library."""
    return data / "trash" / uid


class _Busy(DataFolderError):
    """Another process is merging."""


@contextmanager
def _alone(settings: Settings, *, wait: float) -> Iterator[None]:
    try:
        lock = FileLock(settings.data / "curating.lock").acquire(timeout=wait)
    except Timeout as error:
        raise _Busy("Another process is merging duplicates.", hint="Wait for it to end and try again.") from error
    except OSError as error:
        raise DataFolderError(
            f"The data folder {settings.data} cannot be written: {error.strerror}.",
            hint="Check its permissions.",
        ) from error
    with lock:
        yield


def _planned(library: Path, data: Path, catalogue: Catalogue, keep: Meme, remove: Sequence[Meme]) -> MergeRecord:
    """Return what a merge will do; raise WrongUse or LibraryError when it must not be begun."""
    if not remove:
        raise WrongUse("There is nothing to remove.")
    if len({keep.path, *(one.path for one in remove)}) <= len(remove):
        raise WrongUse("A meme cannot be merged into itself.")
    staying = _checked(library, keep)
    going = [_checked(library, one) for one in remove]
    for one in going:
        if staying.file.resolve() == one.file.resolve() and not one.file.is_symlink():
            raise WrongUse(f"{keep.path} is a link to {one.path}: they are one file.", hint="Keep the other.")
    for folder in {one.file.parent for one in (staying, *going)}:
        if not os.access(folder, os.W_OK):
            raise LibraryError(f"The folder {folder} cannot be written, so nothing was moved.", hint=_RIGHTS)
    steps = [*_first_seen(library, staying, going), *_descriptions(library, staying, going)]
    for one in going:
        texts = [sidecar.path for sidecar in (*one.sidecars, one.first_seen) if sidecar is not None]
        steps += [_move(library, path, one.path) for path in (*texts, one.path)]
    return MergeRecord(
        uid=new_uid(),
        state=MergeState.BEGUN,
        kept=keep.path,
        kept_content=keep.content_hash,
        removed=tuple((one.path, one.content_hash) for one in remove),
        steps=tuple(steps),
        begun_at=datetime.now(UTC),
    )


_RIGHTS = "Check its permissions, and whether its disk is mounted for reading only."


def _checked(library: Path, meme: Meme) -> Found:
    """Return a meme's files as they are; raise LibraryError unless its bytes are those that were compared."""
    found = look_at(library, meme.path)
    if found is None:
        raise LibraryError(f"{meme.path} is not in the library now.", hint="Run `memetica index`.")
    if not _holds(found.file, meme.content_hash):
        raise LibraryError(f"{meme.path} has changed since it was compared.", hint="Run `memetica index`.")
    return found


def _move(library: Path, path: str, of: str) -> Move:
    found = bytes_hash(library / path)
    if found is None:
        raise LibraryError(f"{path} is not in the library now.", hint="Run `memetica index`.")
    return Move(path, found, of)


def _write(path: str, body: bytes) -> Write:
    return Write(path, hashlib.sha256(body).hexdigest(), body.hex())


def _first_seen(library: Path, staying: Found, going: Sequence[Found]) -> Iterator[Step]:
    """Yield the steps that give the kept meme the earliest First Seen of all."""
    times = {one.path: read_first_seen(library, one)[0] for one in (staying, *going)}
    earliest = min(going, key=lambda one: times[one.path])
    if times[earliest.path] >= times[staying.path]:
        return
    if staying.first_seen is not None:
        yield _move(library, staying.first_seen.path, staying.path)
    written = times[earliest.path].isoformat().replace("+00:00", "Z") + "\n"
    yield _write(f"{staying.path}.first-seen.txt", written.encode())


def _descriptions(library: Path, staying: Found, going: Sequence[Found]) -> Iterator[Step]:
    """Yield the steps that put every description of the others beside the kept meme, under a free name."""
    bodies = {(library / one.path).read_bytes() for one in staying.sidecars}
    # Lower case, because a file system may tell names no further apart.
    taken = {one.path.lower() for one in staying.sidecars}
    for meme in going:
        for sidecar in meme.sidecars:
            body = (library / sidecar.path).read_bytes()
            if kind_of(sidecar.label)[0] is TextKind.OCR or body in bodies:
                continue
            bodies.add(body)
            path = next(path for path in _names(staying.path, sidecar.label) if path.lower() not in taken)
            taken.add(path.lower())
            yield _write(path, body)


def _names(meme: str, label: str) -> Iterator[str]:
    """Yield names for a text beside a meme: its own, then with a number that leaves its kind readable."""
    yield f"{meme}.{label}.txt"
    kind, source = kind_of(label)
    ending = "" if kind is TextKind.OTHER else f".{kind}"
    for number in range(2, 10_000):
        yield f"{meme}.{source}.{number}{ending}.txt"


def _aside(record: MergeRecord) -> str:
    return f".memetica-{record.uid}.part"


def _take(record: MergeRecord, library: Path, data: Path, told: Told) -> None:
    """Carry out every step; raise LibraryError when a file is not what was planned for."""
    trash = trash_folder(data, record.uid)
    for step in record.steps:
        told(f"{type(step).__name__.lower()} {step.path}")
        if isinstance(step, Write):
            write_free(library / step.path, bytes.fromhex(step.body), aside=_aside(record))
        else:
            move(library / step.path, trash / step.path, aside=_aside(record))
            if bytes_hash(trash / step.path) != step.content:
                raise LibraryError(f"{step.path} changed while it was moved.", hint="Run `memetica index`.")
    told("sync")
    if not _holds(library / record.kept, record.kept_content):
        raise LibraryError(f"{record.kept} has changed since it was compared.", hint="Run `memetica index`.")
    sync_folders(path / step.path for step in record.steps for path in (library, trash))


def _give_up(record: MergeRecord, library: Path, data: Path, catalogue: Catalogue) -> None:
    """Take a merge back that did not come to its end, so that it never was."""
    _take_back(record, library, data)
    with catalogue.merges.durably():
        catalogue.merges.move_on(record.uid, MergeState.UNDONE)
        scan_again(library, catalogue, [record.kept, *(path for path, _ in record.removed)])


def _undo(
    record: MergeRecord,
    library: Path,
    data: Path,
    catalogue: Catalogue,
    *,
    note: str = "",
    told: Told = lambda step: None,
) -> Verdict:
    """Take a finished merge back and write so to the ledger."""
    _take_back(record, library, data, told=told)
    told("commit")
    with catalogue.merges.durably():
        catalogue.merges.disinherit(record.uid)
        line = catalogue.verdicts.undo(record.uid, note=note)
        catalogue.merges.move_on(record.uid, MergeState.UNDONE)
        scan_again(library, catalogue, [record.kept, *(path for path, _ in record.removed)])
    told("done")
    return line


def _take_back(record: MergeRecord, library: Path, data: Path, *, told: Told = lambda step: None) -> None:
    """Reverse every step that was taken, the last first; done twice, it does no more than once."""
    trash = trash_folder(data, record.uid)
    kept_is_there = os.path.lexists(library / record.kept)
    for step in reversed(record.steps):
        told(f"back {step.path}")
        here, there = library / step.path, trash / step.path
        here.with_name(_aside(record)).unlink(missing_ok=True)
        there.with_name(_aside(record)).unlink(missing_ok=True)
        found = bytes_hash(here)
        if isinstance(step, Write):
            if found == step.content:
                here.unlink()
            continue
        kept = bytes_hash(there)
        if kept is None:
            continue  # was never moved, or is back already
        if found == kept:
            there.unlink()
        elif found is None and (kept_is_there or step.of != record.kept):
            move(there, here, aside=_aside(record))
        elif found == _NOTHING:  # a name taken without a hard link, by a move that was killed before it was filled
            here.unlink()
            move(there, here, aside=_aside(record))
        # What is left has been changed or moved away since: it stays, and the earlier text stays in the trash.
    sync_folders(path / step.path for step in record.steps for path in (library, trash))
    remove_empty(trash)


def _check_way_back(record: MergeRecord, library: Path, data: Path) -> None:
    """Raise LibraryError unless every file that was removed can take its place again."""
    for step in record.steps:
        if isinstance(step, Write) or step.of == record.kept:
            continue
        if bytes_hash(trash_folder(data, record.uid) / step.path) != step.content:
            raise LibraryError(f"{step.path} is no longer in the trash as it was put there, so nothing was moved.")
        if os.path.lexists(library / step.path):
            raise LibraryError(
                f"There is something else at {step.path} now, so nothing was moved.", hint="Move it away and try again."
            )


def _holds(file: Path, content: str) -> bool:
    try:
        return content_hash(file) == content
    except UnreadableFile:
        return False


def _in_words(error: Exception) -> MemeticaError:
    if isinstance(error, OSError):
        return LibraryError(f"{_named(error)} cannot be moved or written: {error.strerror}.", hint=_RIGHTS)
    assert isinstance(error, MemeticaError)
    return error


def _named(error: OSError) -> str:
    return os.fsdecode(error.filename or "a file")
