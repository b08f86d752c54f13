"""Skies by time of day and weather on a canvas of 800 × 600, and rain and snow in front of a scene."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

from demo.vector import box, circle, ellipse, fade, glow, group, line, path, polygon
from demo.vocabulary import Sky

WIDTH, HEIGHT = 800, 600


def sky(kind: Sky, random: Random) -> str:
    """Return the sky: the colour of the air, sun or moon, stars, clouds."""
    top, bottom = _AIR[kind]
    drawn = box(0, 0, WIDTH, HEIGHT, fade(top, bottom))
    side = random.choice((120, 660))
    if kind is Sky.DAY:
        drawn += circle(side, 120, 150, glow("#fff6c9")) + circle(side, 120, 46, "#fff2a8")
        drawn += clouds(random, "#ffffff", 3, 0.85)
    elif kind is Sky.SUNSET:
        drawn += (
            circle(side, 350, 260, glow("#ffe0a3"))
            + circle(side, 350, 74, fade("#fff0b8", "#ffb45c"))
            + clouds(random, "#ffd3c4", 4, 0.6)
        )
    elif kind is Sky.NIGHT:
        drawn += stars(random, 70) + circle(side, 110, 120, glow("#dfe7ff"), 'opacity=".6"')
        drawn += circle(side, 110, 42, "#f4f1da") + "".join(
            circle(side + x, 110 + y, r, "#dcd8bb") for x, y, r in ((-12, -10, 9), (14, 8, 7), (-4, 18, 5))
        )
    elif kind is Sky.STORM:
        drawn += clouds(random, "#4a5070", 7, 0.95, low=150)
        x = side
        bolt = [(x, 90), (x - 34, 196), (x - 6, 190), (x - 40, 300), (x + 34, 168), (x + 6, 172), (x + 34, 90)]
        drawn += circle(x, 170, 190, glow("#fff7c4"), 'opacity=".55"') + polygon(
            bolt, "#fff3a0", 'stroke="#ffffff" stroke-width="4"'
        )
    else:
        drawn += clouds(random, "#8793a8" if kind is Sky.RAIN else "#e6edf6", 7, 0.85, low=150)
    return drawn


def falling(kind: Sky, random: Random, *, phase: float = 0) -> str:
    """Return rain or snow in front of the scene; `phase` from 0 to 1 is one loop."""
    if kind in (Sky.RAIN, Sky.STORM):
        drops = ""
        for _ in range(80):
            x, y, length = random.uniform(-60, WIDTH), random.uniform(0, HEIGHT), random.uniform(18, 34)
            drops += f"M {x:.0f} {(y + HEIGHT * phase) % HEIGHT:.0f} l {-length * 0.28:.0f} {length:.0f} "
        return line(drops, "#dcecff", 2.6, 'opacity=".6"')
    if kind is Sky.SNOW:
        flakes = ""
        for _ in range(90):
            x, y, r = random.uniform(0, WIDTH), random.uniform(0, HEIGHT), random.uniform(2, 6.5)
            flakes += circle(x, (y + HEIGHT * phase) % HEIGHT, r, "#ffffff", 'opacity=".9"')
        return flakes
    return ""


def tint(kind: Sky) -> str:
    """Return a tint over the background, so that characters in front of it stand out."""
    color, strength = _TINTS[kind]
    return box(0, 0, WIDTH, HEIGHT, color, more=f'opacity="{strength}"')


def stars(random: Random, count: int, *, low: float = 330) -> str:
    """Return stars above the height `low`."""
    return "".join(
        circle(
            random.uniform(0, WIDTH),
            random.uniform(0, low),
            random.uniform(0.8, 2.6),
            "#ffffff",
            f'opacity="{random.uniform(0.5, 1):.2f}"',
        )
        for _ in range(count)
    )


def clouds(random: Random, color: str, count: int, strength: float, *, low: float = 210) -> str:
    """Return clouds of a colour above the height `low`."""
    drawn = ""
    for k in range(count):
        x = (k + random.uniform(0.2, 0.8)) * WIDTH / count
        puffs = "".join(
            ellipse(dx, dy, rx, ry, color)
            for dx, dy, rx, ry in ((-44, 4, 36, 20), (0, -10, 44, 32), (42, 2, 38, 22), (0, 10, 74, 15))
        )
        drawn += group(
            puffs, at=(x, random.uniform(50, low)), scale=random.uniform(0.7, 1.3), more=f'opacity="{strength}"'
        )
    return drawn


def window(kind: Sky, random: Random, *, at: tuple[float, float], size: tuple[float, float] = (190, 170)) -> str:
    """Return a window with a view of the sky, and its frame."""
    wide, tall = size
    view = group(sky(kind, random) + falling(kind, random), scale=(wide / WIDTH, tall / HEIGHT))
    hills = path(
        f"M 0 {tall} L 0 {tall * 0.75:.0f} Q {wide * 0.3:.0f} {tall * 0.55:.0f} {wide * 0.6:.0f} {tall * 0.78:.0f} T"
        f" {wide} {tall * 0.7:.0f} L {wide} {tall} Z",
        "#4f7a63",
        'opacity=".8"',
    )
    frame = box(-6, -6, wide + 12, tall + 12, "none", round=5, more='stroke="#fffaf0" stroke-width="12"')
    cross = line(f"M {wide / 2} 0 L {wide / 2} {tall} M 0 {tall / 2} L {wide} {tall / 2}", "#fffaf0", 7)
    sill = box(-20, tall + 6, wide + 40, 14, "#f0e6d6", round=4)
    return group(
        box(-12, -12, wide + 24, tall + 24, "#0b0d1f", round=8, more='opacity=".18"')
        + view
        + hills
        + cross
        + frame
        + sill,
        at=at,
    )


_AIR: Mapping[Sky, tuple[str, str]] = {
    Sky.DAY: ("#58b4f0", "#d7f1ff"),
    Sky.SUNSET: ("#5a4a9c", "#ffb076"),
    Sky.NIGHT: ("#0f1440", "#3c4a8f"),
    Sky.RAIN: ("#5d6b84", "#aab8c8"),
    Sky.SNOW: ("#a9bfd8", "#e9f1f8"),
    Sky.STORM: ("#1f2340", "#5c648c"),
}
_TINTS: Mapping[Sky, tuple[str, float]] = {
    Sky.DAY: ("#fff6d8", 0.06),
    Sky.SUNSET: ("#ff8f4a", 0.2),
    Sky.NIGHT: ("#0f1440", 0.42),
    Sky.RAIN: ("#44546e", 0.22),
    Sky.SNOW: ("#dbe8f6", 0.16),
    Sky.STORM: ("#1b2040", 0.38),
}
