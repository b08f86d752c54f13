"""What differs between the memes of a group of duplicates: a table with the better of each row marked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from search.evidence import Edit, Evidence, Tier
from search.meme import Meme
from web.formatting import format_size

_CHANGES = {
    Edit.CROP: "cropped",
    Edit.FRAME: "with a bar or a border",
    Edit.SCREENSHOT: "a screenshot",
    Edit.WATERMARK: "with a watermark",
    Edit.MIRROR: "mirrored",
    Edit.TURN: "turned",
    Edit.SQUEEZE: "squeezed",
    Edit.GROUND: "on another background",
    Edit.LIGHT: "with other brightness or contrast",
    Edit.COLOR: "in other colours",
    Edit.DETAIL: "blurred or grainy",
    Edit.CUT: "cut short",
}


@dataclass(frozen=True)
class Cell:
    """What one meme has, and whether that is better than what another has; some differences are only differences."""

    text: str
    better: bool = False


@dataclass(frozen=True)
class Difference:
    """A row of the table: a cell for each meme, in their order."""

    title: str
    cells: tuple[Cell, ...]


def differences(
    memes: Sequence[Meme], *, descriptions: Mapping[int, int], evidence: Sequence[Evidence | None] = ()
) -> list[Difference]:
    """Return in what the memes differ; `descriptions` is the number of descriptions of each meme, by its id.

    Where the evidence says that one is a screenshot or has a border, the one with more pixels is not the better.
    """
    is_padded = any(one is not None and not {Edit.SCREENSHOT, Edit.FRAME}.isdisjoint(one.edits) for one in evidence)
    found = [
        _row("Whole", memes, lambda one: "damaged" if one.damage else "yes", lambda one: not one.damage),
        _row("Transparency", memes, lambda one: "yes" if one.transparent else "no", lambda one: one.transparent),
        _row("Picture", memes, _pixels, lambda one: 0 if is_padded else (one.width or 0) * (one.height or 0)),
        _row("Length", memes, lambda one: f"{one.seconds:.1f} s" if one.seconds else "still", lambda one: 0),
        _row("File size", memes, lambda one: format_size(one.size), lambda one: 0),
        _row("Format", memes, _format, lambda one: 0),
        _row("First seen", memes, lambda one: f"{one.first_seen:%-d %B %Y}", lambda one: -one.first_seen.timestamp()),
        _row("Category", memes, lambda one: one.category, lambda one: 0),
        _row("Name", memes, lambda one: one.name, lambda one: 0),
        _row(
            "Descriptions",
            memes,
            lambda one: str(descriptions.get(one.id, 0)),
            lambda one: descriptions.get(one.id, 0),
        ),
    ]
    return [row for row in found if row is not None]


def summary(rows: Sequence[Difference]) -> list[Difference]:
    """Return the rows that a list of groups has room for: those with something better, else the first two."""
    return [row for row in rows if any(cell.better for cell in row.cells)][:3] or list(rows[:2])


def evidence_sentence(evidence: Evidence | None) -> str:
    """Return why two memes belong together, as one sentence without figures; empty without evidence.

    >>> evidence_sentence(Evidence(Tier.EDITED, (Edit.CROP, Edit.WATERMARK)))
    'The same picture; one of them is cropped, with a watermark.'
    """
    if evidence is None or evidence.tier is None:
        return ""
    if evidence.tier is Tier.IDENTICAL:
        return "The same file, stored twice."
    if evidence.tier is Tier.VARIANT:
        return "The same picture with another text."
    if evidence.tier is Tier.SAME_WORDS:
        return "The same text on another picture."
    if evidence.edits:
        return f"The same picture; one of them is {', '.join(_CHANGES[edit] for edit in evidence.edits)}."
    if evidence.equal_pixels:
        return "The same pixels in another file."
    return "The same picture, saved at another size or quality."


def _row(
    title: str, memes: Sequence[Meme], text: Callable[[Meme], str], value: Callable[[Meme], float]
) -> Difference | None:
    texts = [text(meme) for meme in memes]
    if len(set(texts)) < 2:
        return None
    values = [value(meme) for meme in memes]
    best = max(values)
    return Difference(
        title, tuple(Cell(one, min(values) < found == best) for one, found in zip(texts, values, strict=True))
    )


def _pixels(meme: Meme) -> str:
    return f"{meme.width} × {meme.height}" if meme.width else "not shown"


def _format(meme: Meme) -> str:
    return (meme.codec or meme.name.rpartition(".")[2]).upper()
