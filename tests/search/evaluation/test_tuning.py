"""Tuning over made-up scores of which the truth is known, and the settings that hold the weights."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from search.errors import WrongUse
from search.evaluation.metrics import JudgedQuery
from search.evaluation.tuning import MIN_QUERIES, is_held_out, save_weights, tune
from search.ranking.fusion import Scores
from search.settings import load_settings, save_setting
from search.signals import Signal

PATHS = {id: f"Cats/{id}.jpg" for id in range(400)}


LEXICAL, SEMANTIC = Signal.parse("lexical.ocr"), Signal.parse("semantic.ocr")


def scored(signals: dict[Signal, np.ndarray], *, first: int = 0) -> Scores:
    """Scores of 20 memes, every one proposed by every signal."""
    everything = np.ones(20, np.bool_)
    return Scores(np.arange(20) + first, signals, dict.fromkeys(signals, everything), weights={})


def made_up(count: int, *, right: Signal) -> tuple[list[JudgedQuery], list[Scores]]:
    """Queries that one signal answers rightly, while the other gives random scores."""
    random = np.random.default_rng(3)
    queries, scores = [], []
    for query in range(count):
        signals = {LEXICAL: random.random(20), SEMANTIC: random.random(20)}
        answer = int(random.integers(20))
        signals[right] = np.where(np.arange(20) == answer, 0.7, 0.6)
        queries.append(JudgedQuery(str(query), {PATHS[query + answer]: 1}, ("quote", "title")[query % 2]))
        scores.append(scored(signals, first=query))
    return queries, scores


def test_weights_go_to_the_signal_that_is_right() -> None:
    queries, scores = made_up(200, right=SEMANTIC)
    found = tune(
        queries, [one.rank for one in scores], {LEXICAL: 0.5, SEMANTIC: 0.5}, signals=(LEXICAL, SEMANTIC), paths=PATHS
    )
    assert found.after[SEMANTIC] > 5 * found.after[LEXICAL]
    assert found.held_out_after[""] > found.held_out_before[""] + 0.3
    assert found.is_better
    assert all(one.p < 0.001 for one in found.comparisons)


def test_chance_alone_is_not_taken_for_a_gain() -> None:
    queries, scores = made_up(200, right=LEXICAL)
    random = np.random.default_rng(4)
    blind = [replace(one, by_signal={signal: random.random(20) for signal in one.by_signal}) for one in scores]
    found = tune(
        queries, [one.rank for one in blind], {LEXICAL: 0.5, SEMANTIC: 0.5}, signals=(LEXICAL, SEMANTIC), paths=PATHS
    )
    assert all(one.p > 0.05 for one in found.comparisons)


def test_a_candidate_that_only_a_signal_without_weight_proposed_is_not_ranked() -> None:
    proposed = {LEXICAL: np.arange(20) < 3, SEMANTIC: np.arange(20) >= 3}
    one = replace(scored({LEXICAL: np.linspace(1, 0.1, 20), SEMANTIC: np.linspace(0.1, 1, 20)}), retrieved=proposed)
    assert one.rank({LEXICAL: 1.0}) == one.rank_by(LEXICAL) == [0, 1, 2]
    assert one.rank_by(SEMANTIC) == list(range(19, 2, -1))


def test_a_query_by_like_alone_is_not_ranked_by_tuned_weights() -> None:
    one = replace(
        scored({LEXICAL: np.linspace(1, 0.1, 20), SEMANTIC: np.linspace(0.1, 1, 20)}),
        weights={LEXICAL: 1.0},
        has_fixed_weights=True,
    )
    assert one.rank({SEMANTIC: 1.0}) == one.rank() == list(range(20))


def test_what_helps_one_kind_at_anothers_cost_is_not_better() -> None:
    queries, scores = made_up(100, right=LEXICAL)
    found = tune(
        queries, [one.rank for one in scores], {LEXICAL: 1.0, SEMANTIC: 0.1}, signals=(LEXICAL, SEMANTIC), paths=PATHS
    )
    worse = replace(
        found,
        held_out_before={"quote": 0.5, "title": 0.5, "": 0.5},
        held_out_after={"quote": 0.8, "title": 0.48, "": 0.64},
    )
    assert not worse.is_better


def test_all_queries_of_a_meme_lie_on_one_half() -> None:
    memes = [JudgedQuery(f"{query}", {path: 1}) for path in PATHS.values() for query in ("a", "b")]
    halves = {path: {is_held_out(one) for one in memes if path in one.relevant} for path in PATHS.values()}
    assert all(len(sides) == 1 for sides in halves.values())
    assert 150 < sum(True in sides for sides in halves.values()) < 250


def test_too_few_queries_are_refused() -> None:
    queries, scores = made_up(MIN_QUERIES, right=LEXICAL)
    with pytest.raises(WrongUse, match="too few"):
        tune(queries, [one.rank for one in scores], {LEXICAL: 1.0}, signals=(LEXICAL, SEMANTIC), paths=PATHS)


def test_saved_weights_are_the_settings_and_leave_the_others_alone(tmp_path: Path) -> None:
    (tmp_path / "settings.json").write_text(json.dumps({"site_name": "Mémes"}), "utf-8")
    save_weights(tmp_path, {LEXICAL: 0.25, SEMANTIC: 0.5})
    settings = load_settings({"data": tmp_path}, environ={})
    assert (settings.weights[LEXICAL], settings.weights[SEMANTIC]) == (0.25, 0.5)
    assert settings.site_name == "Mémes"
    assert [path.name for path in tmp_path.iterdir()] == ["settings.json"]


def test_a_kill_while_writing_leaves_the_settings_as_they_were(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "settings.json").write_text('{"site_name": "Mine"}', "utf-8")

    def killed(self: Path, target: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        save_weights(tmp_path, {LEXICAL: 0.25})
    assert (tmp_path / "settings.json").read_text("utf-8") == '{"site_name": "Mine"}'


def test_settings_that_cannot_be_read_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "settings.json").write_text("{", "utf-8")
    with pytest.raises(WrongUse, match="cannot be read"):
        save_weights(tmp_path, {LEXICAL: 0.25})
    assert (tmp_path / "settings.json").read_text("utf-8") == "{"


def test_a_saved_path_may_be_no_text(tmp_path: Path) -> None:
    library = os.fsdecode(b"/memes/caf\xe9/\xd0\x9a\xd0\xbe\xd1\x82\xd1\x8b")
    save_setting(tmp_path, "library", library)
    assert load_settings({"data": tmp_path}, environ={}).library == Path(library)
    assert "Коты" in (tmp_path / "settings.json").read_text("utf-8")


def test_old_names_of_weights_are_an_error_that_gives_the_new_ones(tmp_path: Path) -> None:
    (tmp_path / "settings.json").write_text('{"weights": "words.everything=0.5,look=0.1"}', "utf-8")
    with pytest.raises(WrongUse, match=r"words\.everything is now lexical\.all, look is now image\.descriptor"):
        load_settings({"data": tmp_path}, environ={})
    with pytest.raises(WrongUse, match=r"there is no signal 'smell'; there are image\.descriptor"):
        load_settings({"data": tmp_path}, environ={"MEMETICA_WEIGHTS": "smell=1"})
