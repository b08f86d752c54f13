"""Contents of several pictures: what moves is compared frame by frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from search.duplicates.compare import Seen, compare_seen
from search.evidence import Evidence, Tier

AGREEING = 0.6  # share of the frames that must be duplicates: where cuts and loops begin differs between encoders
_SURENESS = {tier: place for place, tier in enumerate(Tier)}


def compare_contents(
    one: Sequence[Seen], other: Sequence[Seen], *, text: str | None = None, other_text: str | None = None
) -> Evidence:
    """Return how much two contents are alike, each given by its frames in order of time.

    A still and what moves are variants at most: the one does not replace the other. Raises ValueError without frames.
    """
    if not one or not other:
        raise ValueError("a content without pictures cannot be compared")
    if len(one) == len(other) == 1:
        return compare_seen(one[0], other[0], text=text, other_text=other_text)
    if min(len(one), len(other)) == 1:
        found = [compare_seen(first, second, text=text, other_text=other_text) for first in one for second in other]
        best = min(found, key=_order)
        if best.tier is not None and best.tier.is_duplicate:
            best = replace(best, tier=Tier.VARIANT)
        return replace(best, frames=max(len(one), len(other)))
    pairs = _partners(len(one), len(other))
    found = [compare_seen(one[first], other[second], text=text, other_text=other_text) for first, second in pairs]
    same = [evidence for evidence in found if evidence.tier is not None and evidence.tier.is_duplicate]
    if len(same) >= max(2, AGREEING * len(found)):
        # As sure as the least sure of the frames that agree.
        return replace(max(same, key=_order), frames=len(found))
    best = min(found, key=_order)
    if best.tier is not None and best.tier.is_duplicate:
        best = replace(best, tier=Tier.VARIANT)
    return replace(best, frames=len(found))


def _partners(count: int, other: int) -> list[tuple[int, int]]:
    """Return which frames are shown at about the same share of the time."""
    longer = max(count, other)
    return [(round(at * (count - 1) / (longer - 1)), round(at * (other - 1) / (longer - 1))) for at in range(longer)]


def _order(evidence: Evidence) -> tuple[int, float]:
    return (len(Tier) if evidence.tier is None else _SURENESS[evidence.tier]), -evidence.score
