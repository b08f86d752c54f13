"""Choose which meme of a group of duplicates to keep, and state the reason."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from search.duplicates.groups import Member
from search.evidence import Edit, Tier, Trace, percent
from search.meme import KeepBy, Meme

DEFAULT_RULE = tuple(KeepBy)
_PIXELS_TIE = 0.03  # relative difference of pixels that still counts as a tie
# Fewer bytes a pixel than this share of another's tell a poorer copy, and only within one codec: a PNG of a JPEG has
# six times its bytes, and grain adds to a JPEG's.
_COMPRESSED = 1 / 1.5
_BARE = 0.98  # of a picture's area inside its frame; the narrowest border that a comparison names leaves less
_DAMAGED, _THERE_TIE = 0.98, 0.01  # the most that counts as there of a damaged file, and the difference that is a tie
_DATES = "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M:%S.%f"
_FRAMED = (Edit.FRAME, Edit.SCREENSHOT)


_SENTENCES = {  # of the meme that is kept, by the surest trace in another one
    Trace.COMPRESSED: "{other} was made from it: it was compressed once more",
    Trace.LOSSLESS: "{other} is a lossless copy of its compressed pixels",
    Trace.PALETTE: "{other} was made from it: reduced to a palette",
    Trace.RESIZED: "{other} was made from it: it was resized",
    Trace.BACKWARDS: "its words can be read, those of {other} cannot",
    Trace.GRAIN: "{other} has grain that it does not have",
    Trace.LEVELS: "{other} lost its lightest or darkest levels",
    Trace.MARKED: "{other} has a mark that it does not have",
    Trace.BLURRED: "it has fine detail that {other} lost",
}
# These say which is more useful to keep, not which was first: a copy can be enlarged, and a plain margin cropped off.
_PREFERENCES = (KeepBy.BORDER, KeepBy.PLAYS, KeepBy.METADATA)


class Choice(NamedTuple):
    """The meme to keep, the reason in words, and whether something tells that the others were made from it.

    Without that, or where all show the very same pixels, whichever is kept is as good.
    """

    meme: Meme
    reason: str
    is_sure: bool = True


@dataclass(frozen=True)
class _Measure:
    """A criterion: its value (more is better), and the reason to keep the one that is best by it, given the next."""

    of: Callable[[Member], float]
    reason: Callable[[Member, Member], str]
    tie: float = 0.0  # the relative difference that still counts as a tie


def choose_kept(
    members: Sequence[Member], *, rule: Sequence[KeepBy] = DEFAULT_RULE, texts: Mapping[int, int] | None = None
) -> Choice:
    """Return the meme to keep among a group's members (the representative first), and the reason in words.

    `texts` is the number of texts about each meme, by its id. The pixels of a frame around a picture do not count, and
    bytes a pixel count within one codec only, not where one has grain, and only of the earliest file. More pixels are
    sure only of that one or where the others are crops; traces by which a crop would be the source leave a doubt. If
    every criterion is a tie, the smallest file of those that show the same pixels is kept, or else the lowest id.
    Raises ValueError without members.

    >>> first, second = workspace.catalogue.memes.everything()[:2]
    >>> choice = choose_kept([Member(first), Member(second)])
    >>> choice.meme in (first, second), choice.is_sure
    (True, True)
    """
    if not members:
        raise ValueError("there is no member to choose from")
    measures = _measures(members, texts or {})
    remaining = list(members)
    doubted = False
    for criterion in rule:
        if criterion is KeepBy.COMPRESSION and not _tells_compression(remaining):
            continue
        measure = measures[criterion]
        values = [measure.of(member) for member in remaining]
        best = max(values)
        floor = best - measure.tie * abs(best)
        kept = [member for member, value in zip(remaining, values, strict=True) if value >= floor]
        if len(kept) == 1 and len(remaining) > 1:
            others = [one for one in remaining if one is not kept[0]]
            second = max(others, key=measure.of)
            told = criterion not in _PREFERENCES
            if criterion is KeepBy.SOURCE:
                if any(_is_cropped(kept[0], one) for one in others):
                    # What shows more was not made from what shows less, unless things were put around that.
                    doubted = True
                    continue
                # A copy of the representative's source is not known to be one, nor its source.
                told = all(one.evidence is None or _originality(one) < 0 for one in others)
            if criterion in (KeepBy.PIXELS, KeepBy.COMPRESSION):
                # Grain and sharpening add bytes, and enlarging adds pixels.
                told = all(kept[0].meme.first_seen < one.meme.first_seen for one in others)
                told |= criterion is KeepBy.PIXELS and all(_is_cropped(one, kept[0]) for one in others)
                if criterion is KeepBy.COMPRESSION and not told and not _is_alike(remaining):
                    # Of a later file, more bytes are mostly grain: they tell nothing, but leave doubt about the date.
                    doubted = True
                    continue
            told &= not doubted
            reason = measure.reason(kept[0], second).format(other="another" if len(remaining) > 2 else "the other")
            return Choice(kept[0].meme, reason, told or _is_alike(remaining))
        remaining = kept
    first = min(remaining, key=lambda member: member.meme.id)
    if not _is_alike(remaining):
        return Choice(first.meme, "nothing shows which was first: indexed first", False)
    smallest = min(member.meme.size for member in remaining)
    if first.meme.size > smallest:
        small = min((member for member in remaining if member.meme.size == smallest), key=lambda each: each.meme.id)
        return Choice(small.meme, "the same pixels in a smaller file")
    if any(member.meme.size > smallest for member in remaining):
        return Choice(first.meme, "the same pixels in a smaller file")
    return Choice(first.meme, "the same in every way: indexed first")


def _is_cropped(member: Member, kept: Member) -> bool:
    """Return whether a member shows a part of what the other shows; both were compared with each other."""
    evidence = member.evidence or kept.evidence
    if evidence is None or (member.evidence is not None and kept.evidence is not None):
        return False
    covers_kept, covers = evidence.covers_one, evidence.covers_other
    if member.evidence is None:
        covers_kept, covers = covers, covers_kept
    return Edit.CROP in evidence.edits and covers_kept < covers


def _is_alike(members: Sequence[Member]) -> bool:
    """Return whether all members show the very same pixels, so that nothing is lost whichever is kept."""
    found = [member.evidence for member in members if member.evidence is not None]
    return all(evidence.tier is Tier.IDENTICAL or evidence.equal_pixels for evidence in found)


def _tells_compression(members: Sequence[Member]) -> bool:
    """Return whether more bytes a pixel mean more detail: not in another codec, of the same pixels, or of grain."""
    found = [member.evidence for member in members if member.evidence is not None]
    grainy = any(Edit.DETAIL in evidence.edits for evidence in found)
    return len({_codec(member) for member in members}) == 1 and not grainy and not _is_alike(members)


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
        KeepBy.WHOLE: _Measure(_whole, _damage_sentence, _THERE_TIE),
        KeepBy.TRANSPARENCY: _Measure(
            lambda member: member.meme.transparent, fact("it is transparent, the others are not")
        ),
        KeepBy.SOURCE: _Measure(_originality, _trace_sentence),
        KeepBy.PIXELS: _Measure(pixels, counted("most pixels", size), _PIXELS_TIE),
        KeepBy.COMPRESSION: _Measure(
            bytes_per_pixel,
            lambda kept, second: (
                f"least compressed: {bytes_per_pixel(kept):.2g} bytes a pixel, the next {bytes_per_pixel(second):.2g}"
            ),
            1 - _COMPRESSED,
        ),
        KeepBy.FIRST_SEEN: _Measure(
            lambda member: -member.meme.first_seen.timestamp(),
            _date_sentence,
        ),
        KeepBy.BORDER: _Measure(
            lambda member: shown[member.meme.id] > _BARE, fact("it has no bar or border, the others have")
        ),
        KeepBy.PLAYS: _Measure(
            lambda member: member.meme.plays_in_browsers, fact("every browser shows it, not so the others")
        ),
        KeepBy.METADATA: _Measure(
            lambda member: texts.get(member.meme.id, 0),
            counted("most texts", lambda member: f"{texts.get(member.meme.id, 0)}"),
        ),
    }


def _whole(member: Member) -> float:
    """Return 1 for a whole file, less for a damaged one, by how much of it is there."""
    meme = member.meme
    return min(meme.share_decoded, _DAMAGED) if meme.damage or meme.share_decoded < 1 else 1.0


def _damage_sentence(kept: Member, second: Member) -> str:
    share, other = _whole(kept), _whole(second)
    if share == 1:
        return "it is whole, the others are damaged"
    return f"all are damaged; of this one {percent(share)} is there, of the next {percent(other)}"


def _date_sentence(kept: Member, second: Member) -> str:
    """Return the two dates, to the second where minutes do not tell them apart."""
    dates = kept.meme.first_seen, second.meme.first_seen
    least = next(form for form in _DATES if form is _DATES[-1] or len({f"{date:{form}}" for date in dates}) == 2)
    return f"first seen: {dates[0]:{least}}, the next {dates[1]:{least}}"


def _originality(member: Member) -> int:
    """Return 1 for a member that the representative was made from, −1 for one made from it, 0 otherwise."""
    return 0 if member.evidence is None else -member.evidence.made_from


def _trace_sentence(kept: Member, second: Member) -> str:
    if kept.evidence is not None and kept.evidence.made_from < 0:
        return _SENTENCES[kept.evidence.traces_one[0]]
    assert second.evidence is not None
    return _SENTENCES[second.evidence.traces_other[0]]


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
