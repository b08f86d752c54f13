"""The relevance cut-off: how many hits of a ranking answer its query, and whether any does.

A fixed threshold on the score does not work: the best hit of a short query scores below the worst of a long one. A
logistic regression uses features of a hit and its ranking instead: how many of the query's words the meme has, how
near its meaning is, and how far it is above the hits that do not have all words. No feature of a hit grows when the hit
gets weaker, and no weight of one is negative, so a weaker hit is never the more relevant one; along the ranking the
log-odds never rise. `python -m benchmarks.relevance --fit` fits it and measures its errors.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from search.encoders.emoji import is_emoji
from search.errors import WrongUse
from search.index.columns import Ids
from search.index.lexical.analyzer import is_letterwise, query_parts, query_terms
from search.index.lexical.file_names import no_ids
from search.index.lexical.vocabulary import WordIndex
from search.query.parser import Query
from search.query.spelling import Correction
from search.query.words import accented_forms, short_korean_words
from search.ranking.fusion import FusedRanking, ScoreArray
from search.settings import Settings
from search.signals import SignalKind

Features = NDArray[np.float64]  # [n, len(FEATURES)], a row for each candidate, best first

# Candidates, the best, that are looked at first: in nearly all rankings the cut-off and the near misses are among them,
# and to look up which words a candidate has takes longer than all else.
LOOKED_AT = 32
NEAR_MISSES = slice(2, 8)  # of the candidates without all words, those whose mean score others are compared with
FEATURES = (
    "words",  # the share of the query's words that the meme has, each by its inverse document frequency
    "all words",  # 1 if it has all of them
    "information",  # the inverse document frequencies of the words that it has, summed, a tenth of it
    "meaning",  # the highest cosine of its texts with the query
    "picture",  # how well its picture fits the query's words
    "length",  # of the query
    "alone",  # how far its score is above that of every other candidate, as a share of it, times the length
    "above the near misses",  # how far its score is above those that nearly fit, times the length
)
# Those that depend on the scale of a text encoder's cosines.
BY_MEANING = frozenset({"meaning", "alone", "above the near misses"})
# Of the query, not of a hit: its weight may be negative.
OF_QUERY = frozenset({"length"})


@dataclass(frozen=True)
class WordStart:
    """The letters that a Korean word of a meme begins with."""

    letters: str


# A word's term, the terms of a pair of letters, the words as written that one with accents stands for, or a beginning
Part = str | tuple[str, ...] | frozenset[str] | WordStart


@dataclass(frozen=True)
class QueryStats:
    """A query's distinct parts and the inverse document frequency of each; parts in no meme have the highest.

    A part is a word's term, a pair of letters where words have no spaces, the forms of a word with accents, or a short
    Korean word, which must begin one of the meme's.
    """

    terms: tuple[Part, ...] = ()
    idf: tuple[float, ...] = ()
    index: WordIndex | None = None

    def held(self, ids: Ids) -> NDArray[np.float64]:
        """Return the summed inverse document frequencies of the terms that each of some memes has ([n])."""
        found = np.zeros(len(ids))
        if self.index is None:
            return found
        words = [term for term in self.terms if isinstance(term, str) and self.index.document_frequency(term)]
        held = dict(zip(words, self.index.held(words, ids) if words else (), strict=True))
        for term, idf in zip(self.terms, self.idf, strict=True):
            if not isinstance(term, str):
                found += idf * np.isin(ids, _having(self.index, term))
            elif term in held:
                found += idf * held[term]
        return found


@dataclass(frozen=True)
class Cutoff:
    """The number of relevant hits, and the log-odds that candidates are relevant, best first and never rising.

    Those of the best candidates are enough, where the last of them is not relevant.
    """

    relevant: int
    log_odds: ScoreArray


@dataclass(frozen=True)
class RelevanceModel:
    """A logistic regression: a weight for each of FEATURES and a bias. A hit with log-odds above 0 is relevant.

    >>> by_words = RelevanceModel((1.0, *[0.0] * (len(FEATURES) - 1)), -0.5)
    >>> features = np.zeros((4, len(FEATURES)))
    >>> features[:, 0] = 0.9, 0.8, 0.2, 0.8
    >>> by_words.cutoff(features).relevant
    2
    """

    weights: tuple[float, ...]
    bias: float

    def by_name(self) -> Mapping[str, float]:
        """Return the weights by the names of FEATURES, and the `bias`, as the setting `certain_odds` has them.

        >>> relevance_model(RELEVANCE_MODEL.by_name()) == RELEVANCE_MODEL
        True
        """
        return dict(zip((*FEATURES, "bias"), (*self.weights, self.bias), strict=True))

    def without_meaning(self) -> RelevanceModel:
        """Return the model without what depends on a text encoder's cosines: a hit matches by its words and picture.

        >>> relevance_model({}).without_meaning().by_name()["meaning"]
        0.0
        """
        weights = (0.0 if name in BY_MEANING else own for name, own in zip(FEATURES, self.weights, strict=True))
        return replace(self, weights=tuple(weights))

    def cutoff(self, features: Features, *, line: float = 0.0) -> Cutoff:
        """Return the cut-off of candidates with these features, best first; relevant are those above `line`."""
        log_odds = np.minimum.accumulate(features @ np.array(self.weights) + self.bias)
        return Cutoff(int(np.count_nonzero(log_odds > line)), log_odds)


# Fitted by `python -m benchmarks.relevance --fit --queries 80` on 2026-11-28 to the tuned halves of the demo (without
# and with an image encoder), CM50, and real_memes (with and without descriptions). On the other halves, of what is
# above it .94 is right for queries with one answer (.80 of the answers are above), .95 and .55 with 2 to 5, .96 to .99
# and 1.00 with more; of queries without an answer 7 % have something above it.
RELEVANCE_MODEL = RelevanceModel((3.193, 6.857, 0.834, 2.688, 0.081, 0.112, 0.721, 7.692), -6.231)


def relevance_model(odds: Mapping[str, float]) -> RelevanceModel:
    """Return the model with the weights of the setting `certain_odds`, by feature; without any, RELEVANCE_MODEL.

    Raises WrongUse for weights of other features than FEATURES, and for negative ones.

    >>> relevance_model({}) is RELEVANCE_MODEL
    True
    """
    if not odds:
        return RELEVANCE_MODEL
    hint = "Remove `certain_odds` from the settings; `memetica evaluate --fit` fits it anew."
    if odds.keys() != {*FEATURES, "bias"}:
        raise WrongUse(
            f"The setting certain_odds must have a number for each of {', '.join((*FEATURES, 'bias'))}.", hint=hint
        )
    negative = [name for name in FEATURES if name not in OF_QUERY and odds[name] < 0]
    if negative:
        raise WrongUse(
            f"The setting certain_odds has a negative weight for {', '.join(negative)}: weaker hits would match first.",
            hint=hint,
        )
    return RelevanceModel(tuple(odds[name] for name in FEATURES), odds["bias"])


# For a text encoder that nothing was fitted to: its cosines, and the scores that they are part of, count nothing, so
# that a hit matches by its words and its picture alone. Precision is then that of words, whatever the encoder is.
WITHOUT_MEANING = RELEVANCE_MODEL.without_meaning()


class RelevanceRule(NamedTuple):
    """What decides which hits match: log-odds, the line above which they match, whether both fit the text encoder."""

    model: RelevanceModel
    line: float
    is_fitted: bool


def relevance_rule(settings: Settings, encoder: object) -> RelevanceRule:
    """Return what decides which hits match in searches with a text encoder.

    What was fitted with another one (setting `certain_for`) does not count. For an encoder with `is_calibrated` false
    nothing is fitted until `memetica evaluate --fit` has done so. Raises WrongUse as `relevance_model` does.

    >>> relevance_rule(workspace.settings, encoder).model is RELEVANCE_MODEL
    True
    """
    calibrated = bool(getattr(encoder, "is_calibrated", True))
    unfitted = RELEVANCE_MODEL if calibrated else WITHOUT_MEANING
    fitted_for = settings.certain_for
    if not (fitted_for == getattr(encoder, "name", "") if fitted_for else calibrated):
        return RelevanceRule(unfitted, 0.0, calibrated)
    model = relevance_model(settings.certain_odds) if settings.certain_odds else unfitted
    return RelevanceRule(model, settings.certain_above, calibrated or bool(settings.certain_odds))


def query_stats(index: WordIndex, terms: Collection[Part]) -> QueryStats:
    """Return how rare a query's distinct terms, or pairs in a row, are among the memes; what none has is rarest.

    >>> len(query_stats(searcher.index.lexical, ["robot", "xylophone"]).terms)
    2
    """
    distinct = tuple(dict.fromkeys(terms))
    return QueryStats(distinct, tuple(_idf(index, term) for term in distinct), index)


def stats_of(query: Query, correction: Correction, index: WordIndex) -> QueryStats:
    """Return how rare the words of a query are: those that were misspelled count as their corrections.

    Beside words emoji do not count: most captions with them stand in pictures without them.

    >>> from search.query.parser import parse
    >>> from search.query.spelling import correct_spelling
    >>> from search.ranking.relevance import stats_of
    >>> query = parse("a robot")
    >>> stats_of(query, correct_spelling(query, searcher.index.lexical), searcher.index.lexical).terms
    ('a', 'robot')
    """
    misspelled = set(query_terms(" ".join(correction.corrections)))
    beginnings = short_korean_words(query.text, index)
    of_short = {part for word in beginnings for part in query_parts(word)}
    parts = [part for part in query_parts(query.text) if is_letterwise(part) and part not in of_short]
    pairs = [part if len(part) > 1 else part[0] for part in parts]
    words = [term for term in correction.query.terms if term not in misspelled and not is_letterwise((term,))]
    said = [term for term in words if not is_emoji(term)]
    words = said if said or pairs else words
    forms = accented_forms(query.text, index)
    of_words = (frozenset(forms[term]) if term in forms else term for term in words)
    return query_stats(index, [*of_words, *pairs, *map(WordStart, beginnings)])


def _idf(index: WordIndex, part: Part) -> float:
    frequency = index.document_frequency(part) if isinstance(part, str) else len(_having(index, part))
    return math.log(1 + (len(index) - frequency + 0.5) / (frequency + 0.5))


def _having(index: WordIndex, part: tuple[str, ...] | frozenset[str] | WordStart) -> Ids:
    if isinstance(part, WordStart):
        found = index.beginning(part.letters)
        return no_ids() if found is None else found
    return index.written(sorted(part)) if isinstance(part, frozenset) else index.having_all([[part]])


def relevance_cutoff(
    ranking: FusedRanking, stats: QueryStats, *, model: RelevanceModel = RELEVANCE_MODEL, line: float = 0.0
) -> Cutoff:
    """Return the relevant hits of a ranking: those whose log-odds are above `line`. Without a term there are none.

    >>> xylophone = query_stats(searcher.index.lexical, ["xylophon"])
    >>> relevance_cutoff(searcher.scores("xylophone").fuse(), xylophone).relevant
    0
    """
    if not stats.terms:
        return Cutoff(0, np.full(len(ranking.ids), -np.inf))
    # The log-odds never rise: after a candidate that is not relevant, none is.
    features = relevance_features(ranking, stats, most=LOOKED_AT)
    found = model.cutoff(features, line=line)
    if found.relevant == len(features) < len(ranking.ids):
        found = model.cutoff(relevance_features(ranking, stats), line=line)
    return found


def relevance_features(ranking: FusedRanking, stats: QueryStats, *, most: int | None = None) -> Features:
    """Return the features of each candidate of a ranking ([n, len(FEATURES)]), best first.

    With `most`, those of so many of the best, unless too few of these lack words to compare the others with.

    >>> robot = query_stats(searcher.index.lexical, ["robot"])
    >>> relevance_features(searcher.scores("robot").fuse(), robot).shape[1] == len(FEATURES)
    True
    """
    scores = ranking.scores[ranking.order]
    order = ranking.order[:most]
    held = stats.held(ranking.ids[order])
    share = held / max(sum(stats.idf), 1e-9)
    has_all = share > 1 - 1e-6
    # Where many memes answer, they have the words: the others are what they stand out from.
    near = scores[: len(order)][~has_all][NEAR_MISSES]
    if len(near) < NEAR_MISSES.stop - NEAR_MISSES.start and len(order) < len(scores):
        return relevance_features(ranking, stats)
    level = float(near.mean()) if len(near) else 0.0
    # A short query reaches a high score easily; long queries seldom match with all words.
    length = math.log1p(len(stats.terms))
    above = np.maximum(scores - level, 0.0)
    return np.column_stack(
        [
            share,
            has_all,
            held / 10,
            _highest(ranking, SignalKind.SEMANTIC)[order],
            _highest(ranking, SignalKind.IMAGE_TEXT)[order],
            np.full(len(order), length),
            (_alone(scores) / np.maximum(scores, 1e-9) * length)[: len(order)],
            above[: len(order)] * length,
        ]
    )


def _highest(ranking: FusedRanking, kind: SignalKind) -> ScoreArray:
    """Return each candidate's highest score by the signals of a kind ([n], in the ranking's order of ids)."""
    found = [scores for signal, scores in ranking.by_signal.items() if signal.kind is kind]
    return np.maximum.reduce(found) if found else np.zeros(len(ranking.ids))


def _alone(values: ScoreArray) -> ScoreArray:
    """Return how far each value is above all others ([n]): 0 for all but the highest."""
    if len(values) < 2:
        return values.copy()
    second, highest = np.partition(values, -2)[-2:]
    return np.where(values == highest, highest - second, 0.0)
