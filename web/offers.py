"""Where an upload may belong: the categories that a curator is offered, the likeliest first, and how sure that is."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from indexer.accepting import alike
from search.catalogue import Catalogue, Upload, UploadState
from search.meme import Meme

OFFERED = 5  # categories, a key each
LIKE = "a meme there is like it"
LATELY = 30  # decisions that are looked at for categories that are used now


@dataclass(frozen=True)
class Offer:
    """A category and why it is offered; `probability` is 0 to 1, None where nobody can say."""

    category: str
    probability: float | None = None
    why: str = ""
    speaks: bool = False  # whether anything about the upload itself speaks for it, so that one key may take it


@dataclass(frozen=True)
class Offers:
    """What is offered, the likeliest first, and a sentence on how sure that is; `sure` is one key away."""

    offers: tuple[Offer, ...]
    sentence: str
    sure: str | None = None
    neighbours: tuple[Meme, ...] = ()


def offers_of(catalogue: Catalogue, upload: Upload) -> Offers:
    """Return categories by what an upload looks like, then those that were chosen lately, then the largest."""
    found: dict[str, str] = {}
    for meme, _ in alike(catalogue, upload):
        found.setdefault(meme.category, LIKE)
    lately = Counter(
        one.category
        for one in catalogue.inbox.decided(LATELY)
        if one.state is UploadState.ACCEPTED and one.category is not None
    )
    for category, _ in lately.most_common():
        found.setdefault(category, "chosen lately")
    for category, _, _ in sorted(catalogue.memes.categories(), key=lambda one: (-one[1], one[0])):
        found.setdefault(category, "large")
    offers = tuple(Offer(category, why=why, speaks=why == LIKE) for category, why in list(found.items())[:OFFERED])
    return Offers(offers, "Nobody has been asked where it belongs: these are by likeness and use.")
