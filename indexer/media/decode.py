"""Decode a picture, GIF, SVG or video into a few RGB pictures. The content determines the type, not the file name.

Files are decoded in processes of their own with limits of time and memory, so that a hostile one costs nobody else
anything: a renderer may hold Python's lock for minutes, and a decoder cannot be interrupted otherwise. The processes
are shared by all threads and kept for the next file.
"""

from __future__ import annotations

import base64
import io
import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from PIL import Image

from indexer.media.decoded import FACTS, LISTS, DecodedMedia
from indexer.media.decoder_errors import MEMORY_HINT
from indexer.work.process_pool import START_SECONDS, NoProcessReady, ProcessDied, ProcessPool, Reply, TaskTimedOut
from search.errors import DecodingFailed, TooBusy, UnreadableFile
from search.meme import MediaType

__all__ = [
    "BACKGROUND",
    "DISPLAY",
    "LIBRARY",
    "REQUEST",
    "DecodeLimits",
    "DecodedMedia",
    "decode",
    "picture_webp",
    "placeholder",
    "sanitized_svg",
    "thumbnail",
    "warm_decoders",
]

PLACEHOLDER_LENGTH = 200  # characters
# Processes that a server keeps ready, each of about 50 MB: two for the requests, two for when those are killed.
SPARE_DECODERS = 4


@dataclass(frozen=True)
class DecodeLimits:
    """What decoding one file may cost: seconds until it is killed, and megabytes of memory.

    `max_pixels` is the most that a picture may have, whatever the setting allows. An `effort` below 1 decodes that
    share of the frames of long animations and videos. With `at_once`, only that many files are decoded at the same
    time under these limits; more of them wait up to `wait_seconds`.
    """

    seconds: float
    megabytes: int
    max_pixels: int = 1_000_000_000
    effort: float = 1.0
    at_once: int | None = None
    wait_seconds: float = 0.0


# A visitor waits for the answer: with both waits under 5 seconds. Two at once bound the memory of the whole server.
REQUEST = DecodeLimits(2.8, 300, max_pixels=64_000_000, effort=0.1, at_once=2, wait_seconds=0.8)
# A drawing that a page shows is only parsed.
DISPLAY = DecodeLimits(3.0, 100, at_once=1, wait_seconds=1.0)
# The server decodes a file again that it has received, with every frame that the index will have.
BACKGROUND = DecodeLimits(20.0, 300)
# A minute is far more than any honest file takes; the other files go on.
LIBRARY = DecodeLimits(60.0, 1500)


class _Decoders:
    """The pool of this process, and the gates of limits that allow few files at once."""

    def __init__(self) -> None:
        self.pool = ProcessPool("indexer.media.decode_process", idle=max(SPARE_DECODERS, os.cpu_count() or 1))
        self._lock = threading.Lock()
        self._gates: dict[DecodeLimits, threading.BoundedSemaphore] = {}

    @contextmanager
    def gate(self, limits: DecodeLimits) -> Iterator[None]:
        """Hold one of the places of `limits`; raise TooBusy when none is free for `wait_seconds`."""
        if limits.at_once is None:
            yield
            return
        with self._lock:
            gate = self._gates.setdefault(limits, threading.BoundedSemaphore(limits.at_once))
        if not gate.acquire(timeout=limits.wait_seconds):
            raise _too_busy()
        try:
            yield
        finally:
            gate.release()


@lru_cache(maxsize=1)
def decoders() -> _Decoders:
    """Return the decoders of this process, made when first needed."""
    return _Decoders()


def warm_decoders(processes: int = SPARE_DECODERS) -> None:
    """Start the processes that decode, and keep as many ready, so that no request waits for one to start."""
    decoders().pool.warm(processes)


def decode(
    file: Path,
    *,
    max_pixels: int,
    max_bytes: int,
    limits: DecodeLimits = LIBRARY,
    side: int | None = None,
    least_side: int | None = None,
) -> DecodedMedia:
    """Return a decoded file, its pictures no larger than `side` if that is given.

    With `least_side`, pictures come at a whole fraction of their size, their shorter side not below that: JPEGs are
    decoded so, which takes less than half of the time. Width and height are the file's.

    Raises UnreadableFile when it is damaged, incomplete, too large, of an unknown type, or passes the limits; TooBusy
    when the machine had no time for it, and DecodingFailed for a mistake of our own code.

    >>> Image.new("RGB", (30, 20), "red").save("red.png")
    >>> decoded = decode(Path("red.png"), max_pixels=1000, max_bytes=1000)
    >>> decoded.type.value, decoded.width, decoded.height, len(decoded.pictures)
    ('image', 30, 20, 1)
    """
    task = {
        "work": "decode",
        "file": os.fsencode(file.absolute()).hex(),
        "max_pixels": min(max_pixels, limits.max_pixels),
        "max_bytes": max_bytes,
        "effort": limits.effort,
        "side": side,
        "least_side": least_side,
    }
    reply = _run(task, limits)
    head = reply.head
    pictures = tuple(
        Image.frombytes("RGB", tuple(size), part) for size, part in zip(head["sizes"], reply.parts, strict=False)
    )
    further = reply.parts[len(pictures) :]
    alpha = Image.frombytes("L", pictures[0].size, further[0]) if further else None
    facts = {name: head[name] for name in FACTS} | {name: tuple(head[name]) for name in LISTS}
    return DecodedMedia(type=MediaType(head["type"]), pictures=pictures, alpha=alpha, **facts)


def sanitized_svg(data: bytes, *, limits: DecodeLimits = DISPLAY) -> bytes:
    """Return an SVG without scripts, links and external references; raise UnreadableFile or TooBusy.

    A server should still send `Content-Security-Policy: default-src 'none'; style-src
    'unsafe-inline'; img-src data:; sandbox`.

    >>> b"script" in sanitized_svg(b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>')
    False
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "drawing.svg"
        file.write_bytes(data)
        reply = _run({"work": "sanitize", "file": os.fsencode(file).hex()}, limits)
    return bytes(reply.parts[0])


def _run(task: dict[str, Any], limits: DecodeLimits) -> Reply:
    """Return the reply of a process that decodes; raise UnreadableFile or TooBusy."""
    found = decoders()
    with found.gate(limits):
        try:
            try:
                reply = _reply(found.pool, task, limits)
            except (ProcessDied, TaskTimedOut) as error:
                if limits.at_once is not None or not _says_nothing_of_the_file(error, limits):
                    raise
                # Of the library's files none is called unreadable because a process was killed from outside, or the
                # machine stood still.
                reply = _reply(found.pool, task, limits)
        except NoProcessReady as error:
            raise _too_busy() from error
        except TaskTimedOut as error:
            if limits.at_once is not None and _says_nothing_of_the_file(error, limits):
                raise _too_busy() from error
            raise UnreadableFile(
                f"Decoding or drawing it took longer than {limits.seconds:g} seconds.",
                hint="Save it again as a plain PNG, JPEG or MP4.",
            ) from error
        except ProcessDied as error:
            raise UnreadableFile(
                "Decoding it took more memory than is allowed, or stopped the decoder.", hint=MEMORY_HINT
            ) from error
    if "mistake" in reply.head:
        raise DecodingFailed(
            f"Memetica failed to decode it, which says nothing about the file: {reply.head['mistake']}.",
            hint="Please report it with this line. `memetica retry media` tries it again after an update.",
        )
    if "message" in reply.head:
        raise UnreadableFile(reply.head["message"], hint=reply.head["hint"])
    return reply


def _says_nothing_of_the_file(error: ProcessDied | TaskTimedOut, limits: DecodeLimits) -> bool:
    """Return whether the file may be an honest one: its process died, or others had the processor."""
    return isinstance(error, ProcessDied) or error.cpu_seconds < limits.seconds / 3


def _reply(pool: ProcessPool, task: dict[str, Any], limits: DecodeLimits) -> Reply:
    return pool.run(
        task,
        seconds=limits.seconds,
        megabytes=limits.megabytes,
        start_seconds=limits.wait_seconds or START_SECONDS,
    )


def _too_busy() -> TooBusy:
    return TooBusy("Too many pictures are being decoded at the moment.", hint="Try again in a few seconds.")


def thumbnail(picture: Image.Image, side: int) -> bytes:
    """Return a picture as a WebP of at most `side` pixels in width and height, never enlarged and without metadata."""
    return _webp(_fitted(picture, side), quality=78, method=2)


def picture_webp(picture: Image.Image, side: int) -> bytes:
    """Return a picture as a WebP of higher quality, at most `side` pixels in width and height, without metadata."""
    return _webp(_fitted(picture, side), quality=86, method=2)


def placeholder(picture: Image.Image) -> str:
    """Return a tiny version of a picture, to be enlarged, as a data: URI of under PLACEHOLDER_LENGTH characters."""
    uri = ""
    for side in (16, 12, 8, 4, 2):
        encoded = _webp(_fitted(picture, side), quality=30, method=6)
        uri = "data:image/webp;base64," + base64.b64encode(encoded).decode("ascii")
        if len(uri) < PLACEHOLDER_LENGTH:
            break
    return uri


def _fitted(picture: Image.Image, side: int) -> Image.Image:
    scale = side / max(picture.size)
    if scale >= 1:
        return picture.convert("RGB")
    size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    return picture.convert("RGB").resize(size, Image.Resampling.HAMMING)


def _webp(picture: Image.Image, *, quality: int, method: int) -> bytes:
    out = io.BytesIO()
    # Pillow would copy the metadata in the picture's info.
    picture.save(out, "WEBP", quality=quality, method=method, exif=b"", icc_profile=b"", xmp=b"")
    return out.getvalue()
