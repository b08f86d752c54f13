"""Choose which meme of a group of duplicates to keep, and state the reason."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from search.duplicates.groups import Member
from search.evidence import Edit
from search.meme import KeepBy, Meme

DEFAULT_RULE = tuple(KeepBy)
_TIE = {KeepBy.PIXELS: 0.03, KeepBy.COMPRESSION: 0.05}  # relative differences that still count as a tie
_FRAMED = (Edit.FRAME, Edit.SCREENSHOT)


@dataclass(frozen=True)
class _Measure:
    """A criterion: its value (more is better), how a value is formatted, and its name in the reason."""

    of: Callable[[Member], float]
    format: Callable[[Member], str]
    name: str


def choose_kept(
    members: Sequence[Member], *, rule: Sequence[KeepBy] = DEFAULT_RULE, texts: Mapping[int, int] | None = None
) -> tuple[Meme, str]:
    """Return the meme to keep among a group's members (the representative first), and the reason in words.

    `texts` is the number of texts about each meme, by its id. A frame around a picture does not count. If every
    criterion is a tie, the lowest id wins. Raises ValueError without members.

    >>> first, second = workspace.catalogue.memes.everything()[:2]
    >>> meme, reason = choose_kept([Member(first), Member(second)])
    >>> meme in (first, second)
    True
    """
    if not members:
        raise ValueError("there is no member to choose from")
    measures = _measures(members, texts or {})
    remaining = list(members)
    for criterion in rule:
        measure = measures[criterion]
        values = [measure.of(member) for member in remaining]
        best = max(values)
        floor = best - _TIE.get(criterion, 0.0) * abs(best)
        kept = [member for member, value in zip(remaining, values, strict=True) if value >= floor]
        if len(kept) == 1:
            second = max((member for member in remaining if member is not kept[0]), key=measure.of)
            return kept[0].meme, f"{measure.name}: {measure.format(kept[0])}, the next {measure.format(second)}"
        remaining = kept
    first = min(remaining, key=lambda member: member.meme.id)
    return first.meme, "equal by every criterion: indexed first"


def _measures(members: Sequence[Member], texts: Mapping[int, int]) -> Mapping[KeepBy, _Measure]:
    shown = {member.meme.id: _shown(member, members) for member in members}

    def pixels(member: Member) -> float:
        return (member.meme.width or 0) * (member.meme.height or 0) * shown[member.meme.id]

    def bytes_per_pixel(member: Member) -> float:
        return member.meme.size / max(1, (member.meme.width or 0) * (member.meme.height or 0))

    def size(member: Member) -> str:
        framed = " with its frame" if shown[member.meme.id] < 1 else ""
        return f"{member.meme.width} × {member.meme.height}{framed}"

    return {
        KeepBy.PIXELS: _Measure(pixels, size, "most pixels"),
        KeepBy.COMPRESSION: _Measure(
            bytes_per_pixel, lambda member: f"{bytes_per_pixel(member):.2f} bytes a pixel", "least compressed"
        ),
        KeepBy.FIRST_SEEN: _Measure(
            lambda member: -member.meme.first_seen.timestamp(),
            lambda member: f"{member.meme.first_seen:%Y-%m-%d %H:%M}",
            "first seen",
        ),
        KeepBy.METADATA: _Measure(
            lambda member: texts.get(member.meme.id, 0),
            lambda member: f"{texts.get(member.meme.id, 0)}",
            "most texts",
        ),
    }


def _shown(member: Member, members: Sequence[Member]) -> float:
    """Return the share of a member's area without a frame around the picture, from its evidence."""
    if member.evidence is not None:
        return member.evidence.covers_other if _is_framed(member.evidence.edits) else 1.0
    shares = [
        other.evidence.covers_one
        for other in members
        if other.evidence is not None and _is_framed(other.evidence.edits)
    ]
    return min(shares, default=1.0)


def _is_framed(edits: Sequence[Edit]) -> bool:
    return any(edit in _FRAMED for edit in edits)
