"""Pictures made hostile by chance, the same for the same seed: valid files of each format, cut, flipped and spliced."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from functools import cache
from io import BytesIO

from PIL import Image

from tests.support.duplicated import scene
from tests.support.hostile_pictures import make_film

SVG = (
    b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 90 60"><defs><linearGradient id="g"><stop offset="0" '
    b'stop-color="red"/><stop offset="1"/></linearGradient><filter id="f"><feGaussianBlur stdDeviation="2"/></filter>'
    b'<pattern id="p" width="9" height="9" patternUnits="userSpaceOnUse"><circle r="4"/></pattern></defs><rect '
    b'width="90" height="60" fill="url(#g)"/><g filter="url(#f)"><path d="M5 5L50 9Q70 40 9 50Z" fill="url(#p)"/></g>'
    b'<text x="9" y="40" font-size="12">meme</text></svg>'
)
NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF)  # which decoders stumble over


@cache
def valid_files() -> dict[str, bytes]:
    """Return a small valid file of each format that is supported."""
    picture = scene(3, size=(120, 90))
    frames = [scene(seed, size=(60, 40)) for seed in range(4)]
    files = {"svg": SVG}
    for name, kind, how in (
        ("png", "PNG", {}),
        ("jpeg", "JPEG", {}),
        ("progressive", "JPEG", {"progressive": True}),
        ("gif", "GIF", {}),
        ("webp", "WEBP", {}),
        ("lossless", "WEBP", {"lossless": True}),
        ("avif", "AVIF", {"speed": 10}),
        ("bmp", "BMP", {}),
        ("apng", "PNG", {"save_all": True, "append_images": frames[1:]}),
        ("moving-gif", "GIF", {"save_all": True, "append_images": frames[1:], "duration": 90}),
        ("moving-webp", "WEBP", {"save_all": True, "append_images": frames[1:], "duration": 90}),
    ):
        out = BytesIO()
        first: Image.Image = frames[0] if how.get("save_all") else picture
        first.save(out, kind, **how)  # type: ignore[arg-type]
        files[name] = out.getvalue()
    for name, container, codec in (("mp4", "mp4", "mpeg4"), ("webm", "webm", "vp8"), ("mkv", "matroska", "mpeg4")):
        files[name] = make_film(container, codec, frames=8)
    return files


def _cut(body: bytearray, draw: random.Random, other: bytes) -> bytes:
    return bytes(body[: draw.randrange(len(body))])


def _flip(body: bytearray, draw: random.Random, other: bytes) -> bytes:
    for _ in range(draw.choice((1, 2, 8, 64))):
        body[_place(body, draw)] ^= 1 << draw.randrange(8)
    return bytes(body)


def _number(body: bytearray, draw: random.Random, other: bytes) -> bytes:
    """Write a number that is a border case over some bytes, mostly in the head, where sizes and counts are."""
    for _ in range(draw.choice((1, 1, 3))):
        size = draw.choice((1, 2, 4))
        value = draw.choice(NUMBERS) & ((1 << 8 * size) - 1)
        at = _place(body, draw)
        body[at : at + size] = value.to_bytes(size, draw.choice(("big", "little")))
    return bytes(body)


def _splice(body: bytearray, draw: random.Random, other: bytes) -> bytes:
    """Put the head of one format before the rest of another, or of itself at another place."""
    at = min(len(body), draw.choice((4, 8, 12, 16, 32, 64, 256)))
    rest = other if draw.random() < 0.7 else bytes(body)
    return bytes(body[:at]) + rest[draw.randrange(len(rest)) :]


def _repeat(body: bytearray, draw: random.Random, other: bytes) -> bytes:
    """Repeat a piece many times: frames, scans, chunks, elements."""
    start = draw.randrange(len(body))
    end = min(len(body), start + draw.choice((8, 40, 200, 1000)))
    return bytes(body[:end] + body[start:end] * draw.choice((2, 50, 2000)) + body[end:])


def _drop(body: bytearray, draw: random.Random, other: bytes) -> bytes:
    start = draw.randrange(len(body))
    return bytes(body[:start] + body[start + draw.choice((1, 4, 50)) :])


def _append(body: bytearray, draw: random.Random, other: bytes) -> bytes:
    return bytes(body) + other


MUTATIONS: dict[str, Callable[[bytearray, random.Random, bytes], bytes]] = {
    "cut": _cut,
    "bits flipped": _flip,
    "numbers replaced": _number,
    "spliced": _splice,
    "repeated": _repeat,
    "bytes dropped": _drop,
    "appended": _append,
}


def _place(body: bytearray, draw: random.Random) -> int:
    return draw.randrange(min(len(body), 512) if draw.random() < 0.6 else len(body))


def mutated(seed: int, number: int) -> tuple[str, bytes]:
    """Return the name and the bytes of one mutated file; every format and mutation has its turn."""
    draw = random.Random(f"{seed} {number}")
    files = valid_files()
    names = list(files)
    name, (what, mutate) = names[number % len(names)], list(MUTATIONS.items())[number // len(names) % len(MUTATIONS)]
    body = mutate(bytearray(files[name]), draw, files[draw.choice(names)])
    return f"{name} {what} {number}", body


def mutations(count: int, *, seed: int) -> Iterator[tuple[str, bytes]]:
    """Yield so many mutated files."""
    return (mutated(seed, number) for number in range(count))
