"""Compare two memes by their frames: stills, animations and videos."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from search.duplicates.comparison import PreparedPicture, compare_prepared
from search.evidence import Evidence, Tier

AGREEING = 0.6  # share of frames that must be duplicates, because copies may start a cut or a loop at another frame


def compare_frames(
    a: Sequence[PreparedPicture],
    b: Sequence[PreparedPicture],
    *,
    text_a: str | None = None,
    text_b: str | None = None,
) -> Evidence:
    """Return the evidence on two memes from their frames in order of time; raise ValueError without frames.

    A still and an animation are variants at most: one cannot replace the other.

    >>> from PIL import Image
    >>> from search.duplicates.comparison import prepare
    >>> frames = [prepare(Image.linear_gradient("L")) for _ in range(3)]
    >>> compare_frames(frames, frames).frames
    3
    """
    if not a or not b:
        raise ValueError("a meme without frames cannot be compared")
    if len(a) == len(b) == 1:
        return compare_prepared(a[0], b[0], text_a=text_a, text_b=text_b)
    if min(len(a), len(b)) == 1:
        pairs = [(first, second) for first in range(len(a)) for second in range(len(b))]
    else:
        pairs = matching_frames(len(a), len(b))
    found = [compare_prepared(a[first], b[second], text_a=text_a, text_b=text_b) for first, second in pairs]
    duplicates = [evidence for evidence in found if evidence.tier is not None and evidence.tier.is_duplicate]
    if min(len(a), len(b)) > 1 and len(duplicates) >= max(2, AGREEING * len(found)):
        # The evidence of the least certain duplicate frame.
        return replace(max(duplicates, key=lambda evidence: evidence.order), frames=len(found))
    best = min(found, key=lambda evidence: evidence.order)
    if best.tier is not None and best.tier.is_duplicate:
        best = replace(best, tier=Tier.VARIANT)
    return replace(best, frames=len(found))


def matching_frames(count: int, other: int) -> list[tuple[int, int]]:
    """Return the pairs of frame numbers at about the same share of the running time.

    >>> matching_frames(5, 3)
    [(0, 0), (1, 0), (2, 1), (3, 2), (4, 2)]
    """
    longer = max(count, other)
    return [(round(at * (count - 1) / (longer - 1)), round(at * (other - 1) / (longer - 1))) for at in range(longer)]
