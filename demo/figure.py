"""Bodies of characters, built alike so that each can take any pose: about 240 units tall, feet at y = 0."""

from __future__ import annotations

from dataclasses import dataclass

from demo.vector import darker, edge, ellipse, fade, lighter, luminance, mixed, path
from demo.vocabulary import COATS, Color


@dataclass(frozen=True)
class Coat:
    """A character's colour and the colours derived from it."""

    base: str
    shade: str
    light: str
    outline: str
    ink: str  # for mouth and brows, visible on the base colour

    @property
    def fur(self) -> str:
        """The gradient that fills bodies: lit from above."""
        return fade(lighter(self.base, 0.18), mixed(self.base, self.shade, 0.55))

    @property
    def edge(self) -> str:
        """The SVG attributes of an outline in this coat's dark colour."""
        return edge(self.outline, 4.5)


@dataclass(frozen=True)
class Figure:
    """A character without limbs, and the positions of limbs, face and clothes: (x, y), y grows downwards."""

    body: str
    behind: str = ""  # tails, wings, capes
    face: tuple[float, float, float] = (0, -166, 1.0)  # x, y, scale
    crown: tuple[float, float, float] = (0, -216, 84)  # the top of the head, and how wide a hat sits there
    neck: tuple[float, float, float] = (0, -108, 76)  # where scarves and ties sit, and how wide
    shoulders: tuple[float, float] = (40, -92)
    hips: tuple[float, float] = (22, -30)
    limb: str = "#000000"
    hand: str = "#000000"
    foot: str = "#000000"
    thickness: float = 21
    ink: str = "#2a2140"
    lid: str = "#ffffff"
    legs: bool = True
    ears: float = 66  # half the width of the head at the eyes, for headphones


def coat(color: Color) -> Coat:
    """Return the coat of a colour."""
    base = COATS[color]
    dark = luminance(base) < 0.35
    return Coat(
        base=base,
        shade=darker(base, 0.28),
        light=lighter(base, 0.6 if not dark else 0.35),
        outline=darker(base, 0.68),
        ink="#f5ead8" if dark else darker(base, 0.78),
    )


def torso(coat: Coat, *, belly: str | None = None, wide: float = 46, top: float = -118) -> str:
    """Return a pear-shaped body from the neck to the hips, with a lighter belly unless `belly` is `""`."""
    shape = (
        f"M {-wide * 0.62} {top} C {-wide * 1.0} {top + 30} {-wide * 1.18} -50 {-wide} -28 Q {-wide * 0.7} -12 0 -12 "
        f"Q {wide * 0.7} -12 {wide} -28 C {wide * 1.18} -50 {wide} {top + 30} {wide * 0.62} {top} Z"
    )
    front = "" if belly == "" else ellipse(0, -52, wide * 0.62, 34, belly or coat.light, 'opacity=".9"')
    return path(shape, coat.fur, coat.edge) + front


def round_head(coat: Coat, *, rx: float = 68, ry: float = 57, y: float = -165) -> str:
    """Return a head."""
    return ellipse(0, y, rx, ry, coat.fur, coat.edge)
