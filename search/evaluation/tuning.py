"""Weights for a library, fitted to judged queries: tuned on one half, believed only if the other agrees."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from search.encoders.base import ImageEncoder, TextEncoder
from search.errors import WrongUse
from search.evaluation.metrics import Comparison, Judged, compared, measured
from search.index.analyzer import query_terms, tokenize
from search.index.columns import Ids
from search.index.generations import TEXT_FIELDS
from search.index.reader import Index
from search.index.threads import set_index_threads
from search.query.parser import parse
from search.query.spelling import spelt
from search.ranking.fusion import Scores, Vote, fuse
from search.ranking.relevance import Asked, asked_of
from search.ranking.retrievers import (
    DEPTH,
    LOOK,
    Ballot,
    Voter,
    count,
    voter_of_described_picture,
    voters_of_meaning,
    voters_of_quote,
    voters_of_words,
)
from search.settings import WEIGHTS, keep_setting

JUDGE = "ndcg@10"  # what a fit makes larger
SEEN = 10  # hits of a ranking that it sees
FACTORS = ((0.0, 0.5, 2.0), (0.7, 1.4), (0.85, 1.2))  # that a weight is tried with, round after round
FAINT = 0.03  # where a weight of nothing is tried from
LEAST_GAIN = 5e-4  # on the tuned half; less is noise that weights would follow
NOTICEABLE = 0.005  # what the held-out half must gain, in the mean of the kinds
WORSE = 0.01  # that no kind of query may lose there
FEWEST = 20  # queries on each half


@dataclass(frozen=True)
class Sheet:
    """What every voter said of a query's candidates: ids ([n], rising), and a row of scores for each name."""

    ids: Ids
    scores: Mapping[str, Scores]

    def ranked(self, weights: Mapping[str, float], *, k: int = DEPTH) -> list[int]:
        """Return the ids that these weights put first; those that score nothing are no hits."""
        votes = [Vote(name, scores, weights.get(name, 0.0)) for name, scores in self.scores.items()]
        fused = fuse(votes, ids=self.ids.tolist())
        return [int(self.ids[at]) for at in fused.order[:k] if fused.scores[at] > 0]


@dataclass(frozen=True)
class Asker:
    """Asks an index in words, as a searcher does, and keeps the votes apart."""

    index: Index
    encoder: TextEncoder
    weights: Mapping[str, float]
    images: ImageEncoder | None = None  # the one that made the index

    def voters(self, query: str) -> tuple[list[Voter], Asked]:
        """Return the voters on a query, and how rare its terms are."""
        asked = parse(query)
        meant = spelt(asked, self.index.lexical)
        words = meant.query
        voters = voters_of_words(self.index, words.terms, list(WEIGHTS))
        voters += voters_of_quote(self.index, [token.term for token in tokenize(words.text)])
        if self.index.whitening is not None and asked.text:
            vector = self.index.whitening(self.encoder.encode([asked.text]))[0]
            voters += voters_of_meaning(self.index, dict.fromkeys(TEXT_FIELDS, vector))
        if self.images is not None and asked.text:
            voters.append(voter_of_described_picture(self.index, self.images.encode_text([asked.text])[0]))
        slips = set(query_terms(" ".join(meant.meant)))
        return voters, asked_of(self.index.lexical, [term for term in words.terms if term not in slips])

    def ballot(self, query: str, *, allowed: Ids | None = None) -> tuple[Ballot, Asked]:
        """Return the ranking by the weights, of memes in `allowed` (ids, rising) alone, and how rare the terms are."""
        voters, asked = self.voters(query)
        return count(voters, self.weights, allowed=allowed), asked

    def sheet(self, query: str) -> Sheet:
        """Return what every voter says of whom any of them puts forward."""
        set_index_threads(1)
        voters, _ = self.voters(query)
        forward = [voter.best(DEPTH, None) for voter in voters]
        ids = np.unique(np.concatenate(forward)) if forward else np.empty(0, np.int64)
        return Sheet(ids, {voter.name: voter.scores(ids) for voter in voters})


@dataclass(frozen=True)
class Fit:
    """Weights before and after, and what the held-out half says of each, kind by kind; the kinds' mean under ""."""

    before: Mapping[str, float]
    after: Mapping[str, float]
    held_out_before: Mapping[str, float]
    held_out_after: Mapping[str, float]
    comparisons: tuple[Comparison, ...]  # of after with before, on the held-out half
    queries: int  # of the held-out half

    @property
    def is_better(self) -> bool:
        """Whether the held-out half gains by it, and no kind of query loses."""
        kinds = [kind for kind in self.held_out_before if kind]
        lost = max(self.held_out_before[kind] - self.held_out_after[kind] for kind in kinds)
        return self.held_out_after[""] - self.held_out_before[""] >= NOTICEABLE and lost <= WORSE


def is_held_out(judged: Judged) -> bool:
    """Return on which half a query lies: all queries for one meme lie on the same."""
    return int(hashlib.sha256(min(judged.relevant).encode()).hexdigest(), 16) % 2 == 1


def fit(
    judged: Sequence[Judged],
    sheets: Sequence[Sheet],
    weights: Mapping[str, float],
    *,
    paths: Mapping[int, str],
    advance: Callable[[int], None] = lambda done: None,
) -> Fit:
    """Return the weights that rank the tuned half best, going from some, and what the held-out half says of them.

    One weight at a time is tried larger and smaller, in ever smaller steps; the mean over kinds of nDCG@10 decides. The
    look is left as it is. `advance` hears of each trial. Raises WrongUse when a half has too few queries.
    """
    halves: dict[bool, list[tuple[Judged, Sheet]]] = {False: [], True: []}
    for one in zip(judged, sheets, strict=True):
        halves[is_held_out(one[0])].append(one)
    if min(map(len, halves.values())) < FEWEST:
        raise WrongUse(
            f"{len(judged)} judged queries are too few to fit weights: each half of the memes needs {FEWEST}.",
            hint="Judge more queries, or index more memes.",
        )
    best = dict(weights)
    gain = _means(_values(halves[False], best, paths))[""]
    for factors in FACTORS:
        for name in [name for name in best if name != LOOK]:
            for factor in factors:
                tried = best | {name: round(max(best[name], FAINT) * factor, 4)}
                value = _means(_values(halves[False], tried, paths))[""]
                advance(1)
                if value > gain + LEAST_GAIN:
                    best, gain = tried, value
    before, after = (_values(halves[True], one, paths) for one in (weights, best))
    return Fit(
        before=dict(weights),
        after=best,
        held_out_before=_means(before),
        held_out_after=_means(after),
        comparisons=tuple(compared({kind: {"before": before[kind]} for kind in before}, after)),
        queries=len(halves[True]),
    )


def trials(weights: Mapping[str, float]) -> int:
    """Return how many trials a fit makes."""
    return sum(map(len, FACTORS)) * sum(name != LOOK for name in weights)


def _values(
    half: Sequence[tuple[Judged, Sheet]], weights: Mapping[str, float], paths: Mapping[int, str]
) -> dict[str, list[float]]:
    """Return, by kind, what each query's ranking is worth."""
    kinds: dict[str, list[tuple[Judged, Sheet]]] = {}
    for one in half:
        kinds.setdefault(one[0].kind, []).append(one)
    return {
        kind: measured(
            [judged.relevant for judged, _ in own],
            [[paths[id] for id in sheet.ranked(weights, k=SEEN)] for _, sheet in own],
            measures=(JUDGE,),
        )[JUDGE]
        for kind, own in kinds.items()
    }


def _means(values: Mapping[str, Sequence[float]]) -> dict[str, float]:
    found = {kind: float(np.mean(own)) for kind, own in values.items()}
    return found | {"": float(np.mean(list(found.values())))}


def keep_weights(data: Path, weights: Mapping[str, float]) -> Path:
    """Write the weights into the data folder's settings; return the file, and raise what `keep_setting` does."""
    return keep_setting(data, "weights", ",".join(f"{name}={weight:g}" for name, weight in weights.items()))
