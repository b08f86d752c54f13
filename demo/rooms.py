"""Indoor places on a canvas of 800 × 600; the floor begins at y = 455 and characters stand at y = 540."""

from __future__ import annotations

from random import Random

from demo.skies import window
from demo.vector import box, circle, darker, edge, ellipse, fade, glow, group, lighter, line, path, polygon
from demo.vocabulary import Place, Sky

FLOOR = 455


def room(place: Place, sky: Sky, random: Random) -> str:
    """Return an indoor place, its window showing the sky."""
    return {
        Place.OFFICE: _office,
        Place.KITCHEN: _kitchen,
        Place.LIVING_ROOM: _living_room,
        Place.BEDROOM: _bedroom,
        Place.CLASSROOM: _classroom,
        Place.LIBRARY: _library,
        Place.GYM: _gym,
    }[place](sky, random)


def _shell(wall: str, floor: str, *, boards: bool = True) -> str:
    drawn = box(0, 0, 800, FLOOR, fade(lighter(wall, 0.25), wall)) + box(
        0, FLOOR, 800, 145, fade(floor, darker(floor, 0.25))
    )
    if boards:
        drawn += "".join(
            line(f"M {x} {FLOOR} L {400 + (x - 400) * 1.6:.0f} 600", darker(floor, 0.3), 2.5, 'opacity=".5"')
            for x in range(-80, 900, 80)
        )
    return (
        drawn
        + box(0, FLOOR - 12, 800, 14, lighter(wall, 0.55))
        + circle(400, 240, 300, glow("#fff8e0"), 'opacity=".28"')
    )


def _frame(x: float, y: float, wide: float, tall: float, content: str) -> str:
    return box(x - 8, y - 8, wide + 16, tall + 16, "#7a4a28", round=3) + group(
        box(0, 0, wide, tall, "#fffaf0") + content, at=(x, y)
    )


def _plant(x: float, y: float, size: float = 1) -> str:
    leaves = "".join(
        path(f"M 0 -50 Q {dx * 0.5} {dy - 20} {dx} {dy} Q {dx * 0.3} {dy + 16} 0 -50 Z", color)
        for dx, dy, color in (
            (-52, -96, "#3f9a58"),
            (52, -100, "#4fb069"),
            (-26, -146, "#4fb069"),
            (28, -150, "#3f9a58"),
            (0, -164, "#62c27c"),
        )
    )
    return group(
        leaves + path("M -34 -52 L 34 -52 L 26 0 L -26 0 Z", fade("#e08e66", "#a9532f")), at=(x, y), scale=size
    )


def _books(x: float, y: float, wide: float, random: Random) -> str:
    drawn, at = "", x
    while at < x + wide - 12:
        thick, tall = random.choice((10, 13, 16, 20)), random.uniform(44, 66)
        color = random.choice(("#c94f4f", "#e0a13c", "#4f8f6a", "#4a6fb0", "#8a5aa8", "#d9c9a3", "#3f5a6e"))
        drawn += box(at, y - tall, thick - 1.5, tall, fade(lighter(color, 0.15), color)) + box(
            at, y - tall + 9, thick - 1.5, 4, "#fff4d6", more='opacity=".7"'
        )
        at += thick
    return drawn


def _office(sky: Sky, random: Random) -> str:
    drawn = _shell("#a9bccb", "#7f8796", boards=False) + window(sky, random, at=(72, 90), size=(220, 180))
    chart = line("M 14 96 L 14 16 M 14 96 L 130 96", "#8b93a8", 3) + line(
        "M 20 30 L 46 50 L 66 42 L 92 74 L 122 88", "#e8504e", 5
    )
    drawn += _frame(596, 96, 144, 112, chart)
    drawn += circle(470, 90, 36, "#ffffff", edge("#3b4257", 6)) + line(
        "M 470 90 L 470 66 M 470 90 L 486 98", "#3b4257", 5
    )
    cabinet = box(0, 0, 130, 190, fade("#8d98ab", "#6a7488"), round=5) + "".join(
        box(10, 10 + k * 60, 110, 50, "#9fa9bb", round=4) + box(48, 30 + k * 60, 34, 8, "#4b5066", round=4)
        for k in range(3)
    )
    drawn += group(cabinet, at=(640, 276)) + _plant(706, 278, 0.5)
    bin_ = (
        path("M -30 -66 L 30 -66 L 22 0 L -22 0 Z", "#5b6478")
        + circle(-8, -72, 14, "#f4f1ea")
        + circle(12, -74, 12, "#e6e1d5")
    )
    return drawn + group(bin_, at=(90, 486))


def _kitchen(sky: Sky, random: Random) -> str:
    wall = random.choice(("#f2d9a8", "#bfe0d2", "#f0c7b8"))
    drawn = _shell(wall, "#c9a27a", boards=False)
    drawn += "".join(
        box(x, y, 48, 48, lighter(wall, 0.5), round=4, more='opacity=".65"')
        for y in (252, 304)
        for x in range(0, 800, 54)
    )
    drawn += window(sky, random, at=(318, 66), size=(164, 140))
    for x in (30, 150, 540, 660):
        drawn += (
            box(x, 54, 110, 150, fade("#f7f1e6", "#dccfb8"), round=6)
            + box(x + 12, 66, 86, 126, "none", round=4, more='stroke="#c4b598" stroke-width="4"')
            + circle(x + 92, 176, 6, "#8b7a55")
        )
    drawn += box(0, 352, 800, 18, "#8a5a3a") + box(0, 370, 800, 100, fade("#f7f1e6", "#d8c9ae"))
    drawn += "".join(
        box(x, 382, 120, 76, "none", round=5, more='stroke="#c4b598" stroke-width="4"') for x in range(16, 800, 130)
    )
    pots = (
        box(0, 0, 70, 48, fade("#e8504e", "#b93340"), round=8)
        + box(-8, -8, 86, 12, "#c23c45", round=6)
        + circle(35, -14, 8, "#3b4257")
    )
    jars = "".join(
        box(k * 44, 0, 36, 54, color, round=7) + box(k * 44 + 3, -9, 30, 12, "#7a4a28", round=3)
        for k, color in enumerate(("#f0c05c", "#a8d08d", "#e9a27d"))
    )
    return drawn + group(pots, at=(90, 303)) + group(jars, at=(600, 298))


def _living_room(sky: Sky, random: Random) -> str:
    wall = random.choice(("#c98f7a", "#7fa3a0", "#a891c4"))
    drawn = _shell(wall, "#a8754a") + window(sky, random, at=(80, 84), size=(180, 170))
    sun = (
        box(0, 0, 130, 96, fade("#ffd9a0", "#ff9c7a"))
        + circle(66, 58, 24, "#fff2c2")
        + path("M 0 96 L 0 72 Q 40 50 70 74 T 130 66 L 130 96 Z", "#4f6a8f")
    )
    drawn += _frame(560, 92, 130, 96, sun)
    cloth = random.choice(("#4f8a8b", "#c9705c", "#6a6fb5"))
    sofa = (
        box(-230, -150, 460, 120, fade(lighter(cloth, 0.2), cloth), round=36)
        + box(-262, -104, 76, 114, darker(cloth, 0.12), round=28)
        + box(186, -104, 76, 114, darker(cloth, 0.12), round=28)
        + box(-200, -58, 400, 60, lighter(cloth, 0.08), round=18)
    )
    cushions = group(box(-32, -32, 64, 64, "#f5c93c", round=12), at=(-140, -82), turn=-14) + group(
        box(-32, -32, 64, 64, "#f4efe6", round=12), at=(140, -82), turn=12
    )
    lamp = (
        line("M 0 0 L 0 -238", "#3b2f2a", 8)
        + circle(0, -236, 130, glow("#fff0b8"), 'opacity=".6"')
        + polygon([(-52, -222), (-30, -288), (30, -288), (52, -222)], "#fff3cf")
        + ellipse(0, 0, 42, 9, "#3b2f2a")
    )
    rug = ellipse(400, 548, 330, 46, darker(lighter(cloth, 0.3), 0.12)) + ellipse(
        400, 548, 280, 36, "none", 'stroke="#fff4d6" stroke-width="5" opacity=".7"'
    )
    return drawn + group(sofa + cushions, at=(400, 470)) + group(lamp, at=(742, 480)) + rug


def _bedroom(sky: Sky, random: Random) -> str:
    wall = random.choice(("#8d9fd0", "#c9a3c4", "#8fbfae"))
    drawn = _shell(wall, "#b98a5e") + window(sky, random, at=(300, 70), size=(200, 176))
    for x in (276, 500):
        drawn += path(
            f"M {x - 26} 46 L {x + 50} 46 Q {x + (34 if x < 400 else 60)} 180 {x + (4 if x < 400 else 46)} 330 L"
            f" {x - 26} 330 Z",
            fade(lighter("#e58fa0", 0.3), "#d9708a"),
            'opacity=".95"',
        )
    drawn += line("M 236 46 L 566 46", "#7a4a28", 9)
    wardrobe = (
        box(0, 0, 150, 300, fade("#b97d4b", "#95602f"), round=6)
        + line("M 75 12 L 75 288", "#6d4220", 4)
        + circle(64, 150, 6, "#ffd9a0")
        + circle(86, 150, 6, "#ffd9a0")
    )
    poster = (
        box(0, 0, 110, 140, "#26304f", round=4)
        + circle(55, 62, 30, "#f4e3a1")
        + ellipse(55, 62, 48, 10, "none", 'stroke="#ff9c7a" stroke-width="6"')
        + line("M 20 120 L 90 120", "#f4e3a1", 6)
    )
    table = (
        box(-50, -70, 100, 78, fade("#b97d4b", "#95602f"), round=5)
        + box(-38, -50, 76, 24, "#a56d3c", round=3)
        + circle(0, -120, 90, glow("#fff0b8"), 'opacity=".55"')
        + polygon([(-30, -96), (-18, -136), (18, -136), (30, -96)], "#fff3cf")
        + box(-4, -98, 8, 30, "#6d4220")
    )
    return drawn + group(wardrobe, at=(20, 170)) + group(poster, at=(630, 100)) + group(table, at=(716, 470))


def _classroom(sky: Sky, random: Random) -> str:
    drawn = (
        _shell("#e0cf9f", "#b98a5e")
        + box(190, 70, 420, 220, "#7a4a28", round=6)
        + box(202, 82, 396, 196, fade("#3f7a5c", "#2f5f47"), round=3)
    )
    sums = random.choice(
        (
            "M 232 130 l 40 0 m -20 -20 l 0 40 M 300 120 l 40 0 m -40 20 l 40 0",
            "M 232 150 q 20 -60 40 0 t 40 0 t 40 0",
            "M 232 160 L 272 108 L 312 160 Z M 350 134 m -26 0 a 26 26 0 1 0 52 0 a 26 26 0 1 0 -52 0",
        )
    )
    drawn += line(sums, "#f4f1ea", 5, 'opacity=".85"') + line(
        "M 440 120 L 560 120 M 440 146 L 530 146 M 440 172 L 548 172 M 232 230 L 380 230", "#f4f1ea", 4, 'opacity=".5"'
    )
    drawn += box(190, 290, 420, 10, "#95602f") + window(sky, random, at=(34, 96), size=(120, 170))
    globe = (
        circle(0, -48, 44, fade("#6fc0ef", "#3f86c9"))
        + path("M -30 -70 Q -6 -84 4 -62 Q -4 -44 -24 -40 Z", "#6bbf73")
        + path("M 10 -40 Q 32 -50 36 -30 Q 24 -12 12 -20 Z", "#6bbf73")
        + line("M 0 -4 L 0 8", "#7a4a28", 8)
        + ellipse(0, 12, 32, 7, "#7a4a28")
    )
    desk = box(-80, 0, 160, 16, "#b97d4b", round=4) + box(-68, 16, 14, 110, "#95602f") + box(54, 16, 14, 110, "#95602f")
    return (
        drawn
        + group(desk + group(globe, at=(0, -12)), at=(700, 362))
        + _books(66, 386, 70, random)
        + box(50, 386, 110, 14, "#95602f")
    )


def _library(sky: Sky, random: Random) -> str:
    drawn = _shell("#8a6a50", "#7a4d30")
    for x in (0, 560):
        drawn += box(x, 30, 240, 430, fade("#6d4526", "#4f2f18")) + "".join(
            box(x + 12, y - 84, 216, 84, "#3a2212") + _books(x + 16, y, 208, random) + box(x, y, 240, 10, "#83562f")
            for y in (126, 224, 322, 420)
        )
    drawn += window(sky, random, at=(310, 74), size=(180, 200))
    lamp = (
        line("M 0 -330 L 0 -40", "#2b1a0d", 4)
        + circle(0, -14, 150, glow("#ffe9a8"), 'opacity=".7"')
        + path("M -44 0 Q 0 -64 44 0 Z", "#3f8a5c")
    )
    return drawn + group(lamp, at=(270, 70)) + group(lamp, at=(530, 70))


def _gym(sky: Sky, random: Random) -> str:
    drawn = _shell("#7d8ba8", "#5a5f70", boards=False) + box(
        40, 70, 300, 230, fade("#dcecf8", "#a9c4de"), round=4, more=edge("#4b5066", 8)
    )
    drawn += line("M 80 250 L 200 100 M 120 270 L 260 100", "#ffffff", 14, 'opacity=".4"') + window(
        sky, random, at=(470, 80), size=(240, 130)
    )
    rack = (
        box(0, 0, 280, 12, "#3b4257")
        + box(0, 74, 280, 12, "#3b4257")
        + box(6, 0, 12, 150, "#2b3042")
        + box(262, 0, 12, 150, "#2b3042")
    )
    for k, color in enumerate(("#e8504e", "#f5c93c", "#4a86e0", "#5cb85a")):
        bell = box(0, -8, 34, 8, "#c9d2df") + circle(-2, -4, 14, color) + circle(36, -4, 14, color)
        rack += group(bell, at=(30 + k * 62, -10)) + group(bell, at=(30 + k * 62, 64))
    mat = box(140, 496, 520, 88, "#3f6fa8", round=18, more='opacity=".85"') + box(
        160, 508, 480, 64, "none", round=12, more='stroke="#dcecf8" stroke-width="4" opacity=".6"'
    )
    ball = circle(90, 440, 56, fade("#ff8fb5", "#d9567f")) + ellipse(72, 416, 14, 9, "#ffffff", 'opacity=".5"')
    return drawn + group(rack, at=(480, 316)) + mat + ball
