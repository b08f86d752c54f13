"""`memetica duplicates`, `verdict`, `verdicts`: the same as the pages, line by line."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from indexer.library.scan import scan_library
from indexer.stages.decode import decode_memes
from indexer.stages.find_duplicates import count_uncompared
from indexer.work.progress import SILENT, StageReport
from search.catalogue import PictureRecord, open_catalogue
from search.meme import MediaType, Stage
from search.settings import Settings
from search.workspace import Workspace
from tests.support.curating import add_pairs, draw_duplicates
from tests.support.duplicated import EDITS, captioned, scene
from web.cli.main import main

Run = Callable[..., Result]


@pytest.fixture
def run(tiny_settings: Settings) -> Run:
    """The command over a library that holds duplicates, compared."""
    draw_duplicates(tiny_settings.library)
    with open_catalogue(tiny_settings) as catalogue:
        scan_library(tiny_settings.library, catalogue, progress=SILENT)
        decode_memes(Workspace(tiny_settings, catalogue), progress=SILENT)
        add_pairs(catalogue)

    def invoke(*words: str, data: Path = tiny_settings.data) -> Result:
        common = ["--data", str(data), "--library", str(tiny_settings.library)]
        return CliRunner().invoke(main, [*common, *words], env={"COLUMNS": "200"})

    return invoke


def rows(result: Result) -> list[dict[str, object]]:
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def files(settings: Settings) -> dict[str, bytes]:
    return {str(file): file.read_bytes() for file in settings.library.rglob("*") if file.is_file()}


def test_groups_are_listed_for_people_and_for_programs(run: Run) -> None:
    found = rows(run("duplicates", "--json"))
    assert [one["tier"] for one in found] == ["identical", "same", "edited"]
    assert [meme["path"] for meme in found[1]["members"]] == ["Cats/monday.png", "Dogs/monday small.jpg"]
    assert [one["tier"] for one in rows(run("duplicates", "--tier", "edited", "--tier", "variant", "--json"))] == [
        "edited",
        "variant",
    ]
    told = run("duplicates").stdout
    for said in (
        "same: 1 group",
        "keep  Cats/monday.png",
        "PDQ 8 of 256",
        "the other was made from it: it was resized",
        str(found[1]["key"]),
    ):
        assert said in told
    assert "keep" not in run("duplicates", "--tier", "variant").stdout


def test_a_decision_and_its_way_back(run: Run, tiny_settings: Settings) -> None:
    before = files(tiny_settings)
    (same,) = rows(run("duplicates", "--tier", "same", "--json"))
    key = str(same["key"])
    (line,) = rows(run("duplicates", "decide", key[:6], "merge", "--json", "--note", "smaller"))
    assert (line["verdict"], line["note"]) == ("merged", "smaller")
    assert not (tiny_settings.library / "Dogs/monday small.jpg").exists()
    (went,) = rows(run("duplicates", "trash", "--json"))
    assert (went["id"], went["removed"]) == (line["id"], ["Dogs/monday small.jpg"])
    assert (Path(str(went["folder"])) / "Dogs/monday small.jpg").is_file()
    for listing in (("duplicates", "trash"), ("verdict",)):
        told = run(*listing).stdout
        assert f"{line['id']}  20" in told and "  keep  Cats/monday.png\n        Dogs/monday small.jpg\n" in told
    assert "smaller" in told
    (undone,) = rows(run("undo", str(line["id"]), "--json"))
    assert undone["undoes"] == line["id"]
    assert files(tiny_settings) == before
    assert rows(run("duplicates", "--tier", "same", "--json")) == [same]
    assert run("duplicates", "trash").stdout == ""


def test_another_can_be_kept(run: Run, tiny_settings: Settings) -> None:
    (same,) = rows(run("duplicates", "--tier", "same", "--json"))
    key = str(same["key"])
    assert run("duplicates", "decide", key, "merge", "--keep", "Dogs/fine.png").exit_code == 2
    assert run("duplicates", "decide", key, "merge", "--keep", "Dogs/monday small.jpg").exit_code == 0
    assert not (tiny_settings.library / "Cats/monday.png").exists()


def test_a_tier_is_merged_only_with_a_yes(run: Run, tiny_settings: Settings) -> None:
    before = files(tiny_settings)
    asked = run("duplicates", "apply", "same")
    assert asked.exit_code == 2 and "1 file" in asked.stderr and files(tiny_settings) == before
    done = run("duplicates", "apply", "same", "--yes", "--json")
    assert [row["verdict"] for row in rows(done)] == ["merged"]
    assert run("duplicates", "apply", "variant", "--yes").exit_code == 2
    assert (tiny_settings.library / "Dogs/fine.png").exists()
    assert rows(run("duplicates", "--tier", "same", "--json")) == []


def test_a_batch_leaves_groups_that_nothing_decides(
    run: Run, tiny_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEMETICA_KEEP_RULE", "metadata")
    before = files(tiny_settings)
    (same,) = rows(run("duplicates", "--tier", "same", "--json"))
    assert same["sure"] is False
    done = run("duplicates", "apply", "same", "--yes")
    assert done.exit_code == 0 and "1 group is left for you" in done.stderr and files(tiny_settings) == before


def test_a_batch_that_fails_in_part_says_so(run: Run, tiny_settings: Settings) -> None:
    (tiny_settings.library / "Dogs/monday small.jpg").write_bytes(b"changed")
    done = run("duplicates", "apply", "same", "--yes")
    assert done.exit_code == 1 and "has changed" in done.stderr


def test_verdicts_are_written_listed_and_carried_elsewhere(run: Run, tmp_path: Path) -> None:
    (line,) = rows(run("verdict", "distinct", "Cats/monday.png", "Dogs/monday small.jpg", "--json"))
    assert line["verdict"] == "not duplicates"
    assert rows(run("duplicates", "--tier", "same", "--json")) == []
    assert "Cats/monday.png" in run("verdict").stdout
    assert rows(run("verdict", "--json")) == [line]
    assert run("verdict", "export", str(tmp_path / "ledger.jsonl")).exit_code == 0
    assert run("verdict", "export", "-").stdout == (tmp_path / "ledger.jsonl").read_text("utf-8")
    other = tmp_path / "other"
    for new in ("1", "0"):
        done = run("verdict", "import", str(tmp_path / "ledger.jsonl"), data=other)
        assert done.exit_code == 0 and done.stderr.startswith(f"{new} ")
    assert rows(run("verdict", "--json", data=other)) == [line]
    (undone,) = rows(run("undo", str(line["id"]), "--json"))
    assert undone["undoes"] == line["id"]
    assert len(rows(run("duplicates", "--tier", "same", "--json"))) == 1
    told = run("verdict").stdout
    assert "not duplicates (undone)" in told and f"undone {line['id']}" in told


@pytest.mark.parametrize(
    "words",
    [
        ("duplicates", "decide", "zzzz", "merge"),
        ("duplicates", "decide", "zzzz", "distinct", "--keep", "1"),
        ("undo", "zzzz"),
        ("verdict", "distinct", "Cats/monday.png"),
        ("verdict", "distinct", "Cats/monday.png", "nowhere.png"),
        ("verdict", "import", "no such file"),
        ("verdict", "export", "no/such/folder/file"),
    ],
)
def test_what_cannot_be_done_is_said_and_nothing_changes(
    run: Run, tiny_settings: Settings, words: tuple[str, ...]
) -> None:
    before = files(tiny_settings)
    done = run(*words)
    assert done.exit_code in (1, 2) and done.stderr.startswith("memetica: "), done.output
    assert files(tiny_settings) == before
    assert rows(run("verdict", "--json")) == []


def test_a_file_that_is_no_ledger_adds_nothing(run: Run, tmp_path: Path) -> None:
    (line,) = rows(run("verdict", "keep-all", "Cats/monday.png", "Dogs/fine.png", "--json"))
    (tmp_path / "bad.jsonl").write_text(json.dumps(line | {"id": "f" * 16}) + "\n{\n")
    done = run("verdict", "import", str(tmp_path / "bad.jsonl"))
    assert done.exit_code == 2 and "Line 2" in done.stderr
    assert rows(run("verdict", "--json")) == [line]


def test_find_decodes_first_what_an_earlier_version_decoded(tmp_path: Path) -> None:
    settings = Settings(library=tmp_path / "memes", data=tmp_path / "data")
    folder = settings.library / "Scenes"
    folder.mkdir(parents=True)
    for name, edit in (("original.png", "the same pixels"), ("crop.png", "cropped at one side")):
        EDITS[edit](captioned(scene(1))).save(folder / name)
    with open_catalogue(settings) as catalogue:
        scan_library(settings.library, catalogue, progress=SILENT)
        decode_memes(Workspace(settings, catalogue), progress=SILENT)
        for meme in catalogue.memes.everything():
            earlier = PictureRecord(meme.content_hash, 480, 360, 1, None, MediaType.IMAGE, "", "media-1")
            catalogue.pictures.put(earlier, [])
    words = ["--data", str(settings.data), "--library", str(settings.library), "duplicates", "--json"]
    assert rows(CliRunner().invoke(main, words)) == []
    assert CliRunner().invoke(main, [*words, "find"]).exit_code == 0
    (found,) = rows(CliRunner().invoke(main, words))
    assert {meme["path"] for meme in found["members"]} == {"Scenes/original.png", "Scenes/crop.png"}


@pytest.fixture
def index(tiny_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Run:
    """`memetica index` over the tiny library with a copy in it; no model is needed, nothing is embedded."""
    shutil.copy(tiny_settings.library / "Cats/monday.png", tiny_settings.library / "Dogs/monday again.png")

    def scan_and_decode(workspace: Workspace, **more: object) -> list[StageReport]:
        scan_library(workspace.library, workspace.catalogue, progress=SILENT)
        return [StageReport(Stage.MEDIA, *decode_memes(workspace, progress=SILENT), 0.0)]

    monkeypatch.setattr("web.cli.index.index_library", scan_and_decode)

    def invoke(*words: str) -> Result:
        common = ["--data", str(tiny_settings.data), "--library", str(tiny_settings.library)]
        return CliRunner().invoke(main, [*common, *words], env={"COLUMNS": "200"})

    return invoke


def test_index_compares_what_is_new_once(index: Run, tiny_settings: Settings) -> None:
    first = index("index", "--json")
    groups = rows(index("duplicates", "--json"))
    assert "identical" in [one["tier"] for one in groups]
    assert f"Groups of duplicates to decide on: {len(groups)};" in first.stderr
    assert [(row["stage"], row["done"] > 0) for row in rows(first)] == [("media", True), ("duplicates", True)]
    with open_catalogue(tiny_settings) as catalogue:
        assert count_uncompared(Workspace(tiny_settings, catalogue)) == 0
    again = index("index", "--json")
    assert rows(again)[-1]["done"] == 0 and "Groups" not in again.stderr


def test_many_new_memes_are_compared_only_when_asked(index: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("web.cli.index.COMPARED_UNASKED", 3)
    told = index("index", "--json")
    waiting = rows(told)[0]["done"]
    said = f"{waiting} memes are not compared yet: `memetica duplicates find` looks for duplicates."
    assert said in told.stderr
    assert (rows(told)[-1]["done"], rows(told)[-1]["note"]) == (0, said)
    assert rows(index("index", "--duplicates", "--json"))[-1]["done"] == waiting


def test_comparing_can_be_left_out(index: Run, tiny_settings: Settings) -> None:
    told = index("index", "--no-duplicates", "--json")
    assert [row["stage"] for row in rows(told)] == ["media"] and "compared" not in told.stderr
    with open_catalogue(tiny_settings) as catalogue:
        assert count_uncompared(Workspace(tiny_settings, catalogue)) > 0
