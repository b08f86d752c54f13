"""Keypoints' hash tables: how often a copy's original is among the first six by keypoints, by tables and hashed bits.

    python -m benchmarks.keypoint_tables
    python -m benchmarks.keypoint_tables real_memes --memes 700 --seed 60

The copies of a drawn library are asked for one by one, their own keypoints left out of what is found. `matches` are the
consistent ones with the original, the tenth part of copies having fewer and the half.
"""

from __future__ import annotations

import time
from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.data import add_library, library_of
from benchmarks.harness import Benchmark, Report
from indexer.library.scan import scan_library
from indexer.stages.decode import decode_memes
from indexer.work.progress import SILENT
from search.catalogue import open_catalogue
from search.duplicates.candidates import KEYPOINTS, MIRRORED_KEYPOINTS, MOST_BY_KEYPOINTS
from search.duplicates.keypoints.index import (
    KeypointIndex,
    KeypointRows,
    hash_tables,
    strongest_keypoints,
    unpack_keypoints,
)
from search.duplicates.keypoints.orb import Keypoints
from search.settings import Settings
from search.workspace import Workspace

COMPARED = ((12, 16), (8, 16), (6, 16), (4, 16), (12, 20), (8, 20), (6, 20), (4, 20))
BENCHMARK = Benchmark(__doc__, needs="real_memes, or the drawn demo library by default", takes="2 minutes")
add_library(BENCHMARK)


@dataclass(frozen=True)
class Pictures:
    """The keypoints of pictures, one of each meme, upright and of the mirror image, by path."""

    upright: dict[str, Keypoints]
    mirrored: dict[str, Keypoints]


def decoded(memes: Path) -> Pictures:
    """Return the keypoints of a library's pictures, of animations the first frame's."""
    with TemporaryDirectory() as data:
        settings = Settings(library=memes, data=Path(data))
        with Workspace(settings, open_catalogue(settings)) as workspace:
            scan_library(memes, workspace.catalogue, progress=SILENT)
            decode_memes(workspace, progress=SILENT)
            paths = {meme.id: meme.path for meme in workspace.catalogue.memes.each()}
            upright, mirrored = (
                {
                    paths[id]: unpack_keypoints(row)
                    for id, frame, row in workspace.catalogue.pictures.fingerprints(name)
                    if not frame
                }
                for name in (KEYPOINTS, MIRRORED_KEYPOINTS)
            )
    return Pictures(upright, mirrored)


def measure(given: Namespace, report: Report) -> None:
    """Print a row for each number of tables and bits."""
    library = library_of(given)
    pictures = decoded(library.memes)
    places = {path: place for place, path in enumerate(pictures.upright)}
    pairs = [(one.path, one.original) for one in library.copies if one.path in places and one.original in places]
    rows = KeypointRows.of(pictures.upright.values())
    columns = {"tables": "d", "bits": "d", "among six": ".3f", "first": ".3f", "matches p10": ".0f", "p50": ".0f"}
    table = report.table(f"{len(pairs)} copies, {len(places)} pictures", columns | {"ms a copy": ".1f"})
    for samples, bits in COMPARED:
        index = KeypointIndex(np.arange(len(places)), rows, tuple(hash_tables(rows, samples=samples, bits=bits)))
        found, begun = [], time.process_time()
        for path, original in pairs:
            asked = (strongest_keypoints(pictures.upright[path]), pictures.mirrored[path])
            found.append(_rank(index, asked, own=places[path], original=places[original]))
        ranks, matches = np.array(found).T
        spent = 1000 * (time.process_time() - begun) / len(pairs)
        p10, p50 = np.percentile(matches, (10, 50))
        table.row(samples, bits, float(np.mean(ranks < MOST_BY_KEYPOINTS)), float(np.mean(ranks == 0)), p10, p50, spent)


def _rank(index: KeypointIndex, asked: tuple[Keypoints, Keypoints], *, own: int, original: int) -> tuple[int, int]:
    """Return the original's rank among what is found, from 0, and its matches."""
    matches: dict[int, int] = {}
    for keypoints in asked:
        for owner, count in zip(*(one.tolist() for one in index.count_matches(keypoints)), strict=True):
            if owner != own:
                matches[owner] = max(count, matches.get(owner, 0))
    order = sorted(matches, key=lambda owner: (-matches[owner], owner))
    return (order.index(original), matches[original]) if original in matches else (len(order) + MOST_BY_KEYPOINTS, 0)


if __name__ == "__main__":
    raise SystemExit(BENCHMARK.run(measure))
