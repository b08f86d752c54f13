"""Files that are other than their name says, or nothing that is shown: pages, texts, sound, and broken drawings."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from random import Random

from benchmarks.odd_media.scenes import OddFile, scene


def _drawing(
    random: Random, *, head: str = "", inner: str = "", tail: str = "</svg>", size: str | None = None
) -> bytes:
    told = 'width="90" height="60"' if size is None else size
    color = f"#{random.randrange(1 << 24):06x}"
    shapes = f'<rect width="50" height="40" fill="{color}"/><circle cx="60" cy="30" r="25" fill="#08f"/>{inner}'
    return f'{head}<svg xmlns="http://www.w3.org/2000/svg" {told}>{shapes}{tail}'.encode()


def _saved(random: Random, form: str) -> bytes:
    out = io.BytesIO()
    scene(random).convert("RGB").save(out, form)
    return out.getvalue()


_SVG = "image/svg+xml"
# The content type that it is sent with, and its bytes.
_WAYS: dict[str, tuple[str, Callable[[Random], bytes]]] = {
    "SVG": (_SVG, _drawing),
    "SVG with a declaration and a comment": (
        _SVG,
        lambda r: _drawing(r, head='<?xml version="1.0"?>\n<!-- drawn -->\n<!DOCTYPE svg>\n'),
    ),
    "SVG behind a byte order mark": (_SVG, lambda r: b"\xef\xbb\xbf" + _drawing(r)),
    "SVG in UTF-16": (_SVG, lambda r: _drawing(r).decode().encode("utf-16")),
    "SVG in Latin-1": (
        _SVG,
        lambda r: (
            _drawing(r, head='<?xml version="1.0" encoding="ISO-8859-1"?>', inner="<desc>é</desc>")
            .decode()
            .encode("latin-1")
        ),
    ),
    "SVG with a view box alone": (_SVG, lambda r: _drawing(r, size='viewBox="0 0 90 60"')),
    "SVG in centimetres": (_SVG, lambda r: _drawing(r, size='width="3cm" height="2cm"')),
    "SVG in percent": (_SVG, lambda r: _drawing(r, size='width="100%" height="50%" viewBox="0 0 90 60"')),
    "SVG of size 0": (_SVG, lambda r: _drawing(r, size='width="0" height="60"')),
    "SVG without its end": (_SVG, lambda r: _drawing(r, tail="")),
    "SVG with an entity that is not known": (_SVG, lambda r: _drawing(r, inner="<desc>&nbsp;</desc>")),
    "SVG with an entity of its own": (
        _SVG,
        lambda r: _drawing(
            r, head='<!DOCTYPE svg [<!ENTITY red "#f00">]>', inner='<rect width="9" height="9" fill="&red;"/>'
        ),
    ),
    "SVG with a style": (
        _SVG,
        lambda r: _drawing(r, inner="<style>rect { fill: #0a0 } @media print { rect { fill: red } }</style>"),
    ),
    "SVG without a namespace": (_SVG, lambda r: _drawing(r).replace(b'xmlns="http://www.w3.org/2000/svg"', b"")),
    "SVG with a prefix": (
        _SVG,
        lambda r: (
            _drawing(r)
            .replace(b"xmlns=", b"xmlns:s=")
            .replace(b"<svg", b"<s:svg")
            .replace(b"</svg", b"</s:svg")
            .replace(b"<rect", b"<s:rect")
        ),
    ),
    "SVG after text": (_SVG, lambda r: b"once upon a time " + _drawing(r)),
    "a page": ("image/jpeg", lambda r: b"<!doctype html><title>404</title><p>Not found" + b" " * 200),
    "a text": ("image/png", lambda r: b"Access denied. " * 20),
    "JSON": ("image/webp", lambda r: b'{"error": "expired"}' * 9),
    "zeroes": ("image/png", lambda r: bytes(r.choice((1, 400, 9000)))),
    "a ZIP archive": ("image/gif", lambda r: b"PK\3\4" + r.randbytes(400)),
    "noise": ("image/jpeg", lambda r: r.randbytes(3000)),
    "PDF": ("image/png", lambda r: b"%PDF-1.4\n%" + r.randbytes(400)),
    "PNG as JPEG": ("image/jpeg", lambda r: _saved(r, "PNG")),
    "WebP as PNG": ("image/png", lambda r: _saved(r, "WEBP")),
    "GIF as WebP": ("image/webp", lambda r: _saved(r, "GIF")),
    "JPEG as AVIF": ("image/avif", lambda r: _saved(r, "JPEG")),
    "BMP as GIF": ("image/gif", lambda r: _saved(r, "BMP")),
    "AVIF as JPEG": ("image/jpeg", lambda r: _saved(r, "AVIF")),
    "the first bytes of a PNG alone": ("image/png", lambda r: _saved(r, "PNG")[: r.choice((8, 20, 33, 41))]),
    "the first bytes of a JPEG alone": ("image/jpeg", lambda r: _saved(r, "JPEG")[: r.choice((3, 20, 150, 620))]),
    "the first bytes of a GIF alone": ("image/gif", lambda r: _saved(r, "GIF")[: r.choice((6, 10, 13, 790))]),
    "the first bytes of a WebP alone": ("image/webp", lambda r: _saved(r, "WEBP")[: r.choice((12, 20, 30, 60))]),
    "the first bytes of an AVIF alone": ("image/avif", lambda r: _saved(r, "AVIF")[: r.choice((12, 40, 200, 400))]),
    "sound": ("video/mp4", lambda r: b"RIFF" + struct.pack("<I", 4000) + b"WAVEfmt " + bytes(4000)),
}


def odd_disguise(random: Random) -> OddFile:
    """Return a file of another type than it is sent as, one that is no picture, or a drawing (SVG)."""
    what = random.choice(tuple(_WAYS))
    kind, drawn = _WAYS[what]
    return OddFile(what, kind, drawn(random))
