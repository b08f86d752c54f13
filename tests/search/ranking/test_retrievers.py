"""Retrievers of one signal combined, and candidates scored by every retriever."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from search.index.columns import Ids
from search.meme import Field
from search.ranking.fusion import ScoreArray
from search.ranking.retrievers import combine, score_candidates
from search.signals import LEXICAL_ALL, Signal, semantic

NAN = float("nan")
SEMANTIC = semantic(Field.OCR)


@dataclass(frozen=True)
class Fake:
    """Proposes and scores what a test says."""

    signal: Signal
    proposed: tuple[int, ...]
    scores: tuple[float, ...] = ()

    def retrieve(self, k: int, allowed: Ids | None = None) -> Ids:
        return np.array(self.proposed, np.int64)

    def score(self, ids: Ids) -> ScoreArray:
        return np.array([self.scores[id - 1] for id in ids.tolist()])


def test_retrievers_of_one_signal_score_by_their_weighted_mean_where_they_have_scores() -> None:
    one, other = Fake(LEXICAL_ALL, (1, 2), (1.0, NAN, NAN)), Fake(LEXICAL_ALL, (2, 3), (0.0, 0.6, NAN))
    (found,), boosts = combine([(one, 3.0), (other, 1.0)])
    assert found.signal == LEXICAL_ALL and boosts == {LEXICAL_ALL: 3.0}
    assert found.retrieve(5).tolist() == [1, 2, 3]
    assert found.score(np.array([1, 2, 3])) == pytest.approx([0.75, 0.6, NAN], nan_ok=True)


def test_a_single_retriever_of_a_signal_is_left_as_it_is_and_their_order_stays() -> None:
    words, meaning = Fake(LEXICAL_ALL, (1,)), Fake(SEMANTIC, (2,))
    assert combine([(words, 2.0), (meaning, 0.5)]) == ([words, meaning], {LEXICAL_ALL: 2.0, SEMANTIC: 0.5})


def test_every_retriever_scores_what_any_proposes_and_boosts_multiply_weights() -> None:
    words, meaning = Fake(LEXICAL_ALL, (1, 3), (0.8, 0.2, 0.2)), Fake(SEMANTIC, (2,), (0.2, 0.4, 0.2))
    weights = {LEXICAL_ALL: 0.5, SEMANTIC: 0.5}
    scores = score_candidates([words, meaning], weights, boosts={SEMANTIC: 9.0}, excluded=3)
    assert scores.ids.tolist() == [1, 2] and scores.rank() == [2, 1]
    assert scores.fuse().scores == pytest.approx([0.1 * 0.8 + 0.9 * 0.2, 0.1 * 0.2 + 0.9 * 0.4])
    assert scores.rank({LEXICAL_ALL: 1.0}) == [1], "the other was proposed by a signal without weight"
