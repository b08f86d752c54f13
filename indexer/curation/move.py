"""Memes move to another category of the library, with all that lies beside them, and back.

One of the few things that change the library, and only when the curator asks. What is about to be done stands in the
catalogue before the first file is touched; a move or an undo that was interrupted is brought to its end by
`recover_refilings`, because the curator has said what is wanted. A step that is done twice does no more than once.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from indexer.library.files import bytes_hash, move, sync_folders
from indexer.library.format import content_hash, library_root, look_at
from indexer.library.naming import checked_category, free_path
from indexer.library.scan import scan_again
from indexer.stages.update_index import update_index
from indexer.work.locks import lock
from search.catalogue import Catalogue, RefilingRecord, RefilingState, Renamed, Verdict, VerdictKind
from search.catalogue.verdicts import new_uid
from search.encoders.base import TextEncoder
from search.errors import LibraryError, MemeticaError, WrongUse
from search.meme import Meme
from search.workspace import Workspace

WAIT_SECONDS = 20  # for another decision to be carried out
_RIGHTS = "Check its permissions, and whether its disk is mounted for reading only."
_UNDER_WAY = (RefilingState.BEGUN, RefilingState.UNDOING)
Told = Callable[[str], None]


def refile(
    workspace: Workspace,
    memes: Sequence[Meme],
    *,
    category: str,
    about: str = "",
    note: str = "",
    told: Told = lambda step: None,
) -> Verdict:
    """Move memes to a category, under a free name where theirs is taken, and return the ledger's line.

    The catalogue knows their new places when this returns; `index_refiled` lets the index know. `told` hears of each
    step before it is taken. Raises WrongUse when there is nothing to move or the category has no name that a folder can
    have, LibraryError when a file has changed or cannot be moved; then all is as it was.
    """
    library = library_root(workspace.library)
    with lock(workspace.data, "curating", seconds=WAIT_SECONDS):
        _recover(library, workspace.catalogue)
        known = [name for name, _, _ in workspace.catalogue.memes.categories()]
        record = _planned(library, workspace.catalogue, memes, checked_category(category, known=known), about)
        told("begin")
        workspace.catalogue.refilings.begin(record)
        try:
            _carry_out(library, record.files, aside=_aside(record), told=told)
        except (OSError, LibraryError) as error:
            _carry_out(library, _turned(record.files), aside=_aside(record))
            with workspace.catalogue.refilings.durably():
                workspace.catalogue.refilings.forget(record.uid)
            raise _in_words(error) from error
        told("commit")
        verdict = _moved(library, workspace.catalogue, record, note=note)
    told("done")
    return verdict


def undo_refiling(workspace: Workspace, uid: str, *, note: str = "", told: Told = lambda step: None) -> Verdict:
    """Move memes back to where they were and return the ledger's line that says so.

    Raises NotFound, WrongUse when that is done already, LibraryError when one is no longer where it was moved or
    something else lies in its earlier place; then nothing is moved.
    """
    library = library_root(workspace.library)
    with lock(workspace.data, "curating", seconds=WAIT_SECONDS):
        _recover(library, workspace.catalogue)
        record = workspace.catalogue.refilings.get(uid)
        if record.state is not RefilingState.DONE:
            raise WrongUse("That move is undone already.")
        record = replace(record, files=_now_beside(library, record))
        for one in record.files:
            if os.path.lexists(library / one.before):
                raise LibraryError(
                    f"There is something else at {one.before} now, so nothing was moved.",
                    hint="Move it away and try again.",
                )
        told("begin")
        with workspace.catalogue.refilings.durably():
            workspace.catalogue.refilings.go_back(record)
        try:
            _carry_out(library, _turned(record.files), aside=_aside(record), told=told)
        except (OSError, LibraryError) as error:
            raise _in_words(error) from error
        told("commit")
        verdict = _moved_back(library, workspace.catalogue, record, note=note)
    told("done")
    return verdict


def recover_refilings(workspace: Workspace) -> int:
    """Bring moves and undos that were interrupted to their end; return how many those were.

    Another process's work is waited for. Raises LibraryError when a file cannot be moved now.
    """
    if workspace.catalogue.read_only or not workspace.catalogue.refilings.in_state(*_UNDER_WAY):
        return 0
    library = library_root(workspace.library)
    with lock(workspace.data, "curating", seconds=WAIT_SECONDS):
        return _recover(library, workspace.catalogue)


def index_refiled(workspace: Workspace, *, load_encoder: Callable[[], TextEncoder]) -> int:
    """Let the index know of all memes that were moved or moved back since; return how many they are.

    Raises DataFolderError when the index cannot be written, ModelUnavailable without an encoder; then they wait on.
    """
    waiting = workspace.catalogue.refilings.unindexed()
    contents = {one.content for record in waiting for one in record.memes}
    ids = {meme.id for content in contents for meme in workspace.catalogue.memes.with_content(content)}
    if ids:
        update_index(workspace, ids, encoder=load_encoder())
    with workspace.catalogue.transaction():
        workspace.catalogue.refilings.indexed(waiting)
    return len(ids)


def _planned(library: Path, catalogue: Catalogue, memes: Sequence[Meme], category: str, about: str) -> RefilingRecord:
    going = [meme for meme in memes if meme.category != category]
    if not going:
        raise WrongUse(f"There is nothing to move: all of it is in {category} already.")
    moved: list[Renamed] = []
    files: list[Renamed] = []
    for meme in going:
        found = look_at(library, meme.path)
        if found is None or content_hash(found.file) != meme.content_hash:
            raise LibraryError(f"{meme.path} is not in the library as it was looked at.", hint="Run `memetica index`.")
        after = _free(library, catalogue, meme, category, taken={one.after.casefold() for one in moved})
        texts = [one.path for one in (*found.sidecars, found.first_seen) if one is not None]
        moved.append(Renamed(meme.path, after, meme.content_hash))
        for path in (*texts, meme.path):
            hashed = bytes_hash(library / path)
            if hashed is None:
                raise LibraryError(f"{path} is not in the library now.", hint="Run `memetica index`.")
            files.append(Renamed(path, after + path.removeprefix(meme.path), hashed))
    return RefilingRecord(
        new_uid(), RefilingState.BEGUN, category, tuple(moved), tuple(files), about, datetime.now(UTC)
    )


def _free(library: Path, catalogue: Catalogue, meme: Meme, category: str, *, taken: set[str]) -> str:
    """Return a path in a category that nothing has, nor another of those that go there now."""
    name = meme.path.rpartition("/")[2]
    suffix = name[name.rindex(".") :]
    stem = name
    for number in range(2, 1000):
        path = free_path(library, catalogue, category=category, name=stem, suffix=suffix)
        if path.casefold() not in taken:
            return path
        stem = f"{name.removesuffix(suffix)} {number}{suffix}"
    raise LibraryError(f"{category} has no room for another {name}.", hint="Give the file another name.")


def _now_beside(library: Path, record: RefilingRecord) -> tuple[Renamed, ...]:
    """Return what has to go back: the memes as they were moved, and all texts that lie beside them by now."""
    files: list[Renamed] = []
    for one in record.memes:
        found = look_at(library, one.after)
        if found is None or content_hash(found.file) != one.content:
            raise LibraryError(
                f"{one.after} is not in the library as it was moved: moved, merged or changed since.",
                hint="Undo that first, or move it by hand.",
            )
        texts = [text.path for text in (*found.sidecars, found.first_seen) if text is not None]
        for path in (*texts, one.after):
            files.append(Renamed(one.before + path.removeprefix(one.after), path, bytes_hash(library / path) or ""))
    return tuple(files)


def _turned(files: Sequence[Renamed]) -> tuple[Renamed, ...]:
    return tuple(Renamed(one.after, one.before, one.content) for one in reversed(files))


def _aside(record: RefilingRecord) -> str:
    return f".memetica-{record.uid}.part"


def _carry_out(library: Path, files: Sequence[Renamed], *, aside: str, told: Told = lambda step: None) -> None:
    """Move every file that was not moved; done twice, it does no more than once."""
    for one in files:
        told(f"move {one.before}")
        here, there = library / one.before, library / one.after
        there.with_name(aside).unlink(missing_ok=True)
        found = bytes_hash(here)
        if found is None:
            continue  # moved already, or taken away by somebody since
        if found == bytes_hash(there):
            here.unlink()  # moved before a kill, all but its name
        else:
            move(here, there, aside=aside)
    told("sync")
    sync_folders(path for one in files for path in (library / one.before, library / one.after))
    for folder in {(library / one.before).parent for one in files}:
        if folder != library:
            with suppress(OSError):
                folder.rmdir()  # a category that holds nothing any more


def _moved(library: Path, catalogue: Catalogue, record: RefilingRecord, *, note: str = "") -> Verdict:
    with catalogue.refilings.durably():
        _scan(library, catalogue, [(one.before, one.after) for one in record.memes])
        verdict = catalogue.verdicts.add(
            VerdictKind.MOVED,
            [one.content for one in record.memes],
            paths=[one.before for one in record.memes],
            note=note or f"to {record.category}",
            about=record.about,
            uid=record.uid,
        )
        catalogue.refilings.move_on(record.uid, RefilingState.DONE, unindexed=True)
    return verdict


def _moved_back(library: Path, catalogue: Catalogue, record: RefilingRecord, *, note: str = "") -> Verdict:
    with catalogue.refilings.durably():
        _scan(library, catalogue, [(one.after, one.before) for one in record.memes])
        verdict = catalogue.verdicts.undo(record.uid, note=note)
        catalogue.refilings.move_on(record.uid, RefilingState.UNDONE, unindexed=True)
    return verdict


def _scan(library: Path, catalogue: Catalogue, renamed: Sequence[tuple[str, str]]) -> None:
    # What is gone first, so that what came finds its earlier row, and keeps its id.
    scan_again(library, catalogue, [before for before, _ in renamed])
    scan_again(library, catalogue, [after for _, after in renamed])


def _recover(library: Path, catalogue: Catalogue) -> int:
    interrupted = catalogue.refilings.in_state(*_UNDER_WAY)
    for record in interrupted:
        try:
            if record.state is RefilingState.BEGUN:
                _carry_out(library, record.files, aside=_aside(record))
                _moved(library, catalogue, record)
            else:
                _carry_out(library, _turned(record.files), aside=_aside(record))
                _moved_back(library, catalogue, record)
        except OSError as error:
            raise _in_words(error) from error
    return len(interrupted)


def _in_words(error: Exception) -> MemeticaError:
    if isinstance(error, OSError):
        named = os.fsdecode(error.filename or "a file")
        return LibraryError(f"{named} cannot be moved or written: {error.strerror}.", hint=_RIGHTS)
    assert isinstance(error, MemeticaError)
    return error
