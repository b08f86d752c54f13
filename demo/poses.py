"""Poses of a figure for each action: hands, feet and held objects. `phase` from 0 to 1 is one loop."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from demo import held_objects as held
from demo.figure import Figure
from demo.vector import group, line
from demo.vocabulary import Action

Point = tuple[float, float]


@dataclass(frozen=True)
class Pose:
    """A stance in the figure's coordinates; `lift` raises it off the ground, `turn` leans it (degrees, clockwise)."""

    left: Point  # hands, as seen by the viewer
    right: Point
    feet: tuple[Point, Point] = ((-25, -3), (25, -3))
    lift: float = 0
    turn: float = 0
    asleep: bool = False
    lying: bool = False
    behind: str = ""  # drawn behind the figure
    held: str = ""  # drawn after the body, before the arms
    over: str = ""  # drawn last
    bend: float = 14  # how far elbows are from the straight arm


def pose(action: Action, figure: Figure, *, phase: float = 0) -> Pose:
    """Return the stance of a figure for an action."""
    return _POSES[action](figure, phase)


def _hands(figure: Figure, left: Point, right: Point) -> tuple[Point, Point]:
    """Return the positions of hands at this distance from the shoulders; x grows outwards on both sides."""
    x, y = figure.shoulders
    return (-x - left[0], y + left[1]), (x + right[0], y + right[1])


def _swing(phase: float, times: int = 1) -> float:
    return math.sin(2 * math.pi * phase * times)


def _waving(figure: Figure, phase: float) -> Pose:
    left, right = _hands(figure, (26, 40), (42 + 12 * _swing(phase, 2), -58))
    lines = "".join(
        line(f"M {right[0] + dx} {right[1] + dy} l {ex} {ey}", "#ffffff", 5)
        for dx, dy, ex, ey in ((24, -16, 12, -8), (28, 4, 14, 2))
    )
    return Pose(left, right, over=lines)


def _typing(figure: Figure, phase: float) -> Pose:
    tap = 5 * _swing(phase, 3)
    wide = figure.shoulders[0]
    reach = max(78, wide + 14)
    return Pose((-reach + 12, -64 + tap), (reach - 12, -64 - tap), over=held.desk_with_laptop(phase))


def _drinking(figure: Figure, phase: float) -> Pose:
    left, right = _hands(figure, (24, 44), (44, -16 - 10 * abs(_swing(phase))))
    return Pose(left, right, held=held.cup(right, phase=phase))


def _reading(figure: Figure, phase: float) -> Pose:
    x, y = figure.shoulders
    reach = max(44, x - 16)
    return Pose((-reach, y + 34), (reach, y + 34), held=held.book((0, y + 34), wide=reach), bend=22)


def _guitar(figure: Figure, phase: float) -> Pose:
    x, y = figure.shoulders
    strum = 9 * _swing(phase, 3)
    return Pose(
        (-14, y + 44 + strum),
        (x + 52, y - 6),
        held=held.guitar((0, y + 46)),
        over=held.notes((-x - 64, y - 60), phase=phase),
        turn=-4,
    )


def _lifting(figure: Figure, phase: float) -> Pose:
    x, y = figure.shoulders
    top = min(figure.crown[1] - 34, y - 110) + 26 * (0.5 - 0.5 * math.cos(2 * math.pi * phase))
    reach = max(x + 34, 84)
    bar = held.barbell((0, top), wide=reach + 50)
    drops = held.sweat((reach + 26, figure.face[1] - 26))
    return Pose((-reach, top), (reach, top), behind=bar, feet=((-36, -3), (36, -3)), over=drops, bend=-22)


def _dancing(figure: Figure, phase: float) -> Pose:
    swing = _swing(phase + 0.12)
    left, right = _hands(figure, (44, -44 + 34 * swing), (44, -10 - 44 * swing))
    notes = held.notes((-110, -190), phase=phase) + held.notes((128, -150), phase=phase + 0.5)
    return Pose(
        left,
        right,
        feet=((-30, -3 - 12 * max(swing, 0)), (34, -3 + 12 * min(swing, 0))),
        turn=9 * swing,
        lift=8 * abs(swing),
        over=notes,
    )


def _sleeping(figure: Figure, phase: float) -> Pose:
    x, y = figure.shoulders
    left, right = (-x + 4, y + 46), (x + 2, y + 50)
    return Pose(left, right, asleep=True, lying=True, feet=((-25, 4), (25, 4)))


def _jumping(figure: Figure, phase: float) -> Pose:
    left, right = _hands(figure, (48, -52), (48, -52))
    lift = 22 + 44 * abs(math.cos(math.pi * phase))
    return Pose(left, right, feet=((-46, -14), (46, -22)), lift=lift, over=held.sparks(figure.crown[1] - 18))


def _skating(figure: Figure, phase: float) -> Pose:
    left, right = _hands(figure, (52, -18), (50, 8))
    return Pose(
        left,
        right,
        feet=((-36, -3), (34, -3)),
        lift=24 + 5 * _swing(phase),
        turn=8 + 4 * _swing(phase + 0.25),
        behind=held.speed_lines(),
        over=held.skateboard(),
        bend=20,
    )


def _fishing(figure: Figure, phase: float) -> Pose:
    x, y = figure.shoulders
    return Pose((x - 6, y + 40), (x + 34, y + 14), held=held.fishing_rod((x + 20, y + 26), phase=phase))


def _umbrella(figure: Figure, phase: float) -> Pose:
    x, y = figure.shoulders
    hand = (x + 22, y + 6)
    left, _ = _hands(figure, (26, 40), (0, 0))
    return Pose(left, hand, behind=held.umbrella(hand, top=figure.crown[1] - 36, sway=3 * _swing(phase)))


def _balloons(figure: Figure, phase: float) -> Pose:
    left, right = _hands(figure, (40, 22), (30, -64))
    return Pose(
        left,
        right,
        feet=((-30, 4), (16, 8)),
        lift=66 + 16 * _swing(phase),
        turn=5 * _swing(phase + 0.25),
        behind=held.balloons(right),
    )


def _pizza(figure: Figure, phase: float) -> Pose:
    left, right = _hands(figure, (26, 40), (38, -18 - 6 * abs(_swing(phase))))
    return Pose(left, right, held=held.pizza_slice(right))


def _phone(figure: Figure, phase: float) -> Pose:
    left, right = _hands(figure, (18, 46), (34, -8))
    return Pose(left, right, over=held.phone(right))


def _cooking(figure: Figure, phase: float) -> Pose:
    left, right = _hands(figure, (26, 40), (38, 6))
    return Pose(left, right, held=held.frying_pan(right, phase=phase))


def _running(figure: Figure, phase: float) -> Pose:
    swing = math.cos(2 * math.pi * phase)
    left, right = _hands(figure, (34, 10 - 26 * swing), (34, 10 + 26 * swing))
    stride = 40 * swing
    return Pose(
        left,
        right,
        feet=((-26 - stride, -4 - 14 * max(0, swing)), (26 + stride, -4)),
        turn=9,
        lift=14,
        behind=held.speed_lines() + held.dust(phase),
        bend=24,
    )


def _juggling(figure: Figure, phase: float) -> Pose:
    left, right = _hands(figure, (40, 8 + 8 * _swing(phase, 2)), (40, 8 - 8 * _swing(phase, 2)))
    return Pose(left, right, over=held.juggled(left, right, top=figure.crown[1] - 46, phase=phase))


def _painting(figure: Figure, phase: float) -> Pose:
    x, y = figure.shoulders
    right = (x + 46, y - 12 + 9 * _swing(phase))
    left, _ = _hands(figure, (20, 34), (0, 0))
    return Pose(left, right, behind=held.easel((x + 118, y - 14)), over=held.brush(right) + held.palette(left))


def _presenting(figure: Figure, phase: float) -> Pose:
    x, y = figure.shoulders
    right = (x + 44, y - 34 + 5 * _swing(phase))
    left, _ = _hands(figure, (18, 30), (0, 0))
    return Pose(left, right, behind=held.chart_board((x + 142, y - 50)), over=held.pointer(right))


def _meditating(figure: Figure, phase: float) -> Pose:
    left, right = _hands(figure, (34, 52), (34, 52))
    halo = held.aura(figure.face[1] + 40)
    return Pose(left, right, feet=((34, -6), (-34, -6)), lift=40 + 10 * _swing(phase), behind=halo, bend=24)


def _shrugging(figure: Figure, phase: float) -> Pose:
    left, right = _hands(figure, (50, -8 - 8 * abs(_swing(phase))), (50, -8 - 8 * abs(_swing(phase))))
    marks = held.question((-118, figure.face[1] - 46), 30) + held.question((118, figure.face[1] - 56), 38)
    return Pose(left, right, over=marks, bend=-22)


def _watering(figure: Figure, phase: float) -> Pose:
    left, right = _hands(figure, (26, 38), (40, 10))
    x = figure.shoulders[0] + 128
    return Pose(left, right, behind=held.potted_plant((x, 0)), held=held.watering_can(right, phase=phase))


def _carrying(figure: Figure, phase: float) -> Pose:
    x, y = figure.shoulders
    sway = 3 * _swing(phase)
    reach = x + 20
    return Pose((-reach, y + 46), (reach, y + 46), held=group(held.boxes(), at=(0, y + 66), turn=sway), bend=20)


_POSES: Mapping[Action, Callable[[Figure, float], Pose]] = {
    Action.WAVING: _waving,
    Action.TYPING: _typing,
    Action.DRINKING: _drinking,
    Action.READING: _reading,
    Action.GUITAR: _guitar,
    Action.LIFTING: _lifting,
    Action.DANCING: _dancing,
    Action.SLEEPING: _sleeping,
    Action.JUMPING: _jumping,
    Action.SKATING: _skating,
    Action.FISHING: _fishing,
    Action.UMBRELLA: _umbrella,
    Action.BALLOONS: _balloons,
    Action.PIZZA: _pizza,
    Action.PHONE: _phone,
    Action.COOKING: _cooking,
    Action.RUNNING: _running,
    Action.JUGGLING: _juggling,
    Action.PAINTING: _painting,
    Action.PRESENTING: _presenting,
    Action.MEDITATING: _meditating,
    Action.SHRUGGING: _shrugging,
    Action.WATERING: _watering,
    Action.CARRYING: _carrying,
}
