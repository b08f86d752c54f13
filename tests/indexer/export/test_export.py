"""Exported tables and vectors: the values are the catalogue's, read back by the programs that people use."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from indexer.curation.duplicates import record_verdict
from indexer.export import FileFormat, TableName, export_tables, export_vectors
from indexer.export.tables import COLUMNS
from search.catalogue import Pair, VerdictKind
from search.errors import WrongUse
from search.evidence import Evidence, Tier
from search.index.generations import live_manifest
from search.meme import Field
from search.workspace import Workspace
from tests.support.fakes import HashingTextEncoder
from web.cli.main import main

TEXT = 'two lines,\n“quoted”, 50 % "and" a; b'


@pytest.fixture
def decided(workspace: Workspace) -> Workspace:
    """The tiny library with a text of many characters, a pair of duplicates and a verdict."""
    memes = workspace.catalogue.memes
    one, other = memes.at("Dogs/fine.png"), memes.at("Robots/toaster.png")
    workspace.catalogue.pairs.add([Pair(one.content_hash, other.content_hash, Evidence(Tier.SAME, pdq=4))])
    record_verdict(workspace.catalogue, VerdictKind.DISTINCT, [one, memes.at("Cats/monday.png")], note=TEXT)
    return workspace


def test_parquet_is_read_back_by_pandas_with_types(decided: Workspace, tmp_path: Path) -> None:
    pd = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    written = export_tables(decided, tmp_path / "all", FileFormat.PARQUET)
    tables = {one.holds: pd.read_parquet(one.path) for one in written}
    assert {name: len(table) for name, table in tables.items()} == {one.holds: one.rows for one in written}
    memes = tables["memes"].set_index("path")
    for meme in decided.catalogue.memes.everything():
        row = memes.loc[meme.path]
        assert (row["id"], row["category"], row["width"], row["size"]) == (
            meme.id,
            meme.category,
            meme.width,
            meme.size,
        )
        assert row["first_seen"].to_pydatetime() == meme.first_seen
    assert memes["seconds"].isna().all() and memes["transparent"].dtype == bool
    texts = tables["texts"]
    for meme in decided.catalogue.memes.everything():
        own = texts[texts["meme"] == meme.id]
        assert sorted(own["body"]) == sorted(text.body for text in decided.catalogue.texts.of(meme))
    duplicates = tables["duplicates"].set_index("path")
    assert set(duplicates.index) == {"Dogs/fine.png", "Robots/toaster.png"} and duplicates["group"].nunique() == 1
    assert duplicates["keep"].sum() == 1 and set(duplicates["tier"]) == {"same"}
    [verdict] = tables["verdicts"].to_dict("records")
    assert verdict["note"] == TEXT and list(verdict["paths"]) == ["Dogs/fine.png", "Cats/monday.png"]
    assert verdict["at"].to_pydatetime() == decided.catalogue.verdicts.all()[0].made_at


def test_csv_and_json_lines_hold_what_parquet_does(decided: Workspace, tmp_path: Path) -> None:
    export_tables(decided, tmp_path, FileFormat.CSV)
    export_tables(decided, tmp_path, FileFormat.JSON_LINES)
    for table in TableName:
        with (tmp_path / f"{table}.csv").open(encoding="utf-8", newline="") as file:
            cells = list(csv.DictReader(file))
        rows = [json.loads(line) for line in (tmp_path / f"{table}.jsonl").read_text("utf-8").splitlines()]
        assert len(cells) == len(rows) > 0
        for cell, row in zip(cells, rows, strict=True):
            assert list(cell) == list(row)
            assert cell == {name: _as_cell(value) for name, value in row.items()}
    [verdict] = [json.loads(line) for line in (tmp_path / "verdicts.jsonl").read_text("utf-8").splitlines()]
    assert verdict["note"] == TEXT


def _as_cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return json.dumps(value, ensure_ascii=False)
    return str(value).lower() if isinstance(value, bool) else str(value)


@pytest.mark.parametrize("table", TableName)
def test_the_columns_of_a_table_are_documented_in_order(table: TableName) -> None:
    page = (Path(__file__).parents[3] / "docs/python.md").read_text("utf-8")
    [row] = [line for line in page.splitlines() if line.startswith(f"| `{table.value}` |")]
    assert re.findall("`([a-z_]+)`", row.rsplit("|", 2)[1]) == list(COLUMNS[table])


def test_vectors_are_the_encoders_rows_of_each_passage(workspace: Workspace, tmp_path: Path) -> None:
    files = {one.holds: one for one in export_vectors(workspace, tmp_path)}
    fields = [Field(row["field"]) for row in json.loads((tmp_path / "vectors.json").read_text("utf-8"))["fields"]]
    assert {Field.OCR, Field.DESCRIPTION} <= set(fields)
    for field in fields:
        rows, ids = np.load(tmp_path / f"{field}.npy"), np.load(tmp_path / f"{field}.ids.npy")
        passages = list(workspace.catalogue.texts.passages(field))
        assert ids.tolist() == [one.meme_id for one in passages] and files[field.value].rows == len(ids)
        # Stored as float16.
        assert np.allclose(rows, HashingTextEncoder().encode([one.passage.body for one in passages]), atol=1e-3)
    live = live_manifest(workspace.index)
    assert live is not None and live.text_encoder in (tmp_path / "vectors.json").read_text("utf-8")


def test_existing_files_stay_unless_replacing_is_asked_for(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "texts.csv").write_text("mine")
    with pytest.raises(WrongUse, match=r"texts\.csv exists already"):
        export_tables(workspace, tmp_path, FileFormat.CSV)
    assert [file.name for file in tmp_path.glob("*.csv")] == ["texts.csv"]
    assert (tmp_path / "texts.csv").read_text() == "mine"
    export_tables(workspace, tmp_path, FileFormat.CSV, overwrite=True)
    assert (tmp_path / "texts.csv").read_text("utf-8").startswith("meme,path,")
    export_vectors(workspace, tmp_path)
    before = (tmp_path / "ocr.npy").read_bytes()
    with pytest.raises(WrongUse, match="exists already"):
        export_vectors(workspace, tmp_path)
    export_vectors(workspace, tmp_path, overwrite=True)
    assert (tmp_path / "ocr.npy").read_bytes() == before


@pytest.fixture
def run(workspace: Workspace):
    settings = workspace.settings
    workspace.close()

    def invoke(*words: str | Path) -> Result:
        common = ["--data", str(settings.data), "--library", str(settings.library)]
        return CliRunner().invoke(main, ["export", *common, *map(str, words)])

    return invoke


def test_the_command_writes_folders_files_and_stdout(run, tmp_path: Path) -> None:
    done = run("--csv", tmp_path / "tables", "--jsonl", tmp_path / "m.jsonl", "--vectors", tmp_path / "v", "--json")
    assert done.exit_code == 0, done.output
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert {row["holds"] for row in rows} >= {"memes", "texts", "duplicates", "verdicts", "ocr", "ocr.ids", "vectors"}
    assert all(Path(row["path"]).is_file() for row in rows)
    assert len((tmp_path / "m.jsonl").read_text("utf-8").splitlines()) == 9
    piped = run("--csv", "-", "--table", "memes")
    assert piped.stdout.encode() == (tmp_path / "tables" / "memes.csv").read_bytes()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "nothing to export"),
        (("--csv", "x.csv", "--table", "memes", "--table", "texts"), "one file"),
        (("--csv", "-", "--jsonl", "-"), "Only one table"),
        (("--parquet", "-"), "Only one table"),
        (("--csv", "-", "--table", "memes", "--table", "texts"), "One table"),
        (("--csv", __file__), "does not end in .csv"),
        (("--vectors", __file__), "is not a folder"),
    ],
)
def test_what_cannot_be_written_is_wrong_use(
    run, words: tuple[str, ...], said: str, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run(*words)
    assert done.exit_code == 2 and said in " ".join(done.stderr.split())
    assert list(tmp_path.glob("x*")) == []


def test_parquet_without_its_package_says_what_to_install(run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    done = run("--parquet", tmp_path / "out")
    assert done.exit_code == 1 and "Install the extra `parquet`" in done.stderr and not (tmp_path / "out").exists()
