"""Sanitize and render SVG: parse it, keep drawing elements of bounded cost, draw it by resvg.

Of entities only short plain texts are replaced.
"""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterator
from urllib.parse import unquote_to_bytes
from xml.etree import ElementTree

import resvg_py
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring
from PIL import Image

from indexer.media.decoder_errors import is_about_the_file
from indexer.media.raster import open_picture
from indexer.media.signatures import SIGNATURE_BYTES, file_type
from search.errors import UnreadableFile

HEAD_BYTES = 4096  # that tell a drawing, whose first element may come after notes
MAX_SVG_BYTES = 20_000_000
MAX_EMBEDDED_PIXELS = 25_000_000
MAX_DEPTH = 100  # rendering is recursive, and each level may need its own canvas
MAX_COST = 200_000  # elements drawn; an element that others refer to counts each time
# What needs canvases of its own costs far more than its outline. The deadline of the process that draws is the real
# limit (`indexer.media.decode`); this one refuses at once what no honest drawing has.
_FILTER_COST = 200  # of a filter's primitive
_LAYER_COST = 20  # of a mask, a pattern, or a group that is blended
USUAL_SIZE = (300.0, 150.0)  # pixels; browsers use it for a picture without a size

_NAMESPACE = "http://www.w3.org/2000/svg"
_XLINK = "{http://www.w3.org/1999/xlink}"
_SPACE = "{http://www.w3.org/XML/1998/namespace}space"
# The elements that are kept: no scripts, foreign content, links or animations, and no filters of unbounded cost.
_DRAWS = re.compile(
    "svg|g|defs|symbol|use|title|desc|style|switch|path|rect|circle|ellipse|line|polyline|polygon|text|tspan|textPath|"
    "image|marker|pattern|clipPath|mask|linearGradient|radialGradient|stop|filter|"
    "fe(?:Blend|ColorMatrix|ComponentTransfer|Composite|DiffuseLighting|DisplacementMap|DistantLight|DropShadow|Flood|"
    "Func[ABGR]|GaussianBlur|Merge|MergeNode|Offset|PointLight|SpecularLighting|SpotLight|Tile)"
)
_DATA_PICTURE = re.compile(r"\s*data:image/(?:png|jpe?g|gif|webp)(;[^,]*)?,(.*)", re.IGNORECASE | re.DOTALL)
# In CSS: references to other files, and escapes, which could hide them.
_REACHES_OUT = re.compile(r"\\|@import|url\(\s*['\"]?(?!\s*#)|image\(|image-set|src\(|javascript:", re.IGNORECASE)
_REFERENCE = re.compile(r"url\(\s*['\"]?\s*#([^'\")]+)", re.IGNORECASE)
_RULE = re.compile(r"([^{}]+)\{([^{}]*)\}")
# What editors write into the head of a drawing: names of namespaces, each with a plain text. Nothing grows by these.
_DOCTYPE = re.compile(rb"<!DOCTYPE[^>\[]*\[(.*?)\]\s*>", re.DOTALL)
_ENTITY = re.compile(rb"<!ENTITY\s+([\w.:-]+)\s+(?:\"([^\"&%<]*)\"|'([^'&%<]*)')\s*>")
_HARMLESS = re.compile(_ENTITY.pattern + rb"|<!ATTLIST[^>%&]*>|<!--.*?-->|\s+", re.DOTALL)
_USED = re.compile(rb"&([\w.:-]+);")
_MAX_ENTITY, _MAX_GROWTH = 1000, 100_000  # bytes of one, and of all uses of them
_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_UNITS = {"": 1.0, "px": 1.0, "pt": 4 / 3, "pc": 16.0, "mm": 96 / 25.4, "cm": 96 / 2.54, "in": 96.0, "em": 16.0}


def is_svg(head: bytes) -> bool:
    """Return whether a file that begins with these bytes, HEAD_BYTES if it has as many, is an SVG."""
    text = head.decode("utf-16" if head[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig", "ignore")
    text = re.sub(r"<!--.*?-->|<\?.*?\?>|<!DOCTYPE[^>\[]*(?:\[.*?\]\s*)?>", "", text, flags=re.DOTALL)
    return re.match(r"\s*<(?:\w+:)?svg[\s>/]", text) is not None or "<!DOCTYPE svg" in text


def sanitize_svg(data: bytes) -> bytes:
    """Return an SVG without scripts, links and external references; raise UnreadableFile.

    A server should still send `Content-Security-Policy: default-src 'none'; style-src
    'unsafe-inline'; img-src data:; sandbox`, or send the picture that `render_svg` returns.
    """
    return ElementTree.tostring(_sanitized(data), encoding="utf-8", xml_declaration=True)


def svg_size(data: bytes) -> tuple[int, int]:
    """Return an SVG's width and height in pixels, from its attributes or its viewBox; raise UnreadableFile."""
    width, height = _size(_parsed(data))
    return max(1, round(width)), max(1, round(height))


def render_svg(data: bytes, *, side: int) -> Image.Image:
    """Return an SVG rendered with `side` pixels on its longest side, as RGBA; raise UnreadableFile."""
    root = _sanitized(data)
    width, height = _size(root)
    scale = side / max(width, height)
    root.set("width", str(width))
    root.set("height", str(height))
    if not _view_box(root):
        root.set("viewBox", f"0 0 {width} {height}")
    try:
        drawn = resvg_py.svg_to_bytes(
            svg_string=ElementTree.tostring(root, encoding="unicode"),
            width=max(1, round(width * scale)),
            height=max(1, round(height * scale)),
        )
        with Image.open(io.BytesIO(bytes(drawn)), formats=("PNG",)) as picture:
            return picture.convert("RGBA")
    except Exception as error:
        if not is_about_the_file(error):
            raise
        raise UnreadableFile(f"The SVG cannot be drawn: {error}.", hint="Save it again, or as PNG.") from error
    except BaseException as error:
        # A panic of the renderer is a BaseException of a class that cannot be imported.
        if type(error).__name__ != "PanicException":
            raise
        raise UnreadableFile("The SVG cannot be drawn: the renderer crashed.", hint="Save it as PNG.") from error


def _parsed(data: bytes) -> ElementTree.Element:
    """Return the root element of an SVG, unchanged; raise UnreadableFile."""
    if len(data) > MAX_SVG_BYTES:
        raise UnreadableFile(
            f"The SVG has {len(data):,} bytes; at most {MAX_SVG_BYTES:,} are drawn.", hint="Save it as PNG."
        )
    try:
        root: ElementTree.Element = fromstring(_without_plain_entities(data))
    except DefusedXmlException as error:
        raise UnreadableFile(
            "The SVG defines entities, which could grow without end or read other files.",
            hint="Save it again without them, or as PNG.",
        ) from error
    except (ElementTree.ParseError, LookupError, ValueError) as error:
        raise UnreadableFile(f"The SVG is broken or cut short: {error}.", hint="Save it again.") from error
    if _local(root.tag) != "svg":
        raise UnreadableFile(f"It is XML, but not SVG: its root is <{_local(root.tag)}>.", hint="Remove it.")
    return root


def _without_plain_entities(data: bytes) -> bytes:
    """Return an SVG with its own entities replaced, if all of them are short and plain texts; others as they are."""
    found = _DOCTYPE.search(data[:_MAX_GROWTH])
    if found is None or _HARMLESS.sub(b"", found[1]):
        return data
    texts = {name: one or other for name, one, other in _ENTITY.findall(found[1])}
    body = data[found.end() :]
    growth = sum(len(texts.get(name, b"")) for name in _USED.findall(body))
    if growth > _MAX_GROWTH or max(map(len, texts.values()), default=0) > _MAX_ENTITY:
        return data
    text = _USED.sub(lambda use: texts.get(use[1], use[0]).replace(b">", b"&gt;").replace(b'"', b"&quot;"), body)
    return data[: found.start()] + text


def _sanitized(data: bytes) -> ElementTree.Element:
    """Return the root element of a sanitized SVG; raise UnreadableFile."""
    root = _kept(_parsed(data), depth=0)
    root.set("xmlns", _NAMESPACE)
    _check_cost(root)
    return root


def _kept(element: ElementTree.Element, *, depth: int) -> ElementTree.Element:
    """Return a copy of an element with its allowed attributes and children, names without prefixes."""
    if depth > MAX_DEPTH:
        raise UnreadableFile(f"The SVG is nested more than {MAX_DEPTH} deep.", hint="Save it as PNG.")
    kept = ElementTree.Element(_local(element.tag))
    kept.text, kept.tail = element.text, element.tail
    for name, value in element.attrib.items():
        local = name.removeprefix(_XLINK)
        if name == _SPACE or (local[:1] != "{" and ":" not in local and _allowed(local, value)):
            kept.set(local, value)
    for child in element:
        # A comment's tag is a function.
        local = _local(child.tag) if isinstance(child.tag, str) else ""
        foreign = isinstance(child.tag, str) and child.tag[:1] == "{" and not child.tag.startswith(f"{{{_NAMESPACE}}}")
        reaching = local == "style" and _REACHES_OUT.search("".join(child.itertext()))
        if _DRAWS.fullmatch(local) and not foreign and not reaching:
            kept.append(_kept(child, depth=depth + 1))
        elif child.tail and len(kept):
            kept[-1].tail = (kept[-1].tail or "") + child.tail
        elif child.tail:
            kept.text = (kept.text or "") + child.tail
    return kept


def _allowed(name: str, value: str) -> bool:
    if name.lower().startswith("on") or name.lower() in ("src", "base"):
        return False
    if name == "href":
        return value.strip().startswith("#") or _is_small_picture(value)
    return _REACHES_OUT.search(value) is None


def _is_small_picture(link: str) -> bool:
    """Return whether a link is a data: URI of a picture that is not too large to decode."""
    written = _DATA_PICTURE.fullmatch(link)
    if written is None:
        return False
    try:
        if "base64" in (written[1] or "").lower():
            data = base64.b64decode(unquote_to_bytes(written[2]))
        else:
            data = unquote_to_bytes(written[2])
        open_picture(io.BytesIO(data), file_type(data[:SIGNATURE_BYTES]), max_pixels=MAX_EMBEDDED_PIXELS).close()
    except Exception as error:
        if not is_about_the_file(error):
            raise
        return False
    return True


def _check_cost(root: ElementTree.Element) -> None:
    """Raise UnreadableFile when rendering would take too long: elements may refer to others, and these to more."""
    named = {element.get("id", ""): element for element in root.iter()}
    rules = list(_rules(root))
    known: dict[int, int] = {}
    under_way: set[int] = set()

    def cost(element: ElementTree.Element, depth: int) -> int:
        if id(element) in known:
            return known[id(element)]
        if id(element) in under_way or depth > 3 * MAX_DEPTH:
            raise UnreadableFile("The SVG has circular references.", hint="Save it as PNG.")
        under_way.add(id(element))
        total = _own_cost(element)
        for child in element:
            total += cost(child, depth + 1)
        for name in _references(element, rules):
            if name in named:
                total += cost(named[name], depth + 1)
        under_way.remove(id(element))
        if total > MAX_COST:
            raise UnreadableFile(
                f"The SVG draws more than {MAX_COST:,} elements, counting repetitions.", hint="Save it as PNG."
            )
        known[id(element)] = total
        return total

    cost(root, 0)


def _own_cost(element: ElementTree.Element) -> int:
    """Return what drawing an element itself costs, in plain elements."""
    if element.tag == "image":
        return 100
    cost = 1 + _length_of_words(element) // 100
    if element.tag.startswith("fe"):
        return cost + _FILTER_COST
    layered = element.tag in ("mask", "pattern", "clipPath") or "mix-blend-mode" in element.get("style", "")
    return cost + _LAYER_COST if layered or element.get("opacity") else cost


def _length_of_words(element: ElementTree.Element) -> int:
    """Return the length of an element's own text and attributes (outlines, points)."""
    return len(element.text or "") + sum(map(len, element.attrib.values()))


def _references(element: ElementTree.Element, rules: list[tuple[set[str], list[str]]]) -> Iterator[str]:
    """Yield the ids that an element refers to, in its attributes and by style sheets."""
    for name, value in element.attrib.items():
        if name == "href" and value.strip().startswith("#"):
            yield value.strip()[1:]
        elif "(" in value:
            yield from _REFERENCE.findall(value)
    if rules:
        own = {element.tag, f"#{element.get('id')}", *(f".{name}" for name in element.get("class", "").split()), "*"}
        for selectors, names in rules:
            if own & selectors:
                yield from names


def _rules(root: ElementTree.Element) -> Iterator[tuple[set[str], list[str]]]:
    """Yield, for each style rule that refers to elements, the selectors it may apply to (a superset) and the ids."""
    for style in root.iter("style"):
        sheet = re.sub(r"/\*.*?\*/", "", "".join(style.itertext()), flags=re.DOTALL)
        for selectors, body in _RULE.findall(sheet):
            names = _REFERENCE.findall(body)
            if names:
                simple: set[str] = set()
                for selector in selectors.split(","):
                    last = re.split(r"[\s>+~]+", selector.strip())[-1]
                    simple |= {"*"} if re.search(r"[:\[]", last) else set(re.findall(r"[.#]?[\w-]+|\*", last))
                yield simple, names


def _local(name: str) -> str:
    return name.rsplit("}", 1)[-1]


def _view_box(root: ElementTree.Element) -> tuple[float, float] | None:
    box = [float(number) for number in re.findall(_NUMBER, root.get("viewBox", ""))]
    return (box[2], box[3]) if len(box) == 4 and 0 < box[2] < 1e9 and 0 < box[3] < 1e9 else None


def _size(root: ElementTree.Element) -> tuple[float, float]:
    """Return an SVG's width and height in pixels; a missing one is computed from the viewBox."""
    width, height = (_length(root.get(name, "")) for name in ("width", "height"))
    shape = _view_box(root)
    if width and height:
        return width, height
    if shape is None:
        return width or USUAL_SIZE[0], height or USUAL_SIZE[1]
    if width:
        return width, width * shape[1] / shape[0]
    if height:
        return height * shape[0] / shape[1], height
    return shape


def _length(written: str) -> float:
    """Return a length in pixels, 0 where it is missing or a percentage."""
    found = re.fullmatch(rf"\s*({_NUMBER})\s*(\w*)\s*", written)
    if found is None:
        return 0.0
    length = float(found[1]) * _UNITS.get(found[2], 0.0)
    return length if 0 < length < 1e9 else 0.0
