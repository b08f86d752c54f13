"""Characters that are not animals: people, machines, spirits and household objects, each in any colour."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from demo.figure import Coat, Figure, torso
from demo.vector import box, circle, darker, edge, ellipse, fade, glow, group, lighter, line, luminance, path, polygon
from demo.vocabulary import Subject

_SKIN, _SKIN_EDGE = "#f3c39c", "#6d4326"


def things() -> Mapping[Subject, Callable[[Coat], Figure]]:
    """Return the function that draws each character that is not an animal."""
    return {
        Subject.ROBOT: _robot,
        Subject.GHOST: _ghost,
        Subject.ALIEN: _alien,
        Subject.WIZARD: _wizard,
        Subject.WORKER: _worker,
        Subject.MUG: _mug,
        Subject.TOASTER: _toaster,
        Subject.CACTUS: _cactus,
        Subject.POTATO: _potato,
    }


def _both(shape: str) -> str:
    return shape + group(shape, scale=(-1, 1))


def _robot(coat: Coat) -> Figure:
    steel, dark = "#c9d2df", "#3b4560"
    chest = box(-46, -112, 92, 88, coat.fur, round=16, more=coat.edge)
    panel = box(-28, -96, 56, 38, "#22304a", round=7) + line(
        "M -22 -78 L -10 -78 L -4 -90 L 4 -66 L 10 -78 L 22 -78", "#66f0b2", 3.5
    )
    lamps = "".join(
        circle(x, -42, 6, color, edge(coat.outline, 2.5))
        for x, color in ((-18, "#ff6b6b"), (0, "#ffd24a"), (18, "#66f0b2"))
    )
    antenna = (
        line("M 0 -216 L 0 -240", dark, 6)
        + circle(0, -246, 18, glow("#ff8d8d"))
        + circle(0, -246, 9, "#ff5d5d", edge(dark, 3))
    )
    bolts = _both(box(66, -180, 14, 34, steel, round=6, more=edge(dark, 4)))
    head = box(-68, -220, 136, 104, coat.fur, round=26, more=coat.edge)
    screen = box(-56, -207, 112, 78, fade("#f2fbff", "#cfe3f2"), round=18, more=edge(dark, 3.5))
    neck = box(-15, -122, 30, 16, steel, more=edge(dark, 4))
    return Figure(
        body=neck + chest + panel + lamps + antenna + bolts + head + screen,
        face=(0, -178, 0.86),
        crown=(0, -218, 88),
        neck=(0, -110, 70),
        shoulders=(48, -98),
        hips=(24, -28),
        limb=steel,
        hand=coat.base,
        foot=coat.base,
        thickness=15,
        ink="#22304a",
        lid="#dcebf6",
        ears=74,
    )


def _ghost(coat: Coat) -> Figure:
    sheet = (
        "M 0 -232 C 66 -232 76 -180 74 -130 L 80 -26 Q 66 -4 52 -24 Q 40 -42 26 -22 Q 12 0 0 -22 Q -14 -42 -26 -22 "
        "Q -42 0 -54 -24 Q -68 -40 -80 -26 L -74 -130 C -76 -180 -66 -232 0 -232 Z"
    )
    body = circle(0, -120, 150, glow(lighter(coat.base, 0.7)), 'opacity=".35"') + path(
        sheet, fade(lighter(coat.base, 0.35), coat.base), coat.edge
    )
    fold = line("M -48 -96 Q -54 -66 -50 -44", coat.shade, 5, 'opacity=".4"') + line(
        "M 46 -100 Q 54 -70 48 -46", coat.shade, 5, 'opacity=".4"'
    )
    return Figure(
        body=body + fold,
        face=(0, -162, 1.05),
        crown=(0, -226, 74),
        neck=(0, -104, 104),
        shoulders=(62, -106),
        limb=coat.base,
        hand=coat.base,
        legs=False,
        ink=coat.ink,
        lid=coat.base,
        thickness=24,
        ears=72,
    )


def _alien(coat: Coat) -> Figure:
    head = (
        "M 0 -246 C 72 -246 94 -196 78 -158 C 66 -130 34 -104 0 -104 C -34 -104 -66 -130 -78 -158 C -94 -196 -72 -246 0"
        " -246 Z"
    )
    feeler = (
        line("M -30 -236 Q -48 -262 -58 -270", coat.outline, 9)
        + line("M -30 -236 Q -48 -262 -58 -270", coat.base, 4)
        + circle(-60, -272, 11, "#ffe45c", edge(coat.outline, 4))
    )
    suit = torso(Coat("#e9edf6", "#aab4cc", "#ffffff", "#3b4560", coat.ink), belly="", wide=42)
    badge = circle(0, -66, 13, "#ff7ab8", edge("#3b4560", 3)) + line("M -5 -66 L 5 -66 M 0 -71 L 0 -61", "#ffffff", 3)
    third = (
        circle(0, -214, 13, "#ffffff", 'stroke="#1d1b2e" stroke-width="3"')
        + circle(0, -213, 6.5, "#1d1b2e")
        + circle(-2.5, -216, 2.4, "#ffffff")
    )
    return Figure(
        body=suit + badge + _both(feeler) + path(head, coat.fur, coat.edge) + third,
        face=(0, -172, 0.98),
        crown=(0, -240, 70),
        neck=(0, -108, 60),
        shoulders=(36, -98),
        limb="#dfe5f1",
        hand=coat.base,
        foot="#7c88a8",
        ink=coat.ink,
        lid=coat.base,
        thickness=17,
        ears=80,
    )


def _wizard(coat: Coat) -> Figure:
    robe = path("M -34 -120 C -52 -80 -66 -30 -72 -8 Q 0 8 72 -8 C 66 -30 52 -80 34 -120 Z", coat.fur, coat.edge)
    hem = line("M -70 -12 Q 0 4 70 -12", "#ffd24a", 7)
    head = ellipse(0, -158, 52, 50, _SKIN, edge(_SKIN_EDGE, 4.5))
    beard = path(
        "M -50 -150 C -52 -100 -30 -60 0 -40 C 30 -60 52 -100 50 -150 C 36 -128 20 -136 0 -136 C -20 -136 -36 -128 -50"
        " -150 Z",
        "#f4f1ea",
        edge("#8b8798", 4),
    )
    strands = "".join(line(d, "#cfcad8", 3.5) for d in ("M -18 -108 Q -14 -86 -4 -70", "M 18 -108 Q 14 -86 4 -70"))
    hat = path(
        "M -66 -184 Q -30 -200 -26 -214 Q -14 -262 28 -292 Q 16 -256 30 -214 Q 36 -198 66 -184 Q 0 -164 -66 -184 Z",
        coat.fur,
        coat.edge,
    )
    stars = "".join(
        _star(x, y, r)
        for x, y, r in ((-8, -220, 8), (12, -248, 6), (30, -190, 6), (-46, -50, 7), (48, -44, 7), (-36, -86, 5))
    )
    return Figure(
        body=robe + hem + head + beard + strands + hat + stars,
        face=(0, -158, 0.72),
        crown=(0, -280, 40),
        neck=(0, -112, 70),
        shoulders=(40, -104),
        limb=coat.base,
        hand=_SKIN,
        foot="#5b3a29",
        ink="#5b3a29",
        lid=_SKIN,
        thickness=26,
        legs=False,
        ears=54,
    )


def _star(x: float, y: float, r: float) -> str:
    ring = [
        (0, -1),
        (0.25, -0.32),
        (0.95, -0.3),
        (0.4, 0.13),
        (0.6, 0.82),
        (0, 0.4),
        (-0.6, 0.82),
        (-0.4, 0.13),
        (-0.95, -0.3),
        (-0.25, -0.32),
    ]
    return polygon([(x + dx * r, y + dy * r) for dx, dy in ring], "#ffe27a")


def _worker(coat: Coat) -> Figure:
    shirt = path("M -36 -116 C -50 -96 -50 -50 -42 -24 L 42 -24 C 50 -50 50 -96 36 -116 Z", coat.fur, coat.edge)
    collar = polygon([(-22, -116), (22, -116), (0, -92)], "#ffffff", edge("#6a7187", 3))
    tie = path(
        "M -7 -108 L 7 -108 L 5 -98 L 11 -56 L 0 -44 L -11 -56 L -5 -98 Z",
        darker(coat.base, 0.55) if luminance(coat.base) > 0.4 else "#d8433f",
        edge("#1d1b2e", 3),
    )
    belt = box(-43, -34, 86, 12, "#3a2b24", round=3) + box(-8, -35, 16, 14, "#e7c14a", round=2)
    head = ellipse(0, -164, 56, 54, _SKIN, edge(_SKIN_EDGE, 4.5)) + _both(
        circle(57, -160, 11, _SKIN, edge(_SKIN_EDGE, 4))
    )
    hair = path(
        "M -57 -166 C -66 -216 -26 -230 4 -224 C 44 -226 66 -204 57 -166 C 50 -186 38 -192 16 -190 C -10 -188 -40 -196"
        " -57 -166 Z",
        "#5b3a29",
        edge("#2b1a12", 4),
    )
    badge = box(18, -84, 18, 24, "#ffffff", round=3, more=edge("#6a7187", 2.5)) + circle(27, -77, 4, _SKIN)
    return Figure(
        body=shirt + belt + collar + tie + badge + head + hair,
        face=(0, -158, 0.86),
        crown=(0, -216, 78),
        neck=(0, -112, 60),
        shoulders=(38, -98),
        limb=coat.base,
        hand=_SKIN,
        foot="#3a2b24",
        ink="#5b3a29",
        lid=_SKIN,
        thickness=21,
        ears=60,
    )


def _mug(coat: Coat) -> Figure:
    steam = "".join(line(f"M {x} -214 q -14 -18 0 -34 t 0 -30", "#ffffff", 9, 'opacity=".55"') for x in (-30, 2, 34))
    handle = ellipse(80, -112, 34, 40, "none", f'stroke="{coat.outline}" stroke-width="26"') + ellipse(
        80, -112, 34, 40, "none", f'stroke="{coat.base}" stroke-width="17"'
    )
    body = path("M -76 -196 L -66 -34 Q -60 -16 0 -16 Q 60 -16 66 -34 L 76 -196 Z", coat.fur, coat.edge)
    rim = (
        ellipse(0, -196, 76, 19, coat.light, coat.edge)
        + ellipse(0, -194, 62, 12, "#5a3420")
        + ellipse(-10, -196, 34, 5, "#8b5a3a")
    )
    shine = line("M -56 -166 L -50 -74", "#ffffff", 8, 'opacity=".4"')
    return Figure(
        body=body + shine + rim,
        behind=steam + handle,
        face=(0, -126, 1.05),
        crown=(0, -204, 100),
        neck=(0, -64, 128),
        shoulders=(64, -92),
        hips=(28, -24),
        limb=coat.outline,
        hand=coat.light,
        foot=coat.outline,
        thickness=13,
        ink=coat.ink,
        lid=coat.base,
        ears=74,
    )


def _toaster(coat: Coat) -> Figure:
    def toast(x: float) -> str:
        crust = "M -26 0 L -26 -34 Q -36 -58 0 -58 Q 36 -58 26 -34 L 26 0 Z"
        return group(
            path(crust, "#e8b56b", edge("#7d4a1c", 4.5))
            + path("M -18 0 L -18 -32 Q -24 -48 0 -48 Q 24 -48 18 -32 L 18 0 Z", "#f8dca6"),
            at=(x, -186),
            turn=x / 8,
        )

    body = path(
        "M -88 -44 L -88 -150 Q -86 -194 -46 -194 L 46 -194 Q 86 -194 88 -150 L 88 -44 Q 88 -22 66 -22 L -66 -22 Q -88"
        " -22 -88 -44 Z",
        coat.fur,
        coat.edge,
    )
    slots = box(-62, -195, 56, 9, "#2b2733", round=4) + box(6, -195, 56, 9, "#2b2733", round=4)
    lever = box(88, -132, 12, 60, "#4b5066", round=5) + box(84, -128, 28, 15, "#262a3a", round=6)
    base = box(-78, -36, 156, 14, "#4b5066", round=6) + circle(60, -56, 9, "#262a3a", edge("#ffffff", 2.5))
    shine = line("M -70 -146 Q -68 -176 -44 -178", "#ffffff", 8, 'opacity=".55"')
    return Figure(
        body=body + slots + lever + base + shine,
        behind=toast(-33) + toast(33),
        face=(0, -120, 1.08),
        crown=(0, -196, 96),
        neck=(0, -58, 150),
        shoulders=(82, -92),
        hips=(36, -26),
        limb="#4b5066",
        hand=coat.light,
        foot="#4b5066",
        thickness=13,
        ink=coat.ink,
        lid=coat.base,
        ears=88,
    )


def _cactus(coat: Coat) -> Figure:
    pot = path("M -54 -66 L 54 -66 L 42 -14 Q 0 -6 -42 -14 Z", fade("#d9805a", "#a9532f"), edge("#5c2a16", 4.5)) + box(
        -60, -80, 120, 20, "#e08e66", round=6, more=edge("#5c2a16", 4.5)
    )
    plant = path("M -50 -76 L -52 -176 C -52 -246 52 -246 52 -176 L 50 -76 Z", coat.fur, coat.edge)
    ribs = "".join(
        line(f"M {x} {-226 + abs(x) * 0.5:.0f} Q {x * 1.2:.0f} -150 {x} -84", coat.shade, 4, 'opacity=".55"')
        for x in (-30, 0, 30)
    )
    spines = "".join(
        line(f"M {x} {y} l -5 -5 M {x} {y} l 5 -5", coat.light, 2.6)
        for x, y in ((-38, -206), (36, -210), (-42, -118), (40, -112), (14, -98), (-16, -100), (12, -222), (-14, -212))
    )
    bloom = group(
        "".join(ellipse(0, -11, 7, 11, "#ff86b7", f'transform="rotate({turn})"') for turn in range(0, 360, 60))
        + circle(0, 0, 6, "#ffe27a"),
        at=(26, -230),
    )
    return Figure(
        body=plant + ribs + spines + bloom + pot,
        face=(0, -160, 0.9),
        crown=(0, -226, 66),
        neck=(0, -100, 96),
        shoulders=(48, -118),
        limb=coat.base,
        hand=coat.base,
        legs=False,
        thickness=25,
        ink=coat.ink,
        lid=coat.base,
        ears=54,
    )


def _potato(coat: Coat) -> Figure:
    shape = (
        "M -12 -222 C 52 -234 84 -176 78 -118 C 84 -60 56 -14 2 -14 C -56 -12 -86 -54 -78 -112 C -84 -170 -62 -214 -12"
        " -222 Z"
    )
    marks = "".join(
        ellipse(x, y, 6, 3.6, coat.shade, f'transform="rotate({turn} {x} {y})"')
        for x, y, turn in (
            (-52, -190, 20),
            (48, -196, -30),
            (58, -66, 10),
            (-54, -62, -14),
            (-20, -34, 0),
            (24, -42, 24),
            (6, -206, 6),
        )
    )
    return Figure(
        body=path(shape, coat.fur, coat.edge) + marks,
        face=(0, -140, 1.1),
        crown=(0, -214, 78),
        neck=(0, -78, 132),
        shoulders=(70, -96),
        hips=(28, -24),
        limb=coat.base,
        hand=coat.light,
        foot=coat.shade,
        thickness=14,
        ink=coat.ink,
        lid=coat.base,
        ears=76,
    )
