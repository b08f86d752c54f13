"""Memes moved to another category: all beside them goes too, a kill breaks nothing, undo restores every byte."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from indexer.curation.move import move_memes, rename_meme
from indexer.curation.reversal import undo
from indexer.curation.trash import trash_memes
from indexer.library import steps as file_steps
from indexer.library.scan import scan_library
from indexer.library.transaction import recover
from indexer.work.progress import SILENT
from search.catalogue import Catalogue, OperationState, VerdictKind, open_catalogue
from search.errors import LibraryError, WrongUse
from search.meme import Meme
from search.settings import Settings
from search.workspace import Workspace

FILES = {
    "Cats/a.png": b"a cat",
    "Cats/a.png.txt": b"what OCR read",
    "Cats/a.png.first-seen.txt": "2020-01-01T00:00:00Z".encode("utf-16"),
    "Cats/a.png.qwen.simple-description.txt": b"A cat.",
    "Cats/a.png.png": b"named like a sidecar",
    "Cats/deep/b 😀.gif": b"another cat",
    "Dogs/a.png": b"a dog of the same name",
    "Dogs/c.png": b"nothing to do with it",
    "Birds/only.png": b"the only one",
}
Tree = dict[str, tuple[bytes, int]]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    for number, (path, content) in enumerate(FILES.items()):
        file = tmp_path / "memes" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        os.utime(file, ns=(10**18, 1_700_000_000_123_456_000 + number * 10**9))
    return Settings(library=tmp_path / "memes", data=tmp_path / "data")


@pytest.fixture
def catalogue(settings: Settings) -> Iterator[Catalogue]:
    with open_catalogue(settings) as catalogue:
        scan_library(settings.library, catalogue, progress=SILENT)
        yield catalogue


def tree(library: Path) -> Tree:
    """Return every file's bytes and modification time, hidden ones too."""
    return {
        file.relative_to(library).as_posix(): (file.read_bytes(), file.stat().st_mtime_ns)
        for file in sorted(library.rglob("*"))
        if file.is_file()
    }


def both(catalogue: Catalogue) -> list[Meme]:
    return [catalogue.memes.at("Cats/a.png"), catalogue.memes.at("Cats/deep/b 😀.gif")]


def moved(before: Tree) -> Tree:
    """Return what the library holds once both cats are among the dogs, worked out by hand."""
    after = dict(before)
    for path in [path for path in before if path.startswith("Cats/a.png") and path != "Cats/a.png.png"]:
        after[path.replace("Cats/a.png", "Dogs/a 2.png")] = after.pop(path)
    after["Dogs/b 😀.gif"] = after.pop("Cats/deep/b 😀.gif")
    return after


def test_a_move_takes_all_that_lies_beside_and_keeps_the_meme(settings: Settings, catalogue: Catalogue) -> None:
    before, ids = tree(settings.library), [meme.id for meme in both(catalogue)]
    verdict = move_memes(Workspace(settings, catalogue), both(catalogue), category="Dogs", about="misfiled: Cats")
    assert tree(settings.library) == moved(before)
    assert [(one.path, one.category) for one in catalogue.memes.many(ids)] == [
        ("Dogs/a 2.png", "Dogs"),
        ("Dogs/b 😀.gif", "Dogs"),
    ]
    assert (verdict.kind, verdict.about, len(verdict.contents)) == (VerdictKind.MOVED, "misfiled: Cats", 2)
    assert catalogue.memes.get(ids[0]).first_seen.year == 2020
    assert catalogue.verdicts.settled() == frozenset(), "a move says nothing about duplicates"
    # An index run later finds nothing to do: the catalogue is as a scan leaves it.
    known = catalogue.memes.known()
    scan_library(settings.library, catalogue, progress=SILENT)
    assert catalogue.memes.known() == known


def test_undo_restores_every_byte_and_whatever_came_beside_it_since(settings: Settings, catalogue: Catalogue) -> None:
    before, ids = tree(settings.library), [meme.id for meme in both(catalogue)]
    verdict = move_memes(Workspace(settings, catalogue), both(catalogue), category="New - Place")
    (settings.library / "New - Place/a.png.new.simple-description.txt").write_bytes(b"came later")
    undo(Workspace(settings, catalogue), verdict.uid)
    found = tree(settings.library)
    assert found.pop("Cats/a.png.new.simple-description.txt")[0] == b"came later"
    assert found == before
    assert not (settings.library / "New - Place").exists()
    assert [one.path for one in catalogue.memes.many(ids)] == ["Cats/a.png", "Cats/deep/b 😀.gif"]
    assert verdict.uid not in {one.uid for one in catalogue.verdicts.standing()}
    with pytest.raises(WrongUse):
        undo(Workspace(settings, catalogue), verdict.uid)


def test_a_category_that_holds_nothing_any_more_goes(settings: Settings, catalogue: Catalogue) -> None:
    move_memes(Workspace(settings, catalogue), [catalogue.memes.at("Birds/only.png")], category="dogs")
    assert not (settings.library / "Birds").exists()
    assert catalogue.memes.at("Dogs/only.png").category == "Dogs", "a category is found however its letters are written"


@pytest.mark.parametrize("category", ["", "..", "a/b", ".hidden", "CON", "x" * 200])
def test_what_no_folder_can_be_called_is_refused(settings: Settings, catalogue: Catalogue, category: str) -> None:
    before = tree(settings.library)
    with pytest.raises(WrongUse):
        move_memes(Workspace(settings, catalogue), both(catalogue), category=category)
    assert tree(settings.library) == before


def test_a_moved_meme_has_each_text_once_and_so_has_one_that_is_moved_back(
    settings: Settings, catalogue: Catalogue
) -> None:
    def stored() -> list[str]:
        return sorted(path for texts in catalogue.texts.sidecars_known().values() for path in texts)

    before = stored()
    verdict = move_memes(Workspace(settings, catalogue), both(catalogue), category="Dogs")
    after = stored()
    assert len(after) == len(before) and not any(path.startswith("Cats/a.png.") for path in after)
    undo(Workspace(settings, catalogue), verdict.uid)
    assert stored() == before


def test_what_is_there_already_is_nothing_to_move(settings: Settings, catalogue: Catalogue) -> None:
    with pytest.raises(WrongUse, match="nothing to move"):
        move_memes(Workspace(settings, catalogue), both(catalogue), category="Cats")


def test_a_meme_that_was_changed_since_is_not_moved(settings: Settings, catalogue: Catalogue) -> None:
    memes = both(catalogue)
    (settings.library / "Cats/deep/b 😀.gif").write_bytes(b"something else")
    before = tree(settings.library)
    with pytest.raises(LibraryError, match="is missing or has changed"):
        move_memes(Workspace(settings, catalogue), memes, category="Dogs")
    assert tree(settings.library) == before


def test_a_full_disk_leaves_all_as_it_was(
    settings: Settings, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, ids, real, calls = tree(settings.library), [meme.id for meme in both(catalogue)], file_steps.move, []

    def full(source: Path, target: Path, *, aside: str) -> None:
        calls.append(source)
        if len(calls) == 4:
            raise OSError(errno.ENOSPC, "No space left on device", str(target))
        real(source, target, aside=aside)

    monkeypatch.setattr(file_steps, "move", full)
    with pytest.raises(LibraryError, match="No space left"):
        move_memes(Workspace(settings, catalogue), both(catalogue), category="Dogs")
    assert tree(settings.library) == before
    assert [one.path for one in catalogue.memes.many(ids)] == ["Cats/a.png", "Cats/deep/b 😀.gif"]
    assert catalogue.verdicts.count() == 0
    assert catalogue.journal.in_state(*OperationState) == []


class Killed(BaseException):
    """A process that ends between two steps: nothing catches it."""


def killed_at(number: int):  # type: ignore[no-untyped-def]
    left = [number]

    def told(step: str) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise Killed(step)

    return told


def test_a_kill_at_any_step_of_a_move_ends_in_the_move(settings: Settings, catalogue: Catalogue) -> None:
    before = tree(settings.library)
    steps = 0
    while True:
        try:
            verdict = move_memes(
                Workspace(settings, catalogue), both(catalogue), category="Dogs", on_step=killed_at(steps)
            )
        except Killed:
            assert {content for content, _ in tree(settings.library).values()} == {one for one, _ in before.values()}
            recover(Workspace(settings, catalogue))
            if steps:  # at the first nothing was begun
                assert tree(settings.library) == moved(before)
                [verdict] = catalogue.verdicts.standing()
                undo(Workspace(settings, catalogue), verdict.uid)
            assert tree(settings.library) == before
            steps += 1
            continue
        break
    assert steps >= 8
    assert tree(settings.library) == moved(before)
    assert len(catalogue.verdicts.standing()) == 1


def test_a_kill_at_any_step_of_trashing_ends_in_the_trash_and_every_byte_returns(
    settings: Settings, catalogue: Catalogue
) -> None:
    workspace, before, steps = Workspace(settings, catalogue), tree(settings.library), 0
    kept = {path: found for path, found in before.items() if not path.startswith(("Cats/a.png", "Cats/deep"))}
    kept["Cats/a.png.png"] = before["Cats/a.png.png"]
    ids = [meme.id for meme in both(catalogue)]
    while True:
        try:
            trash_memes(workspace, both(catalogue), on_step=killed_at(steps))
        except Killed:
            recover(workspace)
            if steps:
                assert (tree(settings.library), catalogue.memes.many(ids)) == (kept, [])
                [verdict] = catalogue.verdicts.standing()
                with pytest.raises(Killed):
                    undo(workspace, verdict.uid, on_step=killed_at(2))
                recover(workspace)
            assert tree(settings.library) == before
            assert [one.path for one in catalogue.memes.many(ids)] == ["Cats/a.png", "Cats/deep/b 😀.gif"]
            steps += 1
            continue
        break
    assert steps >= 8
    assert tree(settings.library) == kept


def test_what_was_changed_or_is_nothing_is_not_trashed(settings: Settings, catalogue: Catalogue) -> None:
    workspace, memes = Workspace(settings, catalogue), both(catalogue)
    with pytest.raises(WrongUse):
        trash_memes(workspace, [])
    (settings.library / "Cats/deep/b 😀.gif").write_bytes(b"something else")
    before = tree(settings.library)
    with pytest.raises(LibraryError, match="is missing or has changed"):
        trash_memes(workspace, memes)
    assert tree(settings.library) == before


def test_a_renamed_meme_keeps_its_id_and_takes_its_sidecars_along(settings: Settings, catalogue: Catalogue) -> None:
    workspace, before = Workspace(settings, catalogue), tree(settings.library)
    meme = catalogue.memes.at("Cats/a.png")
    with pytest.raises(Killed):
        rename_meme(workspace, meme, name="a/b: the cat?", on_step=killed_at(3))
    recover(workspace)
    [verdict] = catalogue.verdicts.standing()
    assert (catalogue.memes.get(meme.id).path, verdict.kind) == ("Cats/b the cat.png", VerdictKind.RENAMED)
    expected = {
        path
        if not path.startswith("Cats/a.png") or path == "Cats/a.png.png"
        else path.replace("a.png", "b the cat.png"): found
        for path, found in before.items()
    }
    assert tree(settings.library) == expected
    with pytest.raises(WrongUse, match="already"):
        rename_meme(workspace, catalogue.memes.get(meme.id), name="b the cat")
    with pytest.raises(WrongUse, match="empty"):
        rename_meme(workspace, catalogue.memes.get(meme.id), name="  ")
    undo(workspace, verdict.uid)
    assert tree(settings.library) == before


def test_a_kill_at_any_step_of_an_undo_ends_in_the_undo(settings: Settings, catalogue: Catalogue) -> None:
    before = tree(settings.library)
    for steps in range(20):
        verdict = move_memes(Workspace(settings, catalogue), both(catalogue), category="Dogs")
        try:
            undo(Workspace(settings, catalogue), verdict.uid, on_step=killed_at(steps))
        except Killed:
            recover(Workspace(settings, catalogue))
            if not steps:
                undo(Workspace(settings, catalogue), verdict.uid)
        else:
            assert steps >= 8
            break
        finally:
            assert tree(settings.library) == before
            assert catalogue.verdicts.standing() == []
    else:
        pytest.fail("an undo has no such number of steps")


def test_an_undo_never_overwrites(settings: Settings, catalogue: Catalogue) -> None:
    verdict = move_memes(Workspace(settings, catalogue), both(catalogue), category="Dogs")
    (settings.library / "Cats/a.png").write_bytes(b"somebody else's")
    before = tree(settings.library)
    with pytest.raises(LibraryError, match=r"Cats/a\.png exists again"):
        undo(Workspace(settings, catalogue), verdict.uid)
    assert tree(settings.library) == before
    assert verdict.uid in {one.uid for one in catalogue.verdicts.standing()}
