"""Places on a canvas of 800 × 600: the background behind characters, who stand at y = 540."""

from __future__ import annotations

from random import Random

from demo.outdoors import outdoors
from demo.rooms import room
from demo.skies import falling, sky, stars, tint
from demo.vector import box, circle, ellipse, fade, glow, group, line, path, polygon
from demo.vocabulary import Place, Sky

INDOORS = (
    Place.OFFICE,
    Place.KITCHEN,
    Place.LIVING_ROOM,
    Place.BEDROOM,
    Place.CLASSROOM,
    Place.LIBRARY,
    Place.GYM,
)
# Places without weather: only the light changes, or nothing.
WEATHERLESS = (Place.MOON, Place.SEA_FLOOR)


def background(place: Place, kind: Sky, random: Random) -> str:
    """Return a place under a sky, without characters."""
    if place in INDOORS:
        shade = "" if kind is Sky.DAY else group(tint(kind), more='opacity=".45"')
        return room(place, kind, random) + shade
    if place is Place.MOON:
        return _moon(random)
    if place is Place.SEA_FLOOR:
        return _sea_floor(random)
    return sky(kind, random) + outdoors(place, kind, random) + tint(kind)


def foreground(place: Place, kind: Sky, random: Random, *, phase: float = 0) -> str:
    """Return what is drawn in front of the characters: rain or snow outdoors, bubbles under the sea."""
    if place is Place.SEA_FLOOR:
        return "".join(
            circle(
                random.uniform(0, 800),
                (random.uniform(0, 600) - 600 * phase) % 600,
                random.uniform(4, 13),
                "#ffffff",
                'fill-opacity=".12" stroke="#dff6ff" stroke-width="2.5" stroke-opacity=".7"',
            )
            for _ in range(16)
        )
    if place in INDOORS or place in WEATHERLESS:
        return ""
    return falling(kind, random, phase=phase)


def _moon(random: Random) -> str:
    earth = (
        circle(0, 0, 66, fade("#6fc0ef", "#2f6fb5"))
        + path("M -40 -28 Q -6 -56 10 -26 Q 2 4 -30 2 Z", "#6bbf73")
        + path("M 12 6 Q 46 -8 48 20 Q 30 46 10 34 Z", "#6bbf73")
        + path(
            "M -56 22 Q -20 12 4 30", "none", 'stroke="#ffffff" stroke-width="8" opacity=".7" stroke-linecap="round"'
        )
    )
    ground = path("M 0 452 Q 220 416 430 446 T 800 436 L 800 600 L 0 600 Z", fade("#c9cbd8", "#8d90a6"))
    craters = "".join(
        ellipse(x, y, r, r * 0.28, "#8d90a6") + ellipse(x, y + 3, r * 0.86, r * 0.2, "#7a7d94")
        for x, y, r in ((110, 500, 62), (690, 486, 50), (610, 566, 74), (240, 574, 46))
    )
    flag = (
        line("M 0 0 L 0 -170", "#e6e9f2", 6)
        + path("M 0 -170 Q 34 -184 60 -168 T 108 -170 L 108 -112 Q 84 -124 60 -112 T 0 -112 Z", "#ff7a8a")
        + circle(54, -142, 15, "#fff4d6")
    )
    return (
        box(0, 0, 800, 600, fade("#090b24", "#2a2f5e"))
        + stars(random, 110, low=450)
        + circle(620, 140, 130, glow("#8fc7ff"), 'opacity=".6"')
        + group(earth, at=(620, 140))
        + ground
        + craters
        + group(flag, at=(130, 500))
    )


def _sea_floor(random: Random) -> str:
    rays = "".join(
        polygon([(x, -10), (x + 60, -10), (x + dx + 150, 480), (x + dx, 480)], "#ffffff", 'opacity=".08"')
        for x, dx in ((80, -110), (300, -40), (520, 60), (680, 110))
    )
    weed = "".join(
        line(f"M {x} 520 q -22 -40 0 -80 t 0 -80 t 0 {-random.uniform(30, 80):.0f}", color, 15)
        for x, color in ((60, "#2f8a6a"), (100, "#3fa67c"), (700, "#3fa67c"), (748, "#2f8a6a"))
    )
    coral = "".join(
        group(line("M 0 0 L 0 -60 M 0 -26 Q -32 -30 -34 -66 M 0 -36 Q 30 -40 32 -80", color, 15), at=at)
        for at, color in (((190, 520), "#ff86a8"), ((630, 516), "#ffb05c"))
    )
    fish = "".join(
        group(
            ellipse(0, 0, 26, 15, color)
            + polygon([(22, 0), (42, -15), (42, 15)], color)
            + circle(-12, -3, 4, "#ffffff")
            + circle(-13, -3, 2, "#1d1b2e"),
            at=(random.uniform(60, 740), random.uniform(70, 300)),
            scale=(random.choice((-1, 1)), 1),
        )
        for color in ("#ffd24a", "#ff8f6b", "#c9f0ff", "#ffd24a")
    )
    sand = path("M 0 500 Q 200 470 400 500 T 800 490 L 800 600 L 0 600 Z", fade("#e6d3a0", "#b89f6b"))
    return box(0, 0, 800, 600, fade("#2fa8d0", "#0f3f6e")) + rays + fish + weed + coral + sand
