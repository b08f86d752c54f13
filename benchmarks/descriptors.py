"""Visual descriptors: how well PDQ, pHash and the look descriptor find pictures of one template, and their speed.

    python -m benchmarks.descriptors
    python -m benchmarks.descriptors real_memes --memes 300 --seed 3

Every file is a query in turn; the other files of its template, altered copies included, are relevant. Reports the mean
average precision of the first 20.
"""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.data import add_library, library_of
from benchmarks.harness import Benchmark, Report, Skipped
from indexer.media.decode import decode
from search.images.fingerprints import look, look_parts, pdq
from search.settings import Settings

try:
    import imagehash
except ImportError:
    imagehash = None

FIRST = 20
BENCHMARK = Benchmark(
    __doc__,
    needs="imagehash (pip install 'memetica[benchmarks]'); real_memes, or the drawn demo library by default",
    takes="1 minute, and once the drawing",
)
add_library(BENCHMARK)


GRID, DIRECTIONS = 8, 8  # of the descriptor


def mirrored_look(vector: np.ndarray) -> np.ndarray:
    """Return the descriptor of the mirror image of a picture with this descriptor."""
    colors = vector[: 3 * GRID**2].reshape(GRID, GRID, 3)
    edges = vector[3 * GRID**2 :].reshape(GRID, GRID, DIRECTIONS)
    # An edge at angle a has angle 180° − a in the mirror image; directions are an eighth of a turn apart.
    directions = (DIRECTIONS // 2 - np.arange(DIRECTIONS)) % DIRECTIONS
    return np.concatenate([colors[:, ::-1].ravel(), edges[:, ::-1, directions].ravel()])


def average_precisions(similarities: NDArray[np.float32], templates: NDArray[np.str_]) -> NDArray[np.float64]:
    """Return, for each meme that has relatives, the average precision of the FIRST most similar ([n])."""
    values = []
    for at, row in enumerate(similarities):
        others = np.arange(len(row)) != at
        right = (templates == templates[at])[others]
        if not right.any():
            continue
        hits = right[np.argsort(-row[others], kind="stable")[:FIRST]]
        precisions = np.cumsum(hits) / np.arange(1, len(hits) + 1)
        values.append((precisions * hits).sum() / min(FIRST, right.sum()))
    return np.array(values)


def per_second(make: Callable[[Image.Image], object], pictures: list[Image.Image]) -> float:
    """Return how many pictures per second one thread describes."""
    make(pictures[0])
    began = time.perf_counter()
    for picture in pictures:
        make(picture)
    return len(pictures) / (time.perf_counter() - began)


def measure(given: Namespace, report: Report) -> None:
    """Print the table and the speeds."""
    if imagehash is None:
        raise Skipped("imagehash is not installed: pip install 'memetica[benchmarks]'.")
    library, settings = library_of(given), Settings()
    paths = sorted(library.templates)
    pictures = [
        decode(library.memes / path, max_pixels=settings.max_pixels, max_bytes=settings.max_bytes).pictures[0]
        for path in paths
    ]
    names = np.array([library.templates[path] for path in paths])
    bits = np.stack([np.unpackbits(pdq(picture)[0]) for picture in pictures]).astype(np.float32) * 2 - 1
    perceptual = np.stack([imagehash.phash(picture).hash.ravel() for picture in pictures]).astype(np.float32) * 2 - 1
    looks = np.stack([look(picture) for picture in pictures])
    mirrored = np.stack([mirrored_look(one) for one in looks])
    colors, edges = (
        np.stack([part.ravel() for part in parts])
        for parts in zip(*(look_parts(picture) for picture in pictures), strict=True)
    )
    report.note(f"{len(paths)} files, {len(set(names))} templates")
    table = report.table("same template", {"descriptor": "", f"mAP@{FIRST}": ".3f"})
    for name, similarities in (
        ("pHash", perceptual @ perceptual.T),
        ("PDQ", bits @ bits.T),
        ("look, colours only", colors @ colors.T),
        ("look, edges only", edges @ edges.T),
        ("look", looks @ looks.T),
        ("look or its mirror image", np.maximum(looks @ looks.T, mirrored @ looks.T)),
    ):
        table.row(name, average_precisions(similarities, names).mean())
    small = [picture.copy() for picture in pictures]
    for picture in small:
        picture.thumbnail((512, 512))
    speed = report.table("one thread, at most 512 pixels", {"descriptor": "", "per second": ".0f"})
    for name, describe in (("PDQ", pdq), ("look", look)):
        speed.row(name, per_second(describe, small))


if __name__ == "__main__":
    raise SystemExit(BENCHMARK.run(measure))
