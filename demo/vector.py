"""SVG elements as text, and their rendering to pixels; colours are `#rrggbb`, lengths are pixels."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable

import resvg_py
from PIL import Image

# The name of a paint or filter contains its values; `document` writes the definitions of those that are used.
_OPACITY = re.compile(r'(?<![-\w])opacity="([^"]+)"')
_USED = re.compile(r"url\(#(fade|glow|blur)-([0-9a-f]+)(?:-([0-9a-f]+))?\)")


def mixed(color: str, other: str, share: float) -> str:
    """Return a colour moved towards another by a share from 0 to 1."""
    ours, theirs = _channels(color), _channels(other)
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in zip(ours, theirs, strict=True))


def darker(color: str, share: float = 0.25) -> str:
    """Return a colour moved towards a deep blue, which keeps shadows from looking like dirt."""
    return mixed(color, "#10122b", share)


def lighter(color: str, share: float = 0.35) -> str:
    """Return a colour moved towards a warm white."""
    return mixed(color, "#fffaf0", share)


def luminance(color: str) -> float:
    """Return how bright a colour looks, from 0 to 1 (ITU-R BT.601)."""
    red, green, blue = _channels(color)
    return (0.299 * red + 0.587 * green + 0.114 * blue) / 255


def fade(top: str, bottom: str) -> str:
    """Return the paint of a vertical gradient, from the colour at the top to the one at the bottom."""
    return f"url(#fade-{top[1:]}-{bottom[1:]})"


def glow(color: str) -> str:
    """Return the paint of a radial gradient, from a colour in the middle to transparent."""
    return f"url(#glow-{color[1:]})"


def circle(x: float, y: float, r: float, fill: str, more: str = "") -> str:
    """Return a circle."""
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{r:.1f}" fill="{fill}" {_seen_through(more)}/>'


def ellipse(x: float, y: float, rx: float, ry: float, fill: str, more: str = "") -> str:
    """Return an ellipse."""
    return f'<ellipse cx="{x:.1f}" cy="{y:.1f}" rx="{rx:.1f}" ry="{ry:.1f}" fill="{fill}" {_seen_through(more)}/>'


def box(x: float, y: float, width: float, height: float, fill: str, *, round: float = 0, more: str = "") -> str:
    """Return a rectangle, its corners rounded by `round`."""
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="{round:.1f}" fill="{fill}"'
        f" {_seen_through(more)}/>"
    )


def path(d: str, fill: str = "none", more: str = "") -> str:
    """Return a path."""
    return f'<path d="{d}" fill="{fill}" {_seen_through(more)}/>'


def polygon(points: Iterable[tuple[float, float]], fill: str, more: str = "") -> str:
    """Return a closed shape with straight sides."""
    return f'<polygon points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in points)}" fill="{fill}" {_seen_through(more)}/>'


def line(d: str, color: str, width: float, more: str = "") -> str:
    """Return a stroke with round ends along a path."""
    return (
        f'<path d="{d}" fill="none" stroke="{color}" stroke-width="{width:.1f}" '
        f'stroke-linecap="round" stroke-linejoin="round" {_seen_through(more)}/>'
    )


def edge(color: str, width: float = 5) -> str:
    """Return the attributes of an outline."""
    return f'stroke="{color}" stroke-width="{width}" stroke-linejoin="round" stroke-linecap="round"'


def group(
    content: str,
    *,
    at: tuple[float, float] = (0, 0),
    turn: float = 0,
    scale: float | tuple[float, float] = 1,
    more: str = "",
) -> str:
    """Return content moved, turned (degrees, clockwise) and scaled about its own origin."""
    across, down = scale if isinstance(scale, tuple) else (scale, scale)
    transform = f"translate({at[0]:.1f} {at[1]:.1f}) rotate({turn:.1f}) scale({across:.3f} {down:.3f})"
    return f'<g transform="{transform}" {more}>{content}</g>'


def shadow(x: float, y: float, rx: float, ry: float, strength: float = 0.35) -> str:
    """Return a soft shadow on the ground."""
    return ellipse(x, y, rx, ry, glow("#0b0d1f"), f'opacity="{strength:.2f}"')


def document(content: str, *, width: int, height: int, view: tuple[float, float] | None = None) -> str:
    """Return a whole SVG of a size in pixels; `view` is the size of the content, cut to fill it."""
    across, down = view or (width, height)
    definitions = {found.group(0): _definition(*found.groups()) for found in _USED.finditer(content)}
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {across} {down}" '
        f'preserveAspectRatio="xMidYMid slice"><defs>{"".join(definitions.values())}</defs>{content}</svg>'
    )


def pixels(svg: str) -> Image.Image:
    """Return a whole SVG as an RGB picture of its own size."""
    drawn = resvg_py.svg_to_bytes(svg_string=svg, skip_system_fonts=True)
    with Image.open(io.BytesIO(bytes(drawn)), formats=("PNG",)) as picture:
        return picture.convert("RGB")


def _seen_through(more: str) -> str:
    """Return attributes with the opacity on fill and stroke, which draws several times faster than on the shape."""
    return _OPACITY.sub(r'fill-opacity="\1" stroke-opacity="\1"', more)


def _channels(color: str) -> tuple[int, int, int]:
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


def _definition(kind: str, first: str, second: str | None) -> str:
    if kind == "fade":
        return (
            f'<linearGradient id="fade-{first}-{second}" x1="0" y1="0" x2="0" y2="1">'
            f'<stop offset="0" stop-color="#{first}"/><stop offset="1" stop-color="#{second}"/></linearGradient>'
        )
    if kind == "glow":
        return (
            f'<radialGradient id="glow-{first}"><stop offset="0" stop-color="#{first}"/>'
            f'<stop offset=".55" stop-color="#{first}" stop-opacity=".55"/>'
            f'<stop offset="1" stop-color="#{first}" stop-opacity="0"/></radialGradient>'
        )
    return f'<filter id="blur-{first}"><feGaussianBlur stdDeviation="{first}"/></filter>'
