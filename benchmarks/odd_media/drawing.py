"""Draw odd files of all formats by a seed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from random import Random

from benchmarks.odd_media.avifs import odd_avif
from benchmarks.odd_media.bitmaps import odd_bmp, odd_icon
from benchmarks.odd_media.blocks import odd_blocks
from benchmarks.odd_media.boxes import odd_boxes
from benchmarks.odd_media.chunks import odd_chunks, odd_sequence
from benchmarks.odd_media.disguises import odd_disguise
from benchmarks.odd_media.films import odd_film
from benchmarks.odd_media.headers import odd_header, odd_picture
from benchmarks.odd_media.jpegs import odd_jpeg
from benchmarks.odd_media.palettes import odd_gif, odd_webp
from benchmarks.odd_media.pngs import odd_apng, odd_png
from benchmarks.odd_media.riff import odd_riff
from benchmarks.odd_media.scenes import OddFile
from benchmarks.odd_media.segments import odd_segments
from benchmarks.odd_media.tracks import odd_tracks

# How many of 36 files each takes: rare forms with damage, then rare structures.
FORMATS: dict[str, tuple[int, Callable[[Random], OddFile]]] = {
    "PNG": (3, odd_png),
    "APNG": (2, odd_apng),
    "JPEG": (3, odd_jpeg),
    "GIF": (2, odd_gif),
    "WebP": (2, odd_webp),
    "BMP": (2, odd_bmp),
    "icon": (1, odd_icon),
    "AVIF": (3, odd_avif),
    "film": (2, odd_film),
    "JPEG segments": (2, odd_segments),
    "PNG chunks": (2, odd_chunks),
    "APNG frames": (1, odd_sequence),
    "GIF blocks": (2, odd_blocks),
    "WebP chunks": (2, odd_riff),
    "BMP headers": (1, odd_header),
    "icon pictures": (1, odd_picture),
    "AVIF boxes": (2, odd_boxes),
    "film tracks": (2, odd_tracks),
    "other types": (1, odd_disguise),
}


def draw_odd_files(
    seed: int, count: int, *, formats: Collection[str] = FORMATS.keys()
) -> Iterator[tuple[str, OddFile]]:
    """Yield the format and each of `count` odd files, of these without those of other formats.

    The same seed gives the same files, whatever their number and the formats.

    >>> [form for form, _ in draw_odd_files(1, 4)]
    ['PNG', 'PNG', 'PNG', 'APNG']
    """
    turn = [form for form, (times, _) in FORMATS.items() for _ in range(times)]
    for number in range(count):
        form = turn[number % len(turn)]
        if form not in formats:
            continue
        yield form, FORMATS[form][1](Random(f"{seed} {number}"))
