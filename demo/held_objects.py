"""Objects that characters hold, ride or use, in the figure's coordinates: feet at y = 0, about 240 units tall."""

from __future__ import annotations

import math

from demo.vector import box, circle, darker, edge, ellipse, fade, glow, group, line, path, polygon

Point = tuple[float, float]
_DARK = "#2b2540"


def desk_with_laptop(phase: float) -> str:
    """Return a desk in front of the figure, with a laptop seen from behind."""
    top = box(-150, -52, 300, 18, fade("#d49a62", "#b0763f"), round=6, more=edge("#5c3517", 4.5))
    legs = "".join(box(x, -36, 20, 42, "#9a6434", more=edge("#5c3517", 4.5)) for x in (-132, 112))
    lid = box(-54, -118, 108, 68, fade("#e6eaf2", "#b8c0d0"), round=9, more=edge("#3b4257", 4.5))
    heart = path("M 0 -70 C -30 -92 -14 -108 0 -94 C 14 -108 30 -92 0 -70 Z", "#ff7a8a")
    clicks = "".join(
        line(f"M {x} {-124 - 6 * math.sin(6.28 * phase + x)} l {dx} -12", "#ffffff", 4.5)
        for x, dx in ((-66, -8), (66, 8))
    )
    return legs + top + lid + heart + clicks


def cup(hand: Point, *, phase: float = 0) -> str:
    """Return a steaming cup in a hand."""
    x, y = hand
    steam = "".join(
        line(f"M {dx} -42 q -8 {-10 - 3 * phase:.1f} 0 -20 t 0 -18", "#ffffff", 5, 'opacity=".65"') for dx in (-8, 8)
    )
    handle = circle(22, -14, 11, "none", f'stroke="{_DARK}" stroke-width="11"') + circle(
        22, -14, 11, "none", 'stroke="#ffffff" stroke-width="5"'
    )
    body = path("M -22 -36 L -18 8 Q 0 14 18 8 L 22 -36 Z", fade("#ffffff", "#d8dcea"), edge(_DARK, 4)) + ellipse(
        0, -36, 22, 6, "#6b3f26", edge(_DARK, 4)
    )
    return group(steam + handle + body + box(-19, -22, 38, 9, "#e8504e"), at=(x + 8, y))


def book(middle: Point, *, wide: float) -> str:
    """Return an open book, its covers towards the viewer."""
    x, y = middle
    half = max(48, wide)
    left = path(
        f"M 0 -26 Q {-half / 2} -44 {-half} -34 L {-half} 36 Q {-half / 2} 26 0 42 Z",
        fade("#e8504e", "#b93340"),
        edge("#5a1420", 4.5),
    )
    right = path(
        f"M 0 -26 Q {half / 2} -44 {half} -34 L {half} 36 Q {half / 2} 26 0 42 Z",
        fade("#f06a5e", "#c23c45"),
        edge("#5a1420", 4.5),
    )
    pages = path(
        f"M {-half + 6} -40 Q {-half / 2} -50 0 -32 Q {half / 2} -50 {half - 6} -40 L {half - 6} -30 Q {half / 2} -42 0"
        f" -24 Q {-half / 2} -42 {-half + 6} -30 Z",
        "#fff7e0",
        edge("#8b7a55", 3),
    )
    title = line(f"M {-half + 18} -4 L {-16} 4 M {-half + 18} 12 L {-24} 19", "#ffd9a0", 5)
    star = polygon(
        [
            (
                half / 2 + 12 * math.cos(a * 1.2566 - 1.57) * (1 if a % 1 == 0 else 0.45),
                4 + 12 * math.sin(a * 1.2566 - 1.57) * (1 if a % 1 == 0 else 0.45),
            )
            for a in (0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5)
        ],
        "#ffd24a",
    )
    return group(pages + left + right + title + star, at=(x, y))


def guitar(middle: Point) -> str:
    """Return a guitar across the body."""
    neck = box(40, -9, 122, 18, "#7a4a28", round=4, more=edge("#3a1f0d", 4)) + box(
        156, -15, 30, 30, "#4d2c15", round=6, more=edge("#3a1f0d", 4)
    )
    frets = "".join(line(f"M {x} -7 L {x} 7", "#e0b987", 2.5) for x in range(62, 152, 18))
    body = path(
        "M -74 0 C -74 -50 -22 -52 -4 -30 C 14 -46 52 -38 52 0 C 52 38 14 46 -4 30 C -22 52 -74 50 -74 0 Z",
        fade("#f2ad57", "#c9702c"),
        edge("#5c2a0d", 4.5),
    )
    hole = circle(-6, 0, 17, "#3a1f0d", edge("#ffdf9e", 4)) + box(-58, -13, 9, 26, "#3a1f0d", round=3)
    strings = "".join(line(f"M -52 {y} L 160 {y}", "#fff4d6", 1.6) for y in (-5, 0, 5))
    return group(body + neck + frets + hole + strings, at=middle, turn=-24)


def notes(at: Point, *, phase: float = 0) -> str:
    """Return two floating notes of music."""
    one = (
        ellipse(0, 0, 10, 8, "#ffffff", edge(_DARK, 3.5))
        + line("M 9 -2 L 9 -38", _DARK, 5)
        + line("M 9 -38 Q 24 -34 22 -20", _DARK, 5)
    )
    two = (
        ellipse(0, 0, 9, 7, "#ffe27a", edge(_DARK, 3.5))
        + ellipse(30, -6, 9, 7, "#ffe27a", edge(_DARK, 3.5))
        + line("M 8 -2 L 8 -36 L 38 -42 L 38 -8", _DARK, 5)
    )
    drift = 8 * math.sin(2 * math.pi * phase)
    return group(one, at=(at[0], at[1] + drift), turn=-10) + group(two, at=(at[0] + 26, at[1] - 52 - drift), turn=8)


def barbell(middle: Point, *, wide: float) -> str:
    """Return a barbell held overhead."""
    bar = line(f"M {-wide - 26} 0 L {wide + 26} 0", _DARK, 13) + line(f"M {-wide - 26} 0 L {wide + 26} 0", "#c9d2df", 6)
    plates = "".join(
        box(side * (wide + dx) - 10, -half, 20, half * 2, fade("#5a6078", "#33374a"), round=7, more=edge("#16182a", 4))
        for side in (-1, 1)
        for dx, half in ((14, 32), (-10, 50))
    )
    return group(bar + plates, at=middle)


def sweat(at: Point) -> str:
    """Return drops of sweat."""
    drop = path("M 0 -12 Q 9 2 0 7 Q -9 2 0 -12 Z", "#8fd8ff", edge("#2d7fb5", 2.5))
    return group(drop, at=at, turn=30) + group(drop, at=(at[0] + 20, at[1] + 26), turn=50, scale=0.8)


def sparks(top: float) -> str:
    """Return joyful rays above a head."""
    rays = (
        (-124, 66, -26, -6),
        (-116, 30, -22, -16),
        (-92, 2, -14, -22),
        (92, 2, 14, -22),
        (116, 30, 22, -16),
        (124, 66, 26, -6),
    )
    return "".join(line(f"M {x} {top + y} l {dx} {dy}", "#ffe27a", 7) for x, y, dx, dy in rays)


def speed_lines() -> str:
    """Return horizontal lines that show speed, on the left."""
    return "".join(
        line(f"M {x} {y} l {-length} 0", "#ffffff", 7, 'opacity=".75"')
        for x, y, length in ((-104, -160, 74), (-112, -104, 110), (-104, -48, 64))
    )


def dust(phase: float) -> str:
    """Return a cloud of dust behind running feet."""
    return "".join(
        circle(x - 14 * phase, y, r, "#ffffff", 'opacity=".6"')
        for x, y, r in ((-96, -4, 18), (-122, -14, 13), (-142, -2, 9))
    )


def skateboard() -> str:
    """Return a skateboard under the feet of a figure, which the pose lifts by the board's height."""
    deck = path("M -98 -8 Q -86 8 -66 8 L 66 8 Q 86 8 98 -8", "none", edge(_DARK, 17)) + path(
        "M -98 -8 Q -86 8 -66 8 L 66 8 Q 86 8 98 -8", "none", edge("#ff7ab8", 9)
    )
    return deck + "".join(circle(x, 24, 12, "#ffe27a", edge(_DARK, 4.5)) + circle(x, 24, 4, _DARK) for x in (-52, 52))


def fishing_rod(hand: Point, *, phase: float = 0) -> str:
    """Return a rod with a line and, on its hook, an old boot."""
    x, y = hand
    bob = 5 * math.sin(2 * math.pi * phase)
    rod = line(f"M {x - 26} {y + 16} L {x + 108} {y - 92}", "#5c3517", 9) + line(
        f"M {x - 26} {y + 16} L {x + 108} {y - 92}", "#c98a4b", 4
    )
    cord = line(f"M {x + 108} {y - 92} Q {x + 128} {y - 20} {x + 124} {y + 34 + bob}", "#ffffff", 2.5)
    boot = path("M -14 -30 L 14 -30 L 14 -2 L 34 4 Q 40 16 30 18 L -14 18 Z", "#7a5236", edge("#32200f", 4)) + box(
        -17, -36, 34, 11, "#95694a", round=4, more=edge("#32200f", 3.5)
    )
    return rod + cord + group(boot, at=(x + 124, y + 70 + bob), turn=4 * bob / 5)


def umbrella(hand: Point, *, top: float, sway: float = 0) -> str:
    """Return an open umbrella over the figure's head."""
    x, y = hand
    stick = line(f"M {x} {y + 30} L {x - 30} {top - 12}", _DARK, 8) + line(f"M {x} {y + 30} q 3 18 -14 16", _DARK, 8)
    dome = path(
        "M -150 30 C -146 -92 146 -92 150 30 Q 126 8 100 30 Q 76 6 50 30 Q 26 6 0 30 Q -26 6 -50 30 Q -76 6 -100 30 Q"
        " -126 8 -150 30 Z",
        fade("#ff6f61", "#d6394a"),
        edge("#6d1622", 5),
    )
    panel = path("M -50 30 Q -40 -56 0 -62 Q 40 -56 50 30 Q 26 6 0 30 Q -26 6 -50 30 Z", "#ffd9c9", 'opacity=".85"')
    return stick + group(dome + panel + line("M 0 -62 L 0 -78", _DARK, 8), at=(x - 34, top - 8), turn=sway - 5)


def balloons(hand: Point) -> str:
    """Return a bunch of balloons on strings."""
    drawn = ""
    for dx, dy, color in ((-46, -116, "#ffd24a"), (44, -120, "#5cc8f2"), (0, -158, "#ff6f8f")):
        x, y = hand[0] + dx, hand[1] + dy
        cord = line(f"M {hand[0]} {hand[1]} Q {x} {(y + hand[1]) / 2} {x} {y + 42}", "#ffffff", 2.5)
        drawn += (
            cord
            + ellipse(x, y, 36, 43, fade(color, darker(color, 0.2)), edge(darker(color, 0.6), 4))
            + ellipse(x - 13, y - 16, 7, 11, "#ffffff", 'opacity=".6"')
        )
    return drawn


def pizza_slice(hand: Point) -> str:
    """Return a slice of pizza."""
    crust = path("M -42 -34 Q 0 -62 42 -34 L 36 -20 Q 0 -44 -36 -20 Z", "#d89445", edge("#6d3f12", 4))
    cheese = path("M -36 -22 Q 0 -46 36 -22 L 4 46 Q 0 52 -4 46 Z", "#ffd766", edge("#6d3f12", 4))
    meat = "".join(
        circle(x, y, r, "#d8453c", edge("#7d1f1b", 2.5)) for x, y, r in ((-13, -16, 8), (13, -14, 8), (1, 8, 8))
    )
    return group(cheese + crust + meat, at=(hand[0] + 4, hand[1] - 32), turn=14)


def phone(hand: Point) -> str:
    """Return a phone seen from behind, its light on the face."""
    x, y = hand
    back = (
        box(-24, -74, 48, 86, fade("#4a4f68", "#262a3a"), round=10, more=edge("#12131f", 4))
        + circle(-9, -58, 8, "#12131f", edge("#6c7390", 3))
        + circle(-9, -58, 3, "#7fb6ff")
    )
    return circle(x - 34, y - 42, 84, glow("#bfe6ff"), 'opacity=".55"') + group(back, at=(x, y), turn=-10)


def frying_pan(hand: Point, *, phase: float = 0) -> str:
    """Return a pan with a fried egg, and the flame below it."""
    x, y = hand
    hop = -14 - 40 * math.sin(math.pi * phase)
    handle = line(f"M {x - 6} {y + 4} L {x + 50} {y - 2}", _DARK, 13)
    pan = path("M 44 -12 Q 48 22 96 22 Q 144 22 148 -12 Z", fade("#5a6078", "#2f3346"), edge("#16182a", 4.5))
    egg = path(
        "M -36 2 Q -30 -14 -8 -10 Q 10 -22 26 -8 Q 44 0 30 8 Q 0 16 -36 2 Z", "#ffffff", edge("#8b8fa5", 3)
    ) + circle(2, -4, 10, "#ffc53d")
    flame = "".join(
        path(f"M {dx} 56 Q {dx - 12} 40 {dx} 26 Q {dx + 12} 40 {dx} 56 Z", color)
        for dx, color in ((70, "#ff9d3c"), (96, "#ffd24a"), (122, "#ff9d3c"))
    )
    return handle + group(flame + group(egg, at=(96, hop)) + pan, at=(x, y))


def juggled(left: Point, right: Point, *, top: float, phase: float) -> str:
    """Return five balls on their arc from hand to hand."""
    drawn = ""
    for k, color in enumerate(("#ff6f61", "#ffd24a", "#5cc8f2", "#8de07d", "#ff86c8")):
        along = (k / 5 + phase) % 1
        x = left[0] + (right[0] - left[0]) * along
        base = left[1] + (right[1] - left[1]) * along
        y = base - 20 - (base - top) * 4 * along * (1 - along)
        drawn += circle(x, y, 17, fade(color, darker(color, 0.2)), edge(darker(color, 0.65), 4)) + circle(
            x - 5, y - 6, 4.5, "#ffffff", 'opacity=".7"'
        )
    return drawn


def easel(middle: Point) -> str:
    """Return an easel with a half-finished landscape, beside the figure."""
    x, y = middle
    legs = line(f"M {x - 40} 2 L {x} {y - 70} L {x + 40} 2", "#5c3517", 13) + line(
        f"M {x - 40} 2 L {x} {y - 70} L {x + 40} 2", "#b0763f", 6
    )
    canvas = box(x - 58, y - 66, 116, 100, "#fffaf0", more=edge("#5c3517", 5))
    art = (
        box(x - 52, y - 60, 104, 56, "#9bdcf5")
        + circle(x + 26, y - 38, 13, "#ffd24a")
        + path(
            f"M {x - 52} {y + 2} L {x - 20} {y - 34} L {x + 4} {y - 8} L {x + 20} {y - 22} L {x + 52} {y + 2} L"
            f" {x + 52} {y + 28} L {x - 52} {y + 28} Z",
            "#5cb85a",
        )
    )
    return legs + canvas + art


def brush(hand: Point) -> str:
    """Return a brush in a hand."""
    x, y = hand
    return line(f"M {x - 16} {y + 12} L {x + 22} {y - 16}", "#7a4a28", 8) + line(
        f"M {x + 22} {y - 16} L {x + 36} {y - 26}", "#ff6f61", 11
    )


def palette(hand: Point) -> str:
    """Return a painter's palette in a hand."""
    spots = "".join(
        circle(dx, dy, 6.5, color)
        for dx, dy, color in ((-20, -7, "#e8504e"), (-4, -12, "#ffd24a"), (13, -9, "#4a86e0"), (23, 3, "#5cb85a"))
    )
    return group(ellipse(0, 0, 38, 24, "#e0b987", edge("#5c3517", 4)) + spots, at=(hand[0] - 6, hand[1] - 4), turn=-10)


def chart_board(middle: Point) -> str:
    """Return a presentation board with a falling line chart."""
    x, y = middle
    legs = line(f"M {x - 54} 2 L {x - 30} {y + 40} M {x + 54} 2 L {x + 30} {y + 40}", "#4b5066", 9)
    board = box(x - 88, y - 76, 176, 128, "#ffffff", round=6, more=edge("#4b5066", 6))
    axes = line(f"M {x - 68} {y - 56} L {x - 68} {y + 32} L {x + 70} {y + 32}", "#8b93a8", 4)
    fall = (
        f"M {x - 62} {y - 40} L {x - 30} {y - 22} L {x - 8} {y - 34} L {x + 22} {y + 4} L {x + 40} {y - 4} L {x + 64}"
        f" {y + 24}"
    )
    return (
        legs
        + board
        + axes
        + line(fall, "#e8504e", 7)
        + polygon([(x + 72, y + 32), (x + 70, y + 10), (x + 52, y + 26)], "#e8504e")
    )


def pointer(hand: Point) -> str:
    """Return a pointing stick."""
    x, y = hand
    return line(f"M {x - 6} {y + 4} L {x + 50} {y - 22}", "#5c3517", 6) + circle(x + 52, y - 23, 5, "#e8504e")


def aura(y: float) -> str:
    """Return a glow around a meditating figure."""
    rays = "".join(
        line(
            f"M {168 * math.cos(a):.0f} {y + 168 * math.sin(a):.0f} L {196 * math.cos(a):.0f}"
            f" {y + 196 * math.sin(a):.0f}",
            "#fff3b0",
            7,
            'opacity=".8"',
        )
        for a in (k * math.pi / 8 for k in range(16))
    )
    return circle(0, y, 190, glow("#fff3b0"), 'opacity=".75"') + rays


def question(at: Point, size: float) -> str:
    """Return a question mark, `size` units tall."""
    mark = "M -12 -18 Q -10 -34 4 -34 Q 20 -32 18 -17 Q 16 -6 3 -1 L 3 8"
    return group(
        line(mark, _DARK, 15) + line(mark, "#ffffff", 8) + circle(3, 24, 7.5, "#ffffff", edge(_DARK, 3.5)),
        at=at,
        scale=size / 40,
    )


def potted_plant(at: Point) -> str:
    """Return a plant in a pot, somewhat wilted."""
    leaves = "".join(
        path(f"M 0 -52 Q {x * 0.5} {y - 20} {x} {y} Q {x * 0.3} {y + 14} 0 -52 Z", color, edge("#1d5c38", 3.5))
        for x, y, color in (
            (-46, -84, "#4fae63"),
            (46, -88, "#63c277"),
            (-24, -124, "#63c277"),
            (26, -128, "#4fae63"),
            (0, -140, "#7ad48c"),
        )
    )
    pot = path("M -34 -52 L 34 -52 L 26 0 L -26 0 Z", fade("#e08e66", "#b5603a"), edge("#5c2a16", 4.5)) + box(
        -39, -62, 78, 16, "#e9a27d", round=5, more=edge("#5c2a16", 4)
    )
    return group(leaves + pot, at=at)


def watering_can(hand: Point, *, phase: float = 0) -> str:
    """Return a watering can that pours to the right."""
    x, y = hand
    drops = "".join(ellipse(x + 92 + 7 * k, y - 4 + ((16 * k + 40 * phase) % 48), 3.4, 6, "#7fd0ff") for k in range(5))
    spout = (
        line("M 28 4 L 66 -22", _DARK, 16)
        + line("M 28 4 L 66 -22", "#5cc8f2", 9)
        + polygon([(60, -36), (82, -18), (72, -8), (54, -24)], "#3aa6d6", edge(_DARK, 4))
    )
    body = box(-22, -16, 58, 46, fade("#7ad6f7", "#3aa6d6"), round=9, more=edge(_DARK, 4.5)) + path(
        "M -18 -14 Q 6 -52 32 -14", "none", edge(_DARK, 6)
    )
    return drops + group(spout + body, at=(x + 6, y - 2), turn=10)


def boxes() -> str:
    """Return two stacked boxes, held from below."""
    drawn = ""
    for x, y, wide, tall, turn in ((0, 0, 116, 46, 0), (6, -44, 92, 38, -3)):
        one = box(-wide / 2, -tall, wide, tall, fade("#dcae74", "#bd8647"), round=3, more=edge("#5c3a17", 4.5)) + box(
            -9, -tall, 18, tall, "#f0d3a1", more='opacity=".8"'
        )
        drawn += group(one, at=(x, y), turn=turn)
    return drawn
