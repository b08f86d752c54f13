"""AVIFs whose boxes are odd: 12 bits, cropped, with profiles or EXIF, moving, of other brands, told another size."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from random import Random

import cv2
import numpy as np
from PIL import ImageCms

from benchmarks.odd_media.avifs import COLORS, Coded, avif, box, coded, full, planes_of
from benchmarks.odd_media.scenes import OddFile, scene
from benchmarks.odd_media.segments import exif


def _saved(random: Random, *, mode: str = "RGB", **options: object) -> bytes:
    out = io.BytesIO()
    scene(random, opaque=mode != "RGBA").convert(mode).save(out, "AVIF", quality=85, speed=9, **options)
    return out.getvalue()


def _deep(random: Random, *, bits: int, alpha: bool = False) -> bytes:
    """Return an AVIF of 10 or 12 bits, as libaom writes it."""
    picture = scene(random, opaque=not alpha)
    shown = np.asarray(picture if alpha else picture.convert("RGB"))
    levels = (shown.astype(np.uint32) * (2**bits - 1) // 255).astype(np.uint16)
    levels = levels[..., (2, 1, 0, 3)] if alpha else levels[..., ::-1]
    options = [cv2.IMWRITE_AVIF_DEPTH, bits, cv2.IMWRITE_AVIF_SPEED, 9, cv2.IMWRITE_AVIF_QUALITY, 90]
    done, data = cv2.imencode(".avif", np.ascontiguousarray(levels), options)
    assert done
    return data.tobytes()


def _tile(random: Random, *, bits: int = 8, scale: float = 1.0) -> Coded:
    return coded(planes_of(scene(random).resize((128, 96)), scale=scale), bits=bits)


def _built(random: Random, **options: object) -> bytes:
    return avif([_tile(random)], **options)  # type: ignore[arg-type]


def _crop(size: tuple[int, int], shift: tuple[int, int]) -> bytes:
    """Return the property of a clean aperture, its centre shifted by this many pixels."""
    parts = ((size[0], 1), (size[1], 1), (shift[0], 1), (shift[1], 1))
    return box(b"clap", *(struct.pack(">iI", *part) for part in parts))


def _profile(data: bytes | None = None) -> bytes:
    content = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes() if data is None else data
    return box(b"colr", b"prof", content)


def _without(data: bytes, *names: bytes) -> bytes:
    for name in names:
        data = data.replace(name, b"free")
    return data


def _moving(random: Random, *, alpha: bool = False) -> bytes:
    first = scene(random, opaque=not alpha)
    mode = "RGBA" if alpha else "RGB"
    others = [scene(random, opaque=not alpha).resize(first.size).convert(mode) for _ in range(3)]
    out = io.BytesIO()
    first.convert(mode).save(
        out, "AVIF", save_all=True, append_images=others, duration=random.choice((0, 40, 300)), speed=9
    )
    return out.getvalue()


_WAYS: dict[str, Callable[[Random], bytes]] = {
    "grey": lambda r: _saved(r, mode="L", subsampling="4:0:0"),
    "4:4:4": lambda r: _saved(r, subsampling="4:4:4"),
    "4:2:2": lambda r: _saved(r, subsampling="4:2:2"),
    "limited range": lambda r: _saved(r, range="limited"),
    "transparent": lambda r: _saved(r, mode="RGBA"),
    "transparent, premultiplied": lambda r: _saved(r, mode="RGBA", alpha_premultiplied=True),
    "10 bits of libaom": lambda r: _deep(r, bits=10),
    "12 bits": lambda r: _deep(r, bits=12),
    "12 bits, again": lambda r: _deep(r, bits=12),
    "12 bits, transparent": lambda r: _deep(r, bits=12, alpha=True),
    "EXIF that turns, and irot": lambda r: _saved(r, exif=exif(r.randint(2, 8))),
    "EXIF that turns alone": lambda r: _without(_saved(r, exif=exif(r.choice((3, 6, 8)))), b"irot", b"imir"),
    "a wrong profile": lambda r: _built(r, more=[(_profile(b"none"), False)]),
    "a profile": lambda r: _built(r, color=None, more=[(_profile(), False)]),
    "a profile and numbers": lambda r: _built(r, more=[(_profile(), False)]),
    "a profile and HDR": lambda r: _built(r, color=COLORS["PQ"], more=[(_profile(), False)]),
    "cropped": lambda r: _built(r, more=[(_crop((60, 40), (r.choice((0, 10)), 0)), True)]),
    "cropped and turned": lambda r: _built(r, more=[(_crop((60, 40), (0, 0)), True)], turns=1),
    "cropped to more than there is": lambda r: _built(r, more=[(_crop((600, 40), (0, 0)), True)]),
    "pixels that are not square": lambda r: _built(r, more=[(box(b"pasp", struct.pack(">II", 2, 1)), False)]),
    "an unknown property": lambda r: _built(r, more=[(box(b"abcd", bytes(8)), False)]),
    "an unknown property that matters": lambda r: _built(r, more=[(box(b"abcd", bytes(8)), True)]),
    "no pixi": lambda r: _without(_built(r), b"pixi"),
    "no ispe": lambda r: _without(_built(r), b"ispe"),
    "no av1C": lambda r: _without(_built(r), b"av1C"),
    "another size told": lambda r: _built(r).replace(
        full(b"ispe", struct.pack(">II", 128, 96)), full(b"ispe", struct.pack(">II", 100, 90))
    ),
    "a grid that is cropped": lambda r: avif([_tile(r), _tile(r)], columns=2, output=(200, 90)),
    "a grid larger than its tiles": lambda r: avif([_tile(r), _tile(r)], columns=2, output=(300, 96)),
    "another brand": lambda r: _built(r, brand=b"mif1"),
    "the brand of moving ones": lambda r: _built(r, brand=b"avis"),
    "moving": _moving,
    "moving, transparent": lambda r: _moving(r, alpha=True),
    "moving, cut": lambda r: (data := _moving(r))[: int(len(data) * r.uniform(0.5, 0.98))],
    "bytes behind the end": lambda r: _saved(r) + b"appended" * 30,
    "bytes before the start": lambda r: b"\0" + _saved(r),
    "turned in a way that is not known": lambda r: _built(r, turns=5, mirror=2),
    "both turned and mirrored": lambda r: _built(r, turns=r.randrange(4), mirror=r.randrange(2)),
}


def odd_boxes(random: Random) -> OddFile:
    """Return an AVIF with odd boxes."""
    what = random.choice(tuple(_WAYS))
    return OddFile(f"AVIF, {what}", "image/avif", _WAYS[what](random))
