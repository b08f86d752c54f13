"""Who votes on an answer: the words and the meaning of each field, and the look; each on its own scale up to 1."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from search.encoders.base import Vectors
from search.images.fingerprints import PDQ_BITS
from search.index.columns import Ids
from search.index.lexical import ALL_TEXT
from search.index.reader import Index
from search.index.threads import set_index_threads
from search.meme import Field
from search.ranking.fusion import Fused, Scores, Vote, fuse

Direction = NDArray[np.float32]  # [d], of length 1, whitened
Answered = TypeVar("Answered")

DEPTH = 60  # memes that each voter puts forward; every voter then scores all of them exactly
BEST_PASSAGES = {Field.ANALYSIS: 3}  # an essay speaks through several passages, a text through its best
MOST = 0.5  # a share of all memes; words that more of them hold do not vote beside others
LOOK = "look"
PICTURE = "picture"  # what a text describes …
LIKE_PICTURE = "picture.like"  # … and what another picture shows
MEANING = "meaning."
QUOTE = "quote.ocr"
QUOTED = 3  # words from which a query can be a quote
# Most passages are those of essays, and most of a search would be spent on reading them all. They judge whom others put
# forward, and put forward themselves what the fields named here do not speak for; so do names.
SPOKEN_FOR = {
    Field.VISUAL: (Field.DESCRIPTION,),
    Field.ANALYSIS: (Field.DESCRIPTION, Field.VISUAL),
    Field.NAME: (Field.OCR, Field.DESCRIPTION),
}
# A BM25 score is at most (k1 + 1) times the sum of the terms' rarities; k1 is tantivy's 1.2.
_SATURATED = 2.2
PDQ_RELATED = 62  # bits of 256: twice what Meta calls "the same"; beyond, agreement is chance
ALIKE_BY_CHANCE = 0.35  # cosine of the looks of two pictures that share nothing
CROWD = 2000  # pictures that stand for all when a query's level is taken
SURE = 5.0  # standard deviations above the crowd from which a picture is what a text describes


@dataclass(frozen=True)
class Voter:
    """One voter about to vote on a query: whom it puts forward, and how it scores anyone."""

    name: str
    best: Callable[[int, Ids | None], Ids]
    scores: Callable[[Ids], Scores]

    @property
    def is_apart(self) -> bool:
        """Whether it works outside the interpreter for long enough to be worth a thread."""
        return self.name.startswith((MEANING, PICTURE))


def voters_of_words(index: Index, terms: Sequence[str], names: Sequence[str]) -> list[Voter]:
    """Return the voters, of `words.<field>` names, by the BM25 scores of a query's terms in a field."""
    most = MOST * len(index.lexical)
    # A word of most memes costs the most to score and says the least: without it the ranking is as good.
    terms = [term for term in terms if index.lexical.document_frequency(term) <= most] or terms
    rarity = sum(_rarity(index, term) for term in terms)
    if not rarity:
        return []
    return [_words(index, terms, name, bound=_SATURATED * rarity) for name in names if name.startswith("words.")]


def _words(index: Index, terms: Sequence[str], name: str, *, bound: float) -> Voter:
    field = name.partition(".")[2]
    has = index.columns.has.get(Field(field)) if field != ALL_TEXT else None

    def best(k: int, allowed: Ids | None) -> Ids:
        return index.lexical.search(terms, field, k=k, allowed=allowed)[0]

    def scores(ids: Ids) -> Scores:
        found = index.lexical.scores(terms, field, ids=ids).astype(np.float64) / bound
        if has is not None:
            found[~has[index.columns.rows(ids)]] = np.nan
        return found

    return Voter(name, best, scores)


def voters_of_quote(index: Index, sequence: Sequence[str], *, least: int = QUOTED) -> list[Voter]:
    """Return the voter for memes that say these terms one after another; none below `least`, or when no meme does."""
    if len(sequence) < least:
        return []
    saying = np.sort(index.lexical.phrase(sequence, Field.OCR, k=DEPTH)[0])
    if not len(saying):
        return []

    def best(k: int, allowed: Ids | None) -> Ids:
        return saying if allowed is None else np.intersect1d(saying, allowed, assume_unique=True)

    def scores(ids: Ids) -> Scores:
        found = np.isin(ids, saying).astype(np.float64)
        found[~index.columns.has[Field.OCR][index.columns.rows(ids)]] = np.nan
        return found

    return [Voter(QUOTE, best, scores)]


def _rarity(index: Index, term: str) -> float:
    """Return a term's inverse document frequency, as BM25 has it; 0 for a term that no meme holds."""
    frequency = index.lexical.document_frequency(term)
    return math.log(1 + (len(index.lexical) - frequency + 0.5) / (frequency + 0.5)) if frequency else 0.0


def voters_of_meaning(index: Index, vectors: Mapping[Field, Direction | Future[Direction]]) -> list[Voter]:
    """Return the voters `meaning.<field>` by the cosine of a field's passages with a whitened vector ([d]) each.

    A vector may still be in the making: it is waited for when it is needed.
    """
    return [_meaning(index, field, vector) for field, vector in vectors.items() if len(index.dense.get(field, ()))]


def _meaning(index: Index, field: Field, given: Direction | Future[Direction]) -> Voter:
    passages = index.dense[field]
    spoken_for = SPOKEN_FOR.get(field)

    def vector() -> Direction:
        return given.result() if isinstance(given, Future) else given

    def best(k: int, allowed: Ids | None) -> Ids:
        if spoken_for is not None:
            own = index.columns.ids_with(field, without=spoken_for)
            allowed = own if allowed is None else np.intersect1d(own, allowed, assume_unique=True)
        return passages.search(vector(), k, allowed=allowed)[0]

    def scores(ids: Ids) -> Scores:
        return passages.scores(vector(), ids=ids, best=BEST_PASSAGES.get(field, 1)).astype(np.float64)

    return Voter(f"{MEANING}{field}", best, scores)


def voter_of_look(index: Index, looks: Vectors, bits: NDArray[np.uint8]) -> Voter:
    """Return the voter by a picture's layouts ([frames, d]) and PDQ fingerprints ([m, 32]); the best one counts."""
    related: dict[int, float] = {}
    for one in bits:
        for id, distance in zip(*index.fingerprints.within(one, PDQ_RELATED), strict=True):
            related[int(id)] = max(related.get(int(id), 0.0), 1 - float(distance) / PDQ_BITS)

    def best(k: int, allowed: Ids | None) -> Ids:
        found = [index.looks.search(look, k, allowed=allowed)[0] for look in looks]
        near = np.array(sorted(related, key=lambda id: (-related[id], id))[:k], np.int64)
        if allowed is not None:
            near = near[np.isin(near, allowed)]
        return np.unique(np.concatenate([near, *found]))

    def scores(ids: Ids) -> Scores:
        found = np.full(len(ids), np.nan)
        for look in looks:
            cosines = index.looks.scores(look, ids=ids).astype(np.float64)
            found = np.fmax(found, (cosines - ALIKE_BY_CHANCE) / (1 - ALIKE_BY_CHANCE))
        return np.fmax(found, np.array([related.get(int(id), np.nan) for id in ids], np.float64))

    return Voter(LOOK, best, scores)


def voter_of_described_picture(index: Index, vector: Direction | Future[Direction]) -> Voter:
    """Return the voter for pictures that a text describes, by its row ([d]) of the image encoder that made the index.

    A text's products with pictures are near each other, on a level of its own: what counts is how far a picture stands
    above the crowd.
    """

    def scaled(cosines: Scores, row: Direction) -> Scores:
        level, spread = _crowd(index, row)
        return (cosines - level) / (SURE * spread)

    return _of_pictures(index, PICTURE, [vector], scaled)


def voter_of_like_picture(index: Index, rows: Sequence[Direction | Future[Direction]]) -> Voter:
    """Return the voter for pictures that are like another, by its frames' rows ([d] each); the best one counts."""

    def scaled(cosines: Scores, row: Direction) -> Scores:
        level, spread = _crowd(index, row)
        chance = min(level + spread, 1 - 1e-6)
        return (cosines - chance) / (1 - chance)

    return _of_pictures(index, LIKE_PICTURE, rows, scaled)


def _of_pictures(
    index: Index,
    name: str,
    given: Sequence[Direction | Future[Direction]],
    scaled: Callable[[Scores, Direction], Scores],
) -> Voter:
    pictures = index.pictures
    assert pictures is not None

    def rows() -> list[Direction]:
        return [one.result() if isinstance(one, Future) else one for one in given]

    def best(k: int, allowed: Ids | None) -> Ids:
        return np.unique(np.concatenate([pictures.search(row, k, allowed=allowed)[0] for row in rows()]))

    def scores(ids: Ids) -> Scores:
        found = [scaled(pictures.scores(row, ids=ids).astype(np.float64), row) for row in rows()]
        # Below the level is nothing found: what is not like one part of a query may still answer another.
        return np.clip(np.fmax.reduce(found), 0.0, 1.0)

    return Voter(name, best, scores)


def _crowd(index: Index, row: Direction) -> tuple[float, float]:
    """Return the mean and the standard deviation of a row's products with the library's pictures."""
    assert index.pictures is not None
    every = index.pictures.rows
    if not len(every):
        return 0.0, 1.0
    products = every[:: max(1, len(every) // CROWD)].astype(np.float32) @ row
    return float(products.mean()), max(float(products.std()), 1e-3)


@dataclass(frozen=True)
class Ballot:
    """The candidates' ids ([n], rising) and their fused ranking."""

    ids: Ids
    fused: Fused


def count(
    voters: Sequence[Voter],
    weights: Mapping[str, float],
    *,
    pool: Executor | None = None,
    allowed: Ids | None = None,
    excluded: int | None = None,
) -> Ballot:
    """Return the fused ranking of all that any voter puts forward, every one of them scored by every voter.

    Only memes in `allowed` (ids, rising) are considered when it is given, and never `excluded`. With a pool,
    voters of meaning vote in its threads while the others do in this one.
    """
    voters = [voter for voter in voters if weights.get(voter.name, 0) > 0]
    forward = _asked(voters, lambda voter: voter.best(DEPTH, allowed), pool=pool)
    ids = np.unique(np.concatenate(forward)) if forward else np.empty(0, np.int64)
    if excluded is not None:
        ids = ids[ids != excluded]
    scores = _asked(voters, lambda voter: voter.scores(ids), pool=pool)
    votes = [Vote(voter.name, own, weights[voter.name]) for voter, own in zip(voters, scores, strict=True)]
    return Ballot(ids, fuse(votes, ids=ids.tolist()))


def _asked(voters: Sequence[Voter], ask: Callable[[Voter], Answered], *, pool: Executor | None) -> list[Answered]:
    """Return each voter's answer, in their order."""

    def alone(voter: Voter) -> Answered:
        # A query is too short for more threads of faiss to pay, and OpenMP keeps the number for each calling thread.
        set_index_threads(1)
        return ask(voter)

    if pool is None:
        return [alone(voter) for voter in voters]
    waiting = {voter.name: pool.submit(alone, voter) for voter in voters if voter.is_apart}
    here = {voter.name: alone(voter) for voter in voters if voter.name not in waiting}
    return [here[voter.name] if voter.name in here else waiting[voter.name].result() for voter in voters]


Weighed = Sequence[tuple[Voter, float]]


def joined(weighed: Weighed) -> list[Voter]:
    """Return one voter for each name: its scores are the weighted mean of those that have something to judge."""
    by_name: dict[str, list[tuple[Voter, float]]] = {}
    for voter, weight in weighed:
        by_name.setdefault(voter.name, []).append((voter, weight))
    return [own[0][0] if len(own) == 1 else _joined(name, own) for name, own in by_name.items()]


def heard(weights: Mapping[str, float], weighed: Weighed) -> dict[str, float]:
    """Return the weights of the joined voters: each name's own, by the most that a part of the query gives it."""
    most: dict[str, float] = {}
    for voter, weight in weighed:
        most[voter.name] = max(most.get(voter.name, 0.0), weight)
    return {name: weight * most.get(name, 1.0) for name, weight in weights.items()}


def _joined(name: str, own: Weighed) -> Voter:
    def best(k: int, allowed: Ids | None) -> Ids:
        return np.unique(np.concatenate([voter.best(k, allowed) for voter, _ in own]))

    def scores(ids: Ids) -> Scores:
        table = np.stack([voter.scores(ids) for voter, _ in own])
        weights = np.array([weight for _, weight in own])[:, None] * ~np.isnan(table)
        total = weights.sum(axis=0)
        found = (np.nan_to_num(table) * weights).sum(axis=0) / np.maximum(total, 1e-9)
        found[total == 0] = np.nan
        return found

    return Voter(name, best, scores)
