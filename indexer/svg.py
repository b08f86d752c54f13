"""SVG made harmless: parsed without entities, stripped of all that runs or reaches out, drawn by resvg."""

from __future__ import annotations

import io
import re
from xml.etree import ElementTree

import resvg_py
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring
from PIL import Image

from search.errors import UnreadableFile

_DANGEROUS = {"script", "foreignobject", "iframe", "embed", "object", "audio", "video", "handler", "listener"}
_LINKS = {"href", "src"}
_SVG = "{http://www.w3.org/2000/svg}"
DEFAULT_SIDE = 512.0  # pixels, where an SVG names no size


def is_svg(head: bytes) -> bool:
    """Return whether a file that begins with these bytes is an SVG."""
    text = re.sub(rb"<!--.*?-->|<\?.*?\?>|<!DOCTYPE[^>\[]*(\[.*?\])?\s*>", b"", head, flags=re.DOTALL)
    return re.match(rb"(?:\xef\xbb\xbf)?\s*<(?:\w+:)?svg[\s>]", text) is not None or (
        b"<!DOCTYPE svg" in head[:1024] and b"<svg" in head
    )


def safe_svg(data: bytes) -> bytes:
    """Return an SVG without scripts, event handlers, foreign content and links to the outside; raise UnreadableFile."""
    root = _parse(data)
    _clean(root)
    ElementTree.register_namespace("", _SVG[1:-1])
    return bytes(ElementTree.tostring(root, encoding="utf-8"))


def render_svg(data: bytes, *, side: int, max_pixels: int) -> tuple[Image.Image, int, int]:
    """Return an SVG drawn at `side` pixels for its longest side, and the width and height that it names."""
    root = _parse(data)
    _clean(root)
    width, height = _size(root)
    if width * height > max_pixels:
        raise UnreadableFile(
            f"It has {width:,.0f} × {height:,.0f} pixels; at most {max_pixels:,} are decoded.",
            hint="Make it smaller or raise the setting max_pixels.",
        )
    scale = side / max(width, height)
    try:
        drawn = resvg_py.svg_to_bytes(
            svg_string=ElementTree.tostring(root, encoding="unicode"),
            width=max(1, round(width * scale)),
            height=max(1, round(height * scale)),
            background="#ffffff",
        )
        with Image.open(io.BytesIO(bytes(drawn))) as picture:
            return picture.convert("RGB"), round(width), round(height)
    except (ValueError, OSError) as error:
        raise UnreadableFile(f"The SVG cannot be drawn: {error}.", hint="Save it again.") from error


def _parse(data: bytes) -> ElementTree.Element:
    try:
        root: ElementTree.Element = fromstring(data)
    except DefusedXmlException as error:
        raise UnreadableFile(
            "The SVG defines entities, which can grow without end.", hint="Save it again without them."
        ) from error
    except (ElementTree.ParseError, ValueError) as error:
        raise UnreadableFile(f"The SVG is broken: {error}.", hint="Save it again.") from error
    if not root.tag.endswith("svg"):
        raise UnreadableFile("It is XML but no SVG.", hint="Remove it or save it again as a picture.")
    return root


def _clean(element: ElementTree.Element) -> None:
    """Take out of an element all that runs or reaches out."""
    for name, value in list(element.attrib.items()):
        local = _local(name)
        outside = local in _LINKS and not re.match(r"\s*(#|data:image/(?:png|jpe?g|gif|webp);)", value, re.IGNORECASE)
        reaching = re.search(r"url\(\s*['\"]?\s*(?!#)", value) or "javascript:" in value.lower()
        if local.startswith("on") or outside or reaching:
            del element.attrib[name]
    for child in list(element):
        name = _local(child.tag) if isinstance(child.tag, str) else "comment"
        animated = name in ("animate", "set") and _local(child.get("attributeName", "")) in _LINKS
        if name in _DANGEROUS or animated:
            element.remove(child)
            continue
        if name == "style" and re.search(r"@import|url\(\s*['\"]?\s*(?!#)", child.text or ""):
            element.remove(child)
            continue
        _clean(child)


def _local(name: str) -> str:
    return name.rsplit("}", 1)[-1].rsplit(":", 1)[-1].lower()


def _size(root: ElementTree.Element) -> tuple[float, float]:
    """Return the width and height in pixels that an SVG names, by itself or by its viewBox."""
    box = [float(number) for number in re.findall(r"-?\d+(?:\.\d+)?(?:e-?\d+)?", root.get("viewBox", ""))]
    shape = (box[2], box[3]) if len(box) == 4 and box[2] > 0 and box[3] > 0 else None
    sizes = []
    for name in ("width", "height"):
        written = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(px|pt|pc|mm|cm|in)?\s*", root.get(name, ""))
        units = {"pt": 4 / 3, "pc": 16.0, "mm": 96 / 25.4, "cm": 96 / 2.54, "in": 96.0}
        sizes.append(float(written[1]) * units.get(written[2] or "px", 1.0) if written else 0.0)
    width, height = sizes
    if shape is None:
        return width or DEFAULT_SIDE, height or DEFAULT_SIDE
    if width and height:
        return width, height
    if width or height:
        return (width, width * shape[1] / shape[0]) if width else (height * shape[0] / shape[1], height)
    return shape
