"""Chart memes: bar charts, pie charts, line charts and Venn diagrams, presented by a mascot."""

from __future__ import annotations

import math
from itertools import pairwise
from zlib import crc32

from demo.drawing import Drawing
from demo.jokes import Joke
from demo.lettering import Lettering, Style
from demo.scenes import actor
from demo.vector import box, circle, darker, fade, group, lighter, line, path, shadow

_PALETTES = (
    ("#4a6fd8", "#f28a4c", "#3fb08a", "#e2557a", "#8d63cf"),
    ("#e2557a", "#f5b93c", "#3f9ac9", "#5cb85a", "#7a5fb8"),
    ("#2f9a8f", "#f0704f", "#f5c04a", "#5a6fc9", "#b85fa0"),
)
_PAPERS = ("#fffdf6", "#f5f9ff", "#fdf7f4")
_WIDTH, _HEIGHT = 900, 640


def bars(joke: Joke, phase: float) -> Drawing:
    """Return a bar chart of lines "label: number", the numbers from 0 to 100."""
    content, words = _sheet(joke)
    colors = _palette(joke)
    values = _values(joke)
    room = 640 / len(values)
    content += line("M 60 140 L 60 530 L 720 530", "#6c7390", 4) + "".join(
        line(f"M 62 {y} L 720 {y}", "#6c7390", 1.5, 'opacity=".25"') for y in range(180, 530, 70)
    )
    for k, (label, value) in enumerate(values):
        x, wide, tall = (
            74 + k * room,
            room * 0.72,
            368 * value / 100 * (0.25 + 0.75 * min(1, phase * 1.6) if phase else 1),
        )
        color = colors[k % len(colors)]
        content += box(x, 530 - max(4, tall), wide, max(4, tall), fade(lighter(color, 0.2), color), round=8)
        content += box(
            x, 530 - max(4, tall) + 6, wide * 0.14, max(0, tall - 12), "#ffffff", round=3, more='opacity=".25"'
        )
        words.append(
            Lettering(label, (x - room * 0.12, 540, x + wide + room * 0.12, 628), largest=26, smallest=13, stand="top")
        )
    return Drawing(_WIDTH, _HEIGHT, content + _mascot(joke, phase), tuple(words))


def pie(joke: Joke, phase: float) -> Drawing:
    """Return a pie chart of lines "label: number"; the numbers may have any sum."""
    content, words = _sheet(joke)
    colors = _palette(joke)
    values = _values(joke)
    total = sum(value for _, value in values)
    x, y, r = 250, 376, 196
    content += shadow(x + 8, y + 196, 210, 34, 0.4)
    start = -math.pi / 2 + phase * 2 * math.pi
    for k, (label, value) in enumerate(values):
        end = start + 2 * math.pi * min(0.9999, value / total)
        large = 1 if end - start > math.pi else 0
        d = (
            f"M {x} {y} L {x + r * math.cos(start):.1f} {y + r * math.sin(start):.1f} A {r} {r} 0 {large} 1"
            f" {x + r * math.cos(end):.1f} {y + r * math.sin(end):.1f} Z"
        )
        color = colors[k % len(colors)]
        content += path(d, color, 'stroke="#ffffff" stroke-width="5" stroke-linejoin="round"')
        top = 190 + k * 92
        content += box(488, top + 10, 30, 30, color, round=8)
        words.append(
            Lettering(label, (532, top - 8, 740 if k > 1 else 880, top + 62), largest=28, smallest=14, align="left")
        )
        start = end
    content += circle(x - 60, y - 84, 84, "#ffffff", 'opacity=".10"')
    return Drawing(_WIDTH, _HEIGHT, content + _mascot(joke, phase), tuple(words))


_SHAPES = {
    "rise": (8, 14, 22, 30, 44, 60, 78, 96),
    "fall": (96, 90, 84, 70, 52, 34, 18, 6),
    "cliff": (70, 76, 82, 88, 94, 96, 8, 4),
    "spike": (6, 8, 6, 10, 8, 98, 12, 8),
    "wave": (50, 88, 30, 76, 18, 82, 26, 60),
    "hockey": (6, 7, 6, 8, 9, 12, 40, 98),
    "flat": (6, 5, 7, 5, 6, 5, 6, 5),
}


def curve(joke: Joke, phase: float) -> Drawing:
    """Return a line chart of five lines: title, x axis, y axis, shape of the curve, and a remark at its end."""
    content, words = _sheet(joke)
    _, across, up, shape, remark = joke.lines
    color = _palette(joke)[0]
    heights = _SHAPES[shape]
    points = [(110 + k * 84, 520 - 3.5 * value) for k, value in enumerate(heights)]
    way = f"M {points[0][0]} {points[0][1]:.1f} " + " ".join(
        f"C {a[0] + 42} {a[1]:.1f} {b[0] - 42} {b[1]:.1f} {b[0]} {b[1]:.1f}" for a, b in pairwise(points)
    )
    content += line("M 86 150 L 86 530 L 740 530", "#6c7390", 4) + "".join(
        line(f"M 88 {y} L 740 {y}", "#6c7390", 1.5, 'opacity=".25"') for y in range(180, 530, 70)
    )
    content += path(way + f" L {points[-1][0]} 530 L {points[0][0]} 530 Z", color, 'opacity=".16"') + line(
        way, color, 8
    )
    content += "".join(circle(px, py, 8, "#ffffff", f'stroke="{color}" stroke-width="5"') for px, py in points)
    words += [
        Lettering(across, (110, 540, 720, 580), largest=26),
        Lettering(up, (-110, 316, 200, 356), largest=26, turn=-90),
        Lettering(remark, (330, 586, 720, 630), Style.PLAIN, color=darker(color, 0.3), largest=26),
    ]
    return Drawing(_WIDTH, _HEIGHT, content + _mascot(joke, phase), tuple(words))


def venn(joke: Joke, phase: float) -> Drawing:
    """Return a Venn diagram of four lines: title, left, right, intersection."""
    content, words = _sheet(joke)
    colors = _palette(joke)
    _, left, right, both = joke.lines
    for x, color in ((280, colors[0]), (500, colors[1])):
        content += circle(x, 380, 200, color, f'fill-opacity=".5" stroke="{darker(color, 0.3)}" stroke-width="5"')
    words += [
        Lettering(left, (98, 300, 284, 460), largest=32),
        Lettering(right, (496, 300, 682, 460), largest=32),
        Lettering(both, (312, 300, 468, 460), largest=30, smallest=14),
    ]
    return Drawing(_WIDTH, _HEIGHT, content + _mascot(joke, phase), tuple(words))


def _values(joke: Joke) -> list[tuple[str, float]]:
    return [(label.strip(), float(value)) for label, _, value in (one.rpartition(":") for one in joke.lines[1:])]


def _palette(joke: Joke) -> tuple[str, ...]:
    return _PALETTES[crc32(joke.lines[0].encode()) % len(_PALETTES)]


def _sheet(joke: Joke) -> tuple[str, list[Lettering]]:
    """Return the chart's background and title."""
    paper = _PAPERS[crc32(joke.lines[-1].encode()) % len(_PAPERS)]
    content = box(0, 0, _WIDTH, _HEIGHT, fade(paper, darker(paper, 0.06))) + box(0, 0, _WIDTH, 12, _palette(joke)[0])
    return content, [Lettering(joke.lines[0], (40, 26, 860, 112), largest=44)]


def _mascot(joke: Joke, phase: float) -> str:
    scene = joke.scenes[0]
    who = actor(scene, phase=phase)
    return group(who, at=(808, 616), scale=0.62)
