"""Where relevance ends: how far each hit is to be believed, and whether the library holds an answer at all.

A fixed floor of similarity does not tell the two apart: a short query's best answer scores below a long one's worst.
What does is a hit's evidence beside what its query could hope for: how much words and meaning each gave, how far it
stands above the crowd of the same query, and how much of the query the library has never heard of. A logistic
regression weighs these; `python -m benchmarks.no_match` fits it and says how often it errs.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from search.index.lexical import LexicalIndex
from search.ranking.fusion import Fused
from search.ranking.retrievers import PICTURE

Evidence = NDArray[np.float64]  # [n, len(SIGNS)], a row for each candidate, best first

FIRST = 10  # hits of a page; those after them are the crowd
CROWD = 40  # of them are looked at
VOUCHING = 3  # a hit is believed when one of so many from it on is: one weak reading does not end an answer
SIGNS = (
    "score",
    "words",
    "meaning",
    "quoted",
    "above the crowd",
    "above the next",
    "unknown",
    "length",
    "quoted times length",
    "root of above the crowd",
    "length squared",
)


@dataclass(frozen=True)
class Belief:
    """What each of SIGNS adds to the odds that a hit answers, and what they start from; above 0 a hit is believed."""

    weights: tuple[float, ...]
    start: float


@dataclass(frozen=True)
class Asked:
    """How rare a query's terms are, added up over those that memes hold and those that none does; how many they are."""

    known: float
    unknown: float
    terms: int


@dataclass(frozen=True)
class Judgement:
    """How many of the hits, from the first on, are believed to answer; and the log-odds that the best do."""

    certain: int
    odds: float

    @property
    def none_matches(self) -> bool:
        """Whether there is no good match."""
        return self.certain == 0


# Fitted by `python -m benchmarks.no_match … --fit` on 2026-11-23 to the tuned halves of CM50 and real_memes, so that
# one page in twenty that answers is doubted.
BELIEF = Belief((6.696, 7.057, 7.69, 19.67, -13.003, 7.736, -2.234, -4.454, 4.979, 8.059, 0.966), 0.784)


def asked_of(words: LexicalIndex, terms: Collection[str]) -> Asked:
    """Return how rare a query's distinct terms are among the memes; a term that none holds is rarer than any."""
    known = unknown = 0.0
    for term in terms:
        frequency = words.document_frequency(term)
        rarity = math.log(1 + (len(words) - frequency + 0.5) / (frequency + 0.5))
        if frequency:
            known += rarity
        else:
            unknown += rarity
    return Asked(known, unknown, len(terms))


def judge(fused: Fused, asked: Asked, *, belief: Belief = BELIEF) -> Judgement:
    """Return how much of a ranking answers a query."""
    return judged(evidence(fused, asked), belief)


def judged(evidence: Evidence, belief: Belief) -> Judgement:
    """Return how much of a ranking with this evidence answers."""
    if not len(evidence):
        return Judgement(0, -math.inf)
    odds = evidence @ np.array(belief.weights) + belief.start
    vouched = np.array([odds[at : at + VOUCHING].max() for at in range(len(odds))])
    weak = np.flatnonzero(vouched <= 0)
    return Judgement(int(weak[0]) if len(weak) else len(odds), float(vouched[0]))


def evidence(fused: Fused, asked: Asked) -> Evidence:
    """Return the signs of each candidate of a ranking, best first."""
    order = np.array(fused.order, np.int64)
    scores = fused.scores[order]
    parts = {"words": np.zeros(len(order)), "meaning": np.zeros(len(order)), "quote": np.zeros(len(order))}
    for name, part in fused.parts.items():
        kind = "meaning" if name == PICTURE else name.partition(".")[0]
        if kind in parts:
            parts[kind] += part[order]
    crowd = scores[FIRST : FIRST + CROWD]
    level = float(crowd.mean()) if len(crowd) else 0.0
    above = scores - level
    next_scores = np.append(scores[1:], level)
    # What few words can give is certain soon; what many can, seldom all at once.
    length = np.full(len(order), math.log1p(asked.terms))
    return np.column_stack(
        [
            scores,
            parts["words"],
            parts["meaning"],
            parts["quote"],
            above,
            np.maximum(scores - next_scores, 0.0),
            np.full(len(order), asked.unknown / max(asked.known + asked.unknown, 1e-9)),
            length,
            parts["quote"] * length,
            np.sqrt(np.maximum(above, 0.0)),
            length**2,
        ]
    )
