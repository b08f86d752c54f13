"""Outdoor places on a canvas of 800 × 600, below the sky; characters stand at y = 540."""

from __future__ import annotations

from random import Random

from demo.vector import box, circle, darker, fade, glow, group, lighter, line, path, polygon
from demo.vocabulary import Place, Sky


def outdoors(place: Place, kind: Sky, random: Random) -> str:
    """Return the ground and the objects on it, with snow on the ground when it snows."""
    return {
        Place.BEACH: _beach,
        Place.FOREST: _forest,
        Place.CITY: _city,
        Place.MOUNTAINS: _mountains,
        Place.DESERT: _desert,
        Place.PARK: _park,
        Place.FARM: _farm,
        Place.CASTLE: _castle,
        Place.SNOWFIELD: _snowfield,
    }[place](kind, random)


def _hill(y: float, bump: float, color: str, random: Random) -> str:
    a, b = random.uniform(-1, 1) * bump, random.uniform(-1, 1) * bump
    return path(
        f"M 0 {y} C 200 {y - bump + a:.0f} 300 {y + a:.0f} 430 {y - bump * 0.4:.0f} S 700 {y - bump + b:.0f} 800"
        f" {y - bump * 0.3:.0f} L 800 600 L 0 600 Z",
        fade(lighter(color, 0.14), darker(color, 0.12)),
    )


def _grass(random: Random, color: str, low: float = 500) -> str:
    return line(
        "".join(
            f"M {x:.0f} {y:.0f} l -4 -12 M {x:.0f} {y:.0f} l 4 -12 "
            for x, y in ((random.uniform(0, 800), random.uniform(low, 596)) for _ in range(26))
        ),
        color,
        3,
        'opacity=".6"',
    )


def _snowed(kind: Sky) -> bool:
    return kind is Sky.SNOW


def _pine(x: float, y: float, size: float, color: str, *, snow: bool = False) -> str:
    tiers = "".join(
        polygon([(-w, -b), (0, -t), (w, -b)], fade(lighter(color, 0.12), darker(color, 0.12)))
        for w, b, t in ((58, 26, 120), (46, 78, 168), (32, 128, 212))
    )
    caps = (
        "".join(
            polygon([(-w, -b), (0, -t), (w, -b), (w * 0.3, -b + 8)], "#f6fbff")
            for w, b, t in ((22, 180, 214), (20, 140, 168), (24, 94, 120))
        )
        if snow
        else ""
    )
    return group(box(-9, -28, 18, 30, "#5c3a22") + tiers + caps, at=(x, y), scale=size)


def _tree(x: float, y: float, size: float, color: str) -> str:
    crown = "".join(
        circle(dx, dy, r, shade)
        for dx, dy, r, shade in (
            (-40, -118, 42, darker(color, 0.12)),
            (40, -118, 42, darker(color, 0.1)),
            (0, -150, 52, color),
            (-14, -160, 26, lighter(color, 0.2)),
        )
    )
    return group(path("M -12 0 Q -6 -50 -10 -96 L 10 -96 Q 6 -50 14 0 Z", "#7a4f30") + crown, at=(x, y), scale=size)


def _beach(kind: Sky, random: Random) -> str:
    sea = "#3fa7c9" if kind in (Sky.DAY, Sky.SUNSET) else "#3f6f8f"
    waves = line(
        "".join(
            f"M {x} {y} q 16 -9 32 0 t 32 0 "
            for x, y in ((60, 372), (300, 388), (560, 366), (680, 396), (170, 404), (420, 362))
        ),
        "#ffffff",
        3.5,
        'opacity=".7"',
    )
    sand = path("M 0 440 Q 200 410 420 438 T 800 424 L 800 600 L 0 600 Z", fade("#f7e0a9", "#e0bd7c")) + path(
        "M 0 440 Q 200 410 420 438 T 800 424", "none", 'stroke="#ffffff" stroke-width="9" opacity=".7"'
    )
    x = random.choice((96, 700))
    lean = 1 if x < 400 else -1
    trunk = path(
        f"M {x - 12} 520 Q {x + 20 * lean} 380 {x + 60 * lean} 270 L {x + 76 * lean} 278 Q {x + 44 * lean} 390 {x + 16}"
        " 520 Z",
        fade("#b07a48", "#8a5a32"),
    )
    leaves = group(
        "".join(
            path("M 0 0 Q 50 -34 108 6 Q 54 -8 0 0 Z", color, f'transform="rotate({turn})"')
            for turn, color in (
                (-160, "#3f9a58"),
                (-115, "#4fb069"),
                (-65, "#3f9a58"),
                (-20, "#4fb069"),
                (20, "#358a4c"),
                (160, "#358a4c"),
            )
        ),
        at=(x + 68 * lean, 272),
    )
    star = group(
        polygon(
            [(0, -16), (5, -5), (16, -4), (8, 4), (10, 15), (0, 9), (-10, 15), (-8, 4), (-16, -4), (-5, -5)], "#f28a5c"
        ),
        at=(800 - x, 560),
        turn=20,
    )
    return box(0, 330, 800, 140, fade(darker(sea, 0.1), lighter(sea, 0.3))) + waves + sand + trunk + leaves + star


def _forest(kind: Sky, random: Random) -> str:
    leaf = random.choice(("#3f8a5c", "#2f7a6a", "#5a8a3c"))
    back = "".join(
        _pine(x, 440, random.uniform(0.8, 1.2), darker(lighter(leaf, 0.35), 0.08), snow=_snowed(kind))
        for x in range(20, 820, 92)
    )
    front = "".join(_pine(x, 486, random.uniform(1.25, 1.6), leaf, snow=_snowed(kind)) for x in (30, 150, 650, 770))
    floor = "#eef4fa" if _snowed(kind) else "#5f8f4c"
    mushrooms = "".join(
        group(
            box(-5, -16, 10, 18, "#f4efe6", round=4)
            + path("M -18 -14 Q 0 -42 18 -14 Z", "#dd4b48")
            + circle(-5, -22, 3, "#fff")
            + circle(6, -20, 2.6, "#fff"),
            at=at,
        )
        for at in ((120, 566), (690, 572))
    )
    return (
        back + _hill(446, 24, floor, random) + front + mushrooms + ("" if _snowed(kind) else _grass(random, "#3f6f34"))
    )


def _city(kind: Sky, random: Random) -> str:
    lit = kind in (Sky.NIGHT, Sky.SUNSET, Sky.STORM)
    drawn, x = "", -10.0
    while x < 800:
        wide, tall = random.uniform(80, 130), random.uniform(170, 380)
        wall = random.choice(("#6d7fa3", "#8a6f8f", "#5f8a94", "#a3766a", "#77809a"))
        drawn += box(x, 470 - tall, wide - 5, tall, fade(lighter(wall, 0.2), wall))
        for row in range(int(tall // 42)):
            for column in range(int((wide - 20) // 28)):
                glass = (
                    random.choice(("#ffe49a", "#ffe49a", "#46527a")) if lit else random.choice(("#dcefff", "#bcd9ef"))
                )
                drawn += box(x + 12 + column * 28, 484 - tall + row * 42, 17, 24, glass, round=2)
        x += wide
    street = (
        box(0, 468, 800, 30, "#c4c7d0")
        + box(0, 496, 800, 104, fade("#5a5f70", "#474b5c"))
        + "".join(box(x, 574, 70, 9, "#ffe9a8", round=2) for x in range(20, 800, 130))
    )
    post = (
        line("M 0 0 L 0 -250 Q 0 -280 34 -280", "#2b3042", 9)
        + path("M 20 -282 L 58 -282 L 64 -266 L 14 -266 Z", "#2b3042")
        + (circle(40, -258, 120, glow("#ffe9a8"), 'opacity=".8"') if lit else "")
    )
    return drawn + street + group(post, at=(60, 500)) + group(post, at=(730, 500), scale=(-1, 1))


def _mountains(kind: Sky, random: Random) -> str:
    drawn = ""
    for peak, top, wide, color in ((140, 170, 300, "#7f93b8"), (660, 140, 340, "#7388b0"), (400, 220, 280, "#93a6c7")):
        drawn += polygon(
            [(peak - wide, 480), (peak, top), (peak + wide, 480)], fade(lighter(color, 0.1), darker(color, 0.12))
        )
        drawn += polygon(
            [
                (peak - wide * 0.22, top + 68),
                (peak, top),
                (peak + wide * 0.22, top + 68),
                (peak + wide * 0.1, top + 52),
                (peak, top + 78),
                (peak - wide * 0.1, top + 54),
            ],
            "#f6fbff",
        )
    floor = "#eef4fa" if _snowed(kind) else "#6fa35c"
    return (
        drawn
        + _hill(440, 30, darker(floor, 0.1), random)
        + "".join(_pine(x, 470, 0.62, "#3f7a5c", snow=_snowed(kind)) for x in (50, 110, 690, 750))
        + _hill(490, 16, floor, random)
    )


def _desert(kind: Sky, random: Random) -> str:
    mesa = "".join(
        polygon([(x, 440), (x + 22, y), (x + 130, y - 8), (x + 158, 440)], fade("#d9825a", "#b5603a"))
        for x, y in ((30, 310), (600, 280))
    )
    saguaro = line("M 0 0 L 0 -150 M 0 -62 Q -44 -62 -44 -104 M 0 -80 Q 42 -80 42 -124", "#2f7a4c", 30) + line(
        "M 0 0 L 0 -150 M 0 -62 Q -44 -62 -44 -104 M 0 -80 Q 42 -80 42 -124", "#4fa066", 20
    )
    bones = group(
        line("M 0 0 L 46 0", "#f4efe6", 9)
        + circle(-3, -5, 7, "#f4efe6")
        + circle(-3, 5, 7, "#f4efe6")
        + circle(49, -5, 7, "#f4efe6")
        + circle(49, 5, 7, "#f4efe6"),
        at=(150, 572),
        turn=-12,
    )
    return (
        mesa
        + _hill(436, 36, "#eec98a", random)
        + group(saguaro, at=(100, 486))
        + group(saguaro, at=(706, 476), scale=0.8)
        + _hill(486, 18, "#e6b873", random)
        + bones
    )


def _park(kind: Sky, random: Random) -> str:
    green = "#eef4fa" if _snowed(kind) else "#74b85c"
    leaf = random.choice(("#5cab55", "#e0913c", "#e58fb0"))
    trees = "".join(_tree(x, 452, random.uniform(0.9, 1.25), leaf) for x in (60, 190, 620, 750))
    bench = (
        box(-90, -58, 180, 12, "#b0763f", round=4)
        + box(-90, -84, 180, 12, "#b0763f", round=4)
        + box(-80, -84, 10, 88, "#3b4257")
        + box(70, -84, 10, 88, "#3b4257")
        + box(-94, -34, 188, 13, "#c98a4b", round=4)
    )
    way = path("M 300 600 Q 380 520 350 452 L 430 452 Q 470 520 560 600 Z", "#e6d3a8", 'opacity=".9"')
    flowers = "".join(
        circle(random.uniform(0, 800), random.uniform(500, 590), 5, random.choice(("#ffe27a", "#ff86b7", "#ffffff")))
        for _ in range(18)
    )
    return (
        _hill(420, 30, darker(green, 0.08), random)
        + trees
        + _hill(456, 10, green, random)
        + way
        + group(bench, at=(150, 500))
        + ("" if _snowed(kind) else flowers)
    )


def _farm(kind: Sky, random: Random) -> str:
    field = "#eef4fa" if _snowed(kind) else "#a8bf55"
    rows = "".join(
        line(f"M {400 + dx * 0.25:.0f} 450 L {400 + dx * 1.6:.0f} 600", "#7f9a3c", 7, 'opacity=".5"')
        for dx in range(-500, 520, 90)
    )
    barn = (
        polygon(
            [(0, 0), (0, -120), (40, -176), (100, -200), (160, -176), (200, -120), (200, 0)], fade("#d9534a", "#b5393a")
        )
        + polygon(
            [
                (-12, -116),
                (36, -184),
                (100, -212),
                (164, -184),
                (212, -116),
                (200, -112),
                (156, -170),
                (100, -196),
                (44, -170),
                (0, -112),
            ],
            "#6d3a34",
        )
        + box(64, -92, 72, 92, "#fff4e0")
        + line("M 66 -90 L 134 -2 M 134 -90 L 66 -2", "#b5393a", 6)
    )
    silo = box(0, -190, 62, 190, fade("#d8dde6", "#aab2c2")) + path("M 0 -190 Q 31 -240 62 -190 Z", "#8f98aa")
    fence = (
        "".join(box(x, 442, 12, 52, "#f4efe6", round=2) for x in range(0, 800, 66))
        + box(0, 454, 800, 9, "#f4efe6")
        + box(0, 474, 800, 9, "#f4efe6")
    )
    return (
        _hill(420, 26, darker(field, 0.06), random)
        + group(silo, at=(258, 440))
        + group(barn, at=(46, 444))
        + _tree(690, 446, 1.1, "#5cab55")
        + fence
        + _hill(492, 8, field, random)
        + ("" if _snowed(kind) else group(rows, at=(0, 40)))
    )


def _castle(kind: Sky, random: Random) -> str:
    stone = "#a4a3b8"

    def tower(x: float, wide: float, top: float, roof: str) -> str:
        return (
            box(x, top, wide, 470 - top, fade(lighter(stone, 0.2), stone))
            + polygon(
                [(x - 14, top), (x + wide / 2, top - 96), (x + wide + 14, top)],
                fade(lighter(roof, 0.1), darker(roof, 0.15)),
            )
            + path(
                f"M {x + wide / 2 - 11} {top + 64} L {x + wide / 2 - 11} {top + 40} Q {x + wide / 2} {top + 20}"
                f" {x + wide / 2 + 11} {top + 40} L {x + wide / 2 + 11} {top + 64} Z",
                "#4a3b6b",
            )
            + line(f"M {x + wide / 2} {top - 96} L {x + wide / 2} {top - 130}", "#3b2f5a", 4)
            + polygon([(x + wide / 2, top - 130), (x + wide / 2 + 34, top - 120), (x + wide / 2, top - 108)], "#f5c93c")
        )

    wall = box(180, 300, 440, 170, fade(stone, darker(stone, 0.14))) + "".join(
        box(x, 280, 26, 24, stone) for x in range(184, 620, 44)
    )
    gate = path("M 340 470 L 340 390 Q 400 320 460 390 L 460 470 Z", "#5c3a22")
    grass = "#eef4fa" if _snowed(kind) else "#6fa35c"
    return (
        _hill(400, 30, "#8fb07a", random)
        + tower(120, 92, 210, "#8d63cf")
        + tower(588, 92, 190, "#8d63cf")
        + wall
        + gate
        + tower(250, 70, 240, "#dd4b48")
        + tower(480, 70, 240, "#dd4b48")
        + _hill(470, 14, grass, random)
        + path("M 340 600 Q 380 540 372 470 L 430 470 Q 440 540 500 600 Z", "#e0c795")
    )


def _snowfield(kind: Sky, random: Random) -> str:
    man = (
        circle(0, -38, 40, fade("#ffffff", "#d8e4f0"))
        + circle(0, -98, 28, fade("#ffffff", "#d8e4f0"))
        + polygon([(0, -98), (34, -92), (0, -90)], "#f2913d")
        + circle(-9, -106, 4, "#2a2133")
        + circle(9, -106, 4, "#2a2133")
        + line("M -38 -56 L -74 -84 M 38 -56 L 74 -84", "#5c3a22", 6)
        + line("M -22 -74 Q 0 -64 22 -74", "#dd4b48", 11)
    )
    trees = "".join(
        _pine(x, 450, random.uniform(0.8, 1.1), "#4a7f78", snow=True) for x in (40, 130, 220, 600, 690, 770)
    )
    return (
        _hill(410, 30, "#d3e2f0", random)
        + trees
        + _hill(456, 18, "#eef5fb", random)
        + group(man, at=(676, 520))
        + _hill(520, 10, "#ffffff", random)
    )
