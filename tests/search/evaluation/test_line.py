"""The line above which hits match, fitted to judged queries."""

from __future__ import annotations

import numpy as np
import pytest

from search.evaluation.qrels import JudgedQuery
from search.evaluation.tuning import Judged, fit_line

QUERIES = [JudgedQuery(f"query {number}", {f"Cats/{number}.jpg": 1}) for number in range(200)]


def hits(log_odds: list[float], relevant: list[bool]) -> Judged:
    return Judged(np.array(log_odds), np.array(relevant, np.bool_))


def test_the_line_is_the_lowest_that_is_right_nine_times_in_ten() -> None:
    found = [hits([3.0, 1.0, -1.0], [True, False, False]) for _ in QUERIES]
    fit = fit_line(QUERIES, found, before=-2.0)
    assert 1.0 <= fit.after < 3.0
    assert fit.held_out_before == pytest.approx((1 / 3, 1.0))
    assert fit.held_out_after == (1.0, 1.0)
    assert fit.is_better


def test_a_line_that_is_right_already_stays_unless_more_is_found_at_it() -> None:
    found = [hits([3.0, 1.0], [True, False]) for _ in QUERIES]
    assert not fit_line(QUERIES, found, before=2.0).is_better


@pytest.mark.parametrize("log_odds", [[], [-np.inf, -np.inf]])
def test_without_a_hit_that_could_match_the_line_stays(log_odds: list[float]) -> None:
    found = [hits(log_odds, [False] * len(log_odds)) for _ in QUERIES]
    fit = fit_line(QUERIES, found, before=0.5)
    assert fit.after == 0.5 and not fit.is_better


def test_where_no_line_is_right_often_enough_it_stays() -> None:
    found = [hits([2.0, 1.0], [False, False]) for _ in QUERIES]
    fit = fit_line(QUERIES, found, before=0.5)
    assert fit.after == 0.5 and not fit.is_better
