"""The animals, each drawn in any colour."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from demo.figure import Coat, Figure, round_head, torso
from demo.vector import circle, edge, ellipse, group, line, luminance, mixed, path, polygon
from demo.vocabulary import Subject


def animals() -> Mapping[Subject, Callable[[Coat], Figure]]:
    """Return the function that draws each animal."""
    return {
        Subject.CAT: _cat,
        Subject.DOG: _dog,
        Subject.FOX: _fox,
        Subject.RABBIT: _rabbit,
        Subject.BEAR: _bear,
        Subject.FROG: _frog,
        Subject.PENGUIN: _penguin,
        Subject.OWL: _owl,
        Subject.DUCK: _duck,
        Subject.DINOSAUR: _dinosaur,
        Subject.OCTOPUS: _octopus,
    }


def _plain(coat: Coat, body: str, behind: str = "", **where: object) -> Figure:
    usual: dict[str, object] = {
        "limb": coat.base,
        "hand": coat.light,
        "foot": coat.light,
        "ink": coat.ink,
        "lid": coat.base,
    }
    return Figure(body=body, behind=behind, **{**usual, **where})  # type: ignore[arg-type]


def _both(shape: str) -> str:
    return shape + group(shape, scale=(-1, 1))


def _muzzle(coat: Coat, *, nose: str, y: float = -147, rx: float = 27, ry: float = 20) -> str:
    return ellipse(0, y, rx, ry, coat.light) + path(
        f"M -9 {y - 15} Q 0 {y - 20} 9 {y - 15} Q 4 {y - 5} 0 {y - 4} Q -4 {y - 5} -9 {y - 15} Z", nose
    )


def _cat(coat: Coat) -> Figure:
    tail = line("M 34 -34 C 96 -20 104 -74 78 -104", coat.outline, 25) + line(
        "M 34 -34 C 96 -20 104 -74 78 -104", coat.base, 16
    )
    tip = line("M 87 -88 Q 84 -97 78 -104", coat.light, 16)
    ear = path("M -62 -180 Q -70 -232 -56 -240 Q -34 -226 -16 -212 Z", coat.fur, coat.edge)
    inner = path("M -55 -190 Q -60 -222 -53 -226 Q -40 -216 -30 -208 Z", "#f7a6b5")
    stripes = "".join(
        line(d, coat.shade, 7) for d in ("M 0 -219 L 0 -200", "M -16 -216 L -13 -202", "M 16 -216 L 13 -202")
    )
    whiskers = _both(line("M 46 -148 L 84 -154", coat.outline, 3) + line("M 46 -140 L 84 -138", coat.outline, 3))
    flanks = _both(line("M 64 -176 L 52 -173", coat.shade, 6) + line("M 65 -163 L 55 -162", coat.shade, 6))
    nose = path("M -7 -158 L 7 -158 L 0 -150 Z", "#e0657d")
    body = torso(coat) + _both(ear + inner) + round_head(coat) + stripes + flanks + whiskers + nose
    return _plain(coat, body, tail + tip, face=(0, -173, 1.0))


def _dog(coat: Coat) -> Figure:
    tail = line("M 36 -38 Q 84 -52 84 -92", coat.outline, 24) + line("M 36 -38 Q 84 -52 84 -92", coat.base, 15)
    ear = path(
        "M -46 -206 C -86 -214 -98 -168 -82 -132 Q -70 -120 -60 -138 Q -56 -170 -46 -206 Z", coat.shade, coat.edge
    )
    patch = ellipse(26, -178, 25, 27, coat.shade, 'opacity=".75"')
    muzzle = (
        ellipse(0, -140, 34, 26, coat.light) + ellipse(0, -155, 11, 8, "#2a2133") + ellipse(-3, -158, 3, 2, "#ffffff")
    )
    collar = line("M -34 -108 Q 0 -96 34 -108", "#d8433f", 11) + circle(0, -94, 8, "#ffd24a", edge("#a37410", 3))
    body = torso(coat) + collar + round_head(coat, rx=64, ry=58) + patch + muzzle + _both(ear)
    return _plain(coat, body, tail, face=(0, -177, 0.95))


def _fox(coat: Coat) -> Figure:
    sweep = "M 30 -30 C 90 0 140 -60 96 -118 C 96 -84 66 -76 34 -62 Z"
    tail = path(sweep, coat.fur, coat.edge) + path(
        "M 96 -118 C 116 -92 116 -78 110 -68 Q 94 -72 86 -84 Q 96 -98 96 -118 Z", coat.light
    )
    ear = path("M -60 -184 L -66 -250 Q -36 -232 -18 -214 Z", coat.fur, coat.edge) + path(
        "M -54 -196 L -58 -232 Q -42 -222 -32 -212 Z", "#3b2733"
    )
    head = path(
        "M 0 -222 C 46 -222 66 -194 74 -156 C 52 -138 30 -112 0 -106 C -30 -112 -52 -138 -74 -156 C -66 -194 -46 -222 0"
        " -222 Z",
        coat.fur,
        coat.edge,
    )
    cheeks = _both(path("M 72 -156 C 52 -138 30 -112 0 -108 Q 8 -140 30 -150 Q 52 -158 72 -156 Z", coat.light))
    nose = ellipse(0, -116, 8, 6, "#2a2133")
    body = torso(coat) + _both(ear) + head + cheeks + nose
    return _plain(coat, body, tail, face=(0, -172, 0.86), hand="#3b2733", foot="#3b2733")


def _rabbit(coat: Coat) -> Figure:
    tail = circle(40, -40, 17, coat.light, coat.edge)
    ear = path("M -40 -198 C -64 -250 -52 -300 -34 -302 C -14 -300 -8 -250 -14 -206 Z", coat.fur, coat.edge)
    inner = path("M -34 -206 C -50 -250 -42 -284 -34 -286 C -22 -284 -20 -246 -22 -208 Z", "#f7b3c2")
    nose = path("M -7 -157 Q 0 -162 7 -157 L 0 -149 Z", "#e0657d")
    teeth = path("M -7 -122 L 7 -122 L 6 -110 L -6 -110 Z", "#ffffff", edge(coat.outline, 2.5)) + line(
        "M 0 -122 L 0 -112", coat.outline, 2
    )
    body = torso(coat) + _both(ear + inner) + round_head(coat, rx=64, ry=56) + teeth + nose
    return _plain(coat, body, tail, face=(0, -174, 0.95), crown=(0, -216, 60))


def _bear(coat: Coat) -> Figure:
    ear = circle(-50, -208, 22, coat.fur, coat.edge) + circle(-50, -208, 11, coat.light)
    body = (
        torso(coat, wide=56)
        + _both(ear)
        + round_head(coat, rx=70, ry=60)
        + _muzzle(coat, nose="#2a2133", y=-140, rx=32, ry=24)
    )
    return _plain(coat, body, face=(0, -174, 0.95), hand=coat.base, foot=coat.base, shoulders=(46, -92), thickness=26)


def _frog(coat: Coat) -> Figure:
    bulge = circle(-27, -208, 27, coat.fur, coat.edge)
    head = path(
        "M -76 -160 C -76 -206 -40 -216 0 -212 C 40 -216 76 -206 76 -160 C 76 -122 40 -108 0 -108 C -40 -108 -76 -122"
        " -76 -160 Z",
        coat.fur,
        coat.edge,
    )
    pale = path(
        "M -66 -146 Q 0 -164 66 -146 C 56 -120 30 -112 0 -112 C -30 -112 -56 -120 -66 -146 Z",
        coat.light,
        'opacity=".85"',
    )
    nostrils = _both(circle(8, -172, 2.6, coat.outline))
    body = torso(coat, wide=50) + _both(bulge) + head + pale + nostrils
    return _plain(
        coat, body, face=(0, -206, 1.08), crown=(0, -232, 70), hand=coat.base, foot=coat.base, lid=coat.base, ears=74
    )


def _penguin(coat: Coat) -> Figure:
    shape = (
        "M 0 -226 C 58 -226 64 -176 62 -150 C 82 -110 84 -14 0 -12 C -84 -14 -82 -110 -62 -150 C -64 -176 -58 -226 0"
        " -226 Z"
    )
    white = (
        "M 0 -196 C 20 -214 48 -196 46 -160 C 44 -140 62 -104 54 -60 C 46 -24 20 -20 0 -20 C -20 -20 -46 -24 -54 -60 C"
        " -62 -104 -44 -140 -46 -160 C -48 -196 -20 -214 0 -196 Z"
    )
    pale = "#f7f4ee" if luminance(coat.base) < 0.85 else "#d7dbe6"
    beak = path("M -15 -152 Q 0 -162 15 -152 Q 8 -138 0 -134 Q -8 -138 -15 -152 Z", "#f6a531", edge("#8a4d10", 3))
    body = path(shape, coat.fur, coat.edge) + path(white, pale) + beak
    return _plain(
        coat,
        body,
        face=(0, -176, 0.86),
        crown=(0, -220, 76),
        neck=(0, -122, 86),
        hand=coat.base,
        foot="#f6a531",
        ink="#2a2140",
        lid=pale,
        shoulders=(54, -112),
        ears=60,
    )


def _owl(coat: Coat) -> Figure:
    tuft = path("M -56 -196 L -66 -246 Q -40 -236 -18 -220 Z", coat.fur, coat.edge)
    shape = (
        "M 0 -224 C 62 -224 72 -176 66 -140 C 80 -90 70 -14 0 -12 C -70 -14 -80 -90 -66 -140 C -72 -176 -62 -224 0"
        " -224 Z"
    )
    discs = _both(circle(26, -176, 33, coat.light))
    beak = polygon([(-10, -162), (10, -162), (0, -142)], "#f6a531", edge("#8a4d10", 3))
    feathers = "".join(
        line(f"M {x - 10} {y} Q {x} {y + 12} {x + 10} {y}", coat.shade, 5)
        for y in (-92, -68, -44)
        for x in ((-24, 0, 24) if y != -68 else (-12, 12))
    )
    body = (
        path(shape, coat.fur, coat.edge)
        + _both(tuft)
        + ellipse(0, -66, 46, 48, coat.light, 'opacity=".8"')
        + feathers
        + discs
        + beak
    )
    return _plain(
        coat,
        body,
        face=(0, -176, 0.98),
        crown=(0, -218, 70),
        neck=(0, -116, 92),
        shoulders=(56, -106),
        foot="#f6a531",
        hand=coat.shade,
        ink="#2a2140",
        lid=coat.light,
        ears=68,
    )


def _duck(coat: Coat) -> Figure:
    tail = path("M 30 -30 Q 80 -36 92 -76 Q 50 -76 34 -60 Z", coat.fur, coat.edge)
    tuft = line("M 0 -220 Q 4 -242 22 -240", coat.outline, 11) + line("M 0 -220 Q 4 -242 22 -240", coat.base, 5)
    bill = path(
        "M -34 -146 Q 0 -164 34 -146 Q 40 -130 20 -126 Q 0 -120 -20 -126 Q -40 -130 -34 -146 Z",
        "#f59a23",
        edge("#8a4d10", 3.5),
    )
    body = torso(coat, wide=52) + tuft + round_head(coat, rx=60, ry=58) + bill + _both(circle(7, -147, 2.2, "#8a4d10"))
    return _plain(coat, body, tail, face=(0, -180, 0.84), foot="#f59a23", hand=coat.base, ears=60)


def _dinosaur(coat: Coat) -> Figure:
    tail = path("M 20 -20 C 80 -4 130 -20 142 -70 C 112 -58 76 -66 44 -78 Z", coat.fur, coat.edge)
    spike = mixed(coat.base, "#ffcf4a", 0.7)
    ridge = "".join(
        polygon([(x - 13, y + 10), (x + 13, y + 14), (x + 2, y - 20)], spike, edge(coat.outline, 3.5))
        for x, y in ((-34, -216), (0, -226), (34, -216))
    )
    back = "".join(
        polygon([(x - 9, y + 10), (x + 11, y + 8), (x + 6, y - 16)], spike, edge(coat.outline, 3.5))
        for x, y in ((78, -70), (104, -68), (128, -72))
    )
    head = path(
        "M -66 -176 C -66 -214 -34 -224 0 -224 C 34 -224 66 -214 66 -176 C 84 -150 72 -112 0 -110 C -72 -112 -84 -150"
        " -66 -176 Z",
        coat.fur,
        coat.edge,
    )
    snout = ellipse(0, -136, 60, 24, coat.light, 'opacity=".6"') + _both(ellipse(14, -150, 3, 4.5, coat.outline))
    fangs = _both(polygon([(42, -122), (54, -126), (47, -110)], "#ffffff", edge(coat.outline, 2)))
    body = torso(coat, wide=52) + ridge + head + snout + fangs
    return _plain(
        coat, body, back + tail, face=(0, -182, 0.9), hand=coat.base, foot=coat.base, shoulders=(38, -88), thickness=18
    )


def _octopus(coat: Coat) -> Figure:
    arms = ""
    for x, end, lift in ((-40, -92, -6), (-16, -44, 0), (16, 44, 0), (40, 92, -6)):
        curl = (
            f"M {x} -66 C {x * 1.3:.0f} -20 {end} -46 {end} {lift - 12} q {8 if end > 0 else -8} 12"
            f" {18 if end > 0 else -18} 0"
        )
        arms += (
            line(curl, coat.outline, 30)
            + line(curl, coat.base, 21)
            + line(curl, coat.light, 5, 'stroke-dasharray="1 13" opacity=".8"')
        )
    head = path(
        "M 0 -232 C 62 -232 86 -190 78 -150 C 72 -120 62 -108 60 -76 Q 0 -46 -60 -76 C -62 -108 -72 -120 -78 -150 C -86"
        " -190 -62 -232 0 -232 Z",
        coat.fur,
        coat.edge,
    )
    spots = "".join(
        ellipse(x, y, r, r * 0.8, coat.shade, 'opacity=".45"')
        for x, y, r in ((-44, -204, 10), (-24, -216, 6), (52, -196, 8), (40, -96, 7))
    )
    return _plain(
        coat,
        arms + head + spots,
        face=(0, -156, 1.05),
        crown=(0, -226, 76),
        neck=(0, -96, 104),
        shoulders=(54, -96),
        hand=coat.base,
        legs=False,
        thickness=22,
        ears=78,
    )
