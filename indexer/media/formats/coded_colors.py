"""Pictures whose colors are told by numbers (ISO/IEC 23091-2) instead of a profile: wide gamuts, and HDR, as sRGB.

HDR is mapped as Chromium maps it on a screen without headroom: up to the reference white of 203 cd/m² to half of the
light, from there on along a curve to all of it at 1,000 cd/m² (the reference white operator of SMPTE ST 2094-50).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Light = NDArray[np.float32]  # linear, [..., 3]; 1 is white

_SRGB = 1  # primaries of BT.709
# x and y of red, green and blue; all with the white of D65.
_PRIMARIES = {
    _SRGB: ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06)),
    9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),  # BT.2020
    12: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),  # P3
}
_D65 = (0.3127, 0.3290)
_PQ, _HLG = 16, 18  # transfer functions of HDR
_REFERENCE_WHITE, _MOST_LIGHT = 203.0, 1000.0  # cd/m²
_KNEE, _BEND = 0.5, 0.65  # of the curve: the light of the reference white, and how far its middle point lies along it
_HEAD = b"colrnclx"


@dataclass(frozen=True)
class ColorCoding:
    """The numbers of the primaries and of the transfer function."""

    primaries: int
    transfer: int

    @property
    def is_plain(self) -> bool:
        """Whether the picture is shown as it is: sRGB, or numbers that are not known.

        >>> ColorCoding(1, 13).is_plain, ColorCoding(9, 16).is_plain
        (True, False)
        """
        return self.primaries not in _PRIMARIES or (self.primaries == _SRGB and self.transfer not in (_PQ, _HLG))


def color_coding(data: bytes) -> ColorCoding | None:
    """Return how the colors of an AVIF or a PNG are coded by its `colr` box or `cICP` chunk; None without one.

    >>> color_coding(b"...colrnclx\\0\\x09\\0\\x10\\0\\x09\\x80")
    ColorCoding(primaries=9, transfer=16)
    """
    if data.startswith(b"\x89PNG"):
        at, pixels = data.find(b"cICP"), data.find(b"IDAT")
        return ColorCoding(data[at + 4], data[at + 5]) if 0 < at < pixels else None
    at = data.find(_HEAD)
    if at < 0 or at + len(_HEAD) + 4 > len(data):
        return None
    return ColorCoding(*struct.unpack(">HH", data[at + len(_HEAD) : at + len(_HEAD) + 4]))


def as_plain_colors(picture: Image.Image, coding: ColorCoding) -> Image.Image:
    """Return an RGB or RGBA picture as sRGB.

    >>> as_plain_colors(Image.new("RGB", (1, 1), (148, 148, 148)), ColorCoding(9, 16)).getpixel((0, 0))
    (187, 187, 187)
    """
    if coding.is_plain:
        return picture
    levels = np.asarray(picture.convert("RGB"))
    light = _light(coding.transfer)[levels]
    if coding.transfer == _HLG:
        # The system gamma of HLG at 1,000 cd/m²; luminance by the weights of BT.2020.
        luminance = light @ np.array([0.2627, 0.6780, 0.0593], np.float32)
        light = light * luminance[..., None] ** 0.2 * (_MOST_LIGHT / _REFERENCE_WHITE)
    if coding.transfer in (_PQ, _HLG):
        light = _mapped(light)
    light = light @ _to_srgb(coding.primaries).T.astype(np.float32)
    shown = Image.fromarray((255 * _srgb(light.clip(0, 1))).round().astype(np.uint8))
    if picture.mode == "RGBA":
        shown.putalpha(picture.getchannel("A"))
    return shown


def _light(transfer: int) -> Light:
    """Return the light of each of 256 levels; 1 is the reference white, for HLG the brightest of the scene."""
    level = np.arange(256) / 255
    if transfer == _PQ:  # SMPTE ST 2084
        m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
        power = level ** (1 / m2)
        found = (np.maximum(power - c1, 0) / (c2 - c3 * power)) ** (1 / m1) * (10_000 / _REFERENCE_WHITE)
    elif transfer == _HLG:  # Recommendation ITU-R BT.2100
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        found = np.where(level <= 0.5, level**2 / 3, (np.exp((level - c) / a) + b) / 12)
    else:  # browsers show all others by the curve of sRGB
        found = np.where(level <= 0.04045, level / 12.92, ((level + 0.055) / 1.055) ** 2.4)
    return found.astype(np.float32)


def _mapped(light: Light) -> Light:
    """Return HDR light between 0 and 1, each pixel by the brightest of its three colors."""
    most = _MOST_LIGHT / _REFERENCE_WHITE
    brightest = light.max(-1).clip(1e-6, most)
    # A quadratic Bézier curve from the knee (1, _KNEE) to (most, 1) that begins as straight as the line before it.
    bend_x, bend_y = 1 + _BEND * (1 / _KNEE - 1), _KNEE + _BEND * (1 - _KNEE)
    a, b, c = 1 - 2 * bend_x + most, 2 * bend_x - 2, 1 - np.maximum(brightest, 1)
    t = (np.sqrt(b * b - 4 * a * c) - b) / (2 * a)
    curve = (1 - t) ** 2 * _KNEE + 2 * t * (1 - t) * bend_y + t * t
    wanted = np.where(brightest <= 1, _KNEE * brightest, curve)
    return light * (wanted / brightest)[..., None]


def _srgb(light: Light) -> Light:
    shown: Light = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return shown


def _to_srgb(primaries: int) -> NDArray[np.float64]:
    """Return the matrix ([3, 3]) from linear light of these primaries to that of sRGB."""
    return np.linalg.inv(_to_xyz(_SRGB)) @ _to_xyz(primaries)


def _to_xyz(primaries: int) -> NDArray[np.float64]:
    columns = np.array([(x / y, 1, (1 - x - y) / y) for x, y in _PRIMARIES[primaries]]).T
    x, y = _D65
    white = np.array([x / y, 1, (1 - x - y) / y])
    matrix: NDArray[np.float64] = columns * np.linalg.solve(columns, white)
    return matrix
