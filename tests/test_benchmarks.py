"""The benchmarks: each explains itself, the harness reports what it is given, and the smallest forms run."""

from __future__ import annotations

import importlib
import json
import subprocess
from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest

from benchmarks import __main__ as listing
from benchmarks import data, harness
from benchmarks.harness import Benchmark, Half, Report, Skipped, half_of
from search.evaluation.metrics import JudgedQuery
from search.evaluation.tuning import is_held_out
from search.workspace import Workspace
from tests.support.fakes import HashingTextEncoder
from tests.support.waiting import PATIENCE


@pytest.mark.parametrize("name", listing.names())
def test_each_benchmark_says_what_it_measures_what_it_needs_and_how_long_it_takes(name: str) -> None:
    said = importlib.import_module(f"benchmarks.{name}").BENCHMARK.parser.format_help()
    assert f"python -m benchmarks.{name}" in said
    assert "Needs: " in said and "Takes: " in said and "--small" in said and "--json" in said


def test_the_smallest_forms_are_tried_one_by_one_and_failures_counted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    outcomes = {"http": "ran", "ocr": "Skipped: the data set is not there.", "startup": "failed: KeyError"}
    monkeypatch.setattr(listing, "outcome_of", outcomes.__getitem__)
    assert listing.main(["--small", *outcomes]) == 1
    assert [line.partition(" s  ")[2] for line in capsys.readouterr().out.splitlines()] == [*outcomes.values()]
    assert listing.main(["--small", "http", "ocr"]) == 0


@pytest.mark.parametrize(
    ("program", "seconds", "outcome"),
    [
        ("print('Skipped: no pictures.')", PATIENCE, "Skipped: no pictures."),
        ("print('figures')", PATIENCE, "ran"),
        ("raise SystemExit('no index')", PATIENCE, "failed: no index"),
        ("import time; time.sleep(1000)", 1.0, "failed: not done after 1 s"),
    ],
)
def test_the_outcome_of_a_benchmark_is_told(
    program: str, seconds: float, outcome: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = subprocess.run
    monkeypatch.setattr(listing, "LIMIT_SECONDS", seconds)
    monkeypatch.setattr(listing.subprocess, "run", lambda command, **given: run([command[0], "-c", program], **given))
    assert listing.outcome_of("http") == outcome


def test_the_halves_are_those_that_evaluate_fit_splits_queries_by() -> None:
    for key in ("a.jpg", "Dogs/fine.png", "10yvcc", ""):
        assert (half_of(key) is Half.HELD_OUT) == is_held_out(JudgedQuery("", {key: 1}, ""))


def test_small_changes_defaults_and_leaves_what_is_given() -> None:
    benchmark = Benchmark("What.", needs="nothing", takes="no time")
    benchmark.option("--memes", 300, small=3, help="memes")
    benchmark.option("--seed", 7, help="seed")
    assert (benchmark.parse([]).memes, benchmark.parse(["--small"]).memes) == (300, 3)
    assert (benchmark.parse(["--small", "--memes", "5"]).memes, benchmark.parse(["--small"]).seed) == (5, 7)


def test_percentiles_are_milliseconds() -> None:
    assert harness.percentiles([0.001] * 19 + [0.101]) == (pytest.approx(1.0), pytest.approx(6.0))


def measure_something(given: Namespace, report: Report) -> None:
    table = report.table("speed", {"what": "", "p50 ms": ".1f", "of": ",d"})
    table.row("search", np.float64(12.345), 1200)
    table.row("open", None, 3)
    report.note("that is all")
    raise Skipped("there is no more.")


def test_a_report_is_a_table_with_the_machine_and_the_arguments(capsys: pytest.CaptureFixture[str]) -> None:
    benchmark = Benchmark("What.", needs="nothing", takes="no time")
    benchmark.option("--seed", 7, help="seed")
    assert benchmark.run(measure_something, []) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "Python" in lines[0] and "revision" in lines[0]
    assert lines[1].endswith("seed=7")
    assert lines[3] == "speed"
    assert lines[4].split() == ["what", "p50", "ms", "of"]
    assert lines[5].split() == ["search", "12.3", "1,200"]
    assert lines[6].split() == ["open", "3"]
    assert lines[7:] == ["that is all", "Skipped: there is no more."]


def test_a_report_as_json_keeps_every_digit(capsys: pytest.CaptureFixture[str]) -> None:
    Benchmark("What.", needs="nothing", takes="no time").run(measure_something, ["--json"])
    head, *rows = map(json.loads, capsys.readouterr().out.splitlines())
    assert {"date", "revision", "cpu", "cores", "python"} <= set(head["machine"])
    assert rows[0] == {"table": "speed", "what": "search", "p50 ms": 12.345, "of": 1200}
    assert rows[-1] == {"note": "Skipped: there is no more."}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("dense", ["--rows", "800", "--dimensions", "32"]),
        ("lexical", ["--memes", "60"]),
        ("startup", []),
        ("scale", ["FOLDER", "--memes", "40", "--queries", "4"]),
        ("category_training", ["--memes", "120"]),
        ("duplicates_scale", ["fingerprints", "300"]),
        ("upload_candidates", ["--memes", "20", "--uploads", "2"]),
        ("curation", ["--memes", "40", "--groups", "16", "--decisions", "2", "--batch", "4"]),
    ],
)
def test_the_smallest_form_of_a_benchmark_without_data_reports_figures(
    name: str, arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    module = importlib.import_module(f"benchmarks.{name}")
    given = [str(tmp_path / "folder") if one == "FOLDER" else one for one in arguments]
    assert module.BENCHMARK.run(module.measure, [*given, "--small", "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    figures = [value for row in rows if "table" in row for value in row.values() if isinstance(value, int | float)]
    assert figures and all(np.isfinite(figures))


def written(folder: Path, truth: object) -> data.Library:
    """A library of a truth alone, as `library_of` returns it."""
    (folder / "truth.json").write_text(json.dumps(truth), "utf-8")
    return data.library_of(Namespace(library=str(folder), data=None, memes=0, seed=-1, small=False))


def test_a_copy_of_a_copy_has_the_template_and_the_original_of_the_first(tmp_path: Path) -> None:
    library = written(
        tmp_path,
        {
            "memes": [{"path": "memes/A/one.jpg", "template": "bear", "caption": ["so", "true"]}],
            "duplicates": [
                {"copy": "memes/A/three.jpg", "original": "memes/B/two.jpg", "transformation": "crop"},
                {"copy": "memes/B/two.jpg", "original": "memes/A/one.jpg", "transformation": "resize"},
            ],
            "quotes": [{"query": "so true", "typo": "so ture", "relevant": ["memes/A/one.jpg"]}],
        },
    )
    assert library.name == "real_memes"
    assert library.originals == dict.fromkeys(("A/one.jpg", "B/two.jpg", "A/three.jpg"), "A/one.jpg")
    assert set(library.templates.values()) == {"bear"}
    assert library.captions == {"A/one.jpg": "so true"}
    assert library.quotes() == [("so true", "so ture", frozenset({"A/one.jpg", "B/two.jpg"}))]


def test_in_other_words_a_query_has_no_word_of_its_meme_in_any_form(tmp_path: Path) -> None:
    path = "memes/Odd Cats/bad_luck.jpg"
    asked = ['A "true story" about unlucky cats, told badly in public', "True luck is rare"]
    truth = {
        "memes": [{"path": path, "template": "bear", "caption": ["so", "TRUE"]}],
        "queries": [{"kind": "means", "query": query, "relevant": [path]} for query in asked],
    }
    [(_, found)] = data.in_other_words(written(tmp_path, truth))
    assert found.query == "A story about unlucky told in public"  # of the second query two words are left
    assert found.kind == "means, other words" and set(found.relevant) == {"Odd Cats/bad_luck.jpg"}
    truth["queries"][0]["relevant"].append("memes/Dogs/other.jpg")
    with pytest.raises(Skipped, match="which one meme"):
        data.in_other_words(written(tmp_path, truth))


def test_a_library_without_its_data_set_is_skipped_and_says_where_it_was_sought(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEMETICA_BENCHMARK_DATA", str(tmp_path))
    monkeypatch.setenv("MEMETICA_BENCHMARK_CACHE", str(tmp_path / "cache"))
    with pytest.raises(Skipped, match=f"cm50 is not in {tmp_path}"):
        data.drawn_library("cm50")


@pytest.mark.parametrize("name", ["retrieval", "known_items", "variants", "agreement"])
def test_a_benchmark_of_a_library_reports_figures_about_the_tiny_one(
    name: str, workspace: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [meme.path for meme in workspace.catalogue.memes.everything()]
    rows = [
        {"path": f"memes/{path}", "template": path.partition("/")[0], "caption": ["word"], "has_description": True}
        for path in paths
    ]
    query = {"kind": "quotes", "query": "this is fine", "relevant": [f"memes/{paths[0]}"]}
    root = workspace.library.parent
    (root / "truth.json").write_text(json.dumps({"memes": rows, "duplicates": [], "queries": [query]}), "utf-8")
    module = importlib.import_module(f"benchmarks.{name}")
    monkeypatch.setattr(data.Library, "workspace", lambda self, **more: workspace)
    monkeypatch.setattr(module, "load_text_encoder", lambda settings, *name: HashingTextEncoder(), raising=False)
    assert module.BENCHMARK.run(module.measure, [str(root), str(workspace.data), "--json", "--small"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert any("table" in row for row in rows) or (name == "agreement" and "Skipped" in rows[-1]["note"])
