"""Parts of a library indexed on their own and gathered: as if one process had done it all, whatever is killed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from indexer.gather import gather_parts
from indexer.pipeline import index_library
from indexer.work.part import Part
from indexer.work.progress import SILENT, StageReport
from search.catalogue import Catalogue, ReadingRecord, open_catalogue
from search.catalogue.database import Database
from search.errors import DataFolderError, IndexUnusable, WrongUse
from search.index.generations import live_generation
from search.meme import Stage, TextKind
from search.searcher import Searcher
from search.settings import Settings
from search.workspace import Workspace
from tests.support.fakes import HashingTextEncoder
from web.cli.main import main

PARTS = 3


def index(settings: Settings, *, part: Part | None = None) -> dict[Stage, StageReport]:
    with open_catalogue(settings) as catalogue:
        reports = index_library(
            Workspace(settings, catalogue), part=part, progress=SILENT, load_encoder=lambda _: HashingTextEncoder()
        )
    return {report.stage: report for report in reports}


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory, served_settings: Settings) -> list[Path]:
    """Data folders in which each did its part of the tiny library; the first has read one of its pictures."""
    folder = tmp_path_factory.mktemp("parts")
    done = 0
    for number in range(1, PARTS + 1):
        settings = replace(served_settings, data=folder / str(number))
        reports = index(settings, part=Part(number, PARTS))
        assert Stage.BUILD not in reports and live_generation(settings.data / "index") is None
        assert index(settings, part=Part(number, PARTS))[Stage.MEDIA].done == 0
        done += reports[Stage.MEDIA].done
        if number == 1:
            with open_catalogue(settings) as catalogue:
                meme = next(meme for meme in catalogue.memes.everything() if meme.has_thumbnail)
                catalogue.readings.put(ReadingRecord(meme.content_hash, TextKind.OCR, "an-engine", "xylophone"))
    assert done == 9
    return [folder / str(number) for number in range(1, PARTS + 1)]


@pytest.fixture
def whole(tmp_path: Path, served_settings: Settings) -> Iterator[Workspace]:
    """A workspace of the tiny library in which nothing is done yet."""
    settings = replace(served_settings, data=tmp_path / "data")
    with open_catalogue(settings) as catalogue:
        yield Workspace(settings, catalogue)


def counts(catalogue: Catalogue) -> dict[str, int]:
    tables = ("pictures", "fingerprints", "readings", "encoders", "embeddings")
    return {table: catalogue._database.number(f"SELECT COUNT(*) FROM {table}") for table in tables}


def answers(workspace: Workspace) -> list[list[tuple[str, float]]]:
    with Searcher(workspace, text_encoder=HashingTextEncoder()) as searcher:
        found = [searcher.search(query) for query in ("dog in a burning room", "robot", "a toaster", "xylophone")]
    return [[(hit.path, hit.score) for hit in answer] for answer in found]


def test_gathered_parts_leave_nothing_to_do_and_search_as_one_run_does(
    whole: Workspace, parts: list[Path], tmp_path: Path
) -> None:
    reports = list(gather_parts(whole, parts))
    assert [sum(getattr(one, name) for one in reports) for name in ("pictures", "texts", "thumbnails")] == [9, 1, 9]
    done = index(whole.settings)
    assert (done[Stage.SCAN].done, done[Stage.MEDIA].done) == (9, 0)
    assert done[Stage.EMBED].done == 1  # what the engine read after its part had embedded
    alone = replace(whole.settings, data=tmp_path / "alone")
    index(alone)
    with open_catalogue(alone) as catalogue:
        [(hash,)] = whole.catalogue._database.rows("SELECT content_hash FROM readings")
        catalogue.readings.put(ReadingRecord(hash, TextKind.OCR, "an-engine", "xylophone"))
        index(alone)
        assert answers(whole) == answers(Workspace(alone, catalogue))
        assert counts(whole.catalogue) == counts(catalogue)


def test_a_second_time_adds_nothing_and_keeps_what_is_there(whole: Workspace, parts: list[Path]) -> None:
    list(gather_parts(whole, [*parts, parts[0]]))
    before, revision = counts(whole.catalogue), whole.catalogue.revision()
    reports = list(gather_parts(whole, [parts[2] / "catalogue.sqlite", *parts]))
    assert {(one.pictures, one.texts, one.embeddings, one.thumbnails) for one in reports} == {(0, 0, 0, 0)}
    assert (counts(whole.catalogue), whole.catalogue.revision()) == (before, revision)


@pytest.mark.parametrize("killed_at", range(9))
def test_killed_anywhere_the_next_run_takes_over_the_rest(
    whole: Workspace, parts: list[Path], monkeypatch: pytest.MonkeyPatch, killed_at: int
) -> None:
    written = 0
    original = Database.write

    def write(self: Database, sql: str, parameters=None):  # type: ignore[no-untyped-def]
        nonlocal written
        if sql.startswith(("INSERT", "DELETE", "UPDATE")):
            written += 1
            if written == killed_at + 1:
                raise KeyboardInterrupt
        return original(self, sql, parameters)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Database, "write", write)
        list(gather_parts(whole, parts))
    before = counts(whole.catalogue)
    assert before["pictures"] in (0, counts_of(parts[:1])["pictures"])  # a part is taken over as a whole
    list(gather_parts(whole, parts))
    assert counts(whole.catalogue) == counts_of(parts)


def counts_of(folders: list[Path]) -> dict[str, int]:
    """Return the number of different rows in several data folders."""
    rows: dict[str, set[tuple[object, ...]]] = {}
    keys = {"pictures": 1, "fingerprints": 3, "readings": 3, "encoders": 1, "embeddings": 2}
    for folder in folders:
        with open_catalogue(Settings(data=folder)) as catalogue:
            for table, columns in keys.items():
                found = catalogue._database.rows(f"SELECT * FROM {table}")
                rows.setdefault(table, set()).update(tuple(row)[:columns] for row in found)
    return {table: len(found) for table, found in rows.items()}


def test_a_folder_that_cannot_be_gathered_is_said_before_anything_is_taken(
    whole: Workspace, parts: list[Path], tmp_path: Path
) -> None:
    damaged = shutil.copytree(parts[1], tmp_path / "damaged")
    (damaged / "catalogue.sqlite").write_bytes(b"no catalogue, but longer than nothing" * 100)
    for wrong, error, message in (
        (tmp_path / "nothing", WrongUse, "no catalogue in"),
        (whole.data, WrongUse, "itself"),
        (damaged, DataFolderError, "catalogue"),
    ):
        with pytest.raises(error, match=message):
            list(gather_parts(whole, [parts[0], wrong]))
    assert counts(whole.catalogue)["pictures"] == 0


def test_parts_on_a_disk_that_cannot_be_written_are_gathered(
    whole: Workspace, parts: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite would make files beside a catalogue to read it, unless it is told that nobody writes there."""
    folder = Path(shutil.copytree(parts[1], tmp_path / "read-only"))
    before = sorted(folder.iterdir())
    can_be = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: folder != Path(path) and can_be(path, mode))
    assert [one.pictures for one in gather_parts(whole, [folder])] == [counts_of([parts[1]])["pictures"]]
    assert sorted(folder.iterdir()) == before
    (folder / "catalogue.sqlite-wal").write_bytes(b"the newest rows")
    with pytest.raises(DataFolderError, match="newest rows"):
        list(gather_parts(whole, [folder]))


@pytest.mark.parametrize("more", [["--into", "qdrant:http://127.0.0.1:9"], ["--compare"]])
def test_a_part_is_not_written_to_a_server(whole: Workspace, more: list[str]) -> None:
    library, data = str(whole.library), str(whole.data)
    found = CliRunner().invoke(main, ["index", library, "--data", data, "--part", "1/2", *more])
    assert found.exit_code == 2 and "builds no index" in found.output
    assert counts(whole.catalogue)["pictures"] == 0


def test_an_encoder_of_other_dimensions_is_refused(whole: Workspace, parts: list[Path]) -> None:
    whole.catalogue.embeddings.register(HashingTextEncoder.name, dimensions=3)
    with pytest.raises(IndexUnusable, match="dimensions"):
        list(gather_parts(whole, parts))
    assert counts(whole.catalogue)["embeddings"] == 0


def test_each_content_is_in_one_part() -> None:
    hashes = [bytes(row).hex() for row in np.random.default_rng(4).integers(0, 256, (3000, 32), np.uint8)]
    shares = [sum(Part(number, 7).has(hash) for hash in hashes) for number in range(1, 8)]
    assert sum(shares) == 3000 and min(shares) > 350


@pytest.mark.parametrize("text", ["", "3", "0/4", "5/4", "1/0", "-1/4", "1/4/2", "one/4", "1 / 4"])
def test_what_is_no_part_is_refused(text: str) -> None:
    with pytest.raises(WrongUse, match="no part"):
        Part.parse(text)
