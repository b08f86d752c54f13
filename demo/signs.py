"""Sign memes: road signs, warning signs, billboards, sticky notes and lists in a notebook."""

from __future__ import annotations

from random import Random
from zlib import crc32

from demo.drawing import Drawing
from demo.jokes import Joke
from demo.lettering import Lettering, Style
from demo.places import background, foreground
from demo.scenes import Scene, actor
from demo.vector import box, circle, darker, edge, fade, glow, group, line, path, polygon, shadow


def road(joke: Joke, phase: float) -> Drawing:
    """Return a road sign of one to three lines, with a character that passes by."""
    scene = joke.scenes[0]
    rows = joke.lines
    tall = 84 * len(rows) + 44
    color = ("#1f7a4d", "#2458a8", "#7a4a28")[crc32(rows[0].encode()) % 3]
    posts = "".join(box(x, 60, 20, 486, fade("#c9d2df", "#8b93a8")) for x in (290, 660))
    plate = (
        box(212, 52, 548, tall, "#0b0d1f", round=20, more='opacity=".25"')
        + box(206, 44, 548, tall, fade(color, darker(color, 0.18)), round=20)
        + box(214, 52, 532, tall - 16, "none", round=14, more='stroke="#ffffff" stroke-width="5"')
    )
    words = []
    for k, text in enumerate(rows):
        y = 66 + 84 * k
        words.append(Lettering(text, (240, y + 4, 726, y + 80), color="#ffffff", largest=54, smallest=18))
        if k:
            plate += line(f"M 236 {y} L 724 {y}", "#ffffff", 3, 'opacity=".7"')
    content = (
        _place(scene)
        + shadow(300, 546, 60, 12)
        + shadow(670, 546, 60, 12)
        + posts
        + plate
        + _passer(scene, (112, 552), 0.98, phase)
        + _falls(scene, phase)
    )
    return Drawing(800, 600, content, tuple(words))


def warning(joke: Joke, phase: float) -> Drawing:
    """Return a yellow warning sign and, for a second line, a smaller plate under it."""
    scene = joke.scenes[0]
    post = box(510, 100, 18, 448, fade("#c9d2df", "#8b93a8"))
    diamond = group(
        box(-152, -152, 304, 304, "#0b0d1f", round=30, more='opacity=".25"'), at=(525, 232), turn=45
    ) + group(
        box(-152, -152, 304, 304, fade("#ffd84a", "#f5b52a"), round=30)
        + box(-138, -138, 276, 276, "none", round=22, more='stroke="#1d1b2e" stroke-width="7"'),
        at=(519, 224),
        turn=45,
    )
    words = [Lettering(joke.lines[0], (394, 138, 644, 310), largest=50, smallest=20)]
    if len(joke.lines) > 1:
        diamond += box(374, 440, 290, 84, fade("#ffd84a", "#f5b52a"), round=12, more=edge("#1d1b2e", 5))
        words.append(Lettering(joke.lines[1], (388, 446, 650, 518), largest=34))
    content = (
        _place(scene)
        + shadow(519, 548, 60, 12)
        + post
        + diamond
        + _passer(scene, (170, 552), 1.25, phase)
        + _falls(scene, phase)
    )
    return Drawing(800, 600, content, tuple(words))


def billboard(joke: Joke, phase: float) -> Drawing:
    """Return an advertisement beside the road: a line, a smaller line, and who recommends it."""
    scene = joke.scenes[0]
    tones = (
        ("#ff7a6b", "#d6395a"),
        ("#4ab3e8", "#2458a8"),
        ("#8d63cf", "#4a2b8a"),
        ("#f5b93c", "#e0703a"),
        ("#3fb08a", "#1f7a6a"),
    )
    top, bottom = tones[crc32(joke.lines[0].encode()) % len(tones)]
    legs = "".join(box(x, 380, 26, 180, fade("#6c7390", "#474b5c")) for x in (200, 574))
    lamps = "".join(
        path(f"M {x} 36 L {x + 26} 36 L {x + 34} 56 L {x - 8} 56 Z", "#3b4257")
        + circle(x + 13, 90, 90, glow("#fff8d6"), 'opacity=".35"')
        for x in (140, 390, 640)
    )
    board = (
        box(46, 62, 720, 346, "#0b0d1f", round=10, more='opacity=".28"')
        + box(34, 50, 732, 346, "#3b4257", round=10)
        + box(48, 64, 704, 318, fade(top, bottom), round=4)
    )
    board += circle(620, 230, 190, glow("#ffffff"), 'opacity=".35"')
    hidden = (
        '<svg x="48" y="64" width="704" height="318" viewBox="48 64 704'
        f' 318">{_passer(scene, (632, 372), 1.12, phase)}</svg>'
    )
    walk = box(34, 396, 732, 14, "#2b3042")
    words = [Lettering(joke.lines[0], (76, 84, 500, 268), color="#ffffff", largest=62)]
    if len(joke.lines) > 1:
        words.append(Lettering(joke.lines[1], (76, 282, 500, 366), Style.PLAIN, color="#fff8e6", largest=34))
    return Drawing(800, 600, _place(scene) + legs + board + hidden + walk + lamps + _falls(scene, phase), tuple(words))


def sticky(joke: Joke, phase: float) -> Drawing:
    """Return a sticky note on a wall, its author beside it."""
    scene = joke.scenes[0]
    notes = (("#fff09a", "#ffdf5c"), ("#ffc9dc", "#ff9fc0"), ("#c9f2c7", "#9fdf9f"), ("#c6e6ff", "#97cdf5"))
    top, bottom = notes[crc32(joke.lines[0].encode()) % len(notes)]
    paper = (
        box(-200, -196, 420, 420, "#0b0d1f", round=6, more='opacity=".22"')
        + path("M -210 -210 L 210 -210 L 210 160 Q 200 206 150 214 L -210 210 Z", fade(top, bottom))
        + path("M 150 214 Q 160 168 210 160 Q 200 206 150 214 Z", darker(bottom, 0.22))
    )
    tape = box(-70, -236, 140, 44, "#fffdf0", more='opacity=".75"')
    words = (Lettering(joke.lines[0], (312, 120, 652, 440), largest=54, turn=-3, color="#2a2750"),)
    content = (
        _place(scene)
        + box(0, 0, 800, 600, "#fffaf0", more='opacity=".35"')
        + group(paper + tape, at=(482, 290), turn=-3)
        + _passer(scene, (136, 560), 1.2, phase)
    )
    return Drawing(800, 600, content, words)


def notebook(joke: Joke, phase: float) -> Drawing:
    """Return a handwritten list: a title, and entries that are ticked when they begin with "x "."""
    title, *entries = joke.lines
    scene = joke.scenes[0]
    tall = max(560, 230 + 84 * len(entries))
    content = (
        box(0, 0, 760, tall, fade("#c98a4b", "#a56a34"))
        + box(46, 36, 640, tall - 64, "#0b0d1f", round=14, more='opacity=".3"')
        + box(36, 26, 640, tall - 64, "#fffdf4", round=12)
    )
    content += "".join(
        line(f"M 40 {y} L 672 {y}", "#9fc0e6", 2, 'opacity=".6"') for y in range(148, tall - 50, 42)
    ) + line(f"M 112 28 L 112 {tall - 40}", "#f2a0a0", 3)
    content += "".join(
        circle(66, y, 11, "#a56a34") + circle(66, y, 11, "none", 'stroke="#7a4a20" stroke-width="3"')
        for y in range(90, tall - 60, 120)
    )
    words = [Lettering(title, (130, 46, 650, 128), largest=44, align="left", color="#2a2750")]
    for k, entry in enumerate(entries):
        y, done = 152 + 84 * k, entry.startswith("x ")
        content += box(132, y + 14, 40, 40, "#ffffff", round=6, more=edge("#2a2750", 4)) + (
            line(f"M 138 {y + 34} L 150 {y + 48} L 176 {y + 6}", "#2f9a58", 9) if done else ""
        )
        words.append(
            Lettering(
                entry.removeprefix("x "),
                (192, y, 560 if k >= len(entries) - 2 else 656, y + 70),
                Style.PLAIN,
                largest=35,
                align="left",
                color="#2a2750",
            )
        )
    content += group(
        actor(scene, phase=phase),
        at=(648, tall - 14),
        scale=0.72,
    )
    pencil = (
        polygon([(0, -8), (150, -8), (150, 8), (0, 8)], "#f5c93c", edge("#5c3a17", 3))
        + polygon([(150, -8), (176, 0), (150, 8)], "#f3d9b0", edge("#5c3a17", 3))
        + box(-22, -8, 22, 16, "#ff8fb5", more=edge("#5c3a17", 3))
    )
    return Drawing(760, tall, content + group(pencil, at=(60, tall - 20), turn=-4), tuple(words))


def _place(scene: Scene) -> str:
    return background(scene.place, scene.sky, Random(scene.seed))


def _falls(scene: Scene, phase: float) -> str:
    return foreground(scene.place, scene.sky, Random(scene.seed), phase=phase)


def _passer(scene: Scene, at: tuple[float, float], scale: float, phase: float) -> str:
    who = actor(scene, phase=phase)
    return group(who, at=at, scale=scale)
