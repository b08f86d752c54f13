"""Merging: one file stays with all that was known, the others can come back byte for byte, a kill breaks nothing."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from indexer.curation import merges as merging
from indexer.curation.merges import merge
from indexer.curation.reversal import undo as undo_merge
from indexer.library import steps, transaction
from indexer.library.scan import scan_library
from indexer.library.transaction import recover, trash_path
from indexer.work.progress import SILENT
from search.catalogue import PENDING, Catalogue, OperationState, ReadingRecord, VerdictKind, open_catalogue
from search.errors import LibraryError, MemeticaError, NotFound, WrongUse
from search.meme import TextKind
from search.settings import Settings
from search.workspace import Workspace

FILES = {
    "Cats/a.png": b"small",
    "Cats/a.png.txt": b"what OCR read of a",
    "Cats/a.png.first-seen.txt": "2020-01-01T00:00:00Z".encode("utf-16"),
    "Cats/a.png.qwen.simple-description.txt": b"A cat, says qwen of a.",
    "Cats/a.png.gemma.simple-description.txt": b"A cat, says gemma.\r\n",
    "Cats/a.png.note.txt": b"caf\xe9",
    "Dogs/deep/b.png": b"large and old",
    "Dogs/deep/b.png.first-seen.txt": b"2022-01-01T00:00:00Z",
    "Dogs/deep/b.png.qwen.simple-description.txt": b"A cat, says qwen of b.",
    "Dogs/deep/b.png.png": b"named like a sidecar",
    "Dogs/deep/b.png.png.note.txt": b"about b.png.png",
    "Dogs/other.png": b"nothing to do with it",
}
KEEP, REMOVE = "Dogs/deep/b.png", "Cats/a.png"
Tree = dict[str, tuple[bytes, int]]


def draw(library: Path) -> None:
    for number, (path, content) in enumerate(FILES.items()):
        file = library / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        os.utime(file, ns=(10**18, 1_700_000_000_123_456_000 + number * 10**9))


def tree(library: Path) -> Tree:
    """Return every file's bytes and modification time, hidden ones too."""
    return {
        file.relative_to(library).as_posix(): (file.read_bytes(), file.stat().st_mtime_ns)
        for file in sorted(library.rglob("*"))
        if file.is_file()
    }


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    draw(tmp_path / "memes")
    found = Settings(library=tmp_path / "memes", data=tmp_path / "data")
    with open_catalogue(found) as catalogue:
        scan_library(found.library, catalogue, progress=SILENT)
    return found


@pytest.fixture
def catalogue(settings: Settings) -> Iterator[Catalogue]:
    with open_catalogue(settings) as opened:
        yield opened


def merged(settings: Settings, catalogue: Catalogue, **more):
    keep, remove = catalogue.memes.at(KEEP), catalogue.memes.at(REMOVE)
    return merge(Workspace(settings, catalogue), keep=keep, remove=[remove], **more)


def known(catalogue: Catalogue) -> dict[str, object]:
    """Return what the catalogue says of each present meme."""
    return {
        meme.path: (meme.id, meme.first_seen, sorted((t.kind, t.source, t.body) for t in catalogue.texts.of(meme)))
        for meme in catalogue.memes.everything()
    }


def test_the_kept_meme_has_the_earliest_first_seen_and_every_description(
    settings: Settings, catalogue: Catalogue
) -> None:
    line = merged(settings, catalogue, note="smaller")
    found = {path: content for path, (content, _) in tree(settings.library).items()}
    gone = {path for path in FILES if path.startswith(REMOVE)}
    assert found == {path: content for path, content in FILES.items() if path not in gone} | {
        f"{KEEP}.first-seen.txt": b"2020-01-01T00:00:00Z\n",
        f"{KEEP}.qwen.2.simple-description.txt": b"A cat, says qwen of a.",
        f"{KEEP}.gemma.simple-description.txt": b"A cat, says gemma.\r\n",
        f"{KEEP}.note.txt": b"caf\xe9",
    }
    kept = catalogue.memes.at(KEEP)
    assert kept.first_seen == datetime(2020, 1, 1, tzinfo=UTC)
    assert {(text.kind, text.source) for text in catalogue.texts.of(kept)} == {
        (TextKind.SIMPLE, "qwen"),
        (TextKind.SIMPLE, "qwen.2"),
        (TextKind.SIMPLE, "gemma"),
        (TextKind.OTHER, "note"),
    }
    with pytest.raises(NotFound):
        catalogue.memes.at(REMOVE)
    assert (line.kind, line.keep, line.paths, line.note) == (
        VerdictKind.MERGED,
        kept.content_hash,
        (KEEP, REMOVE),
        "smaller",
    )
    assert catalogue.verdicts.all() == [line]


def test_the_category_of_what_went_is_remembered_until_it_comes_back(settings: Settings, catalogue: Catalogue) -> None:
    keep = catalogue.memes.at(KEEP)
    assert catalogue.journal.categories_merged_into(keep) == []
    line = merged(settings, catalogue)
    assert catalogue.journal.categories_merged_into(keep) == ["Cats"]
    undo_merge(Workspace(settings, catalogue), line.uid)
    assert catalogue.journal.categories_merged_into(keep) == []


def test_what_went_lies_in_the_trash_under_its_own_path(settings: Settings, catalogue: Catalogue) -> None:
    before = tree(settings.library)
    line = merged(settings, catalogue)
    went = {path: facts for path, facts in before.items() if path.startswith(REMOVE)}
    assert tree(trash_path(settings.data, line.uid)) == went | {
        f"{KEEP}.first-seen.txt": before[f"{KEEP}.first-seen.txt"]
    }


def test_undo_puts_everything_back_byte_for_byte(settings: Settings, catalogue: Catalogue) -> None:
    before, knew = tree(settings.library), known(catalogue)
    line = merged(settings, catalogue)
    assert known(catalogue) != knew
    undone = undo_merge(Workspace(settings, catalogue), line.uid, note="not the same")
    assert tree(settings.library) == before
    assert known(catalogue) == knew
    assert not trash_path(settings.data, line.uid).exists()
    assert (undone.kind, undone.undoes, undone.note) == (VerdictKind.UNDONE, line.uid, "not the same")
    assert catalogue.verdicts.standing() == []
    with pytest.raises(WrongUse, match="undone already"):
        undo_merge(Workspace(settings, catalogue), line.uid)
    with pytest.raises(NotFound):
        undo_merge(Workspace(settings, catalogue), "0" * 16)


def test_a_meme_can_be_merged_again_after_an_undo(settings: Settings, catalogue: Catalogue) -> None:
    before = tree(settings.library)
    for _ in range(2):
        line = merged(settings, catalogue)
        undo_merge(Workspace(settings, catalogue), line.uid)
    first = merged(settings, catalogue)
    # The same name comes back and goes again: each merge has a folder of its own in the trash.
    (settings.library / REMOVE).write_bytes(b"small")
    scan_library(settings.library, catalogue, progress=SILENT)
    second = merged(settings, catalogue)
    assert (trash_path(settings.data, first.uid) / REMOVE).read_bytes() == b"small"
    undo_merge(Workspace(settings, catalogue), second.uid)
    with pytest.raises(LibraryError, match="exists again"):
        undo_merge(Workspace(settings, catalogue), first.uid)
    (settings.library / REMOVE).unlink()
    undo_merge(Workspace(settings, catalogue), first.uid)
    assert tree(settings.library) == before


def test_what_models_wrote_into_the_catalogue_is_copied_and_taken_back(
    settings: Settings, catalogue: Catalogue
) -> None:
    keep, remove = catalogue.memes.at(KEEP), catalogue.memes.at(REMOVE)
    for meme, source, body in (
        (keep, "llava", "of b"),
        (remove, "llava", "of a"),
        (remove, "pixtral", "of a too"),
        (remove, "twin", "of b"),
    ):
        catalogue.readings.put(ReadingRecord(meme.content_hash, TextKind.SIMPLE, source, body))
    catalogue.readings.put(ReadingRecord(remove.content_hash, TextKind.OCR, "engine", "words of a"))
    knew = known(catalogue)
    line = merged(settings, catalogue)
    texts = {(text.source, text.body) for text in catalogue.texts.of(catalogue.memes.at(KEEP)) if not text.sidecar}
    assert texts == {("llava", "of b"), ("llava.2", "of a"), ("pixtral", "of a too")}
    undo_merge(Workspace(settings, catalogue), line.uid)
    assert known(catalogue) == knew


def test_a_later_first_seen_changes_nothing(settings: Settings, catalogue: Catalogue) -> None:
    before = tree(settings.library)
    merge(Workspace(settings, catalogue), keep=catalogue.memes.at(REMOVE), remove=[catalogue.memes.at(KEEP)])
    after = tree(settings.library)
    assert after[f"{REMOVE}.first-seen.txt"] == before[f"{REMOVE}.first-seen.txt"]
    # A neighbour whose name begins like the removed meme's sidecars stays where it is.
    for path in ("Dogs/deep/b.png.png", "Dogs/deep/b.png.png.note.txt"):
        assert after[path] == before[path]


def test_several_go_at_once_the_same_bytes_too(settings: Settings, catalogue: Catalogue) -> None:
    (settings.library / "Cats/copy.png").write_bytes(FILES[KEEP])
    scan_library(settings.library, catalogue, progress=SILENT)
    before = tree(settings.library)
    paths = [REMOVE, "Cats/copy.png"]
    line = merge(
        Workspace(settings, catalogue),
        keep=catalogue.memes.at(KEEP),
        remove=[catalogue.memes.at(path) for path in paths],
    )
    assert not any((settings.library / path).exists() for path in paths)
    assert line.contents.count(catalogue.memes.at(KEEP).content_hash) == 2
    undo_merge(Workspace(settings, catalogue), line.uid)
    assert tree(settings.library) == before


@pytest.mark.parametrize("changed", [KEEP, REMOVE])
def test_a_file_that_changed_meanwhile_is_not_merged(settings: Settings, catalogue: Catalogue, changed: str) -> None:
    (settings.library / changed).write_bytes(b"another picture")
    before = tree(settings.library)
    with pytest.raises(LibraryError, match="has changed"):
        merged(settings, catalogue)
    (settings.library / changed).unlink()
    with pytest.raises(LibraryError, match="no longer in the library"):
        merged(settings, catalogue)
    (settings.library / changed).write_bytes(b"another picture")
    assert {path: content for path, (content, _) in tree(settings.library).items()} == {
        path: content for path, (content, _) in before.items()
    }
    assert catalogue.journal.in_state(*OperationState) == []


@pytest.mark.parametrize("changed", [KEEP, REMOVE])
def test_a_file_that_changes_during_the_merge_is_put_back_as_it_is_now(
    settings: Settings, catalogue: Catalogue, changed: str
) -> None:
    before = tree(settings.library)

    def meddle(step: str) -> None:
        if step == f"move {REMOVE}":
            (settings.library / changed).write_bytes(b"meddled with")

    with pytest.raises(LibraryError, match="change"):
        merged(settings, catalogue, on_step=meddle)
    after = tree(settings.library)
    assert after.pop(changed)[0] == b"meddled with"
    before.pop(changed)
    assert after == before
    assert catalogue.verdicts.all() == []


def test_a_meme_is_not_merged_into_itself_or_into_a_link_to_it(settings: Settings, catalogue: Catalogue) -> None:
    keep = catalogue.memes.at(KEEP)
    for remove in ([], [keep], [catalogue.memes.at(REMOVE)] * 2):
        with pytest.raises(WrongUse):
            merge(Workspace(settings, catalogue), keep=keep, remove=remove)
    (settings.library / "Cats/link.png").symlink_to(settings.library / KEEP)
    scan_library(settings.library, catalogue, progress=SILENT)
    link = catalogue.memes.at("Cats/link.png")
    with pytest.raises(WrongUse, match="is a link"):
        merge(Workspace(settings, catalogue), keep=link, remove=[keep])
    line = merge(Workspace(settings, catalogue), keep=keep, remove=[link])
    assert (settings.library / KEEP).read_bytes() == FILES[KEEP]
    undo_merge(Workspace(settings, catalogue), line.uid)
    assert (settings.library / "Cats/link.png").readlink() == settings.library / KEEP


def test_a_library_that_cannot_be_written_is_said_before_anything_moves(
    settings: Settings, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tree(settings.library)
    monkeypatch.setattr(merging.os, "access", lambda folder, mode: False)
    with pytest.raises(LibraryError, match="nothing was moved"):
        merged(settings, catalogue)
    assert tree(settings.library) == before and catalogue.journal.in_state(*OperationState) == []


@pytest.mark.parametrize("at", range(1, 9))
def test_a_disk_that_refuses_half_way_leaves_the_old_state(
    settings: Settings, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    before, knew = tree(settings.library), known(catalogue)
    real, calls = steps.move, iter(range(1, 100))

    def refusing(source: Path, target: Path, *, aside: str) -> None:
        if next(calls) == at:
            raise OSError(errno.EROFS, "Read-only file system", str(target))
        real(source, target, aside=aside)

    monkeypatch.setattr(steps, "move", refusing)
    if at <= 7:  # as many files move
        with pytest.raises(LibraryError, match="Read-only file system"):
            merged(settings, catalogue)
        assert tree(settings.library) == before and known(catalogue) == knew
        assert not (settings.data / "trash").exists() or not tree(settings.data / "trash")
    else:
        merged(settings, catalogue)


def test_a_text_beside_the_kept_meme_that_was_edited_since_survives_the_undo(
    settings: Settings, catalogue: Catalogue
) -> None:
    line = merged(settings, catalogue)
    (settings.library / f"{KEEP}.first-seen.txt").write_bytes(b"2019-05-05T00:00:00Z")
    undo_merge(Workspace(settings, catalogue), line.uid)
    assert (settings.library / f"{KEEP}.first-seen.txt").read_bytes() == b"2019-05-05T00:00:00Z"
    assert catalogue.memes.at(KEEP).first_seen.year == 2019
    assert (settings.library / REMOVE).read_bytes() == FILES[REMOVE]


def test_a_category_that_was_removed_since_comes_back(settings: Settings, catalogue: Catalogue) -> None:
    before = tree(settings.library)
    line = merged(settings, catalogue)
    (settings.library / "Cats").rmdir()
    undo_merge(Workspace(settings, catalogue), line.uid)
    assert tree(settings.library) == before


def test_a_trash_that_somebody_emptied_is_said_and_nothing_moves(settings: Settings, catalogue: Catalogue) -> None:
    line = merged(settings, catalogue)
    after = tree(settings.library)
    (trash_path(settings.data, line.uid) / REMOVE).unlink()
    with pytest.raises(LibraryError, match="missing from the trash"):
        undo_merge(Workspace(settings, catalogue), line.uid)
    assert tree(settings.library) == after


def run_and_kill(settings: Settings, at: int, *, undo: str | None, other_disk: bool) -> bool:
    """Merge or undo in a process of its own that is killed before its step `at`; return whether it was."""
    child = os.fork()
    if child == 0:
        try:
            steps = iter(range(1000))

            def told(step: str) -> None:
                if next(steps) == at:
                    os.kill(os.getpid(), signal.SIGKILL)

            if other_disk:
                _no_links_and_a_kill_inside_copies(told)
            with open_catalogue(settings) as catalogue:
                if undo:
                    undo_merge(Workspace(settings, catalogue), undo, on_step=told)
                else:
                    merged(settings, catalogue, on_step=told)
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def _no_links_and_a_kill_inside_copies(told) -> None:
    """Make the trash seem to lie on another disk, and be told in the middle of each move too."""
    from indexer.library import files as trash

    real_link, real_copy, real_unlink = os.link, trash.shutil.copy2, Path.unlink

    def link(source, target, *, follow_symlinks=True):
        if not Path(source).name.startswith(".memetica-"):
            raise OSError(errno.EXDEV, "Invalid cross-device link", str(source))
        real_link(source, target, follow_symlinks=follow_symlinks)
        told("named")

    def copy2(source, target, **more):
        real_copy(source, target, **more)
        told("copied")

    def unlink(file, missing_ok=False):
        if file.exists() and not file.name.startswith("curating"):
            told("before a removal")
        real_unlink(file, missing_ok=missing_ok)

    os.link, trash.shutil.copy2, Path.unlink = link, copy2, unlink


@pytest.mark.parametrize("other_disk", [False, True], ids=["same disk", "other disk"])
@pytest.mark.parametrize("undoing", [False, True], ids=["merge", "undo"])
def test_a_kill_at_any_step_leaves_the_old_state_or_the_new_after_the_next_start(
    settings: Settings, undoing: bool, other_disk: bool
) -> None:
    with open_catalogue(settings) as catalogue:
        apart = tree(settings.library), known(catalogue)
        uid = merged(settings, catalogue).uid
        together = {path: content for path, (content, _) in tree(settings.library).items()}, known(catalogue)
        if not undoing:
            undo_merge(Workspace(settings, catalogue), uid)
    outcomes = []
    for at in range(200):
        killed = run_and_kill(settings, at, undo=uid if undoing else None, other_disk=other_disk)
        with open_catalogue(settings) as catalogue:
            recover(Workspace(settings, catalogue))
            assert recover(Workspace(settings, catalogue)) == []
            assert catalogue.journal.in_state(*PENDING) == []
            verdicts = catalogue.verdicts.standing()
            if verdicts:
                found = {path: content for path, (content, _) in tree(settings.library).items()}
                assert (found, known(catalogue)) == together, f"killed at step {at}"
                outcomes.append("together")
                if not undoing:
                    undo_merge(Workspace(settings, catalogue), verdicts[0].uid)
            else:
                assert (tree(settings.library), known(catalogue)) == apart, f"killed at step {at}"
                assert not (settings.data / "trash").exists() or not tree(settings.data / "trash")
                outcomes.append("apart")
                if undoing:
                    uid = merged(settings, catalogue).uid
        if not killed:
            break
    else:
        raise AssertionError("the run never came to its end")
    assert len(outcomes) >= 10
    begun_at = outcomes.index("apart") if undoing else len(outcomes)
    assert set(outcomes) == {"apart", "together"}, "both states are reached"
    assert not undoing or "together" not in outcomes[begun_at:], "an undo that was begun is brought to its end"


def test_two_merges_at_once_wait_for_each_other(settings: Settings, catalogue: Catalogue, monkeypatch) -> None:
    monkeypatch.setattr(transaction, "WAIT_SECONDS", 0)

    def again(step: str) -> None:
        if step == "begin":
            with pytest.raises(MemeticaError, match="Another process"):
                merged(settings, catalogue)
            assert recover(Workspace(settings, catalogue)) == []

    merged(settings, catalogue, on_step=again)
