"""Make the bytes of a damaged picture decodable, as browsers do: keep what is there, leave out what does not matter."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from indexer.media.formats.old_windows import filled_icon

# A marker between or behind a JPEG's scans: neither a stuffed byte nor a restart.
_MARKER = re.compile(rb"\xff([^\x00\x01\xd0-\xd9\xff])", re.DOTALL)
_PNG_HEAD = b"\x89PNG\r\n\x1a\n"
# Chunks of a PNG that change how it looks, beside the critical ones. Texts and times do not.
_PNG_KEPT = {b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"sRGB", b"gAMA", b"cHRM", b"eXIf", b"iCCP"}
_PNG_PIXELS = {b"IDAT", b"fdAT", b"PLTE"}
_PNG_SEQUENCE = {b"acTL", b"fcTL", b"fdAT"}
_MAX_PROFILE = 1_000_000  # bytes of a colour profile
_MAX_FILLING = 10_000_000  # bytes that are added to a bitmap


@dataclass(frozen=True)
class Repaired:
    """Bytes that a decoder can read, the share of the file that is there, and whether its end is not shown.

    `share` is None where only decoding can tell. Of a file that `is_whole` the end is there, behind a damaged part; one
    that `has_errors` has pixels that are not what they were.
    """

    data: bytes
    is_cut: bool
    share: float | None = None
    is_whole: bool = False
    has_errors: bool = False


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
        is_cut = b"\xff\xd9" not in data[-64:]
        return Repaired(_without_cut_segment(data) if is_cut else data, is_cut=is_cut)
    if data.startswith(b"GIF8"):
        return Repaired(_without_cut_block(data), is_cut=not data.rstrip(b"\0").endswith(b";"))
    if data.startswith(b"BM"):
        expected = int.from_bytes(data[2:6], "little")
        filling = runs(data, 0)
        data = data.removesuffix(b"\0\1") if filling else data  # the mark of its end may come too early
        if filling and (len(data) - int.from_bytes(data[10:14], "little")) % 2:
            data = data[:-1]  # runs are pairs of bytes
        return Repaired(data + filling, is_cut=len(data) < expected)
    if data.startswith((b"\0\0\1\0", b"\0\0\2\0")):
        return _repaired_icon(data)
    return Repaired(data, is_cut=False)


def _repaired_icon(data: bytes) -> Repaired:
    try:
        filled, share = filled_icon(data)
    except SyntaxError:
        return Repaired(data, is_cut=False, has_errors=True)
    return Repaired(filled, is_cut=share < 1, share=share, has_errors=share == 1)


def runs(data: bytes, color: int) -> bytes:
    """Return what fills the missing end of a run-length-encoded bitmap with a color of its palette, 0 or 1.

    Empty for other files and for bitmaps of no sensible size.

    >>> runs(b"\\x89PNG", 0)
    b''
    """
    if not data.startswith(b"BM") or data[30:34] not in (b"\1\0\0\0", b"\2\0\0\0"):
        return b""
    width, height = (abs(int.from_bytes(data[at : at + 4], "little", signed=True)) for at in (18, 22))
    row = bytes((255, 17 * color if data[30] == 2 else color)) * (width // 255 + 1) + b"\0\0"
    return row * height if height * len(row) <= _MAX_FILLING else b""


def _without_cut_segment(data: bytes) -> bytes:
    """Return the bytes of a JPEG up to a table or a header that is cut, at which libjpeg would stop with nothing."""
    at = 2
    while found := _MARKER.search(data, at):
        length = int.from_bytes(data[found.end() : found.end() + 2], "big")
        at = found.end() + max(length, 2)
        if at > len(data):
            return data[: found.start()]
    return data


def _repaired_png(data: bytes, *, still: bool) -> Repaired:
    """Keep the chunks of a PNG that show, with right checksums."""
    kept = [_PNG_HEAD]
    at, ended, wrong = len(_PNG_HEAD), False, False
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
            kept.append(_chunk(name, body))
            wrong = wrong or (name in _PNG_PIXELS and not right)
        if name == b"IEND":
            ended = True
            break
    if not ended:
        kept.append(_chunk(b"IEND", b""))
    kept = _without_empty_frames(kept)
    rows = _unpack_rows(kept)
    if rows.packed is not None:
        first = next(at for at, one in enumerate(kept) if one[4:8] == b"IDAT")
        others = [one for one in kept if one[4:8] != b"IDAT"]
        kept = [*others[:first], _chunk(b"IDAT", rows.packed), *others[first:]]
    return Repaired(b"".join(kept), is_cut=rows.share < 1, share=rows.share, is_whole=ended, has_errors=wrong)


def _without_empty_frames(chunks: list[bytes]) -> list[bytes]:
    """Return the chunks of a PNG without frames that have no pixels, the following ones numbered anew."""
    kept, dropped = [], 0
    for one, following in zip(chunks, [*chunks[1:], b""], strict=True):
        name = one[4:8]
        if name == b"fcTL" and following[4:8] not in (b"IDAT", b"fdAT"):
            dropped += 1
            continue
        if dropped and name in (b"fcTL", b"fdAT") and len(one) >= 16:
            number = max(0, int.from_bytes(one[8:12], "big") - dropped)
            one = _chunk(name, struct.pack(">I", number) + one[12:-4])
        kept.append(one)
    return kept


# Samples of a pixel by a PNG's type of colour.
_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_STEP = 1 << 20
_PIECE = 4096  # bytes that are unpacked at a time; within a piece that is damaged, one
_FILTERS = 4  # the highest number of a row's filter


@dataclass(frozen=True)
class _Rows:
    """The share of a PNG's pixels that unpack; where what follows is damaged, they are packed anew."""

    share: float
    packed: bytes | None = None


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def _unpack_rows(chunks: list[bytes]) -> _Rows:
    """Return how much of a PNG's pixels unpacks from its chunks, up to the first damaged byte or row."""
    head = next((one for one in chunks if one[4:8] == b"IHDR" and len(one) >= 25), b"")
    if not head:
        return _Rows(0.0)
    width, height, bits, color, _, _, interlaced = struct.unpack(">IIBBBBB", head[8:21])
    row = 1 + (width * bits * _SAMPLES.get(color, 1) + 7) // 8
    expected = height * row
    packer, packed, found, left = zlib.compressobj(1), bytearray(), 0, b""
    damaged = False
    for piece, is_damaged in _unpacked(b"".join(one[8:-4] for one in chunks if one[4:8] == b"IDAT")):
        left += piece
        # Rows of an interlaced picture have several lengths: only what cannot be unpacked is known to be damaged.
        whole = len(left) if interlaced else len(left) // row * row
        bad = None if interlaced else next((at for at in range(0, whole, row) if left[at] > _FILTERS), None)
        kept = whole if bad is None else bad
        packed += packer.compress(left[:kept])
        found, left = found + kept, left[kept:]
        damaged = is_damaged or bad is not None
        if damaged or found >= expected:
            break
    share = min(1.0, (found if damaged else found + len(left)) / expected) if expected else 0.0
    return _Rows(share, bytes(packed + packer.flush(zlib.Z_SYNC_FLUSH)) if damaged else None)


def _unpacked(data: bytes) -> Iterator[tuple[bytes, bool]]:
    """Yield what a stream unpacks to, in pieces, each with whether what follows it is damaged."""
    unpacker = zlib.decompressobj()
    for start in range(0, len(data), _PIECE):
        piece = data[start : start + _PIECE]
        while piece:
            before = unpacker.copy()
            try:
                found = unpacker.decompress(piece, _STEP)
            except zlib.error:
                yield from _up_to_damage(before, piece)
                return
            yield found, False
            piece = unpacker.unconsumed_tail
        if unpacker.eof:
            return


def _up_to_damage(unpacker: Any, piece: bytes) -> Iterator[tuple[bytes, bool]]:
    """Yield what precedes the damaged byte of a piece."""
    found = bytearray()
    try:
        for at in range(len(piece)):
            found += unpacker.decompress(piece[at : at + 1])
    except zlib.error:
        pass
    yield bytes(found), True


def _without_cut_block(data: bytes) -> bytes:
    """Return the bytes of a GIF, ended before a block that is cut and shows nothing; a frame with some pixels stays."""
    at = 13 + _table_bytes(data[10]) if len(data) > 10 else len(data)
    while at < len(data) and data[at] in (_EXTENSION, _FRAME):
        start, kind = at, data[at]
        flags = data[at + 9] if kind == _FRAME and at + 9 < len(data) else 0
        at += 2 if kind == _EXTENSION else 11 + _table_bytes(flags)
        if at >= len(data):
            return data[:start] + b";"
        part = at
        while at < len(data) and data[at]:
            part = at
            at += 1 + data[at]
        if at >= len(data):
            there = data[part + 1 :]  # of the frame's last part, whose length is mended
            return data[:start] + b";" if kind == _EXTENSION else data[:part] + bytes([len(there)]) + there + b"\0;"
        at += 1
    return data


_EXTENSION, _FRAME = 0x21, 0x2C  # the blocks of a GIF


def _table_bytes(flags: int) -> int:
    """Return the size of a GIF's table of colours by the flags before it."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


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

    libwebp decodes rows in order, so that what precedes the filling is as it was. Where the length in the header alone
    is wrong, it is put right.
    """
    at, whole, frames, lacking, length = 12, 12, 0, 0, 1
    while at + 8 <= len(data):
        name, length = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        end = at + 8 + length + length % 2
        lacking = max(0, end - len(data))
        if lacking:
            break
        frames += name == b"ANMF"
        at = whole = min(end, len(data))
        if name in (b"VP8 ", b"VP8L"):
            break  # a still is there
    told = int.from_bytes(data[4:8], "little") + 8
    if frames:
        share = min(1.0, len(data) / told) if lacking else 1.0
        return Repaired(_with_length(data[:whole]), is_cut=share < 1, share=share)
    if not lacking:
        return Repaired(_with_length(data), is_cut=whole == 12, share=float(whole > 12))
    # No file claims more than it has by much: what is added costs memory.
    filled = data + bytes(min(lacking, 9 * len(data)))
    return Repaired(_with_length(filled), is_cut=True, share=max(0.0, 1 - lacking / length))


def _with_length(webp: bytes) -> bytes:
    return webp[:4] + struct.pack("<I", len(webp) - 8) + webp[8:]
