"""The result of comparing two memes: the tier of their likeness, what was measured, and a one-line summary."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from enum import StrEnum

# The name and version of the comparison. Pairs compared under another version are compared again.
COMPARISON = "overlay-14"


class Tier(StrEnum):
    """How alike two memes are, most alike first. Only the first three tiers are duplicates.

    >>> Tier.EDITED.is_duplicate, Tier.VARIANT.is_duplicate
    (True, False)
    """

    IDENTICAL = "identical"  # the same bytes
    SAME = "same"  # the same picture, re-encoded or resized
    EDITED = "edited"  # the same picture and text, edited: cropped, framed, marked, mirrored, recoloured …
    VARIANT = "variant"  # the same picture with another text; never offered for removal
    SAME_WORDS = "same words"  # the same text on another picture

    @property
    def is_duplicate(self) -> bool:
        """Whether one of two memes with this tier may be removed."""
        return self in (Tier.IDENTICAL, Tier.SAME, Tier.EDITED)

    @property
    def rank(self) -> int:
        """The tier's position in the order of certainty: 0 for identical, 4 for the same words.

        >>> sorted([Tier.VARIANT, Tier.SAME], key=lambda tier: tier.rank)
        [<Tier.SAME: 'same'>, <Tier.VARIANT: 'variant'>]
        """
        return _RANKS[self]


_RANKS = {tier: place for place, tier in enumerate(Tier)}


class Edit(StrEnum):
    """An edit that turns one picture into the other."""

    CROP = "crop"
    FRAME = "bar or border"
    SCREENSHOT = "screenshot"
    WATERMARK = "watermark"
    MIRROR = "mirror image"
    TURN = "turned"
    SQUEEZE = "squeezed"
    GROUND = "another ground"
    LIGHT = "brightness or contrast"
    COLOR = "colours"
    DETAIL = "blur or grain"
    CUT = "cut short"


class Trace(StrEnum):
    """What shows in the pixels of a copy that it was made from the other picture, the surest first."""

    COMPRESSED = "compressed again"
    LOSSLESS = "saved without loss, with the traces of the other's compression"
    PALETTE = "reduced to the colors of a palette"
    RESIZED = "resized"
    BACKWARDS = "words that cannot be read"
    GRAIN = "grain"
    LEVELS = "levels lost at black or white"
    MARKED = "a mark"
    BLURRED = "blur"


@dataclass(frozen=True)
class Evidence:
    """What a comparison of two memes measured, and the tier that follows from it.

    Shares are 0 to 1. `covers_one` is the share of the first picture that the second shows, `covers_other` the reverse.
    `differing` is the share of tiles that differ, None where the pictures could not be aligned. `traces_one` are those
    that show that the first was made from the second, `traces_other` the reverse.

    >>> evidence = Evidence(Tier.SAME, pdq=8, covers_one=1.0, covers_other=1.0, differing=0.0, text=0.98)
    >>> evidence.in_words()
    'PDQ 8 of 256, aligned, 0 % of tiles differ, text 0.98'
    >>> Evidence.from_json(evidence.to_json()) == evidence
    True
    """

    tier: Tier | None
    edits: tuple[Edit, ...] = ()
    pdq: int | None = None  # differing bits of 256, the smaller of upright and mirrored
    matches: int = 0  # matched keypoints; 0 when the whole frames were overlaid without keypoints
    covers_one: float = 0.0
    covers_other: float = 0.0
    differing: float | None = None
    strong: float = 0.0  # share of pixels that differ strongly
    color: float = 0.0  # mean color distance in CIELAB, lightness excluded
    text: float | None = None  # agreement of the two texts; None where either is missing or too short
    frames: int = 1  # compared frames; more than 1 for animations and videos
    traces_one: tuple[Trace, ...] = ()
    traces_other: tuple[Trace, ...] = ()
    equal_pixels: bool = False  # both files show the very same pixels

    @property
    def is_duplicate(self) -> bool:
        """Whether one of the two memes may be removed."""
        return self.tier is not None and self.tier.is_duplicate

    @property
    def score(self) -> float:
        """How certain it is that both memes show the same picture, 0 to 1; ranks pairs within a tier."""
        if self.tier is Tier.IDENTICAL:
            return 1.0
        if self.differing is None:
            return 0.5 * (self.text or 0.0)
        overlap = max(self.covers_one, self.covers_other)
        return max(0.0, overlap * (1 - self.differing) * (1 - min(1.0, 20 * self.strong)))

    @property
    def order(self) -> tuple[int, float]:
        """A sort key: the most certain tier first, then the highest score; evidence without a tier comes last.

        >>> sorted([Evidence(None), Evidence(Tier.IDENTICAL)], key=lambda evidence: evidence.order)[0].tier
        <Tier.IDENTICAL: 'identical'>
        """
        return (len(Tier) if self.tier is None else self.tier.rank), -self.score

    def swapped(self) -> Evidence:
        """Return the same evidence with the two memes in the other order."""
        return replace(
            self,
            covers_one=self.covers_other,
            covers_other=self.covers_one,
            traces_one=self.traces_other,
            traces_other=self.traces_one,
        )

    @property
    def made_from(self) -> int:
        """Return 1 if the second was made from the first by its surest trace, −1 the reverse, 0 if nothing tells.

        >>> Evidence(Tier.SAME, traces_one=(Trace.GRAIN,), traces_other=(Trace.COMPRESSED,)).made_from
        1
        """
        places = {trace: place for place, trace in enumerate(Trace)}
        one, other = (
            min((places[each] for each in own), default=len(places)) for own in (self.traces_one, self.traces_other)
        )
        return (other < one) - (one < other)

    def in_words(self) -> str:
        """Return the evidence as one line: "PDQ 8 of 256, aligned, 0 % of tiles differ, text 0.98"."""
        if self.tier is Tier.IDENTICAL:
            return "the same bytes"
        parts = [] if self.pdq is None else [f"PDQ {self.pdq} of 256"]
        if self.differing is None:
            parts.append("the pictures cannot be aligned")
        else:
            mirrored = " as a mirror image" if Edit.MIRROR in self.edits else ""
            keypoints = f" by {self.matches} keypoints" if self.matches else ""
            parts.append(f"aligned{mirrored}{keypoints}")
            covered = min(self.covers_one, self.covers_other)
            if covered < 0.97:
                parts.append(f"{percent(covered)} of the larger is shared")
            # A share above 0 is never rounded to 0 %.
            differing = "under 1 %" if 0 < self.differing < 0.01 else percent(self.differing)
            parts.append(f"{differing} of tiles differ")
            if self.color >= 3:
                parts.append(f"colours {self.color:.0f} apart")
        if self.text is not None:
            parts.append(f"text {self.text:.2f}")
        if self.frames > 1:
            parts.append(f"{self.frames} frames")
        edits = [edit for edit in self.edits if edit is not Edit.MIRROR]
        return ", ".join(parts) + (f": {', '.join(edits)}" if edits else "")

    def to_json(self) -> str:
        """Return the evidence as a JSON object."""
        values = asdict(self)
        values["colour"] = values.pop("color")  # the key of the catalogues that there are
        return json.dumps(values, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Evidence:
        """Return the evidence that `to_json` wrote."""
        values = json.loads(text)
        tier = values.pop("tier")
        edits = tuple(Edit(edit) for edit in values.pop("edits"))
        color = values.pop("colour")
        one, other = (tuple(map(Trace, values.pop(name, ()))) for name in ("traces_one", "traces_other"))
        tier = None if tier is None else Tier(tier)
        return cls(tier=tier, edits=edits, color=color, traces_one=one, traces_other=other, **values)


def percent(share: float) -> str:
    """Return a share in percent, as every message spells it.

    >>> percent(0.974)
    '97 %'
    """
    return f"{100 * share:.0f} %"
