"""Check, backup and restore: what cannot be computed again comes back, whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
import zipfile
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from indexer.curation.merges import merge
from indexer.curation.reversal import undo
from indexer.inbox.reception import receive
from indexer.library.leftovers import remove_leftovers
from indexer.media.thumbnails import thumbnail_path
from indexer.stages.decode import missing_pictures
from indexer.upkeep.archive import MANIFEST, verify
from indexer.upkeep.backup import back_up
from indexer.upkeep.check import Area, check
from indexer.upkeep.restore import find_source, restore
from search.catalogue import open_catalogue
from search.catalogue.copies import catalogue_copies, keep_daily_copy, problems_of
from search.catalogue.replacement import PLAN
from search.catalogue.schema import newest_version
from search.errors import DataFolderError, IndexUnusable, WrongUse
from search.index.generations import CHECKED_SINCE, CURRENT, live_folder, live_generation
from search.meme import Field
from search.searcher import Searcher
from search.settings import Settings, save_setting
from search.workspace import Workspace
from tests.support.damage import catalogue_damages, flip_bit, zero_pages
from tests.support.fakes import HashingTextEncoder
from tests.support.uploading import drawn, files_of

ENCODER = HashingTextEncoder()


class Killed(BaseException):
    """Stands for a process that ends here."""


@pytest.fixture
def curated(workspace: Workspace) -> Workspace:
    """A workspace with a merge, an upload that waits, a password file and a setting of its own."""
    shutil.rmtree(workspace.backups)  # the copy that indexing made
    keep, remove = workspace.catalogue.memes.at("Robots/toaster.png"), workspace.catalogue.memes.at("Dogs/fine.png")
    merge(workspace, keep=keep, remove=[remove], note="an example")
    (workspace.data / "new.png").write_bytes(drawn())
    with (workspace.data / "new.png").open("rb") as file:
        receive(workspace, file, name="new.png", received_by="command")
    (workspace.data / "curator.json").write_text('{"hash": "h", "generation": "g"}')
    (workspace.data / "curator.json").chmod(0o600)
    save_setting(workspace.data, "port", "9123")
    return workspace


def state(data: Path) -> dict[str, object]:
    """Return what must come back: the ledger, the uploads, the journal, texts, files and settings."""
    with sqlite3.connect(data / "catalogue.sqlite") as catalogue:
        rows = {
            table: sorted(map(repr, catalogue.execute(f"SELECT * FROM {table}")))
            for table in ("verdicts", "operations", "uploads", "text_reviews", "readings", "sidecars", "memes")
        }
    catalogue.close()
    files = {path: sha for folder in ("inbox", "trash") for path, sha in files_of(data / folder).items()}
    return {**rows, "files": files, "settings": json.loads((data / "settings.json").read_text())}


def areas(workspace: Workspace, **how: bool) -> list[Area]:
    return [finding.area for finding in check(workspace.settings, **how)]


def test_a_backup_brings_everything_back_into_an_empty_folder(curated: Workspace, tmp_path: Path) -> None:
    before = state(curated.data)
    report = back_up(curated.settings, tmp_path / "kept.zip")
    assert (report.uploads, report.path.stat().st_mode & 0o777) == (1, 0o600)
    other = replace(curated.settings, data=tmp_path / "other")
    done = restore(other, report.path)
    assert (done.memes, done.verdicts, done.uploads, done.complete) == (8, 1, 1, False)
    assert state(other.data) == before
    with open_catalogue(other) as catalogue, Workspace(other, catalogue) as restored:
        undo(restored, restored.catalogue.verdicts.standing()[0].uid)
        assert (restored.library / "Dogs/fine.png").exists()
        assert missing_pictures(restored)  # decoded again by the next `memetica index`


def test_the_trash_keeps_its_times_and_links(curated: Workspace, tmp_path: Path) -> None:
    [removed] = (curated.trash).rglob("fine.png")
    link = removed.with_name("link.png")
    link.symlink_to("fine.png")
    odd = removed.with_name("caf\udce9.png")
    odd.write_bytes(b"no Unicode")
    archive = back_up(curated.settings, tmp_path / "kept.zip").path
    restore(replace(curated.settings, data=tmp_path / "other"), archive)
    again = tmp_path / "other" / removed.relative_to(curated.data)
    assert again.stat().st_mtime_ns == removed.stat().st_mtime_ns
    assert again.with_name("link.png").readlink() == Path("fine.png")
    assert again.with_name("caf\udce9.png").read_bytes() == b"no Unicode"


def test_a_folder_that_has_something_is_replaced_only_when_told(curated: Workspace, tmp_path: Path) -> None:
    archive = back_up(curated.settings, tmp_path / "kept.zip").path
    before = state(curated.data)
    undo(curated, curated.catalogue.verdicts.standing()[0].uid)
    after = state(curated.data)
    with pytest.raises(WrongUse, match="has something already"):
        restore(curated.settings, archive)
    assert state(curated.data) == after
    done = restore(curated.settings, archive, overwrite=True)
    assert done.complete  # what was computed is taken from the catalogue that was there
    assert state(curated.data)["verdicts"] == before["verdicts"]
    assert done.kept is not None and problems_of(done.kept) == []


def test_a_process_that_has_the_catalogue_open_goes_on_with_the_restored_one(
    curated: Workspace, tmp_path: Path
) -> None:
    with Searcher(curated, text_encoder=ENCODER) as searcher:
        archive = back_up(curated.settings, tmp_path / "kept.zip").path
        undo(curated, curated.catalogue.verdicts.standing()[0].uid)
        restore(curated.settings, archive, overwrite=True)
        assert len(curated.catalogue.verdicts.all()) == 1
        assert searcher.status().memes == 8
        assert "Dogs/fine.png" not in [hit.path for hit in searcher.search("fine")]


STEPS = ["plan", "move settings.json", "catalogue", "move index/CURRENT", "tidy"]


@pytest.mark.parametrize("step", STEPS)
def test_a_kill_leaves_the_old_or_the_new_state(curated: Workspace, tmp_path: Path, step: str) -> None:
    archive = back_up(curated.settings, tmp_path / "kept.zip").path
    new = state(curated.data)
    save_setting(curated.data, "port", "9999")
    curated.catalogue.verdicts.undo(curated.catalogue.verdicts.standing()[0].uid)
    old = state(curated.data)

    def kill(at: str) -> None:
        if at == step:
            raise Killed

    with pytest.raises(Killed):
        restore(curated.settings, archive, overwrite=True, on_step=kill)
    with open_catalogue(curated.settings, create=False):
        pass  # finishes what was decided
    assert state(curated.data) == (old if step == "plan" else new)
    assert not (curated.data / PLAN).exists() and not list(curated.data.glob("restoring-*"))


@pytest.mark.parametrize("damage", ["cut", "flip", "foreign", "newer", "outside"])
def test_a_damaged_or_foreign_backup_changes_nothing(curated: Workspace, tmp_path: Path, damage: str) -> None:
    archive = back_up(curated.settings, tmp_path / "kept.zip").path
    if damage == "cut":
        archive.write_bytes(archive.read_bytes()[:-100])
    elif damage == "flip":
        flip_bit(archive, share=0.3)
    else:
        with zipfile.ZipFile(archive) as opened:
            bodies = {name: opened.read(name) for name in opened.namelist()}
        written = json.loads(bodies[MANIFEST])
        if damage == "foreign":
            del bodies[MANIFEST]
        elif damage == "newer":
            bodies[MANIFEST] = json.dumps(written | {"format": 2}).encode()
        else:
            written["files"]["inbox/../../evil"] = written["files"]["settings.json"]
            bodies[MANIFEST] = json.dumps(written).encode()
        with zipfile.ZipFile(archive, "w") as made:
            for name, body in bodies.items():
                made.writestr(name, body)
    before = state(curated.data)
    with pytest.raises(DataFolderError):
        restore(curated.settings, archive, overwrite=True)
    assert state(curated.data) == before and not list(curated.data.glob("restoring-*"))


def test_a_backup_names_no_file_that_exists(curated: Workspace, tmp_path: Path) -> None:
    (tmp_path / "kept.zip").write_text("mine")
    with pytest.raises(WrongUse, match="exists already"):
        back_up(curated.settings, tmp_path / "kept.zip")
    assert (tmp_path / "kept.zip").read_text() == "mine"


@pytest.mark.parametrize("target", ["unmounted", "unmounted/kept.zip", "a/b/kept.zip"])
def test_a_backup_is_not_written_beside_the_place_of_a_disk_that_is_away(
    curated: Workspace, tmp_path: Path, target: str
) -> None:
    before = files_of(tmp_path)
    with pytest.raises(WrongUse, match="Is its disk mounted"):
        back_up(curated.settings, tmp_path / target)
    assert files_of(tmp_path) == before and not (tmp_path / target.partition("/")[0]).exists()


def test_a_restore_that_does_not_fit_on_the_disk_says_that_nothing_was_restored(
    curated: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = back_up(curated.settings, tmp_path / "kept.zip").path

    def full(*arguments: object, **more: object) -> None:
        raise IndexUnusable("The index cannot be written: No space left on device.", hint="Run `memetica index`.")

    monkeypatch.setitem(restore.__globals__, "build_generation", full)  # the module has the function's name
    other = replace(curated.settings, data=tmp_path / "other")
    with pytest.raises(DataFolderError, match=r"Nothing was restored: .*No space left") as refused:
        restore(other, archive)
    assert "same command again" in refused.value.hint and not (other.data / "catalogue.sqlite").exists()


def test_a_restore_is_not_strewn_among_other_things(curated: Workspace, tmp_path: Path) -> None:
    archive = back_up(curated.settings, tmp_path / "kept.zip").path
    before = files_of(curated.library)
    for data in (curated.library, curated.library / "Dogs"):
        with pytest.raises(WrongUse, match="Name an empty folder"):
            restore(replace(curated.settings, data=data), archive, overwrite=True)
    assert files_of(curated.library) == before
    fresh = tmp_path / "volume"
    (fresh / "lost+found").mkdir(parents=True)
    assert restore(replace(curated.settings, data=fresh), archive).verdicts


def test_a_backup_that_does_not_fit_on_the_disk_is_told_and_gone(
    curated: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: object, **more: object) -> None:
        raise OSError(28, "No space left on device")

    out = tmp_path / "out"
    out.mkdir()
    monkeypatch.setattr("indexer.upkeep.backup.write_archive", full)
    with pytest.raises(DataFolderError, match="No space left"):
        back_up(curated.settings, out / "kept.zip")
    assert list(out.iterdir()) == []


def test_a_damaged_catalogue_is_told_and_a_copy_brings_the_decisions_back(curated: Workspace, tmp_path: Path) -> None:
    keep_daily_copy(curated.data)
    before = state(curated.data)
    curated.catalogue.close()
    kept = shutil.copytree(curated.data, tmp_path / "kept")
    names = [name for name, _ in catalogue_damages(curated.data)]
    for place, name in enumerate(names):
        shutil.rmtree(curated.data)
        shutil.copytree(kept, curated.data)
        list(catalogue_damages(curated.data))[place][1]()
        if name != "catalogue's write-ahead log torn":
            assert Area.CATALOGUE in areas(curated), name
            with pytest.raises(DataFolderError) as caught:
                read_everything(curated.settings)
            assert "restore" in caught.value.hint, name
        [copy] = catalogue_copies(curated.data)
        restore(curated.settings, find_source(curated.data, copy.name), overwrite=True)
        assert state(curated.data) == before, name
        assert problems_of(curated.data / "catalogue.sqlite") == []


def read_everything(settings: Settings) -> None:
    with open_catalogue(settings) as opened:
        opened.memes.everything()
        opened.verdicts.all()
        opened.texts.sidecars_known()
        opened.embeddings.of_field(ENCODER.name, Field.OCR)
        opened.pictures.fingerprints("pdq-1")


def test_a_sound_folder_has_no_findings_and_is_not_changed(curated: Workspace) -> None:
    before = {path: file for path, file in files_of(curated.data).items() if not path.endswith(("-wal", "-shm"))}
    assert list(check(curated.settings, read_data=True)) == []
    assert {
        path: file for path, file in files_of(curated.data).items() if not path.endswith(("-wal", "-shm"))
    } == before


def _remove_trash(workspace: Workspace) -> None:
    next(workspace.trash.rglob("fine.png")).unlink()


def _add_to_trash(workspace: Workspace) -> None:
    (workspace.trash / "0123").mkdir()
    (workspace.trash / "0123" / "a").write_text("a")


def _damage_upload(workspace: Workspace) -> None:
    flip_bit(next(file for file in workspace.inbox.iterdir() if not file.suffix))


def _rot(workspace: Workspace) -> None:
    file = workspace.library / "Cats/monday.png"
    times = file.stat()
    flip_bit(file)

    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))


def thumbnail_of(workspace: Workspace) -> Path:
    return thumbnail_path(workspace.data, workspace.catalogue.memes.at("Cats/monday.png").content_hash)


def _rot_thumbnail(workspace: Workspace) -> None:
    file = thumbnail_of(workspace)
    body = file.read_bytes()
    file.write_bytes(body[:12] + bytes(len(body) - 12))


WRONG: dict[str, tuple[Callable[[Workspace], object], Area, bool]] = {
    "settings": (lambda w: (w.data / "settings.json").write_text("{"), Area.SETTINGS, False),
    "modes": (lambda w: (w.data / "curator.json").chmod(0o644), Area.SETTINGS, False),
    "index": (lambda w: flip_bit(live_folder(w.index) / "memes.npz"), Area.INDEX, False),
    "thumbnail": (lambda w: thumbnail_of(w).write_bytes(b""), Area.THUMBNAILS, False),
    "thumbnail's bytes": (_rot_thumbnail, Area.THUMBNAILS, True),
    "vanished": (lambda w: (w.library / "Cats/monday.png").unlink(), Area.LIBRARY, False),
    "new": (lambda w: (w.library / "Cats/new.png").write_bytes(drawn(2)), Area.LIBRARY, False),
    "changed": (lambda w: (w.library / "Cats/monday.png").write_bytes(drawn(3)), Area.LIBRARY, False),
    "bit rot": (_rot, Area.LIBRARY, True),
    "trash": (_remove_trash, Area.TRASH, False),
    "strange trash": (
        lambda w: (w.trash / "0123").mkdir() or (w.trash / "0123" / "a").write_text("a"),
        Area.TRASH,
        False,
    ),
    "inbox": (lambda w: next(file for file in w.inbox.iterdir() if not file.suffix).unlink(), Area.INBOX, False),
    "inbox's bytes": (_damage_upload, Area.INBOX, True),
}


@pytest.mark.parametrize(("format", "says"), [(3, "without checksums"), (CHECKED_SINCE, "until it is built again")])
def test_an_index_of_an_earlier_format_is_said_to_be_one(curated: Workspace, format: int, says: str) -> None:
    manifest = live_folder(curated.index) / "manifest.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"format": format}))
    digest = hashlib.sha256(manifest.read_bytes()).hexdigest() if format >= CHECKED_SINCE else ""
    (curated.index / CURRENT).write_text(f"{live_generation(curated.index)} {digest}".strip() + "\n")
    [finding] = check(curated.settings)
    assert finding.area is Area.INDEX and says in finding.message


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_one_finding_with_a_command(curated: Workspace, name: str) -> None:
    spoil, area, read_data = WRONG[name]
    spoil(curated)
    if read_data:
        assert list(check(curated.settings)) == []
    [finding] = check(curated.settings, read_data=read_data)
    assert finding.area is area and finding.command


def test_what_a_killed_process_left_is_found_and_removed(curated: Workspace) -> None:

    left = [curated.library / "Cats/.memetica-0a.part", curated.data / ".memetica-0b.part", curated.inbox / ".0c.part"]
    for file in left:
        file.write_text("half")
    assert areas(curated) == []  # they may still be written to
    for file in left:
        os.utime(file, (0, 0))
    assert areas(curated) == [Area.FILES]
    assert remove_leftovers(curated.data, curated.library) == 3
    assert areas(curated) == [] and not any(file.exists() for file in left)


def test_an_archive_can_be_unpacked_by_any_program(curated: Workspace, tmp_path: Path) -> None:
    archive = back_up(curated.settings, tmp_path / "kept.zip").path
    with zipfile.ZipFile(archive) as opened:
        assert opened.testzip() is None
        assert {"data/catalogue.sqlite", "data/settings.json", MANIFEST} <= set(opened.namelist())
    assert verify(archive).catalogue_version == newest_version()


def test_a_copy_is_made_once_a_day_and_a_week_is_kept(curated: Workspace) -> None:

    for day in range(1, 11):
        assert keep_daily_copy(curated.data, now=datetime(2026, 11, day, tzinfo=UTC)) is not None
        assert keep_daily_copy(curated.data, now=datetime(2026, 11, day, 9, tzinfo=UTC)) is None
    assert [copy.name for copy in catalogue_copies(curated.data)] == [
        f"daily-2026-11-{day:02}" for day in range(10, 3, -1)
    ]


def test_a_damaged_catalogue_is_not_copied_over_the_good_ones(curated: Workspace) -> None:
    curated.catalogue.close()
    zero_pages(curated.data / "catalogue.sqlite")
    with pytest.raises(DataFolderError, match=r"damaged|cannot be copied"):
        keep_daily_copy(curated.data)
    assert catalogue_copies(curated.data) == []


def test_a_missing_catalogue_is_not_made_anew_where_there_are_copies(curated: Workspace) -> None:
    keep_daily_copy(curated.data)
    curated.catalogue.close()
    (curated.data / "catalogue.sqlite").unlink()
    with pytest.raises(DataFolderError, match="is missing, and there are copies"):
        open_catalogue(curated.settings)
    restore(curated.settings, catalogue_copies(curated.data)[0].path)
    with open_catalogue(Settings(data=curated.data), create=False) as opened:
        assert opened.verdicts.count() == 1


def test_of_what_restores_set_aside_the_latest_stay(curated: Workspace) -> None:
    backups = curated.backups
    backups.mkdir(exist_ok=True)
    times = [f"2026-01-0{day}T000000" for day in range(1, 7)]
    for time in times:
        for name in (f"damaged-{time}.sqlite.bad", f"damaged-{time}.sqlite-wal.bad", f"{time}-settings.json"):
            (backups / name).write_text("x")
    (backups / "my own-settings.json").write_text("x")
    assert keep_daily_copy(curated.data) is not None
    left = {file.name for file in backups.iterdir() if not file.name.startswith("daily")}
    assert left == {"my own-settings.json"} | {
        name
        for time in times[-3:]
        for name in (f"damaged-{time}.sqlite.bad", f"damaged-{time}.sqlite-wal.bad", f"{time}-settings.json")
    }
