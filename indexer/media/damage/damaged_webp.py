"""Show a WebP whose bits are wrong, as browsers do: FFmpeg's decoder shows what libwebp refuses."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from PIL import Image

from indexer.media.decoder_errors import DamagedFile
from indexer.media.raster import check_pixels
from indexer.media.video import decode_damaged_webp

_HEAD = 12  # bytes of RIFF, the size and WEBP
_CODED = (b"VP8 ", b"VP8L")
_HINT = "Copy or save it again."


@dataclass(frozen=True)
class _Frame:
    """A still, or the first frame of an animation: its chunks, and where it lies on the canvas."""

    chunks: tuple[tuple[bytes, bytes], ...]
    canvas: tuple[int, int] | None = None
    corner: tuple[int, int] = (0, 0)


def show_damaged_webp(data: bytes, *, max_pixels: int) -> Image.Image:
    """Return a WebP with wrong bits, or the first frame of an animated one, with errors from there on.

    Where its transparency cannot be decoded it is opaque. Raises DamagedFile where nothing can be shown, and
    UnreadableFile when it is too large.
    """
    frame = _first_frame(data)
    if frame.canvas is not None:
        check_pixels(*frame.canvas, max_pixels=max_pixels)
    coded = tuple(one for one in frame.chunks if one[0] in _CODED)
    try:
        shown = decode_damaged_webp(_written(frame.chunks), max_pixels=max_pixels)
    except DamagedFile:
        if len(coded) == len(frame.chunks):
            raise
        shown = decode_damaged_webp(_written(coded), max_pixels=max_pixels)
    if frame.canvas is None or shown.size == frame.canvas:
        return shown
    canvas = Image.new("RGBA", frame.canvas)
    canvas.paste(shown, frame.corner)
    return canvas


def _first_frame(data: bytes) -> _Frame:
    """Return the first frame of a WebP; raise DamagedFile where its header does not fit it, as browsers do."""
    chunks = list(_chunks(data[_HEAD:]))
    head = next((body for name, body in chunks if name == b"VP8X"), b"")
    if len(head) < 10:
        return _Frame(tuple(one for one in chunks if one[0] in _CODED))
    canvas = _number(head[4:7]) + 1, _number(head[7:10]) + 1
    moving = next((body for name, body in chunks if name == b"ANMF"), None)
    if moving is None:
        frame = _Frame(tuple(one for one in chunks if one[0] in (*_CODED, b"ALPH")))
        size = _size(frame.chunks)
        if size is not None and size != canvas:
            raise DamagedFile("It is damaged: its header tells another size.", hint=_HINT)
        return frame
    corner = 2 * _number(moving[0:3]), 2 * _number(moving[3:6])
    inner = tuple(one for one in _chunks(moving[16:]) if one[0] in (*_CODED, b"ALPH"))
    return _Frame(inner, canvas, corner)


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at + 8 <= len(data):
        length = int.from_bytes(data[at + 4 : at + 8], "little")
        yield data[at : at + 4], data[at + 8 : at + 8 + length]
        at += 8 + length + length % 2


def _number(three: bytes) -> int:
    return int.from_bytes(three, "little")


def _size(chunks: tuple[tuple[bytes, bytes], ...]) -> tuple[int, int] | None:
    """Return the width and height of a lossy picture by its own header; None without one."""
    for name, body in chunks:
        if name == b"VP8 " and body[3:6] == b"\x9d\x01\x2a":
            width, height = struct.unpack("<HH", body[6:10])
            return width & 0x3FFF, height & 0x3FFF
    return None


def _written(chunks: tuple[tuple[bytes, bytes], ...]) -> bytes:
    """Return a WebP of a still's chunks; raise DamagedFile where there is no picture among them."""
    coded = next((one for one in chunks if one[0] in _CODED), None)
    if coded is None:
        raise DamagedFile("It is damaged: there is no picture in it.", hint=_HINT)
    size = _size((coded,))
    parts = b""
    if len(chunks) > 1 and size is not None:
        alpha = b"\x10\0\0\0"  # the flag of transparency
        sides = (side - 1 for side in size)
        parts = _chunk(b"VP8X", alpha + b"".join(side.to_bytes(3, "little") for side in sides))
        parts += b"".join(_chunk(name, body) for name, body in chunks if name == b"ALPH")
    parts += _chunk(*coded)
    return b"RIFF" + struct.pack("<I", 4 + len(parts)) + b"WEBP" + parts


def _chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)
