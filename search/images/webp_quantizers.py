"""The quantizers of a lossy WebP, read from the header of its VP8 frame (RFC 6386, sections 9 and 19.2)."""

from __future__ import annotations

_CHUNK = 8  # bytes of a chunk's name and length
_FRAME_HEAD = 10  # bytes before what is coded bit by bit: a tag, a start code, width and height
_START_CODE = b"\x9d\x01\x2a"


class _Bits:
    """Bits as VP8's boolean decoder reads them (RFC 6386, section 7), each as likely 0 as 1."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 2
        self._value = int.from_bytes(data[:2].ljust(2, b"\0"), "big")
        self._range = 255
        self._shifted = 0

    def bit(self) -> int:
        split = 1 + ((self._range - 1) >> 1)
        found = self._value >= split << 8
        if found:
            self._range -= split
            self._value -= split << 8
        else:
            self._range = split
        while self._range < 128:
            self._value <<= 1
            self._range <<= 1
            self._shifted += 1
            if self._shifted == 8:
                self._shifted = 0
                self._value |= self._data[self._at] if self._at < len(self._data) else 0
                self._at += 1
        return int(found)

    def number(self, bits: int) -> int:
        value = 0
        for _ in range(bits):
            value = value << 1 | self.bit()
        return value

    def signed(self, bits: int) -> int:
        """Return a number of so many bits with its sign after a flag that says that it is there, 0 if it is not."""
        if not self.bit():
            return 0
        value = self.number(bits)
        return -value if self.bit() else value


def webp_quantizers(data: bytes) -> tuple[int, ...]:
    """Return the quantizer indexes of a lossy WebP's segments (0 to 127, the lowest is the finest).

    Where it has no segments, all four are the same; of other files and animations there are none.

    >>> import io
    >>> from PIL import Image
    >>> out = io.BytesIO()
    >>> Image.new("RGB", (32, 32), "red").save(out, "WEBP", quality=75)
    >>> webp_quantizers(out.getvalue())
    (36, 33, 28, 20)
    """
    if data[:4] != b"RIFF" or data[8:12] != b"WEBP":
        return ()
    at = 12
    while data[at : at + 4] != b"VP8 ":
        if data[at : at + 4] in (b"ANIM", b"ANMF", b"VP8L") or at + _CHUNK > len(data):
            return ()
        length = int.from_bytes(data[at + 4 : at + _CHUNK], "little")
        at += _CHUNK + length + length % 2
    frame = data[at + _CHUNK : at + _CHUNK + 512]
    if frame[3:6] != _START_CODE or frame[0] & 1:
        return ()
    return _quantizers(_Bits(frame[_FRAME_HEAD:]))


def _quantizers(bits: _Bits) -> tuple[int, ...]:
    bits.number(2)  # color space, and whether pixels need no clamping
    own = [0, 0, 0, 0]
    absolute = False
    if bits.bit():  # segments
        has_map, has_values = bits.bit(), bits.bit()
        if has_values:
            absolute = bool(bits.bit())
            own = [bits.signed(7) for _ in range(4)]
            for _ in range(4):
                bits.signed(6)  # strength of the loop filter
        if has_map:
            for _ in range(3):
                if bits.bit():
                    bits.number(8)
    bits.number(1 + 6 + 3)  # the loop filter
    if bits.bit() and bits.bit():
        for _ in range(8):
            bits.signed(6)
    bits.number(2)  # partitions
    base = bits.number(7)
    return tuple(index if absolute else min(127, max(0, base + index)) for index in own)
