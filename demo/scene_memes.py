"""Memes made of scenes with words over, under or beside them."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from demo.characters import character
from demo.drawing import Drawing, panel
from demo.jokes import Joke
from demo.lettering import Lettering, Style
from demo.places import background
from demo.scenes import HEIGHT, WIDTH, Scene, actor, scene_svg
from demo.vector import box, circle, edge, fade, glow, group, line
from demo.vocabulary import Action, Expression

_INK = "#15142a"


def macro(joke: Joke, phase: float) -> Drawing:
    """Return a scene with white capitals at the top and the bottom."""
    top, bottom = joke.lines
    words = []
    if top:
        words.append(_caption(top, (24, 12, WIDTH - 24, 122), stand="top"))
    if bottom:
        words.append(_caption(bottom, (24, 482, WIDTH - 24, 590), stand="bottom"))
    return Drawing(WIDTH, HEIGHT, scene_svg(joke.scenes[0], phase=phase, scale=1.5), tuple(words))


def bar(joke: Joke, phase: float) -> Drawing:
    """Return a scene under a white bar with a sentence."""
    tall = 96 if len(joke.lines[0]) <= 46 else 136
    content = box(0, 0, WIDTH, tall, "#ffffff") + panel(
        scene_svg(joke.scenes[0], phase=phase), (0, tall, WIDTH, 560), view=(0, 40, 800, 560)
    )
    words = Lettering(joke.lines[0], (28, 10, WIDTH - 28, tall - 8), largest=42, align="left")
    return Drawing(WIDTH, tall + 560, content, (words,))


def versus(joke: Joke, phase: float) -> Drawing:
    """Return two scenes beside each other, each under its heading."""
    content = box(0, 0, 960, 560, "#ffffff")
    words = []
    for k, scene in enumerate(joke.scenes[:2]):
        x = k * 480
        content += panel(scene_svg(scene, phase=phase), (x, 90, 480, 470), view=(100, 0, 600, 600))
        words.append(Lettering(joke.lines[k], (x + 18, 8, x + 462, 84), largest=40))
    return Drawing(960, 560, content + line("M 480 0 L 480 560", _INK, 6), tuple(words))


def refuse(joke: Joke, phase: float) -> Drawing:
    """Return two panels: a character refuses one thing and is delighted by another."""
    scene = joke.scenes[0]
    tones = (("#f6d7d2", "#eab0a6"), ("#d6f0dc", "#a3d9b1"))
    content, words = "", []
    poses = ((Action.SHRUGGING, Expression.ANGRY), (Action.WAVING, Expression.HAPPY))
    for k, (action, expression) in enumerate(poses):
        y = k * 340
        content += box(0, y, 400, 340, fade(*tones[k])) + box(400, y, 400, 340, "#fffdf8")
        who = character(scene.subject, scene.color, action=action, expression=expression, prop=scene.prop, phase=phase)
        content += panel(group(who, at=(200, 322), scale=1.12), (0, y, 400, 340), view=(0, 0, 400, 340))
        sign = "M 14 14 L 50 50 M 50 14 L 14 50" if k == 0 else "M 10 34 L 28 52 L 60 12"
        content += group(
            line(sign, "#ffffff", 17) + line(sign, "#d8433f" if k == 0 else "#2f9a58", 10), at=(14, y + 270), scale=0.9
        )
        words.append(Lettering(joke.lines[k], (424, y + 24, 780, y + 316), largest=50))
    content += line("M 0 340 L 800 340 M 400 0 L 400 680", _INK, 5)
    return Drawing(800, 680, content, tuple(words))


def labels(joke: Joke, phase: float) -> Drawing:
    """Return two labelled characters in one place, the left chasing the right, under a caption if there is one."""
    chaser, chased = joke.scenes[:2]
    place = scene_svg(chased, phase=phase, scale=1.1, at=(590, 548))
    who = actor(chaser, phase=phase)
    content = place + group(who, at=(210, 548), scale=1.2)
    words = [
        _caption(joke.lines[0], (20, 494, 380, 592), largest=42, stand="bottom"),
        _caption(joke.lines[1], (420, 494, 780, 592), largest=42, stand="bottom"),
    ]
    if len(joke.lines) > 2 and joke.lines[2]:
        words.append(_caption(joke.lines[2], (24, 12, 776, 122), stand="top"))
    return Drawing(WIDTH, HEIGHT, content, tuple(words))


def ladder(joke: Joke, phase: float) -> Drawing:
    """Return four lines, each grander than the one before, beside a character that glows more with each."""
    scene = joke.scenes[0]
    steps = (
        ("#c9ccd6", "#9aa0b0", Expression.TIRED, Action.SHRUGGING),
        ("#bfe0f2", "#7fb6dc", Expression.HAPPY, Action.WAVING),
        ("#c9b6f2", "#7d63cf", Expression.SMUG, Action.JUGGLING),
        ("#2a1a5e", "#0f0a30", Expression.SMUG, Action.MEDITATING),
    )
    content, words = "", []
    for k, (top, bottom, expression, action) in enumerate(steps):
        y = k * 230
        content += box(0, y, 400, 230, "#fffdf8") + box(400, y, 400, 230, fade(top, bottom))
        if k >= 2:
            content += circle(600, y + 115, 120 + 60 * (k - 2), glow("#fff3b0" if k == 3 else "#f3e6ff"))
        who = character(scene.subject, scene.color, action=action, expression=expression, prop=scene.prop, phase=phase)
        content += panel(group(who, at=(200, 214), scale=0.72), (400, y, 400, 230), view=(0, 0, 400, 230))
        words.append(Lettering(joke.lines[k], (22, y + 14, 380, y + 216), largest=40))
    content += "".join(line(f"M 0 {y} L 800 {y}", _INK, 5) for y in (230, 460, 690)) + line(
        "M 400 0 L 400 920", _INK, 5
    )
    return Drawing(800, 920, content, tuple(words))


def comic(joke: Joke, phase: float) -> Drawing:
    """Return four panels in which two characters speak in turn; an empty line is a close-up without words."""
    first, second = joke.scenes[:2]
    content, words = box(0, 0, 1000, 940, "#fffdf8"), []
    for k, said in enumerate(joke.lines[:4]):
        x, y = 16 + (k % 2) * 492, 16 + (k // 2) * 462
        scene = first if k % 2 == 0 else second
        # The listener looks tired; the last panel has the expressions of the joke's scenes.
        left = replace(first, expression=first.expression if k != 1 else Expression.CONFUSED)
        content += panel(
            _stage(left, second, silent=not said, phase=phase), (x, y, 476, 446), frame=5, view=(0, 0, 476, 446)
        )
        if said:
            tail = x + (120 if scene is first else 356)
            balloon = box(x + 20, y + 18, 436, 128, "#ffffff", round=34, more=edge(_INK, 4))
            balloon += (
                f'<path d="M {tail - 16} {y + 142} L {tail + (6 if scene is first else -6)} {y + 178} L {tail + 16}'
                f' {y + 142}" fill="#ffffff" {edge(_INK, 4)}/>'
            )
            content += balloon + box(tail - 14, y + 136, 28, 8, "#ffffff")
            words.append(Lettering(said, (x + 40, y + 24, x + 436, y + 140), largest=34))
    return Drawing(1000, 940, content, tuple(words))


def _stage(first: Scene, second: Scene, *, silent: bool, phase: float) -> str:
    """Return two characters in the first one's place, closer when nobody speaks."""
    place = background(first.place, first.sky, Random(first.seed))
    content = group(place, at=(-60, -8), scale=0.76)
    for scene, x in ((first, 130), (second, 348)):
        who = actor(scene, phase=phase)
        content += group(who, at=(x, 424), scale=0.9)
    return group(content, at=(238 - 238 * 1.12, 446 - 446 * 1.12), scale=1.12) if silent else content


def _caption(
    text: str, place: tuple[float, float, float, float], *, largest: float = 58, stand: str = "middle"
) -> Lettering:
    return Lettering(text, place, Style.CAPTION, color="#ffffff", largest=largest, smallest=22, stand=stand)
