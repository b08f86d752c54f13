"""What it costs to decode a picture in a process of its own: the same files with and without the pool, in one run.

    python -m benchmarks.decode_pool
    python -m benchmarks.decode_pool FOLDER --rounds 5

The files are those of a folder, or else drawn: photographs of 12 megapixels, screenshots and small memes. Each round
decodes every file in this process, in the pool at full size, and in the pool as a visitor's picture is.
"""

from __future__ import annotations

import tempfile
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from benchmarks.harness import Benchmark, Report, percentiles, timed
from indexer.media.decode import REQUEST, decode, warm_decoders
from indexer.media.decode_file import decode_file
from web.query_images import MAX_SIDE

SIZES = {
    "photograph.jpg": (4000, 3000),
    "screenshot.png": (1920, 1080),
    "meme.jpg": (800, 600),
    "meme.webp": (600, 600),
}
PIXELS, BYTES = 100_000_000, 1_000_000_000  # the usual limits
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".gif")
BENCHMARK = Benchmark(__doc__, needs="nothing", takes="20 seconds")
BENCHMARK.parser.add_argument("folder", nargs="?", type=Path, metavar="FOLDER", help="pictures to decode")
BENCHMARK.option("--rounds", 10, small=1, help="times that each file is decoded in each way")


def measure(given: Namespace, report: Report) -> None:
    """Report the milliseconds of each way to decode a file, p50 and p95."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = given.folder or _drawn(Path(scratch))
        files = sorted(file for file in folder.rglob("*") if file.suffix.lower() in SUFFIXES)
        ways: dict[str, Callable[[Path], object]] = {
            "in this process": lambda file: decode_file(file, max_pixels=PIXELS, max_bytes=BYTES),
            "in the pool": lambda file: decode(file, max_pixels=PIXELS, max_bytes=BYTES),
            "in the pool, for a visitor": lambda file: decode(
                file, max_pixels=PIXELS, max_bytes=BYTES, limits=REQUEST, side=MAX_SIDE
            ),
        }
        warm_decoders()
        seconds: dict[tuple[str, str], list[float]] = {}
        for _ in range(given.rounds):
            for file in files:
                for way, work in ways.items():
                    name = file.name if given.folder is None else "all"
                    seconds.setdefault((name, way), []).extend(timed(work, [file], warm_up=0))
        table = report.table("times", {"file": "", "way": "", "p50_ms": ".1f", "p95_ms": ".1f"})
        for (name, way), times in sorted(seconds.items()):
            table.row(name, way, *percentiles(times))


def _drawn(folder: Path) -> Path:
    random = np.random.default_rng(1)
    for name, (width, height) in SIZES.items():
        coarse = Image.fromarray(random.integers(0, 255, (height // 20, width // 20, 3), dtype=np.uint8))
        coarse.resize((width, height)).filter(ImageFilter.SMOOTH).save(folder / name)
    return folder


if __name__ == "__main__":
    raise SystemExit(BENCHMARK.run(measure))
