"""Measures compared with values worked out by hand."""

from __future__ import annotations

import json
from math import log2
from pathlib import Path

import pytest

from search.errors import WrongUse
from search.evaluation.metrics import (
    Comparison,
    JudgedQuery,
    compare_rankings,
    evaluate,
    holm_correction,
    measure,
    read_judged_queries,
)


def means(relevant: list, ranked: list) -> dict[str, float]:
    return {name: sum(values) / len(values) for name, values in measure(relevant, ranked).items()}


def test_a_first_place_is_perfect_and_a_third_is_worth_half() -> None:
    found = means([{"a": 1}, {"b": 1}], [["a", "x", "y"], ["x", "y", "b"]])
    assert found == pytest.approx(
        {"ndcg@10": (1 + 1 / log2(4)) / 2, "recall@1": 0.5, "recall@10": 1, "mrr": (1 + 1 / 3) / 2}
    )


def test_several_relevant_memes_are_compared_with_the_best_order() -> None:
    [found] = [means([{"a": 1, "b": 1, "c": 1}], [["a", "x", "c"]])]
    ideal = 1 + 1 / log2(3) + 1 / log2(4)
    assert found["ndcg@10"] == pytest.approx((1 + 1 / log2(4)) / ideal)
    assert found["recall@1"] == pytest.approx(1 / 3)
    assert found["recall@10"] == pytest.approx(2 / 3)


def test_the_eleventh_place_counts_for_the_reciprocal_rank_alone() -> None:
    found = means([{"a": 1}], [[*"bcdefghijk", "a"]])
    assert found == pytest.approx({"ndcg@10": 0, "recall@1": 0, "recall@10": 0, "mrr": 1 / 11})


def test_a_query_that_found_nothing_counts_as_nothing() -> None:
    found = means([{"a": 1}, {"b": 1}], [["a"], []])
    assert found == pytest.approx({"ndcg@10": 0.5, "recall@1": 0.5, "recall@10": 0.5, "mrr": 0.5})
    assert set(means([{"b": 1}], [[]]).values()) == {0.0}


def test_rankings_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="1 rankings"):
        measure([{"a": 1}, {"b": 1}], [["a"]])


def test_kinds_are_measured_apart() -> None:
    judged = [
        JudgedQuery("one", {"a": 1}, "quote"),
        JudgedQuery("two", {"b": 1}, "title"),
        JudgedQuery("three", {"a": 1}, "quote"),
    ]
    found = {(one.kind, one.metric): (one.value, one.queries) for one in evaluate(judged, lambda query: ["a", "b"])}
    assert found["quote", "recall@1"] == (1.0, 2)
    assert found["title", "mrr"] == (0.5, 1)


def test_judged_queries_are_read_from_json_lines(tmp_path: Path) -> None:
    rows = [{"query": "q", "relevant": ["Cats/é.jpg"], "kind": "quote"}, {"query": "r", "relevant": {"b": 2, "c": 1}}]
    path = tmp_path / "judged.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows) + "\n\n", "utf-8")
    assert read_judged_queries(path) == [
        JudgedQuery("q", {"Cats/é.jpg": 1}, "quote"),
        JudgedQuery("r", {"b": 2, "c": 1}),
    ]


@pytest.mark.parametrize(
    "line", ["{", "[]", "3", '{"query": "q"}', '{"query": "q", "relevant": []}', '{"query": 1, "relevant": ["a"]}', ""]
)
def test_a_line_that_is_no_judged_query_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "judged.jsonl"
    path.write_text(line, "utf-8")
    with pytest.raises(WrongUse, match=r"judged|relevant"):
        read_judged_queries(path)


def test_a_file_that_is_not_there_is_wrong_use(tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match="cannot be read"):
        read_judged_queries(tmp_path / "none")


def test_each_query_keeps_its_own_value_in_its_own_place() -> None:
    found = measure([{"a": 1}, {"b": 1}, {"c": 1}], [["x"], ["b"], []], measures=("recall@1",))
    assert found == {"recall@1": [0.0, 1.0, 0.0]}


def test_probabilities_are_corrected_for_how_many_comparisons_were_made() -> None:
    # Holm's own steps by hand: .01 × 3, then .02 × 2, then .5 × 1; none below the one before it.
    chances = [0.5, 0.01, 0.02]
    found = holm_correction([Comparison("quote", str(chance), 0.0, chance, 9) for chance in chances])
    assert [one.p for one in found] == pytest.approx([0.5, 0.03, 0.04])
    assert [
        one.p for one in holm_correction([Comparison("q", "a", 0.0, 0.04, 9), Comparison("q", "b", 0.0, 0.03, 9)])
    ] == (pytest.approx([0.06, 0.06]))


def test_a_paired_difference_is_tested_query_by_query() -> None:
    own, other = [0.9, 0.8, 0.7, 0.9, 1.0], [0.5, 0.5, 0.4, 0.4, 0.7]
    [found] = compare_rankings({"quote": {"words": other}}, {"quote": own})
    # Differences .4 .3 .3 .5 .3: mean .36, standard deviation √.008, t = .36 / (√.008 / √5) = 9, p of t₄ = 9 is .00084.
    assert found.difference == pytest.approx(0.36)
    assert found.p == pytest.approx(0.00084, abs=1e-5)


def test_equal_rankings_differ_by_chance_alone() -> None:
    [found] = compare_rankings({"quote": {"words": [0.5, 1.0]}}, {"quote": [0.5, 1.0]})
    assert (found.difference, found.p) == (0.0, 1.0)
