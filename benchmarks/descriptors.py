"""How well pictures of one template are found by fingerprints and looks, and how fast those are made.

python ../shared/real_memes/build_library.py LIBRARY --memes 300 --seed 3
python -m benchmarks.descriptors LIBRARY

Every meme is asked about in turn; right are the other memes of its template, altered copies included.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import imagehash
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.machine import machine
from indexer.media.decode import decode
from search.images.fingerprints import look, look_parts, mirrored_look, pdq
from search.settings import Settings

FIRST = 20


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


def templates_of(library: Path) -> dict[str, str]:
    """Return the template of every meme and of every altered copy, by path."""
    truth = json.loads((library / "truth.json").read_text("utf-8"))
    templates = {one["path"]: one["template"] for one in truth["memes"]}
    return templates | {one["copy"]: templates[one["original"]] for one in truth["duplicates"]}


def a_second(make: Callable[[Image.Image], object], pictures: list[Image.Image]) -> float:
    """Return of how many pictures a second one thread makes something."""
    make(pictures[0])
    began = time.perf_counter()
    for picture in pictures:
        make(picture)
    return len(pictures) / (time.perf_counter() - began)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("library", type=Path)
    library = parser.parse_args().library
    if not (library / "truth.json").is_file():
        print(f"There is no {library / 'truth.json'}: draw a library first, as said above. Nothing is measured.")
        return
    settings = Settings()
    templates = templates_of(library)
    paths = sorted(templates)
    pictures = [
        decode(library / path, max_pixels=settings.max_pixels, max_bytes=settings.max_bytes).pictures[0]
        for path in paths
    ]
    names = np.array([templates[path] for path in paths])
    bits = np.stack([np.unpackbits(pdq(picture)[0]) for picture in pictures]).astype(np.float32) * 2 - 1
    perceptual = np.stack([imagehash.phash(picture).hash.ravel() for picture in pictures]).astype(np.float32) * 2 - 1
    looks = np.stack([look(picture) for picture in pictures])
    mirrored = np.stack([mirrored_look(one) for one in looks])
    colours, edges = (
        np.stack([part.ravel() for part in parts])
        for parts in zip(*(look_parts(picture) for picture in pictures), strict=True)
    )
    print(machine())
    print(f"{len(paths)} memes, {len(set(names))} templates: mean average precision of the first {FIRST}")
    for name, similarities in (
        ("pHash", perceptual @ perceptual.T),
        ("PDQ", bits @ bits.T),
        ("colours alone", colours @ colours.T),
        ("edges alone", edges @ edges.T),
        ("look", looks @ looks.T),
        ("look, or its mirror image", np.maximum(looks @ looks.T, mirrored @ looks.T)),
    ):
        print(f"  {name:28} {average_precisions(similarities, names).mean():.3f}")
    small = [picture.copy() for picture in pictures]
    for picture in small:
        picture.thumbnail((512, 512))
    print(f"a second, one thread, at most 512 pixels: PDQ {a_second(pdq, small):.0f}, look {a_second(look, small):.0f}")


if __name__ == "__main__":
    main()
