"""A character in a pose: body, limbs, face, clothes and held objects, drawn in the right order."""

from __future__ import annotations

from demo.animals import animals
from demo.clothes import worn
from demo.faces import face
from demo.figure import Figure, coat
from demo.poses import Point, Pose, pose
from demo.things import things
from demo.vector import box, circle, darker, edge, ellipse, fade, group, line, shadow
from demo.vocabulary import Action, Color, Expression, Prop, Subject


def character(
    subject: Subject,
    color: Color,
    *,
    action: Action,
    expression: Expression,
    prop: Prop = Prop.NONE,
    phase: float = 0,
) -> str:
    """Return a character about 240 units tall, standing on y = 0, centred on x = 0, with its shadow."""
    paint = coat(color)
    figure = {**animals(), **things()}[subject](paint)
    stance = pose(action, figure, phase=phase)
    if stance.lying:
        return _asleep(figure, paint.outline, expression, prop, stance, phase)
    wide = max(70, figure.shoulders[0] + 34)
    ground = shadow(0, 2, wide * 1.35, 20, 0.55 if stance.lift < 20 else 0.35)
    body = group(
        stance.behind
        + figure.behind
        + _legs(figure, stance, paint.outline)
        + figure.body
        + _face(figure, expression, stance, phase)
        + worn(prop, figure)
        + stance.held
        + _arms(figure, stance, paint.outline)
        + stance.over,
        at=(0, -stance.lift),
        turn=stance.turn,
    )
    return ground + body


def _face(figure: Figure, expression: Expression, stance: Pose, phase: float) -> str:
    x, y, scale = figure.face
    drawn = face(expression, ink=figure.ink, lid=figure.lid, asleep=stance.asleep, phase=phase)
    return group(drawn, at=(x, y), scale=scale)


def _limb(start: Point, end: Point, bend: float, thickness: float, color: str, outline: str) -> str:
    middle = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
    across, down = end[0] - start[0], end[1] - start[1]
    length = max(1.0, (across**2 + down**2) ** 0.5)
    elbow = (middle[0] - down / length * bend, middle[1] + across / length * bend)
    way = f"M {start[0]:.1f} {start[1]:.1f} Q {elbow[0]:.1f} {elbow[1]:.1f} {end[0]:.1f} {end[1]:.1f}"
    return line(way, outline, thickness + 8.5) + line(way, color, thickness)


def _arms(figure: Figure, stance: Pose, outline: str) -> str:
    x, y = figure.shoulders
    inset = figure.thickness * 0.35
    drawn = ""
    for start, hand, bend in (
        ((-x + inset, y), stance.left, stance.bend),
        ((x - inset, y), stance.right, -stance.bend),
    ):
        drawn += _limb(start, hand, bend, figure.thickness, figure.limb, outline)
        drawn += circle(hand[0], hand[1], figure.thickness * 0.62, figure.hand, edge(outline, 4))
    return drawn


def _legs(figure: Figure, stance: Pose, outline: str) -> str:
    if not figure.legs:
        return ""
    x, y = figure.hips
    drawn = ""
    for start, foot, side in (((-x, y), stance.feet[0], -1), ((x, y), stance.feet[1], 1)):
        drawn += _limb(start, (foot[0], foot[1] - 6), 5 * side, figure.thickness, figure.limb, outline)
        drawn += ellipse(foot[0] + 5 * side, foot[1] - 4, 20, 11, figure.foot, edge(outline, 4))
    return drawn


def _asleep(figure: Figure, outline: str, expression: Expression, prop: Prop, stance: Pose, phase: float) -> str:
    """Return a character asleep in bed; `phase` from 0 to 1 is one breath."""
    frame = box(-170, -62, 340, 44, fade("#b0763f", "#8a5526"), round=8, more=edge("#4a2b12", 4.5))
    feet = "".join(box(x, -22, 18, 26, "#8a5526", more=edge("#4a2b12", 4)) for x in (-158, 140))
    board = box(-186, -130, 24, 112, fade("#c98a4b", "#8a5526"), round=9, more=edge("#4a2b12", 4.5))
    mattress = box(-164, -84, 332, 34, "#f4f1ea", round=12, more=edge("#8b8798", 4))
    pillow = box(-164, -116, 116, 44, fade("#ffffff", "#dfe3f0"), round=20, more=edge("#8b8798", 4))
    sleeper = group(
        figure.behind + figure.body + _face(figure, expression, stance, phase) + worn(prop, figure),
        at=(66, -86),
        turn=-82,
        scale=0.8,
    )
    rise = 6 * (1 - abs(2 * phase - 1))
    top = -152 - rise
    blanket = (
        f"M -34 -56 C -40 {top + 44:.0f} -20 {top + 6:.0f} 24 {top + 4:.0f} C 90 {top:.0f} 150 -128 172 -92 L 172 -44 L"
        " -30 -44 Z"
    )
    cover = f'<path d="{blanket}" fill="{fade("#6f9df2", "#4567c4")}" {edge("#22346e", 4.5)}/>'
    patches = "".join(
        circle(x, y, 8, "#ffe27a", 'opacity=".8"') for x, y in ((20, -112), (62, -82), (100, -112), (136, -74))
    )
    hem = line(f"M -34 -56 C -40 {top + 44:.0f} -20 {top + 6:.0f} 24 {top + 4:.0f}", "#ffffff", 11, 'opacity=".9"')
    snore = "".join(
        group(
            line("M -10 -10 L 10 -10 L -10 10 L 10 10", darker("#ffffff", 0.9), 13)
            + line("M -10 -10 L 10 -10 L -10 10 L 10 10", "#ffffff", 6.5),
            at=(x, y - 10 * phase),
            scale=size,
        )
        for x, y, size in ((-76, -196, 0.8), (-42, -228, 1.15), (0, -268, 1.6))
    )
    return (
        shadow(0, 2, 230, 22, 0.5) + feet + board + mattress + pillow + frame + sleeper + cover + patches + hem + snore
    )
