"""JPEGs of rare kinds: progressive ones cut between scans, CMYK with and without Adobe's marker, arithmetic coding."""

from __future__ import annotations

import base64
import io
import re
from random import Random

from benchmarks.odd_media.scenes import OddFile, damaged, scene

# 40 × 24 pixels, by `cjpeg -arithmetic -quality 60` of libjpeg-turbo: Pillow writes none.
_ARITHMETIC = base64.b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAA0JCgsKCA0LCgsODg0PEyAVExISEyccHhcgLikxMC4pLSwzOko+MzZGNywtQFdBRkxOUlNSMj5aYVpQ"
    "YEpRUk//2wBDAQ4ODhMREyYVFSZPNS01T09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT0//yQARCAAYACgD"
    "ASIAAhEBAxEB/8wACgAQEAUBEBEF/9oADAMBAAIRAxEAPwD/AKVXiuqb9+kXl57EfFKbr1jI+Zj9kZ2adORXye9KWwntjDgrfSNb+Ntj5uXUxBoz"
    "NOLW2K2+D24PfOB11UOxuJVasTYm6Mtb6RDO/Q/JwFg65IsnR1rnlWSMcJZaA/5JZccaaRLr4hYRHTZUfh8fs/o7wgBfCRV7e43KfDRGx+Qvzo3l"
    "uMaxluiaV21NIUvxt6z2NnDzPbVr9aUQyyiWuELTVoFwVAmuMQFz6FZxonr/2Q=="
)
_ADOBE = b"\xff\xee\x00\x0eAdobe"
_FORMS = (
    "baseline",
    "progressive",
    "progressive",
    "grey",
    "CMYK",
    "CMYK",
    "RGB",
    "YCbCr",
    "restarts",
    "tables",
    "arithmetic",
)


def odd_jpeg(random: Random) -> OddFile:
    """Return a JPEG."""
    form = random.choice(_FORMS)
    what, data = _written(random, form)
    start = data.rindex(b"\xff\xda") + 12 if random.random() < 0.7 else 2
    if form == "progressive" and random.random() < 0.5:
        ends = [found.start() for found in re.finditer(rb"\xff\xda", data)][1:]
        number = random.randrange(len(ends))
        return OddFile(
            f"JPEG progressive, cut before scan {number + 2} of {len(ends) + 1}", "image/jpeg", data[: ends[number]]
        )
    damage, data = damaged(random, data, start=start, whole=0.3)
    return OddFile(f"JPEG {form}{what}{damage}", "image/jpeg", data)


def _written(random: Random, form: str) -> tuple[str, bytes]:
    """Return what is special, and the whole file."""
    if form == "arithmetic":
        return "", _ARITHMETIC
    picture = scene(random, least=40).convert("RGB")
    options: dict[str, object] = {"quality": random.choice((30, 75, 92)), "subsampling": random.choice((0, 1, 2))}
    if form == "progressive":
        options["progressive"] = True
    elif form == "restarts":
        options["restart_marker_blocks"] = random.randint(1, 9)
    elif form == "RGB":
        options |= {"keep_rgb": True, "subsampling": 0}
    out = io.BytesIO()
    mode = {"grey": "L", "CMYK": "CMYK"}.get(form, "RGB")
    if mode != "RGB":
        options.pop("subsampling")
    picture.convert(mode).save(out, "JPEG", **options)
    data = out.getvalue()
    at = data.find(_ADOBE)
    if form == "CMYK":
        way = random.choice(("with Adobe's marker", "without Adobe's marker", "as YCCK"))
        if way == "without Adobe's marker":
            data = data[:at] + data[at + 16 :]
        elif way == "as YCCK":
            data = data[: at + 15] + b"\2" + data[at + 16 :]
        return f", {way}", data
    if form == "YCbCr":
        transform = random.randrange(3)
        marker = _ADOBE + b"\0\x64\0\0\0\0" + bytes([transform])
        return f", Adobe's transform {transform}", data[:2] + marker + data[2:] if random.random() < 0.5 else data[
            :2
        ] + marker + data[20:]
    if form == "RGB" and at > 0 and random.random() < 0.5:
        return ", without Adobe's marker", data[:at] + data[at + 16 :]
    if form == "tables":
        return _without_parts(random, data)
    return "", data


def _without_parts(random: Random, data: bytes) -> tuple[str, bytes]:
    """Return a JPEG with its markers changed: no Huffman tables, no JFIF, filling before markers, two ends."""
    way = random.choice(
        ("no Huffman tables", "no JFIF header", "filling before markers", "two ends", "text behind its end", "no end")
    )
    if way == "no Huffman tables":
        while (at := data.find(b"\xff\xc4")) > 0:
            data = data[:at] + data[at + 2 + int.from_bytes(data[at + 2 : at + 4], "big") :]
    elif way == "no JFIF header":
        data = data[:2] + data[20:]
    elif way == "filling before markers":
        data = data.replace(b"\xff\xdb", b"\xff\xff\xff\xdb").replace(b"\xff\xc4", b"\xff\xff\xc4")
    elif way == "two ends":
        data += b"\xff\xd9"
    elif way == "text behind its end":
        data += b"appended by a phone" * 9
    else:
        data = data[:-2]
    return f", {way}", data
