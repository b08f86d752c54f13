"""Faces: eyes, brows and mouth of each expression, about 100 units wide, centred on the origin."""

from __future__ import annotations

from demo.vector import circle, ellipse, group, line, path
from demo.vocabulary import Expression

_TEAR = "#6cc4f5"


def face(expression: Expression, *, ink: str, lid: str, asleep: bool = False, phase: float = 0) -> str:
    """Return a face; `ink` draws mouth and brows, `lid` is the colour of the skin around the eyes."""
    if asleep:
        return _closed(ink) + line("M -9 29 Q 0 37 9 29", ink, 5)
    return _FACES[expression](ink, lid, phase)


def _eye(x: float, *, look: tuple[float, float] = (0, 0), size: float = 17, pupil: float = 9.5) -> str:
    dark = circle(x + look[0], look[1], pupil, "#1d1b2e")
    spark = circle(x + look[0] - pupil * 0.35, look[1] - pupil * 0.4, pupil * 0.36, "#ffffff")
    return ellipse(x, 0, size * 0.9, size, "#ffffff", 'stroke="#1d1b2e" stroke-width="3"') + dark + spark


def _eyes(*, look: tuple[float, float] = (0, 0), size: float = 17, pupil: float = 9.5) -> str:
    return "".join(_eye(x, look=look, size=size, pupil=pupil) for x in (-25, 25))


def _closed(ink: str) -> str:
    return "".join(line(f"M {x - 14} -2 Q {x} 11 {x + 14} -2", ink, 5) for x in (-25, 25))


def _lids(lid: str, ink: str, *, drop: float) -> str:
    half = 16.5 * (1 - (drop / 18.5) ** 2) ** 0.5  # where the lid's edge meets the rim of the eye
    covers = "".join(path(f"M {x - half:.1f} {drop} A 16.5 18.5 0 0 1 {x + half:.1f} {drop} Z", lid) for x in (-25, 25))
    return covers + "".join(line(f"M {x - 16} {drop} L {x + 16} {drop}", ink, 4.5) for x in (-25, 25))


def _brows(ink: str, *, inner: float, outer: float) -> str:
    return line(f"M -42 {outer} L -14 {inner}", ink, 6) + line(f"M 42 {outer} L 14 {inner}", ink, 6)


def _cheeks() -> str:
    return "".join(ellipse(x, 23, 10, 6.5, "#ff7a8a", 'opacity=".45"') for x in (-40, 40))


def _happy(ink: str, lid: str, phase: float) -> str:
    mouth = path("M -19 22 Q 0 26 19 22 Q 16 48 0 48 Q -16 48 -19 22 Z", "#7c2338", f'stroke="{ink}" stroke-width="3"')
    return _eyes() + _cheeks() + mouth + path("M -10 42 Q 0 34 10 42 Q 0 50 -10 42 Z", "#ff8b8b")


def _sad(ink: str, lid: str, phase: float) -> str:
    return _eyes(look=(0, 4)) + _brows(ink, inner=-34, outer=-22) + line("M -15 38 Q 0 24 15 38", ink, 5)


def _angry(ink: str, lid: str, phase: float) -> str:
    teeth = path("M -20 38 Q 0 20 20 38 Z", "#ffffff", f'stroke="{ink}" stroke-width="4" stroke-linejoin="round"')
    return _eyes(look=(0, 2), pupil=8) + _brows(ink, inner=-10, outer=-27) + teeth


def _shocked(ink: str, lid: str, phase: float) -> str:
    return (
        _eyes(size=22, pupil=5.5)
        + _brows(ink, inner=-36, outer=-34)
        + ellipse(0, 38, 10, 14, "#7c2338", f'stroke="{ink}" stroke-width="3"')
    )


def _smug(ink: str, lid: str, phase: float) -> str:
    brow = line("M 12 -30 Q 28 -38 42 -26", ink, 6) + line("M -42 -18 L -12 -18", ink, 6)
    return _eyes(look=(5, 1)) + _lids(lid, ink, drop=-4) + brow + line("M -14 30 Q 8 36 22 20", ink, 5.5)


def _tired(ink: str, lid: str, phase: float) -> str:
    bags = "".join(line(f"M {x - 13} 21 Q {x} 28 {x + 13} 21", "#6a5a8c", 4, 'opacity=".75"') for x in (-25, 25))
    return _eyes(look=(0, 5)) + _lids(lid, ink, drop=3) + bags + line("M -13 39 L 13 39", ink, 5)


def _confused(ink: str, lid: str, phase: float) -> str:
    eyes = _eye(-25, look=(3, -2), size=20, pupil=8) + _eye(25, look=(3, -2), size=14, pupil=8)
    brows = line("M -42 -30 Q -26 -40 -10 -30", ink, 6) + line("M 12 -18 L 40 -22", ink, 6)
    return eyes + brows + line("M -16 36 Q -8 28 0 36 T 16 36", ink, 5)


def _crying(ink: str, lid: str, phase: float) -> str:
    streams = "".join(
        path(
            f"M {x - 8} 4 Q {x + side * 3} 40 {x - 6 + side * 5} 70 L {x + 9 + side * 5} 70 Q {x + 10} 36 {x + 8} 4 Z",
            _TEAR,
            'opacity=".9"',
        )
        for x, side in ((-25, -1), (25, 1))
    )
    drop = group(circle(0, 0, 5, _TEAR), at=(48, 60 + 20 * phase))
    mouth = path("M -15 46 Q 0 20 15 46 Q 0 40 -15 46 Z", "#7c2338", f'stroke="{ink}" stroke-width="3"')
    return streams + _closed(ink) + _brows(ink, inner=-30, outer=-18) + mouth + drop


_FACES = {
    Expression.HAPPY: _happy,
    Expression.SAD: _sad,
    Expression.ANGRY: _angry,
    Expression.SHOCKED: _shocked,
    Expression.SMUG: _smug,
    Expression.TIRED: _tired,
    Expression.CONFUSED: _confused,
    Expression.CRYING: _crying,
}
