"""What speaks for two memes being one, in numbers and in words."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from enum import StrEnum

# The name and version of the comparison: under another, pairs are compared again.
COMPARISON = "overlay-5"


class Tier(StrEnum):
    """How much two memes are alike; only the first three are duplicates."""

    IDENTICAL = "identical"  # the same bytes
    SAME = "same"  # the same picture, encoded again or resized
    EDITED = "edited"  # the same picture and text, edited: cropped, framed, marked, mirrored, recoloured …
    VARIANT = "variant"  # the same picture with another text; never offered for removal
    SAME_WORDS = "same words"  # the same text on another picture

    @property
    def is_duplicate(self) -> bool:
        """Whether one of two such memes could go."""
        return self in (Tier.IDENTICAL, Tier.SAME, Tier.EDITED)


class Edit(StrEnum):
    """What was done to a picture, as far as it can be seen."""

    CROP = "crop"
    FRAME = "bar or border"
    SCREENSHOT = "screenshot"
    WATERMARK = "watermark"
    MIRROR = "mirror image"
    LIGHT = "brightness or contrast"
    COLOUR = "colours"
    DETAIL = "blur or grain"


@dataclass(frozen=True)
class Evidence:
    """What a comparison of two memes found.

    Shares are 0 to 1; `covers_one` and `covers_other` say which share of each picture the other shows. `differing` is
    the share of tiles that differ, None where the pictures could not be laid over each other.
    """

    tier: Tier | None
    edits: tuple[Edit, ...] = ()
    pdq: int | None = None  # differing bits of 256, the nearer of upright and mirrored
    matches: int = 0  # corners that agree; 0 when the frames fit as they are
    covers_one: float = 0.0
    covers_other: float = 0.0
    differing: float | None = None
    strong: float = 0.0  # share of pixels where something else is
    colour: float = 0.0  # distance of colours in CIELAB, without lightness
    text: float | None = None  # agreement of what both say; None where either says nothing
    frames: int = 1  # pictures compared; several of what moves

    @property
    def score(self) -> float:
        """How sure it is that both show the same, 0 to 1; ranks pairs within a tier."""
        if self.tier is Tier.IDENTICAL:
            return 1.0
        if self.differing is None:
            return 0.5 * (self.text or 0.0)
        overlap = max(self.covers_one, self.covers_other)
        return max(0.0, overlap * (1 - self.differing) * (1 - min(1.0, 20 * self.strong)))

    def turned(self) -> Evidence:
        """Return the same evidence with the two memes named in the other order."""
        return replace(self, covers_one=self.covers_other, covers_other=self.covers_one)

    def in_words(self) -> str:
        """Return the evidence in a line: "PDQ 8 of 256, aligned, 0 % of tiles differ, text 0.98"."""
        return _in_words(self)

    def to_json(self) -> str:
        """Return the evidence as a JSON object."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Evidence:
        """Return the evidence that `to_json` wrote."""
        values = json.loads(text)
        tier = values.pop("tier")
        edits = tuple(Edit(edit) for edit in values.pop("edits"))
        return cls(tier=None if tier is None else Tier(tier), edits=edits, **values)


def _in_words(evidence: Evidence) -> str:
    if evidence.tier is Tier.IDENTICAL:
        return "the same bytes"
    said = [] if evidence.pdq is None else [f"PDQ {evidence.pdq} of 256"]
    if evidence.differing is None:
        said.append("the pictures do not fit onto each other")
    else:
        mirrored = " as a mirror image" if Edit.MIRROR in evidence.edits else ""
        corners = f" by {evidence.matches} corners" if evidence.matches else ""
        said.append(f"aligned{mirrored}{corners}")
        covered = min(evidence.covers_one, evidence.covers_other)
        if covered < 0.97:
            said.append(f"{100 * covered:.0f} % of the larger is shared")
        said.append(f"{_percent(evidence.differing)} of tiles differ")
        if evidence.colour >= 3:
            said.append(f"colours {evidence.colour:.0f} apart")
    if evidence.text is not None:
        said.append(f"text {evidence.text:.2f}")
    if evidence.frames > 1:
        said.append(f"{evidence.frames} frames")
    others = [edit for edit in evidence.edits if edit is not Edit.MIRROR]
    return ", ".join(said) + (f": {', '.join(others)}" if others else "")


def _percent(share: float) -> str:
    """Return a share in percent, never rounded to nothing when it is something."""
    percent = 100 * share
    if 0 < percent < 1:
        return "under 1 %"
    return f"{percent:.0f} %"
