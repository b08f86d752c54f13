"""Screenshot memes: posts, chats, dialog boxes and search boxes of invented programs."""

from __future__ import annotations

import re
from random import Random
from zlib import crc32

from demo.characters import character
from demo.drawing import Drawing
from demo.jokes import Joke
from demo.lettering import Lettering, Style, set_text
from demo.places import background
from demo.scenes import Scene, actor
from demo.vector import box, circle, edge, fade, glow, group, lighter, line, path
from demo.vocabulary import Action

_GRAY, _INK, _BLUE = "#77809a", "#1d1b2e", "#4a6fd8"


def avatar(scene: Scene, at: tuple[float, float], r: float) -> str:
    """Return a round portrait."""
    backs = (
        ("#ffd9a0", "#f2913d"),
        ("#bfe6ff", "#5a9fe0"),
        ("#e0cffa", "#8d63cf"),
        ("#cdf2d6", "#4fae63"),
        ("#ffd0dd", "#e2708f"),
    )
    back = backs[crc32(f"{scene.subject}{scene.color}".encode()) % len(backs)]
    name = f"round-{round(at[0])}-{round(at[1])}"
    who = character(scene.subject, scene.color, action=Action.WAVING, expression=scene.expression, prop=scene.prop)
    portrait = circle(0, 0, r, fade(*back)) + group(who, at=(0, r * 2.62), scale=r / 68)
    clip = f'<clipPath id="{name}"><circle r="{r}"/></clipPath>'
    return group(clip + group(portrait, more=f'clip-path="url(#{name})"'), at=at)


def post(joke: Joke, phase: float) -> Drawing:
    """Return a post: the author's name, and the text; every third is in dark mode."""
    name, text = joke.lines[:2]
    number = crc32(text.encode())
    dark = number % 3 == 0
    paper, ink = ("#171a2b", "#f0f2fa") if dark else ("#ffffff", _INK)
    words = [
        Lettering(
            text,
            (48, 150, 852, 150 + _tall(text, 804, 40)),
            Style.PLAIN,
            color=ink,
            largest=40,
            align="left",
            stand="top",
        )
    ]
    bottom = 170 + _tall(text, 804, 40)
    content = box(0, 0, 900, bottom + 96, paper) + avatar(joke.scenes[0], (94, 80), 46)
    words.append(Lettering(name, (160, 32, 700, 80), color=ink, largest=34, align="left"))
    handle = "@" + re.sub(r"[^a-z]+", "_", name.lower()).strip("_")
    words.append(
        Lettering(
            f"{handle} · {1 + number % 23} h".replace("·", "-"),
            (160, 82, 700, 122),
            Style.PLAIN,
            color=_GRAY,
            largest=26,
            align="left",
        )
    )
    content += "".join(circle(x, 74, 5, _GRAY) for x in (826, 844, 862)) + line(
        f"M 48 {bottom} L 852 {bottom}", _GRAY, 1.5, 'opacity=".4"'
    )
    y = bottom + 48
    heart = path("M 0 12 C -28 -8 -14 -26 0 -12 C 14 -26 28 -8 0 12 Z", "#e2557a")
    reply = path(
        "M -18 -12 Q -18 -18 -10 -18 L 12 -18 Q 20 -18 20 -10 L 20 2 Q 20 10 12 10 L -4 10 L -14 18 L -12 10 Q -18 8"
        " -18 2 Z",
        "none",
        edge(_GRAY, 3.5),
    )
    again = line(
        "M -16 -2 L -16 -8 Q -16 -14 -8 -14 L 12 -14 M 4 -22 L 12 -14 L 4 -6 M 16 0 L 16 4 Q 16 12 8 12 L -12 12 M -4"
        " 20 L -12 12 L -4 4",
        _GRAY,
        3.5,
    )
    for x, icon, value in (
        (80, reply, number % 900 + 12),
        (330, again, number % 7000 + 120),
        (580, heart, number % 60000 + 900),
    ):
        content += group(icon, at=(x, y + 2))
        shown = str(value) if value < 1000 else f"{value / 1000:.1f}K"
        words.append(
            Lettering(shown, (x + 34, y - 22, x + 170, y + 22), Style.PLAIN, color=_GRAY, largest=26, align="left")
        )
    return Drawing(900, bottom + 96, content, tuple(words))


def chat(joke: Joke, phase: float) -> Drawing:
    """Return a chat on a phone: the other's name, then lines "them: …" and "me: …"."""
    name, messages = joke.lines[0], joke.lines[1:]
    content, words, y = "", [], 138.0
    hue = (("#4a6fd8", "#e9ecf6"), ("#2f9a6f", "#e6f3ec"), ("#8d63cf", "#efe9fa"))[crc32(name.encode()) % 3]
    for message in messages:
        mine = message.startswith("me:")
        text = message.partition(":")[2].strip()
        short = Lettering(text, (0, 0, 400, 400), Style.PLAIN, largest=32, align="left")
        rows = len(set_text(short).lines)
        wide = 400 if rows > 1 else 60 + 17.5 * len(text)
        wide = min(460, max(110, wide + (48 if rows > 1 else 0)))
        tall = 32 * 1.16 * rows + 34
        x = 640 - 24 - wide if mine else 24
        content += box(
            x,
            y,
            wide,
            tall,
            hue[0] if mine else "#ffffff",
            round=24,
            more="" if mine else 'stroke="#dfe3ef" stroke-width="2"',
        )
        content += path(
            (
                f"M {x + wide - 30} {y + tall - 8} L {x + wide + 6} {y + tall + 4} L {x + wide - 8} {y + tall - 30} Z"
                if mine
                else f"M {x + 30} {y + tall - 8} L {x - 6} {y + tall + 4} L {x + 8} {y + tall - 30} Z"
            ),
            hue[0] if mine else "#ffffff",
        )
        words.append(
            Lettering(
                text,
                (x + 22, y + 6, x + wide - 18, y + tall - 4),
                Style.PLAIN,
                color="#ffffff" if mine else _INK,
                largest=32,
                align="left",
            )
        )
        y += tall + 18
    tall = round(y + 92)
    header = (
        box(0, 0, 640, 112, hue[0])
        + avatar(joke.scenes[0], (112, 56), 38)
        + line("M 46 36 L 26 56 L 46 76", "#ffffff", 6)
    )
    words.append(Lettering(name, (166, 20, 520, 64), color="#ffffff", largest=32, align="left"))
    words.append(
        Lettering("online", (166, 65, 520, 100), Style.PLAIN, color=lighter(hue[0], 0.75), largest=24, align="left")
    )
    field = (
        box(24, tall - 74, 500, 54, "#ffffff", round=27, more='stroke="#cfd5e6" stroke-width="2"')
        + circle(578, tall - 47, 28, hue[0])
        + path(f"M 566 {tall - 60} L 596 {tall - 47} L 566 {tall - 34} L 572 {tall - 47} Z", "#ffffff")
    )
    words.append(
        Lettering("Message", (50, tall - 70, 300, tall - 24), Style.PLAIN, color="#a3aac0", largest=25, align="left")
    )
    return Drawing(
        640, tall, box(0, 0, 640, tall, fade(hue[1], lighter(hue[1], 0.4))) + header + content + field, tuple(words)
    )


def dialog(joke: Joke, phase: float) -> Drawing:
    """Return a dialog box over a desktop: title, message, and one to three buttons."""
    title, message, *buttons = joke.lines
    scene = joke.scenes[0]
    content = background(scene.place, scene.sky, Random(scene.seed)) + box(
        0, 0, 800, 600, "#10122b", more='opacity=".38"'
    )
    content += (
        box(96, 132, 620, 336, "#0b0d1f", round=16, more='opacity=".3"')
        + box(88, 120, 624, 336, "#f6f7fb", round=14)
        + path("M 88 176 L 88 134 Q 88 120 102 120 L 698 120 Q 712 120 712 134 L 712 176 Z", fade("#5f83e6", "#4063c4"))
    )
    content += "".join(circle(x, 148, 10, color) for x, color in ((620, "#ffd24a"), (650, "#6bd08a"), (682, "#ff6f6b")))
    content += (
        path("M 160 220 L 210 306 L 110 306 Z", "#ffc93c", edge("#8a6208", 5))
        + line("M 160 250 L 160 276", "#3a2b05", 8)
        + circle(160, 292, 5, "#3a2b05")
    )
    words = [
        Lettering(title, (112, 126, 600, 172), color="#ffffff", largest=28, align="left"),
        Lettering(message, (236, 188, 690, 364), Style.PLAIN, largest=34, align="left"),
    ]
    room = 560 / len(buttons)
    for k, text in enumerate(buttons):
        x, first = 120 + k * room, k == 0
        content += box(
            x, 382, room - 18, 54, _BLUE if first else "#ffffff", round=10, more='stroke="#b8c0d6" stroke-width="2.5"'
        )
        words.append(
            Lettering(
                text, (x + 8, 386, x + room - 26, 432), color="#ffffff" if first else _INK, largest=25, smallest=12
            )
        )
    who = actor(scene, phase=phase)
    content += group(who, at=(690, 594), scale=0.6)
    return Drawing(800, 600, content, tuple(words))


def search_box(joke: Joke, phase: float) -> Drawing:
    """Return a search box with a typed query and its suggestions."""
    typed, *suggestions = joke.lines
    tall = 330 + 62 * len(suggestions)
    content = box(0, 0, 900, tall, fade("#f7f9ff", "#e3eaf8")) + circle(450, 80, 150, glow("#ffe9b8"), 'opacity=".7"')
    scene = joke.scenes[0]
    who = actor(scene, phase=phase)
    content += group(who, at=(450, 196), scale=0.72)
    content += box(78, 200, 744, 100 + 62 * len(suggestions), "#2b3a6b", round=38, more='opacity=".12"') + box(
        70, 190, 760, 100 + 62 * len(suggestions), "#ffffff", round=38, more='stroke="#c9d3ea" stroke-width="2.5"'
    )
    content += (
        circle(118, 226, 13, "none", f'stroke="{_GRAY}" stroke-width="5"')
        + line("M 128 236 L 138 246", _GRAY, 6)
        + line("M 100 270 L 800 270", "#dfe5f3", 2.5)
    )
    words = [Lettering(typed, (160, 196, 790, 264), color=_INK, largest=36, align="left")]
    for k, text in enumerate(suggestions):
        y = 278 + 62 * k
        content += circle(118, y + 27, 8, "none", 'stroke="#b3bcd4" stroke-width="3.5"') + line(
            f"M 124 {y + 33} L 130 {y + 39}", "#b3bcd4", 4
        )
        words.append(Lettering(text, (160, y, 790, y + 56), Style.PLAIN, color="#3b4257", largest=31, align="left"))
    return Drawing(900, tall, content, tuple(words))


def _tall(text: str, wide: float, size: float) -> int:
    rows = set_text(Lettering(text, (0, 0, wide, 2000), Style.PLAIN, largest=size, align="left")).lines
    return round(size * 1.16 * len(rows)) + 16
