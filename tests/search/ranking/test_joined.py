"""Voters of one name as one voter."""

from __future__ import annotations

import numpy as np
import pytest

from search.ranking.retrievers import Voter, heard, joined

NAN = float("nan")


def voter(name: str, best: list[int], scores: list[float]) -> Voter:
    return Voter(name, lambda k, allowed: np.array(best), lambda ids: np.array(scores))


def test_voters_of_one_name_vote_by_their_weights_on_what_they_can_judge() -> None:
    one, other = voter("words.all", [1, 2], [1.0, NAN, NAN]), voter("words.all", [2, 3], [0.0, 0.6, NAN])
    (found,) = joined([(one, 3.0), (other, 1.0)])
    assert found.best(5, None).tolist() == [1, 2, 3]
    assert found.scores(np.array([1, 2, 3])) == pytest.approx([0.75, 0.6, NAN], nan_ok=True)


def test_a_voter_alone_of_its_name_is_left_as_it_is_and_their_order_stays() -> None:
    words, meaning = voter("words.all", [1], [1.0]), voter("meaning.ocr", [2], [0.5])
    assert joined([(words, 2.0), (meaning, 1.0)]) == [words, meaning]


def test_a_field_is_heard_as_loud_as_the_part_that_weighs_most() -> None:
    weights = {"words.all": 0.5, "meaning.ocr": 0.25, "look": 0.6}
    said = [(voter("words.all", [], []), 2.0), (voter("words.all", [], []), 0.5), (voter("meaning.ocr", [], []), 0.1)]
    assert heard(weights, said) == pytest.approx({"words.all": 1.0, "meaning.ocr": 0.025, "look": 0.6})
