"""Likeness floors: which memes are like a meme or a picture, of all that the ranking by likeness finds.

A ranking always has a best hit, also where nothing is alike. The floors are chosen on one half of the templates of
real_memes, CM50 and the demo, where nine in ten of the memes above them are right, and measured on the other half:
`python -m benchmarks.relatives`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
from numpy.typing import NDArray

from search.index.columns import Ids, MemeColumns, union
from search.meme import Field, Likeness
from search.ranking.fusion import FusedRanking, Weights
from search.signals import DESCRIPTOR, IMAGE_IMAGE, LEXICAL_OCR, Signal, semantic

# The weight of each signal in the ranking by a likeness.
LIKENESS_WEIGHTS: Mapping[Likeness, Weights] = {
    Likeness.TEMPLATE: {DESCRIPTOR: 1.0},
    Likeness.LOOK: {DESCRIPTOR: 0.6, IMAGE_IMAGE: 0.4},
    Likeness.MEANING: {
        semantic(Field.DESCRIPTION): 0.5,
        semantic(Field.VISUAL): 0.2,
        semantic(Field.ANALYSIS): 0.2,
        semantic(Field.OCR): 0.3,
    },
    Likeness.WORDS: {LEXICAL_OCR: 0.6, semantic(Field.OCR): 0.4},
    Likeness.ALL: {
        DESCRIPTOR: 0.4,
        IMAGE_IMAGE: 0.3,
        semantic(Field.DESCRIPTION): 0.2,
        semantic(Field.VISUAL): 0.1,
        semantic(Field.OCR): 0.2,
        LEXICAL_OCR: 0.2,
    },
}

# The likenesses that a meme's page shows, in this order.
SHOWN = (Likeness.TEMPLATE, Likeness.LOOK, Likeness.MEANING, Likeness.WORDS)
MOST_COMPARED = 60  # memes of a likeness that are looked at besides those that are shown already

SAME_PICTURE = (
    0.88  # least descriptor score of the same picture or template: 31 differing bits of 256, or .92 of layout
)
MEANING_SCORE = 0.35  # least score of the ranking by meaning
WORDS_SCORE = 0.3  # least score of the ranking by words
# Any of these signals, at its least score, makes a meme look similar, …
LOOKS: Mapping[Signal, float] = {DESCRIPTOR: 0.65, IMAGE_IMAGE: 0.8}
# … and any of these makes it similar in some way.
ANY: dict[Signal, float] = {
    **LOOKS,
    semantic(Field.DESCRIPTION): 0.5,
    semantic(Field.VISUAL): 0.5,
    semantic(Field.OCR): 0.45,
    LEXICAL_OCR: 0.25,
}


def is_alike(ranking: FusedRanking, likeness: Likeness) -> NDArray[np.bool_]:
    """Return which candidates of a ranking by a likeness are above its floor ([n], in the order of the ids).

    >>> from search.ranking.likeness import is_alike
    >>> is_alike(searcher.scores("robot").fuse(), Likeness.LOOK).any()
    np.False_
    """
    if likeness is Likeness.TEMPLATE:
        return reaches(ranking, {DESCRIPTOR: SAME_PICTURE})
    if likeness is Likeness.LOOK:
        return reaches(ranking, LOOKS)
    if likeness is Likeness.ALL:
        return reaches(ranking, ANY)
    return ranking.scores >= (MEANING_SCORE if likeness is Likeness.MEANING else WORDS_SCORE)


def reaches(ranking: FusedRanking, floors: Mapping[Signal, float]) -> NDArray[np.bool_]:
    """Return which candidates reach the floor of any of some signals ([n], in the order of the ids)."""
    found = np.zeros(len(ranking.ids), np.bool_)
    for signal, least in floors.items():
        if signal in ranking.by_signal:
            found |= ranking.by_signal[signal] >= least
    return found


def distinct(ids: Ids, columns: MemeColumns, *, known: Collection[int] = ()) -> Ids:
    """Return those ids, in their order, that are neither known nor variants of one before them.

    >>> distinct(np.array([4, 4, 2]), searcher.index.columns, known={2}).tolist()
    [4]
    """
    seen = set(known)
    found = []
    for id in ids.tolist():
        if id not in seen:
            found.append(id)
            seen |= {id, *columns.variants(id).tolist()}
    return np.array(found, np.int64)


def with_their_variants(ids: Ids, columns: MemeColumns) -> set[int]:
    """Return ids with those of all their variants, also of memes that the index does not have."""
    return {one for id in ids.tolist() for one in (id, *columns.variants(id).tolist())}


def with_variants(ids: Ids, columns: MemeColumns) -> Ids:
    """Return rising ids with those of all their variants."""
    groups = union(columns.variant_of[columns.rows(ids)])
    return np.sort(columns.ids[np.isin(columns.variant_of, groups)])
