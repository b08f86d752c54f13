"""Pictures as the world has them: cut short, with wrong checksums, oversized notes, broken animations, old headers.

`odd_pictures` yields pairs of a file name and its bytes, all drawn here.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image, PngImagePlugin

SIZE = (300, 200)


def drawn(*, seed: int = 0, mode: str = "RGB") -> Image.Image:
    """Return a picture of soft colours, red in its upper left corner, different in every row."""
    noise = np.random.default_rng(seed).integers(40, 230, (20, 30, 3), np.uint8)
    picture = Image.fromarray(noise).resize(SIZE, Image.Resampling.BICUBIC)
    picture.paste((220, 30, 30), (0, 0, 60, 40))
    return picture.convert(mode)


def encoded(picture: Image.Image | None = None, *, form: str, **options: object) -> bytes:
    """Return a picture in a format of Pillow."""
    out = io.BytesIO()
    (picture or drawn()).save(out, form, **options)
    return out.getvalue()


def chunk(name: bytes, content: bytes, *, wrong: bool = False) -> bytes:
    """Return a chunk of a PNG, its checksum right or wrong."""
    checksum = zlib.crc32(name + content) ^ (0x5A5A if wrong else 0)
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", checksum)


def with_chunk(png: bytes, extra: bytes) -> bytes:
    """Return a PNG with a chunk behind its header."""
    return png[:33] + extra + png[33:]


def animated(form: str) -> bytes:
    """Return an animation of three frames."""
    others = [drawn(seed=1), drawn(seed=2)]
    options = {"lossless": True} if form == "WEBP" else {}
    return encoded(form=form, save_all=True, append_images=others, duration=200, **options)


def old_bitmap(*, bits: int = 24) -> bytes:
    """Return a bitmap with the header of OS/2 1, of 12 bytes."""
    body = encoded(drawn() if bits == 24 else drawn(mode="L"), form="BMP")
    (start,) = struct.unpack("<I", body[10:14])
    width, height = SIZE
    head = struct.pack("<IHHHH", 12, width, height, 1, bits)
    palette = b"" if bits == 24 else b"".join(bytes((value,) * 3) for value in range(256))
    pixels = body[start:]
    before = 14 + len(head) + len(palette)
    return b"BM" + struct.pack("<IHHI", before + len(pixels), 0, 0, before) + head + palette + pixels


def odd_pictures() -> Iterator[tuple[str, bytes]]:
    """Yield the name and the bytes of each odd picture."""
    whole = {
        "baseline.jpg": encoded(form="JPEG"),
        "progressive.jpg": encoded(form="JPEG", progressive=True),
        "plain.png": encoded(form="PNG"),
        "alpha.png": encoded(drawn(mode="RGBA"), form="PNG"),
        "lossy.webp": encoded(form="WEBP"),
        "lossless.webp": encoded(form="WEBP", lossless=True),
        "still.gif": encoded(form="GIF"),
        "plain.bmp": encoded(form="BMP"),
        "still.avif": encoded(form="AVIF"),
        "moving.gif": animated("GIF"),
        "moving.webp": animated("WEBP"),
        "moving.png": animated("PNG"),
    }
    for name, content in whole.items():
        yield f"whole {name}", content
        yield f"without its last 2 bytes {name}", content[:-2]
        for share in (97, 90, 50):
            yield f"{share} % of {name}", content[: len(content) * share // 100]
        yield f"head of {name}", content[:40]
    png = whole["plain.png"]
    yield "wrong checksum in tEXt.png", with_chunk(png, chunk(b"tEXt", b"Comment\0hello", wrong=True))
    yield "wrong checksum in pHYs.png", with_chunk(png, chunk(b"pHYs", struct.pack(">IIB", 1, 1, 0), wrong=True))
    yield "wrong checksum in IDAT.png", png[:-20] + bytes([png[-20] ^ 1]) + png[-19:]
    yield (
        "zTXt of 3 MB.png",
        with_chunk(png, chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"x" * 3_000_000))),
    )
    yield "iCCP of 3 MB.png", with_chunk(png, chunk(b"iCCP", b"icc\0\0" + zlib.compress(b"x" * 3_000_000)))
    yield "iCCP of noise.png", with_chunk(png, chunk(b"iCCP", b"icc\0\0" + b"no zlib"))
    yield "unknown chunk.png", with_chunk(png, chunk(b"abCd", b"hello"))
    yield "broken sequence.png", _broken_sequence(whole["moving.png"])
    middle = png.index(b"IDAT") + 4 + (len(png) - png.index(b"IDAT")) // 2
    yield "wrong bit in IDAT.png", png[:middle] + bytes([png[middle] ^ 8]) + png[middle + 1 :]
    yield "old header.bmp", old_bitmap()
    yield "old header, 8 bits.bmp", old_bitmap(bits=8)
    yield "svg.png", b'<svg xmlns="http://www.w3.org/2000/svg" width="300" height="200"><circle r="90"/></svg>'
    yield "text.png", b"no picture at all"
    for place in range(2, 9):
        exif = Image.Exif()
        exif[0x0112] = place
        for form, name in (("JPEG", "jpg"), ("PNG", "png"), ("WEBP", "webp"), ("AVIF", "avif")):
            yield f"exif {place}.{name}", encoded(form=form, exif=exif.tobytes())
    xmp = (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        b'<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/></rdf:RDF></x:xmpmeta>'
    )
    yield "xmp 6.jpg", encoded(form="JPEG", xmp=xmp)
    notes = PngImagePlugin.PngInfo()
    notes.add_itxt("XML:com.adobe.xmp", xmp.decode())
    yield "xmp 6.png", encoded(form="PNG", pnginfo=notes)
    exif = Image.Exif()
    exif[0x0112] = 6
    raw = exif.tobytes()
    profile = PngImagePlugin.PngInfo()
    profile.add_text("Raw profile type exif", f"\nexif\n{len(raw):8}\n{raw.hex()}\n")
    yield "raw profile 6.png", encoded(form="PNG", pnginfo=profile)


def _broken_sequence(apng: bytes) -> bytes:
    """Return an animated PNG whose frames have numbers out of order."""
    at = apng.index(b"fdAT")
    length = int.from_bytes(apng[at - 4 : at], "big")
    body = apng[at + 4 : at + 4 + length]
    return apng[: at - 4] + chunk(b"fdAT", struct.pack(">I", 77) + body[4:]) + apng[at + 8 + length :]
