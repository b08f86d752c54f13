"""The relevance cut-off, fitted to judged queries whose truth is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from search.errors import WrongUse
from search.evaluation.cutoff import Cutoff, JudgedHits, fit_cutoff, save_cutoff
from search.evaluation.metrics import JudgedQuery
from search.evaluation.served import FoundHits
from search.ranking.relevance import FEATURES, RELEVANCE_MODEL, RelevanceModel, relevance_model
from search.settings import load_settings

QUERIES = [JudgedQuery(f"query {number}", {f"Cats/{number}.jpg": 1}) for number in range(200)]
MEANING = FEATURES.index("meaning")
BY_MEANING = RelevanceModel(tuple(float(place == MEANING) for place in range(len(FEATURES))), 0.0)


def hits(
    meanings: list[float], relevant: list[bool], *, exact: int = 0, words: list[float] | None = None
) -> JudgedHits:
    """Hits with these values of the feature "meaning", which are BY_MEANING's log-odds, the first ones exact."""
    features = np.zeros((len(meanings), len(FEATURES)))
    features[:, MEANING] = meanings
    features[:, 0] = words or 0.0
    found = FoundHits(np.arange(len(meanings)), np.arange(len(meanings)) < exact, features)
    return JudgedHits(found, np.array(relevant, np.bool_))


def quotes(relevant: list[bool]) -> JudgedHits:
    exact = np.ones(len(relevant), np.bool_)
    return JudgedHits(FoundHits(np.arange(len(relevant)), exact, None), np.array(relevant, np.bool_))


def test_the_line_is_the_lowest_that_is_right_nine_times_in_ten() -> None:
    found = [hits([3.0, 1.0, -1.0], [True, False, False]) for _ in QUERIES]
    fit = fit_cutoff(QUERIES, found, Cutoff(BY_MEANING, -2.0))
    assert 1.0 <= fit.by_line.cutoff.line < 3.0
    assert (fit.before.precision, fit.before.recall) == pytest.approx((1 / 3, 1.0))
    assert (fit.by_line.precision, fit.by_line.recall) == (1.0, 1.0)
    assert fit.best is fit.by_line


def test_a_line_that_is_right_already_stays_unless_more_is_found_at_it() -> None:
    found = [hits([3.0, 1.0], [True, False]) for _ in QUERIES]
    fit = fit_cutoff(QUERIES, found, Cutoff(BY_MEANING, 2.0))
    assert fit.best is fit.before


@pytest.mark.parametrize("found", [hits([], []), quotes([False, False])])
def test_without_a_hit_that_the_odds_decide_nothing_changes(found: JudgedHits) -> None:
    fit = fit_cutoff(QUERIES, [found] * len(QUERIES), Cutoff(BY_MEANING, 0.5))
    assert fit.by_line.cutoff == Cutoff(BY_MEANING, 0.5) == fit.by_odds.cutoff
    assert fit.best is fit.before


def test_where_no_line_is_right_often_enough_it_stays() -> None:
    found = [hits([2.0, 1.0], [False, False]) for _ in QUERIES]
    assert fit_cutoff(QUERIES, found, Cutoff(BY_MEANING, 0.5)).by_line.cutoff.line == 0.5


def test_what_matches_by_its_words_counts_whatever_the_line() -> None:
    """Two of three queries have a wrong exact match: no line makes nine of ten right."""
    found = [hits([3.0, 1.0], [place % 3 == 0, False], exact=1) for place in range(len(QUERIES))]
    fit = fit_cutoff(QUERIES, found, Cutoff(BY_MEANING, 9.0))
    assert fit.before.precision == pytest.approx(1 / 3, abs=0.08)
    assert fit.by_line.cutoff.line == 9.0


def test_odds_are_fitted_where_another_feature_tells_which_hits_match() -> None:
    """The words tell, and the odds in use look at the meaning alone, which is chance."""
    random = np.random.default_rng(5)
    found = []
    for _ in QUERIES:
        right = random.random(6) < 0.4
        right[0] = True
        order = np.argsort(~right, kind="stable")
        found.append(hits(random.random(6).tolist(), right[order].tolist(), words=right[order].astype(float).tolist()))
    queries = [
        JudgedQuery(
            one.query, {f"{path}{more}": 1 for path in one.relevant for more in range(int(own.is_relevant.sum()))}
        )
        for one, own in zip(QUERIES, found, strict=True)
    ]
    fit = fit_cutoff(queries, found, Cutoff(BY_MEANING, 0.2))
    assert fit.by_odds.cutoff.model.weights[0] > 0.5
    assert fit.best is fit.by_odds
    assert fit.by_odds.precision >= 0.9 and fit.by_odds.recall > fit.by_line.recall


def test_no_fitted_weight_makes_a_weaker_hit_match_more() -> None:
    """The wrong hits have the higher meaning: its weight ends at 0, not below."""
    found = [hits([0.1, 0.9, 0.9], [True, False, False]) for _ in QUERIES]
    assert fit_cutoff(QUERIES, found, Cutoff(BY_MEANING, 0.0)).by_odds.cutoff.model.weights[MEANING] >= 0


def test_saved_odds_are_those_that_search_uses(tmp_path: Path) -> None:
    weights = [round(weight + 0.5, 3) for weight in RELEVANCE_MODEL.weights]
    chosen = Cutoff(RelevanceModel(tuple(weights), -5.0), 0.75)
    save_cutoff(tmp_path, chosen, before=Cutoff(RELEVANCE_MODEL, 0.0), encoder="any")
    settings = load_settings({"data": tmp_path}, environ={})
    assert Cutoff(relevance_model(settings.certain_odds), settings.certain_above) == chosen


@pytest.mark.parametrize(
    ("odds", "says"),
    [
        ({"words": 1.0}, "a number for each of words, all words"),
        ({**RELEVANCE_MODEL.by_name(), "luck": 1.0}, "a number for each of words, all words"),
        ({**RELEVANCE_MODEL.by_name(), "words": -1.0}, "negative weight for words"),
    ],
)
def test_odds_of_other_features_or_for_weaker_hits_are_refused(odds: dict[str, float], says: str) -> None:
    with pytest.raises(WrongUse, match=says) as refused:
        relevance_model(odds)
    assert "Remove `certain_odds`" in refused.value.hint


def test_odds_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match="MEMETICA_CERTAIN_ODDS"):
        load_settings({"data": tmp_path}, environ={"MEMETICA_CERTAIN_ODDS": "words=many"})
