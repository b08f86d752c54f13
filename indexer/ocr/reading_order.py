"""Determine the reading order of text boxes on a picture: panel by panel, each from top to bottom."""

from __future__ import annotations

from collections.abc import Sequence

Box = tuple[tuple[float, float], ...]  # four corners, the top left first, in shares of width and height

Span = tuple[float, float]

# Boxes of neighbouring lines overlap a little, so this share of a box's height is cut off above and below.
_TRIM = 0.2


def reading_order(boxes: Sequence[Box], *, shape: float = 1.0) -> list[int]:
    """Return the positions of boxes in reading order; `shape` is the picture's width divided by its height.

    The widest gap straight across a group, horizontal or vertical, splits it into two groups that are read one after
    the other; a group without such a gap is read row by row.

    >>> right = ((0.6, 0.1), (0.9, 0.1), (0.9, 0.2), (0.6, 0.2))
    >>> left = ((0.1, 0.1), (0.4, 0.1), (0.4, 0.2), (0.1, 0.2))
    >>> reading_order([right, left])
    [1, 0]
    """
    spans = []
    for box in boxes:
        across = [x * shape for x, _ in box]
        down = [y for _, y in box]
        trim = _TRIM * (max(down) - min(down))
        spans.append(((min(across), max(across)), (min(down) + trim, max(down) - trim)))
    return _ordered(list(range(len(boxes))), spans)


def _ordered(group: list[int], spans: Sequence[tuple[Span, Span]]) -> list[int]:
    if len(group) < 2:
        return group
    across, down = (_widest_gap(group, [spans[at][axis] for at in group]) for axis in (0, 1))
    # Above and below come before left and right unless the gap between left and right is clearly the wider one.
    gap, first, second = down if down[0] > 0 and down[0] * 2 >= across[0] else across
    if gap > 0:
        return _ordered(first, spans) + _ordered(second, spans)
    return sorted(group, key=lambda at: (sum(spans[at][1]), spans[at][0]))


def _widest_gap(group: Sequence[int], spans: Sequence[Span]) -> tuple[float, list[int], list[int]]:
    """Return the width of the widest gap between spans (0 for none), and the members before and after it."""
    order = sorted(range(len(group)), key=lambda at: spans[at])
    widest, cut = 0.0, 0
    reach = spans[order[0]][1]
    for place in range(1, len(order)):
        gap = spans[order[place]][0] - reach
        if gap > widest:
            widest, cut = gap, place
        reach = max(reach, spans[order[place]][1])
    return widest, [group[at] for at in order[:cut]], [group[at] for at in order[cut:]]
