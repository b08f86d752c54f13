"""The file transaction: one journal, one policy. What was begun goes forward, what failed goes back."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from indexer.curation.merges import merge
from indexer.curation.move import move_memes
from indexer.curation.reversal import undo
from indexer.library import steps
from indexer.library.files import write_new
from indexer.library.scan import scan_library
from indexer.library.transaction import give_up, locked_library, recover, unfinished_operations
from indexer.work.progress import SILENT
from search.catalogue import PENDING, OperationState, Verdict, VerdictKind
from search.errors import LibraryError, NotFound
from search.workspace import Workspace

FILES = {
    "Cats/a.png": b"small",
    "Cats/a.png.first-seen.txt": b"2020-01-01T00:00:00Z",
    "Cats/a.png.qwen.simple-description.txt": b"A cat.",
    "Dogs/b.png": b"large",
    "Dogs/c.png": b"another",
}
Files = dict[str, bytes]


class Killed(BaseException):
    """Stands for a process that ends here: nothing of ours catches it."""


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Workspace]:
    for path, content in FILES.items():
        (tmp_path / "memes" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "memes" / path).write_bytes(content)
    with Workspace.open(tmp_path / "data", create=True, library=tmp_path / "memes") as opened:
        scan_library(opened.library, opened.catalogue, progress=SILENT)
        yield opened


def files(workspace: Workspace) -> Files:
    library = workspace.library
    return {one.relative_to(library).as_posix(): one.read_bytes() for one in library.rglob("*") if one.is_file()}


def merge_a_into_b(workspace: Workspace, **how: object) -> Verdict:
    memes = workspace.catalogue.memes
    return merge(workspace, keep=memes.at("Dogs/b.png"), remove=[memes.at("Cats/a.png")], **how)  # type: ignore[arg-type]


def kill_at(wanted: str) -> Callable[[str], None]:
    def on_step(step: str) -> None:
        if step == wanted:
            raise Killed(step)

    return on_step


def refuse_moves_from(number: int, monkeypatch: pytest.MonkeyPatch, *, then_kill: bool = False) -> None:
    """Let a disk refuse a move, and where it is wished kill the process at the next one, which takes files back."""
    real, calls = steps.move, iter(range(1, 1000))

    def move(source: Path, target: Path, *, aside: str) -> None:
        call = next(calls)
        if call == number:
            raise OSError(errno.EIO, "Input/output error", str(target))
        if call > number and then_kill:
            raise Killed
        real(source, target, aside=aside)

    monkeypatch.setattr(steps, "move", move)


def test_an_interrupted_operation_is_finished_before_another_of_any_kind_begins(own: Workspace) -> None:
    with pytest.raises(Killed):
        merge_a_into_b(own, note="the same", on_step=kill_at("move Cats/a.png"))
    assert (own.library / "Cats/a.png").exists()
    move_memes(own, [own.catalogue.memes.at("Dogs/c.png")], category="Birds")
    assert not (own.library / "Cats/a.png").exists() and (own.library / "Birds/c.png").exists()
    merged, moved = own.catalogue.verdicts.standing()
    assert (merged.kind, merged.note, moved.kind) == (VerdictKind.MERGED, "the same", VerdictKind.MOVED)


def test_what_failed_is_taken_back_even_by_another_process(own: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    before = files(own)
    refuse_moves_from(2, monkeypatch, then_kill=True)
    with pytest.raises(Killed):
        merge_a_into_b(own)
    monkeypatch.undo()
    assert [one.state for one in own.catalogue.journal.in_state(*PENDING)] == [OperationState.ABORTING]
    assert files(own) != before
    assert len(recover(own)) == 1 and recover(own) == []
    assert files(own) == before and own.catalogue.verdicts.count() == 0
    assert own.catalogue.journal.in_state(*OperationState) == []


def test_an_interrupted_operation_that_cannot_go_forward_goes_back(own: Workspace) -> None:
    before = files(own)
    with pytest.raises(Killed):
        merge_a_into_b(own, on_step=kill_at("sync"))
    (own.library / "Dogs/b.png").write_bytes(b"edited meanwhile")
    recover(own)
    assert files(own) == before | {"Dogs/b.png": b"edited meanwhile"}
    assert own.catalogue.verdicts.count() == 0


def test_a_library_that_is_not_mounted_is_waited_for(own: Workspace) -> None:
    with pytest.raises(Killed):
        merge_a_into_b(own, on_step=kill_at("move Cats/a.png"))
    away = own.library.rename(own.library.with_name("away"))
    own.library.mkdir()  # the empty folder that a disk is mounted on
    assert ["is empty" in error.message for error in unfinished_operations(own)] == [True]
    assert list(own.library.iterdir()) == [] and len(own.catalogue.journal.in_state(*PENDING)) == 1
    own.library.rmdir()
    away.rename(own.library)
    recover(own)
    assert [one.kind for one in own.catalogue.verdicts.standing()] == [VerdictKind.MERGED]


def test_an_undo_that_the_disk_refuses_is_finished_later(own: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    before = files(own)
    line = merge_a_into_b(own)
    refuse_moves_from(2, monkeypatch)
    with pytest.raises(LibraryError, match="Input/output error"):
        undo(own, line.uid, note="not the same")
    monkeypatch.undo()
    recover(own)
    assert files(own) == before
    assert own.catalogue.verdicts.all()[-1].note == "not the same"


def test_a_merge_of_another_data_folder_is_not_undone_here(own: Workspace, tmp_path: Path) -> None:
    line = merge_a_into_b(own)
    with Workspace.open(tmp_path / "other", create=True, library=own.library) as elsewhere:
        elsewhere.catalogue.verdicts.put(own.catalogue.verdicts.all())
        with pytest.raises(NotFound, match="has no record of the operation"):
            undo(elsewhere, line.uid)


def test_an_undo_that_came_with_an_imported_ledger_is_kept_and_the_files_return(own: Workspace, tmp_path: Path) -> None:
    before = files(own)
    line = merge_a_into_b(own)
    with Workspace.open(tmp_path / "other", create=True, library=own.library) as elsewhere:
        elsewhere.catalogue.verdicts.put(own.catalogue.verdicts.all())
        imported = elsewhere.catalogue.verdicts.undo(line.uid)
    own.catalogue.verdicts.put([imported])
    assert undo(own, line.uid) == imported
    assert files(own) == before and own.catalogue.verdicts.standing() == []


def make_read_only(monkeypatch: pytest.MonkeyPatch, library: Path) -> None:
    """Let the library's disk behave as one that is mounted read-only, where even root writes nothing."""
    real_link, real_unlink, real_access = os.link, Path.unlink, os.access

    def is_inside(path: object) -> bool:
        return Path(os.fspath(path)).is_relative_to(library)  # type: ignore[call-overload]

    def link(source: object, target: object, **how: bool) -> None:
        if is_inside(target):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(target))
        real_link(source, target, **how)  # type: ignore[arg-type]

    def unlink(path: Path, missing_ok: bool = False) -> None:
        if is_inside(path):  # for a missing file too
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
        real_unlink(path, missing_ok=missing_ok)

    def access(path: object, mode: int) -> bool:
        return not (is_inside(path) and mode & os.W_OK) and real_access(path, mode)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "link", link)
    monkeypatch.setattr(Path, "unlink", unlink)
    monkeypatch.setattr(os, "access", access)


def test_nothing_is_begun_in_a_library_that_is_read_only(own: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    before = files(own)
    line = merge_a_into_b(own)
    after = files(own)
    make_read_only(monkeypatch, own.library)
    memes = own.catalogue.memes
    for begin in (
        lambda: move_memes(own, [memes.at("Dogs/c.png")], category="Birds"),
        lambda: merge(own, keep=memes.at("Dogs/b.png"), remove=[memes.at("Dogs/c.png")]),
        lambda: undo(own, line.uid),
    ):
        with pytest.raises(LibraryError, match="cannot be written, so nothing was"):
            begin()
        assert own.catalogue.journal.in_state(*PENDING) == []
    monkeypatch.undo()
    assert files(own) == after
    undo(own, line.uid)
    assert files(own) == before


@pytest.mark.parametrize("step", ["begin", "move Cats/a.png", "sync", "commit"])
def test_an_interrupted_operation_waits_for_the_disk_and_stops_nothing(
    own: Workspace, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    with pytest.raises(Killed):
        merge_a_into_b(own, note="the same", on_step=kill_at(step))
    begun = len(own.catalogue.journal.in_state(*PENDING))
    make_read_only(monkeypatch, own.library)
    with locked_library(own):
        pass  # other work goes on
    assert len(unfinished_operations(own)) in (0, begun)
    monkeypatch.undo()
    assert unfinished_operations(own) == []
    assert own.catalogue.journal.in_state(*PENDING) == []
    assert [one.kind for one in own.catalogue.verdicts.standing()] == ([VerdictKind.MERGED] if begun else [])


def test_of_an_operation_that_waits_for_the_disk_is_said_once_and_again_when_another_does(
    own: Workspace, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def logged() -> int:
        return sum("cannot be finished" in record.getMessage() for record in caplog.records)

    for said in (1, 2):
        with pytest.raises(Killed):
            merge_a_into_b(own, note="the same", on_step=kill_at("move Cats/a.png"))
        make_read_only(monkeypatch, own.library)
        for _ in range(3):
            with locked_library(own):
                pass
        assert logged() == said
        monkeypatch.undo()
        [operation] = recover(own)
        with locked_library(own):
            pass
        undo(own, operation.uid)


def test_what_a_command_says_of_an_operation_is_not_logged_too(
    own: Workspace, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(Killed):
        merge_a_into_b(own, note="the same", on_step=kill_at("move Cats/a.png"))
    make_read_only(monkeypatch, own.library)
    said: list[str] = []
    recover(own, on_unfinished=lambda error: said.append(error.message))
    with locked_library(own):
        pass
    assert len(said) == 1 and "cannot be finished" not in caplog.text


def test_an_interrupted_operation_can_be_given_up(own: Workspace) -> None:
    before = files(own)
    with pytest.raises(Killed):
        merge_a_into_b(own, on_step=kill_at("move Cats/a.png"))
    [pending] = own.catalogue.journal.in_state(*PENDING)
    assert give_up(own, pending.uid) is not None
    assert files(own) == before and own.catalogue.journal.in_state(*OperationState) == []
    assert give_up(own, pending.uid) is None


def test_what_is_given_up_while_the_disk_is_read_only_goes_back_later(
    own: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = files(own)
    with pytest.raises(Killed):
        merge_a_into_b(own, on_step=kill_at("sync"))
    [pending] = own.catalogue.journal.in_state(*PENDING)
    make_read_only(monkeypatch, own.library)
    with pytest.raises(LibraryError, match=r"given up, but .* cannot be moved back"):
        give_up(own, pending.uid)
    monkeypatch.undo()
    recover(own)
    assert files(own) == before and own.catalogue.verdicts.count() == 0


def test_a_new_file_leaves_nothing_beside_it_when_the_process_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(descriptor: int) -> None:
        raise Killed

    monkeypatch.setattr("os.fsync", killed)
    with pytest.raises(Killed):
        write_new(tmp_path / "a.png.qwen.simple-description.txt", b"A cat.")
    assert list(tmp_path.iterdir()) == []
