"""Where an upload may belong: the categories that a curator is offered, the likeliest first, and how sure that is."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from indexer.inbox.accept import alike
from search.catalogue import Catalogue, Upload, UploadState
from search.categories.suggester import Suggestion
from search.meme import Meme

OFFERED = 5  # categories, a key each
LIKE = "a meme there is like it"
SAFE = "a safe place above"
LATELY = 30  # decisions that are looked at for categories that are used now
LIKELY = 0.3  # probability from which one key may take the first


@dataclass(frozen=True)
class Offer:
    """A category and why it is offered; `probability` is 0 to 1, None where nobody can say.

    `memes` are the ids of those there that are most like it.
    """

    category: str
    probability: float | None = None
    why: str = ""
    speaks: bool = False  # whether anything about the upload itself speaks for it, so that one key may take it
    memes: tuple[int, ...] = ()


@dataclass(frozen=True)
class Offers:
    """What is offered, the likeliest first, and a sentence on how sure that is; `sure` is one key away."""

    offers: tuple[Offer, ...]
    sentence: str
    sure: str | None = None
    neighbours: tuple[Meme, ...] = ()


def suggested(catalogue: Catalogue, suggestion: Suggestion) -> Offers:
    """Return what a suggestion offers: a safe parent first where no leaf is sure, and the memes that speak for it."""
    offers = [
        Offer(one.category, one.probability, speaks=place == 0 and one.probability >= LIKELY, memes=one.memes)
        for place, one in enumerate(suggestion.guesses)
    ]
    if suggestion.parent is not None:
        category, probability = suggestion.parent
        offers = [Offer(category, probability, why=SAFE, speaks=True)] + [
            one for one in offers if one.category != category
        ]
    first = suggestion.guesses[0].memes if suggestion.guesses else ()
    by_id = {meme.id: meme for meme in catalogue.memes.many(list(first))}
    return Offers(
        tuple(offers[:OFFERED]),
        suggestion.sentence,
        suggestion.sure,
        tuple(by_id[id] for id in first if id in by_id),
    )


def offers_of(catalogue: Catalogue, upload: Upload, suggestion: Suggestion | None = None) -> Offers:
    """Return what a suggestion offers; without one, categories by likeness, then chosen lately, then large ones."""
    if suggestion is not None and suggestion.guesses:
        return suggested(catalogue, suggestion)
    found: dict[str, str] = {}
    for meme, _ in alike(catalogue, upload):
        found.setdefault(meme.category, LIKE)
    lately = Counter(
        one.category
        for one in catalogue.uploads.decided(LATELY)
        if one.state is UploadState.ACCEPTED and one.category is not None
    )
    for category, _ in lately.most_common():
        found.setdefault(category, "chosen lately")
    for category, _, _ in sorted(catalogue.memes.categories(), key=lambda one: (-one[1], one[0])):
        found.setdefault(category, "large")
    offers = tuple(Offer(category, why=why, speaks=why == LIKE) for category, why in list(found.items())[:OFFERED])
    return Offers(offers, "The categories are being learnt. Until then, these are by likeness and use.")
