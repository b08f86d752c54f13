"""Cards: what a grid shows of each hit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from search.meme import Meme
from search.results import Hit, Place, Reason, ReasonKind
from web.site.titles import Title, titles_of

MAX_REASONS = 2  # of a card
# Width by height that a grid shows whole: a phone's screenshot is .46 wide, a panorama is wider than most screens.
NARROWEST, WIDEST = 0.45, 2.6
_SHORT = {
    ReasonKind.MEANING: "similar meaning",
    ReasonKind.PICTURE: "picture matches",
    ReasonKind.LOOKS: "looks similar",
}


@dataclass(frozen=True)
class Card:
    """A hit with its names, and the short and the full reasons for it; both are empty in a list that is not ranked."""

    hit: Hit
    title: Title
    reason: str
    reasons: tuple[str, ...]
    ratio: float  # width by height, limited to what the grid shows

    @property
    def meme(self) -> Meme:
        """The meme."""
        return self.hit.meme


def cards_of(hits: Sequence[Hit]) -> list[Card]:
    """Return a card for each hit."""
    titles = titles_of([hit.meme for hit in hits])
    return [
        Card(
            hit,
            titles[hit.meme.id],
            short_reason(hit.reasons[0], hit.meme) if hit.reasons else "",
            tuple(reason.in_words() for reason in hit.reasons[:MAX_REASONS]),
            card_ratio(hit.meme),
        )
        for hit in hits
    ]


def cards_of_memes(memes: Sequence[Meme]) -> list[Card]:
    """Return a card for each meme of a list that is not ranked."""
    return cards_of([Hit(meme, 0.0) for meme in memes])


def short_reason(reason: Reason, meme: Meme) -> str:
    """Return a reason in the few words that fit under a picture.

    >>> hit = searcher.search("burning room")[0]
    >>> short_reason(hit.reasons[0], hit.meme)
    'described: “burning”, “room”'
    """
    if reason.kind is not ReasonKind.SAYS:
        return _SHORT[reason.kind]
    if reason.place is Place.CATEGORY:
        return f"in {meme.category}"
    words = ", ".join(f"“{word}”" for word in reason.words)
    place = {Place.NAME: "file name has", Place.OCR: "says"}.get(reason.place, "described:")
    return f"{place} {words}"


def card_ratio(meme: Meme) -> float:
    """Return width by height, limited to what the grid shows whole; 1 when the size is not known."""
    return min(WIDEST, max(NARROWEST, meme.width / meme.height)) if meme.width and meme.height else 1.0
