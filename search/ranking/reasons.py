"""Reasons: what a hit has in common with the query, as far as a reader can check it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from search.meme import Field, Meme
from search.ranking.fusion import FusedRanking
from search.ranking.highlight import Highlighter, stem_key
from search.ranking.likeness import LOOKS
from search.results import Place, Reason, ReasonKind, Snippet
from search.signals import DESCRIPTOR, Signal, SignalKind

# Least scores of a signal that is a reason. Of the candidates that do not answer a query, one in a hundred has a text
# with such a cosine (CM50 and the demo); a picture is 2.5 deviations above the library's mean. What is shown as similar
# by its layout has that as its reason.
LEAST = {
    SignalKind.SEMANTIC: 0.25,
    SignalKind.IMAGE_TEXT: 0.5,
    SignalKind.DESCRIPTOR: LOOKS[DESCRIPTOR],
    SignalKind.IMAGE_IMAGE: 0.5,
}
MIN_SHARE = 0.15  # of the score, from which a signal is a reason
_KINDS = {
    SignalKind.SEMANTIC: ReasonKind.MEANING,
    SignalKind.IMAGE_TEXT: ReasonKind.PICTURE,
    SignalKind.DESCRIPTOR: ReasonKind.LOOKS,
    SignalKind.IMAGE_IMAGE: ReasonKind.LOOKS,
}


def reasons_of(
    meme: Meme,
    snippets: Sequence[Snippet],
    ranking: FusedRanking,
    *,
    place: int,
    highlighter: Highlighter,
    is_named: bool = False,
) -> tuple[Reason, ...]:
    """Return the reasons for a hit, words before likenesses, which is at a place of the ranking's ids.

    With `is_named`, the meme was asked for by its file's name: the name is a reason, in whatever way it was typed.

    >>> from search.ranking.reasons import reasons_of
    >>> [hit] = searcher.search("cat clock", k=1)
    >>> [reason.in_words() for reason in hit.reasons if reason.words]
    ['description by tiny-artist says “clock”']
    """
    said = [
        Reason(ReasonKind.SAYS, Place(snippet.field.value), snippet.source, snippet.words)
        for snippet in snippets
        if snippet.words
    ]
    named = [*_in_the_name(meme, highlighter)]
    if is_named and not any(reason.place is Place.NAME for reason in named):
        named.insert(0, Reason(ReasonKind.SAYS, Place.NAME, words=(_stem(meme),)))
    # A model's two descriptions of a meme may say the same: what reads the same is one reason, where it stands first.
    by_phrase: dict[str, Reason] = {}
    for reason in (*said, *named, *_likenesses(ranking, place)):
        by_phrase.setdefault(reason.in_words(), reason)
    return tuple(by_phrase.values())


def _in_the_name(meme: Meme, highlighter: Highlighter) -> Iterator[Reason]:
    """Yield the words of the query in the file's name, and those in its category."""
    for place, text in ((Place.NAME, _stem(meme)), (Place.CATEGORY, meme.category)):
        found: dict[str, str] = {}
        for start, end in highlighter.find(text):
            found.setdefault(stem_key(text[start:end]), text[start:end])
        if found:
            yield Reason(ReasonKind.SAYS, place, words=tuple(found.values()))


def _stem(meme: Meme) -> str:
    return meme.name.rsplit(".", 1)[0]


def _likenesses(ranking: FusedRanking, place: int) -> list[Reason]:
    """Return what is close in meaning and what looks similar, the one that adds most to the score first."""
    score = float(ranking.scores[place])
    parts: list[tuple[float, Signal]] = []
    for signal, contribution in ranking.contributions.items():
        least, known = LEAST.get(signal.kind), ranking.by_signal.get(signal)
        part = float(contribution[place])
        if least is not None and known is not None and known[place] >= least and part >= MIN_SHARE * score:
            parts.append((part, signal))
    found: dict[ReasonKind, Reason] = {}
    for _, signal in sorted(parts, key=lambda one: (-one[0], one[1])):
        kind = _KINDS[signal.kind]
        where = Place.PICTURE if kind is not ReasonKind.MEANING else Place((signal.field or Field.OCR).value)
        found.setdefault(kind, Reason(kind, where))
    return list(found.values())
