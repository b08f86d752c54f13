"""A drawing before it is rendered: shapes as SVG, and texts over them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from PIL import Image

from demo.lettering import Lettering, letter
from demo.vector import box, document, group, pixels


@dataclass(frozen=True)
class Drawing:
    """A picture's size in pixels, the content of its SVG, and its texts."""

    width: int
    height: int
    content: str
    words: tuple[Lettering, ...] = ()


def rendered(drawing: Drawing) -> Image.Image:
    """Return a drawing as an RGB picture; raise ValueError when a text does not fit its box."""
    picture = pixels(document(drawing.content, width=drawing.width, height=drawing.height))
    return letter(picture, drawing.words)


def scaled(drawing: Drawing, share: float) -> Drawing:
    """Return a drawing and its texts, scaled by a factor."""
    words = tuple(
        replace(
            one,
            box=(one.box[0] * share, one.box[1] * share, one.box[2] * share, one.box[3] * share),
            largest=one.largest * share,
            smallest=one.smallest * share,
        )
        for one in drawing.words
    )
    # Video formats store colours in blocks of 2 × 2 pixels: even sides suit every format.
    width, height = round(drawing.width * share / 2) * 2, round(drawing.height * share / 2) * 2
    return Drawing(width, height, group(drawing.content, scale=share), words)


def panel(
    content: str,
    place: tuple[float, float, float, float],
    *,
    view: tuple[float, float, float, float] = (0, 0, 800, 600),
    frame: float = 0,
) -> str:
    """Return the part `view` of a scene's canvas, drawn at `place`; both are (left, top, width, height)."""
    x, y, wide, tall = place
    inside = (
        f'<svg x="{x:.1f}" y="{y:.1f}" width="{wide:.1f}" height="{tall:.1f}" '
        f'viewBox="{view[0]} {view[1]} {view[2]} {view[3]}" preserveAspectRatio="xMidYMid slice">{content}</svg>'
    )
    return inside + (box(x, y, wide, tall, "none", more=f'stroke="#15142a" stroke-width="{frame}"') if frame else "")
