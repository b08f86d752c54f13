"""Retrievers of one signal combined, and candidates scored by every retriever."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import pytest

from search.index.columns import Ids
from search.index.conditions import Among, Where
from search.index.contract import Ask, Index, RawScores, Words
from search.meme import Field
from search.ranking.fusion import ScoreArray
from search.ranking.retrievers import combine, score_candidates
from search.signals import LEXICAL_ALL, Signal, semantic

NAN = float("nan")
SEMANTIC = semantic(Field.OCR)


@dataclass(frozen=True)
class Fake:
    """Knows and scores what a test says, and asks for some words."""

    signal: Signal
    proposed: tuple[int, ...]
    scores: tuple[float, ...] = ()
    asks: tuple[Ask, ...] = ()

    @property
    def known(self) -> Ids:
        return np.array(self.proposed, np.int64)

    def score(self, ids: Ids, answers: Sequence[RawScores]) -> ScoreArray:
        own = np.array([self.scores[id - 1] for id in ids.tolist()])
        return own + sum(answers, np.zeros(len(ids)))


class FakeIndex:
    """Proposes for each ask the memes that it names, scores them by a tenth of it, and counts its trips."""

    def __init__(self) -> None:
        self.trips: list[str] = []

    def propose(self, asks: Sequence[Ask], k: int, where: Where | None = None, *, pool: object = None) -> list[Ids]:
        self.trips.append("propose")
        return [np.array([int(ask.terms[0])]) for ask in asks if isinstance(ask, Words)]

    def judge(self, asks: Sequence[Ask], ids: Ids) -> list[RawScores]:
        self.trips.append("judge")
        return [np.full(len(ids), int(ask.terms[0]) / 10) for ask in asks if isinstance(ask, Words)]

    def select(self, where: Where) -> Ids:
        assert isinstance(where, Among)
        return where.ids


INDEX = cast(Index, FakeIndex())


def test_retrievers_of_one_signal_score_by_their_weighted_mean_where_they_have_scores() -> None:
    one, other = Fake(LEXICAL_ALL, (1, 2), (1.0, NAN, NAN)), Fake(LEXICAL_ALL, (2, 3), (0.0, 0.6, NAN))
    (found,), boosts = combine([(one, 3.0), (other, 1.0)])
    assert found.signal == LEXICAL_ALL and boosts == {LEXICAL_ALL: 3.0}
    assert found.known.tolist() == [1, 2, 3]
    assert found.score(np.array([1, 2, 3]), []) == pytest.approx([0.75, 0.6, NAN], nan_ok=True)


def test_retrievers_of_one_signal_share_the_answers_in_the_order_of_what_they_ask() -> None:
    one = Fake(LEXICAL_ALL, (), (0.0, 0.0), (Words(("1",)), Words(("2",))))
    other = Fake(LEXICAL_ALL, (), (0.5, 0.5), (Words(("3",)),))
    (found,), _ = combine([(one, 1.0), (other, 1.0)])
    answers = [np.array([0.1, 0.0]), np.array([0.2, 0.2]), np.array([0.1, 0.4])]
    assert found.score(np.array([1, 2]), answers) == pytest.approx([(0.3 + 0.6) / 2, (0.2 + 0.9) / 2])


def test_an_index_is_asked_twice_whatever_the_number_of_retrievers() -> None:
    index = FakeIndex()
    asking = [
        Fake(signal, (), (0.0,) * 5, (Words((str(at),)),)) for at, signal in enumerate([LEXICAL_ALL, SEMANTIC], 4)
    ]
    scores = score_candidates(cast(Index, index), asking, {LEXICAL_ALL: 1.0, SEMANTIC: 1.0})
    assert index.trips == ["propose", "judge"]
    assert scores.ids.tolist() == [4, 5]
    assert scores.by_signal[SEMANTIC].tolist() == [0.5, 0.5]
    assert scores.retrieved[SEMANTIC].tolist() == [False, True]


def test_memes_that_are_known_without_asking_are_candidates_where_the_filters_select_them() -> None:
    knows = Fake(LEXICAL_ALL, (1, 2, 3), (0.5, 0.5, 0.5))
    scores = score_candidates(INDEX, [knows], {LEXICAL_ALL: 1.0}, where=Among(np.array([2, 3, 4])))
    assert scores.ids.tolist() == [2, 3]


def test_a_single_retriever_of_a_signal_is_left_as_it_is_and_their_order_stays() -> None:
    words, meaning = Fake(LEXICAL_ALL, (1,)), Fake(SEMANTIC, (2,))
    assert combine([(words, 2.0), (meaning, 0.5)]) == ([words, meaning], {LEXICAL_ALL: 2.0, SEMANTIC: 0.5})


def test_every_retriever_scores_what_any_proposes_and_boosts_multiply_weights() -> None:
    words, meaning = Fake(LEXICAL_ALL, (1, 3), (0.8, 0.2, 0.2)), Fake(SEMANTIC, (2,), (0.2, 0.4, 0.2))
    weights = {LEXICAL_ALL: 0.5, SEMANTIC: 0.5}
    scores = score_candidates(INDEX, [words, meaning], weights, boosts={SEMANTIC: 9.0}, excluded=3)
    assert scores.ids.tolist() == [1, 2] and scores.rank() == [2, 1]
    assert scores.fuse().scores == pytest.approx([0.1 * 0.8 + 0.9 * 0.2, 0.1 * 0.2 + 0.9 * 0.4])
    assert scores.rank({LEXICAL_ALL: 1.0}) == [1], "the other was proposed by a signal without weight"
