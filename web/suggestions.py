"""The categories suggested for an upload, the most probable first, and how sure the suggestion is."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from indexer.inbox.acceptance import similar_memes
from search.catalogue import Catalogue, Upload, UploadState
from search.categories.suggester import Suggestion
from search.meme import Meme

MAX_SUGGESTED = 5  # categories; each has a key on the page
SIMILAR = "a similar meme is there"
SAFE_PARENT = "the parent category is a safe choice"
RECENT_DECISIONS = 30  # in which recently chosen categories are counted
LIKELY = 0.3  # minimum probability at which one key may accept the first category


@dataclass(frozen=True)
class SuggestedCategory:
    """A category and why it is suggested.

    `probability` is from 0 to 1, or None while no model is trained. `has_evidence` says that something about the upload
    itself points to the category, so that one key may accept it. `memes` are the ids of its most similar memes there.
    """

    category: str
    probability: float | None = None
    why: str = ""
    has_evidence: bool = False
    memes: tuple[int, ...] = ()


@dataclass(frozen=True)
class SuggestedCategories:
    """Suggested categories, the most probable first, and a sentence that says how sure they are.

    `sure` is the category that is probable enough to accept without review, or None. `neighbors` are the memes that
    are most similar to the upload.
    """

    categories: tuple[SuggestedCategory, ...] = ()
    sentence: str = ""
    sure: str | None = None
    neighbors: tuple[Meme, ...] = ()


def from_suggestion(catalogue: Catalogue, suggestion: Suggestion) -> SuggestedCategories:
    """Return the categories of a suggestion; a safe parent comes first where no leaf category is sure."""
    categories = [
        SuggestedCategory(
            one.category, one.probability, has_evidence=rank == 0 and one.probability >= LIKELY, memes=one.memes
        )
        for rank, one in enumerate(suggestion.categories)
    ]
    if suggestion.parent is not None:
        parent, probability = suggestion.parent
        categories = [one for one in categories if one.category != parent]
        categories.insert(0, SuggestedCategory(parent, probability, why=SAFE_PARENT, has_evidence=True))
    nearest = suggestion.categories[0].memes if suggestion.categories else ()
    by_id = {meme.id: meme for meme in catalogue.memes.many(list(nearest))}
    return SuggestedCategories(
        tuple(categories[:MAX_SUGGESTED]),
        suggestion.sentence,
        suggestion.sure,
        tuple(by_id[id] for id in nearest if id in by_id),
    )


def suggest_categories(
    catalogue: Catalogue, upload: Upload, suggestion: Suggestion | None = None
) -> SuggestedCategories:
    """Return the categories of a suggestion.

    Without a suggestion these are the categories of similar memes, then those chosen recently, then the largest ones.
    """
    if suggestion is not None and suggestion.categories:
        return from_suggestion(catalogue, suggestion)
    reasons: dict[str, str] = {}
    for meme, _ in similar_memes(catalogue, upload):
        reasons.setdefault(meme.category, SIMILAR)
    recent = Counter(
        one.category
        for one in catalogue.uploads.decided(RECENT_DECISIONS)
        if one.state is UploadState.ACCEPTED and one.category is not None
    )
    for category, _ in recent.most_common():
        reasons.setdefault(category, "chosen recently")
    for category, _, _ in sorted(catalogue.memes.categories(), key=lambda one: (-one[1], one[0])):
        reasons.setdefault(category, "large category")
    categories = tuple(
        SuggestedCategory(category, why=why, has_evidence=why == SIMILAR)
        for category, why in list(reasons.items())[:MAX_SUGGESTED]
    )
    return SuggestedCategories(
        categories, "Suggestions are being prepared. Until then, these are similar, recent or large categories."
    )
