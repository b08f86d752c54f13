"""Make the bytes of a damaged picture decodable, as browsers do: keep what is there, leave out what does not matter."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

_PNG_HEAD = b"\x89PNG\r\n\x1a\n"
# Chunks of a PNG that change how it looks, beside the critical ones. Texts and times do not.
_PNG_KEPT = {b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"sRGB", b"cHRM", b"eXIf", b"iCCP"}
_PNG_SEQUENCE = {b"acTL", b"fcTL", b"fdAT"}
_MAX_PROFILE = 1_000_000  # bytes of a colour profile


@dataclass(frozen=True)
class Repaired:
    """Bytes that a decoder can read, the share of the file that is there, and whether its end is missing.

    `share` is None where only decoding can tell.
    """

    data: bytes
    is_cut: bool
    share: float | None = None


def repaired(data: bytes, *, still: bool = False) -> Repaired:
    """Return the bytes of a damaged picture so that a lenient decoder can read them.

    `still` leaves the sequence of an animated PNG out: its default picture remains.

    >>> repaired(b"\\xff\\xd8\\xff ...").is_cut
    True
    """
    if data.startswith(_PNG_HEAD):
        return _repaired_png(data, still=still)
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return _repaired_webp(data)
    if data.startswith(b"\xff\xd8"):
        return Repaired(data, is_cut=b"\xff\xd9" not in data[-64:])
    if data.startswith(b"GIF8"):
        return Repaired(data, is_cut=not data.rstrip(b"\0").endswith(b";"))
    if data.startswith(b"BM"):
        expected = int.from_bytes(data[2:6], "little")
        return Repaired(data, is_cut=len(data) < expected)
    return Repaired(data, is_cut=False)


def _repaired_png(data: bytes, *, still: bool) -> Repaired:
    """Keep the chunks of a PNG that show, with right checksums."""
    kept = [_PNG_HEAD]
    at, ended = len(_PNG_HEAD), False
    while at + 8 <= len(data):
        length, name = struct.unpack(">I4s", data[at : at + 8])
        body = data[at + 8 : at + 8 + length]
        stored = data[at + 8 + length : at + 12 + length]
        right = stored == struct.pack(">I", zlib.crc32(name + body))
        at += 12 + length
        wanted = name in _PNG_KEPT or (name in _PNG_SEQUENCE and not still)
        needed = not name[0] & 0x20
        if name == b"iCCP":
            wanted = _is_profile(body)
        if wanted and (right or needed or name == b"fdAT"):
            kept.append(struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)))
        if name == b"IEND":
            ended = True
            break
    if not ended:
        kept.append(struct.pack(">I4sI", 0, b"IEND", zlib.crc32(b"IEND")))
    share = _share_of_pixels(kept)
    return Repaired(b"".join(kept), is_cut=share < 1, share=share)


# Samples of a pixel by a PNG's type of colour.
_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_STEP = 1 << 20


def _share_of_pixels(chunks: list[bytes]) -> float:
    """Return the share of a PNG's pixels that unpack from its chunks."""
    head = next((one for one in chunks if one[4:8] == b"IHDR" and len(one) >= 25), b"")
    if not head:
        return 0.0
    width, height, bits, color = struct.unpack(">IIBB", head[8:18])
    expected = height * (1 + (width * bits * _SAMPLES.get(color, 1) + 7) // 8)
    unpacker, found = zlib.decompressobj(), 0
    try:
        for one in chunks:
            left = one[8:-4] if one[4:8] == b"IDAT" else b""
            while left and found < expected:
                found += len(unpacker.decompress(left, _STEP))
                left = unpacker.unconsumed_tail
    except zlib.error:
        pass  # what unpacked before is there
    return min(1.0, found / expected) if expected else 0.0


def _is_profile(body: bytes) -> bool:
    """Return whether the chunk of a colour profile unpacks to one of a sensible size."""
    unpacker = zlib.decompressobj()
    try:
        unpacker.decompress(body.partition(b"\0")[2][1:], _MAX_PROFILE)
    except zlib.error:
        return False
    return unpacker.eof


def _repaired_webp(data: bytes) -> Repaired:
    """Drop the frame of an animated WebP that is cut; fill a still's missing end with zeroes.

    libwebp decodes rows in order, so that what precedes the filling is as it was.
    """
    expected = int.from_bytes(data[4:8], "little") + 8
    share = min(1.0, len(data) / expected)
    at, whole = 12, 12
    frames = 0
    while at + 8 <= len(data):
        length = int.from_bytes(data[at + 4 : at + 8], "little")
        end = at + 8 + length + length % 2
        if end > len(data):
            break
        frames += data[at : at + 4] == b"ANMF"
        at = whole = end
    if frames:
        kept = data[:whole]
        return Repaired(kept[:4] + struct.pack("<I", whole - 8) + kept[8:], is_cut=share < 1, share=share)
    # No file claims more than it has by much: what is added costs memory.
    filled = data + bytes(min(expected - len(data), 9 * len(data)) if share < 1 else 0)
    return Repaired(filled, is_cut=share < 1, share=share)
