"""Clothes and headwear of characters, placed by the figure's head, neck and eyes."""

from __future__ import annotations

from demo.figure import Figure
from demo.vector import box, circle, edge, ellipse, fade, group, line, path, polygon
from demo.vocabulary import Prop

_DARK = "#1d1b2e"


def worn(prop: Prop, figure: Figure) -> str:
    """Return a piece of clothing in the figure's coordinates; empty for `Prop.NONE`."""
    if prop is Prop.NONE:
        return ""
    x, y, width = figure.crown
    if prop in _HATS:
        return group(_HATS[prop], at=(x, y + 6), turn=4, scale=width / 84)
    if prop in (Prop.SUNGLASSES, Prop.MONOCLE):
        x, y, size = figure.face
        return group(_SUNGLASSES if prop is Prop.SUNGLASSES else _MONOCLE, at=(x, y), scale=size)
    if prop is Prop.HEADPHONES:
        return _headphones(figure)
    x, y, width = figure.neck
    return group(
        _SCARF if prop is Prop.SCARF else _BOW_TIE,
        at=(x, y),
        scale=(width / 76, 1 if prop is Prop.SCARF else width / 76),
    )


def _headphones(figure: Figure) -> str:
    _, top, _ = figure.crown
    side, y = figure.ears, figure.face[1]
    band = f"M {-side} {y} C {-side} {top - 34} {side} {top - 34} {side} {y}"
    cups = "".join(box(x - 12, y - 22, 24, 46, "#e8504e", round=11, more=edge(_DARK, 4.5)) for x in (-side, side))
    return line(band, _DARK, 14) + line(band, "#5a6078", 6) + cups


_TOP_HAT = (
    path("M -34 2 L -30 -66 Q 0 -74 30 -66 L 34 2 Z", fade("#4a4a60", "#23222f"), edge(_DARK, 4.5))
    + box(-34, -16, 68, 13, "#d8433f")
    + ellipse(0, 2, 56, 11, "#302f40", edge(_DARK, 4.5))
)
_CROWN = (
    polygon(
        [(-40, 6), (-46, -46), (-22, -20), (0, -56), (22, -20), (46, -46), (40, 6)],
        fade("#ffe27a", "#f0ae2a"),
        edge("#7d5208", 4.5),
    )
    + "".join(circle(x, y, 6, "#e8504e", edge("#7d5208", 2.5)) for x, y in ((-46, -48), (0, -58), (46, -48)))
    + "".join(circle(x, -6, 5, color) for x, color in ((-22, "#4a86e0"), (0, "#e8504e"), (22, "#5cb85a")))
)
_PARTY_HAT = (
    polygon([(-36, 6), (0, -78), (36, 6)], fade("#ff7ab8", "#8d63cf"), edge("#4a2b6b", 4.5))
    + "".join(
        circle(x, y, 6, color)
        for x, y, color in ((-14, -8, "#ffe27a"), (14, -14, "#6cf0d8"), (0, -38, "#ffe27a"), (-4, 0, "#ffffff"))
    )
    + circle(0, -80, 11, "#ffe27a", edge("#a3780f", 3))
)
_CHEF_HAT = (
    "".join(circle(x, y, r, "#ffffff", edge("#8b8fa5", 4)) for x, y, r in ((-28, -46, 24), (28, -46, 24), (0, -58, 28)))
    + box(-34, -42, 68, 48, fade("#ffffff", "#e3e6f0"), round=6, more=edge("#8b8fa5", 4))
    + box(-31, -50, 62, 20, "#ffffff")
)
_HARD_HAT = (
    path("M -50 4 C -50 -62 50 -62 50 4 Z", fade("#ffe05c", "#f2b020"), edge("#7d5208", 4.5))
    + box(-9, -50, 18, 48, "#ffe98a", round=8, more=edge("#7d5208", 3))
    + box(-64, -3, 128, 13, "#f7c234", round=6, more=edge("#7d5208", 4))
)
_FLOWER = group(
    "".join(
        ellipse(0, -17, 11, 16, "#ff86b7", f'transform="rotate({turn})" {edge("#9c2f5f", 3)}')
        for turn in range(0, 360, 60)
    )
    + circle(0, 0, 11, "#ffe27a", edge("#a3780f", 3)),
    at=(28, -4),
)
_SUNGLASSES = (
    "".join(
        path(
            f"M {x - 23} -13 L {x + 23} -13 Q {x + 23} 17 {x} 17 Q {x - 23} 17 {x - 23} -13 Z",
            fade("#3c3f5c", "#12131f"),
            edge(_DARK, 4),
        )
        for x in (-26, 26)
    )
    + line("M -52 -13 L 52 -13", _DARK, 7)
    + "".join(line(f"M {x - 12} -5 L {x - 2} 7", "#ffffff", 4, 'opacity=".55"') for x in (-26, 26))
)
_MONOCLE = circle(25, 0, 23, "#bfe6ff", 'fill-opacity=".3" stroke="#d8a520" stroke-width="6"') + line(
    "M 44 14 Q 60 50 52 88", "#d8a520", 3
)
_SCARF = (
    line("M -36 0 Q 0 22 36 0", "#7d1f2b", 29)
    + line("M -36 0 Q 0 22 36 0", "#e8504e", 21)
    + path("M 14 10 L 36 4 L 44 62 L 20 66 Z", "#e8504e", edge("#7d1f2b", 4))
    + "".join(line(f"M {18 + k * 2} {24 + k * 14} l 22 -4", "#ffd9c9", 5) for k in range(3))
)
_BOW_TIE = (
    polygon([(0, 4), (-32, -14), (-32, 22)], "#e8504e", edge("#6d1622", 4))
    + polygon([(0, 4), (32, -14), (32, 22)], "#e8504e", edge("#6d1622", 4))
    + circle(0, 4, 9, "#b93340", edge("#6d1622", 4))
)
_HATS = {
    Prop.TOP_HAT: _TOP_HAT,
    Prop.CROWN: _CROWN,
    Prop.PARTY_HAT: _PARTY_HAT,
    Prop.CHEF_HAT: _CHEF_HAT,
    Prop.HARD_HAT: _HARD_HAT,
    Prop.FLOWER: _FLOWER,
}
