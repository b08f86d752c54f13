"""All hits of an answer: the memes that match, however many, and the weaker hits that follow them.

Retrievers propose a bounded number of memes, which is enough for a first page. What matches is not bounded: all memes
that hold the words, that say the quoted phrases or have the name, which the lexical index knows exactly, and all memes
above the relevance cut-off, for which the retrievers are asked for more while everything they propose is above it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from search.index.columns import Ids, MemeColumns, are_among
from search.meme import Field
from search.ranking.fusion import FusedRanking
from search.ranking.retrievers import DEPTH
from search.signals import lexical

MAX_DEPTH = 2000  # memes that each retriever proposes at most, to find all above the cut-off
DEEPER = 4  # factor between two depths
MAX_SCORED = 300  # matches by the words that are scored; those after them are ordered by their words alone
WHOLE_NAME, PART_OF_NAME = 1.0, 0.6  # least scores of memes that were asked for by their file's name

Relevant = Callable[[FusedRanking], Ids]  # the ids of a ranking's memes that are above the relevance cut-off


@dataclass(frozen=True)
class HitList:
    """All hits of an answer, best first: `ids` ([n]), of which the first `matches` match.

    `score` returns a ranking that has the scores of some of the ids, which must rise. It is None for a listing, which
    is not ranked. `is_exact` is False where more memes may match than were looked at.
    """

    ids: Ids
    matches: int
    score: Callable[[Ids], FusedRanking] | None = None
    is_exact: bool = True

    def newest_first(self, columns: MemeColumns) -> HitList:
        """Return the matches newest first, then the weaker hits newest first."""
        parts = self.ids[: self.matches], self.ids[self.matches :]
        return replace(self, ids=np.concatenate([columns.newest_of(part) for part in parts]))

    def keep(self, kept: NDArray[np.bool_]) -> HitList:
        """Return some of the hits ([n] bool) in their order."""
        return replace(self, ids=self.ids[kept], matches=int(np.count_nonzero(kept[: self.matches])))


class RelevantRanking(NamedTuple):
    """A ranking, the rising ids of its memes above the relevance cut-off, and whether these are all there are."""

    ranking: FusedRanking
    above: Ids
    is_exact: bool


def rank_relevant(rank: Callable[[int], FusedRanking], relevant: Relevant, *, known: Ids) -> RelevantRanking:
    """Return a ranking that has all memes above the relevance cut-off.

    `rank` ranks the proposals of a depth. A retriever that proposes fewer memes above the cut-off than it was asked for
    has no more of them, so the depth grows until fewer memes than that are above it, besides those that are `known`
    (rising) to match.
    """
    depth, size = DEPTH, -1
    while True:
        ranking = rank(depth)
        found = np.sort(relevant(ranking))
        others = np.count_nonzero(~are_among(found, known))
        is_all = others < depth or len(ranking.ids) == size
        if is_all or depth >= MAX_DEPTH:
            return RelevantRanking(ranking, found, bool(is_all))
        depth, size = min(DEEPER * depth, MAX_DEPTH), len(ranking.ids)


def order_hits(ranking: FusedRanking, *, matching: Ids, columns: MemeColumns) -> tuple[Ids, int]:
    """Return the ids of all hits, the matches first, and how many match.

    `matching` are the rising ids of all matches. Those that the ranking lacks follow the others, newest first.
    """
    ids = ranking.ids[ranking.order]
    is_match = are_among(ids, matching)
    has_score = ranking.scores[ranking.order] > 0
    rest = columns.newest_of(matching[~are_among(matching, np.sort(ids))])
    return np.concatenate([ids[is_match], rest, ids[~is_match & has_score]]), len(matching)


def keep_ranked(ranking: FusedRanking, kept: NDArray[np.bool_]) -> FusedRanking:
    """Return the ranking of some of its memes ([n] bool)."""
    ids, scores = ranking.ids[kept], ranking.scores[kept]
    order = np.lexsort((ids, -scores)).astype(np.int64)
    contributions = {signal: own[kept] for signal, own in ranking.contributions.items()}
    return FusedRanking(
        ids, order, scores, contributions, {signal: own[kept] for signal, own in ranking.by_signal.items()}
    )


def raise_named(ranking: FusedRanking, named: Ids, *, is_whole: bool) -> FusedRanking:
    """Return the ranking with memes that were asked for by their file's name at least at the score of a named one."""
    if not len(named):
        return ranking
    floor = np.where(np.isin(ranking.ids, named), WHOLE_NAME if is_whole else PART_OF_NAME, 0.0)
    raised = np.maximum(floor - ranking.scores, 0.0)
    signal = lexical(Field.NAME)
    own = ranking.contributions.get(signal)
    contributions = dict(ranking.contributions) | {signal: raised if own is None else own + raised}
    scores = ranking.scores + raised
    order = np.lexsort((ranking.ids, -scores)).astype(np.int64)
    return replace(ranking, order=order, scores=scores, contributions=contributions)
