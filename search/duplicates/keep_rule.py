"""Choose which meme of a group of duplicates to keep, and state the reason."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from search.duplicates.groups import Member
from search.evidence import Edit
from search.meme import KeepBy, Meme

DEFAULT_RULE = tuple(KeepBy)
_PIXELS_TIE = 0.03  # relative difference of pixels that still counts as a tie
# Fewer bytes a pixel than this share of another's tell a poorer copy, and only within one codec: a PNG of a JPEG has
# six times its bytes, and grain adds to a JPEG's.
_COMPRESSED = 1 / 1.5
_BARE = 0.98  # of a picture's area inside its frame; the narrowest border that a comparison names leaves less
_FRAMED = (Edit.FRAME, Edit.SCREENSHOT)


@dataclass(frozen=True)
class _Measure:
    """A criterion: its value (more is better), and the reason to keep the one that is best by it, given the next."""

    of: Callable[[Member], float]
    reason: Callable[[Member, Member], str]
    tie: float = 0.0  # the relative difference that still counts as a tie


def choose_kept(
    members: Sequence[Member], *, rule: Sequence[KeepBy] = DEFAULT_RULE, texts: Mapping[int, int] | None = None
) -> tuple[Meme, str]:
    """Return the meme to keep among a group's members (the representative first), and the reason in words.

    `texts` is the number of texts about each meme, by its id. The pixels of a frame around a picture do not count, and
    bytes a pixel count within one codec only. If every criterion is a tie, the lowest id wins. Raises ValueError
    without members.

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
        if criterion is KeepBy.COMPRESSION and len({_codec(member) for member in remaining}) > 1:
            continue
        measure = measures[criterion]
        values = [measure.of(member) for member in remaining]
        best = max(values)
        floor = best - measure.tie * abs(best)
        kept = [member for member, value in zip(remaining, values, strict=True) if value >= floor]
        if len(kept) == 1:
            second = max((member for member in remaining if member is not kept[0]), key=measure.of, default=None)
            if second is not None:
                return kept[0].meme, measure.reason(kept[0], second)
        remaining = kept
    first = min(remaining, key=lambda member: member.meme.id)
    return first.meme, "equal by every criterion: indexed first"


def _codec(member: Member) -> str:
    return member.meme.codec or member.meme.name.rpartition(".")[2].lower()


def _measures(members: Sequence[Member], texts: Mapping[int, int]) -> Mapping[KeepBy, _Measure]:
    shown = {member.meme.id: _shown(member, members) for member in members}

    def pixels(member: Member) -> float:
        return (member.meme.width or 0) * (member.meme.height or 0) * shown[member.meme.id]

    def bytes_per_pixel(member: Member) -> float:
        return member.meme.size / max(1, (member.meme.width or 0) * (member.meme.height or 0))

    def size(member: Member) -> str:
        framed = " with its frame" if shown[member.meme.id] < 1 else ""
        return f"{member.meme.width} × {member.meme.height}{framed}"

    def counted(name: str, told: Callable[[Member], str]) -> Callable[[Member, Member], str]:
        return lambda kept, second: f"{name}: {told(kept)}, the next {told(second)}"

    def fact(sentence: str) -> Callable[[Member, Member], str]:
        return lambda kept, second: sentence

    return {
        KeepBy.WHOLE: _Measure(
            lambda member: member.meme.share_decoded >= 1 and not member.meme.damage,
            fact("it is whole, the others are damaged"),
        ),
        KeepBy.TRANSPARENCY: _Measure(
            lambda member: member.meme.transparent, fact("it is transparent, the others lost that")
        ),
        KeepBy.PIXELS: _Measure(pixels, counted("most pixels", size), _PIXELS_TIE),
        KeepBy.COMPRESSION: _Measure(
            bytes_per_pixel,
            counted("least compressed", lambda member: f"{bytes_per_pixel(member):.2f} bytes a pixel"),
            1 - _COMPRESSED,
        ),
        KeepBy.FIRST_SEEN: _Measure(
            lambda member: -member.meme.first_seen.timestamp(),
            counted("first seen", lambda member: f"{member.meme.first_seen:%Y-%m-%d %H:%M}"),
        ),
        KeepBy.BORDER: _Measure(
            lambda member: shown[member.meme.id] > _BARE, fact("it has no bar or border, the others have")
        ),
        KeepBy.METADATA: _Measure(
            lambda member: texts.get(member.meme.id, 0),
            counted("most texts", lambda member: f"{texts.get(member.meme.id, 0)}"),
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
