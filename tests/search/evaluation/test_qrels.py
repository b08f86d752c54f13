"""Judgements read from files, in TREC's format and in JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from search.errors import WrongUse
from search.evaluation.metrics import JudgedQuery
from search.evaluation.qrels import keep_known_paths, read_qrels


def files(folder: Path, qrels: str, queries: str) -> tuple[Path, Path]:
    (folder / "qrels").write_text(qrels, "utf-8")
    (folder / "queries").write_text(queries, "utf-8")
    return folder / "qrels", folder / "queries"


def test_trec_files_are_read_spaces_in_paths_included(tmp_path: Path) -> None:
    qrels, queries = files(
        tmp_path,
        "q1 0 Cats/new cat.jpg 2\nq1 0 Cats/b.jpg 1\nq2 0 Dogs/c.jpg 0\nq3 0 Dogs/d e.jpg 1\n",
        "q1\ta cat\nq2\ta dog\n\nq3\tanother\n",
    )
    assert read_qrels(qrels, queries=queries) == [
        JudgedQuery("a cat", {"Cats/new cat.jpg": 2, "Cats/b.jpg": 1}),
        JudgedQuery("another", {"Dogs/d e.jpg": 1}),
    ]


def test_json_files_are_read_in_all_their_shapes(tmp_path: Path) -> None:
    relevant = {"a": "Cats/a.jpg", "b": ["Cats/b.jpg", "Cats/c.jpg"], "c": {"d.jpg": 3, "e.jpg": 0}, "d": {"path": "f"}}
    asked = {"a": "one", "b": {"title": "two", "short": "three"}, "c": "four", "d": "five", "unjudged": "six"}
    qrels, queries = files(tmp_path, json.dumps(relevant), json.dumps(asked))
    assert read_qrels(qrels, queries=queries) == [
        JudgedQuery("one", {"Cats/a.jpg": 1}),
        JudgedQuery("two", {"Cats/b.jpg": 1, "Cats/c.jpg": 1}, "title"),
        JudgedQuery("three", {"Cats/b.jpg": 1, "Cats/c.jpg": 1}, "short"),
        JudgedQuery("four", {"d.jpg": 3}),
        JudgedQuery("five", {"f": 1}),
    ]


@pytest.mark.parametrize(
    ("qrels", "queries", "says"),
    [
        ("q1 0 Cats/a.jpg", "q1\tx", "Line 1"),
        ("q1 0 Cats/a.jpg 1\nq1 0 Cats/b.jpg one", "q1\tx", "Line 2"),
        ("q1 0 Cats/a.jpg 1", "q1 x", "Line 1"),
        ("q1 0 Cats/a.jpg 1", "q2\tx", "No query"),
        ("{", "q1\tx", "not JSON"),
        ('{"q1": 3}', "q1\tx", "'q1'"),
        ('{"q1": "a"}', '{"q1": 3}', "'q1'"),
    ],
)
def test_what_cannot_be_understood_is_named(tmp_path: Path, qrels: str, queries: str, says: str) -> None:
    one, other = files(tmp_path, qrels, queries)
    with pytest.raises(WrongUse, match=says):
        read_qrels(one, queries=other)


def test_a_file_that_is_not_there_is_wrong_use(tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match="cannot be read"):
        read_qrels(tmp_path / "none", queries=tmp_path / "none")


def test_paths_that_the_library_lacks_are_left_out_and_counted() -> None:
    judged = [JudgedQuery("one", {"memes/Cats/a.jpg": 2, "Cats/gone.jpg": 1}), JudgedQuery("two", {"Cats/gone.jpg": 1})]
    assert keep_known_paths(judged, ["Cats/a.jpg"]) == ([JudgedQuery("one", {"Cats/a.jpg": 2})], 1)
    with pytest.raises(WrongUse, match="None of the 2"):
        keep_known_paths(judged, ["Cats/other.jpg"])
