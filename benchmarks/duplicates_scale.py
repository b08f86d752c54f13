"""Time and memory of finding duplicates, by number of fingerprints or memes.

    python -m benchmarks.duplicates_scale                       # fingerprints 10000
    python -m benchmarks.duplicates_scale fingerprints 1000000
    python -m benchmarks.duplicates_scale library 8700
    python -m benchmarks.duplicates_scale pairs 200

`fingerprints`: all near pairs among synthetic fingerprints, and the share of planted copies that is found.
`library`: every stage, without OCR, on real_memes with 15 copies of every hundred memes; without that data set, on the
drawn demo library. `pairs`: the processor time of comparing a pair of the demo library's, read by OCR, with its words
and further views and without, by turns in one process. An upload: `benchmarks.upload_candidates`.
"""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Callable
from dataclasses import replace
from math import ceil
from pathlib import Path
from random import Random
from shutil import copytree
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image

from benchmarks.data import drawn_library
from benchmarks.harness import Benchmark, Report, Skipped, peak_memory
from indexer.library.scan import scan_library
from indexer.ocr.engines import load_ocr_engine
from indexer.stages.decode import decode_memes
from indexer.stages.find_duplicates import find_duplicates
from indexer.work.progress import SILENT
from search.catalogue import open_catalogue
from search.duplicates.comparison import compare_prepared, prepare
from search.duplicates.groups import find_groups
from search.duplicates.wording import read_lines
from search.images.fingerprints import PDQ_SAME, VIEWS, hamming
from search.index.vectors.binary import near_pairs
from search.settings import Settings
from search.workspace import Workspace

DRAWN = 1000
STILLS = (".jpg", ".jpeg", ".png", ".webp")
TURNS = 4  # of each kind of comparison; the first is not counted
BENCHMARK = Benchmark(
    __doc__, needs="nothing; `library` draws real_memes where it is here", takes="a second to ten minutes, by amount"
)
BENCHMARK.parser.add_argument("what", nargs="?", choices=("fingerprints", "library", "pairs"), default="fingerprints")
BENCHMARK.parser.add_argument("amount", nargs="?", type=int, help="fingerprints or memes (default: 10000, 870, 200)")
COPIES = 0.05  # share of the fingerprints that are copies, each with up to PDQ_SAME bits changed


def fingerprints(report: Report, count: int) -> None:
    """Print the time to find all near pairs among synthetic fingerprints, and the share of planted copies found."""
    generator = np.random.default_rng(0)
    codes = generator.integers(0, 256, (count, 32), dtype=np.uint8)
    copies = int(COPIES * count)
    for at in range(copies):
        bits = np.unpackbits(codes[at])
        bits[generator.choice(256, int(generator.integers(0, PDQ_SAME + 1)), replace=False)] ^= 1
        codes[count - 1 - at] = np.packbits(bits)
    begun = time.monotonic()
    pairs, distances = near_pairs(codes, PDQ_SAME)
    seconds = time.monotonic() - begun
    keys = set((pairs[:, 0] * count + pairs[:, 1]).tolist())
    found = sum(at * count + count - 1 - at in keys for at in range(copies))
    assert (hamming(codes[pairs[:, 0]], codes[pairs[:, 1]]) == distances).all()
    table = report.table("near pairs", {"fingerprints": ",d", "pairs": ",d", "seconds": ".1f", "copies found": ".3f"})
    table.row(count, len(pairs), seconds, found / max(1, copies))


def library(report: Report, memes: int) -> None:
    """Print how long each stage takes, from a folder of drawn memes to their groups, without OCR."""
    with TemporaryDirectory() as folder:
        try:
            # real_memes has captions for some thousands: more are drawn as libraries beside each other.
            drawn = [
                drawn_library("real_memes", memes=min(DRAWN, memes - DRAWN * at), seed=12 + at)
                for at in range(ceil(memes / DRAWN))
            ]
        except Skipped as error:
            report.note(f"The demo library instead of real_memes: {error}")
            drawn = [drawn_library("demo", memes=memes)]
        for at, one in enumerate(drawn):
            for category in one.memes.iterdir():
                copytree(category, Path(folder) / "library" / f"{category.name} - {at}")
        settings = Settings(library=Path(folder) / "library", data=Path(folder) / "data")
        with open_catalogue(settings) as catalogue:
            begun = time.monotonic()
            scan_library(settings.library, catalogue, progress=SILENT)
            decode_memes(Workspace(settings, catalogue), progress=SILENT)
            decoded = time.monotonic() - begun
            report_of = find_duplicates(Workspace(settings, catalogue), progress=SILENT)
            begun = time.monotonic()
            groups = len(find_groups(catalogue))
            grouped = time.monotonic() - begun
            pairs = len(catalogue.pairs.compared())
            columns = {"memes": ",d", "scan, decode s": ".0f", "pairs": ",d", "compare s": ".0f"}
            table = report.table("stages", {**columns, "groups": ",d", "group s": ".1f"})
            table.row(catalogue.memes.count(), decoded, pairs, report_of.seconds, groups, grouped)


def pairs(report: Report, count: int) -> None:
    """Print the processor time of a comparison as it is, and of one without words and further views."""
    library, engine = drawn_library("demo"), load_ocr_engine(Settings(ocr_engine="rapidocr"))
    if engine is None:
        raise Skipped("there is no OCR engine.")
    flat = [one for one in library.copies if Path(one.path).suffix in STILLS and Path(one.original).suffix in STILLS]
    chosen = [path for one in flat[: max(4, count // 10)] for path in (one.original, one.path)]
    prepared = []
    for path in chosen:
        with Image.open(library.memes / path) as file:
            picture = file.convert("RGB")
        lines = read_lines([(line.text, line.confidence, line.box) for line in engine.read(picture).lines])
        prepared.append(prepare(picture, lines=lines))
    # Candidates are seldom copies: one pair of ten is.
    rng = Random(0)
    keys = [(at, at + 1) for at in range(0, len(prepared), 2)][: max(1, count // 10)]
    for _ in range(count - len(keys)):
        first, second = rng.sample(range(len(prepared)), 2)
        keys.append((first, second))
    plain = [replace(one, lines=(), bits=_upright_alone(one.bits)) for one in prepared]
    spent = [0.0, 0.0]
    for turn in range(2 * TURNS):
        own = (prepared, plain)[turn % 2]
        begun = time.process_time()
        for one, other in keys:
            compare_prepared(own[one], own[other])
        if turn >= 2:  # the first of each computes what is kept with a picture
            spent[turn % 2] += time.process_time() - begun
    whole, without = (1000 * each / len(keys) / (TURNS - 1) for each in spent)
    columns = {"pairs": ",d", "ms a pair": ".2f", "without words and further views": ".2f", "ratio": ".2f"}
    report.table("comparing a pair, processor time", columns).row(len(keys), whole, without, whole / without)


def _upright_alone(bits: np.ndarray) -> np.ndarray:
    """Return the fingerprints of a picture's views without those of the turned ones, which then are like no other."""
    alone = bits.copy()
    for at, view in enumerate(VIEWS):
        if view.turns:
            alone[at] = ~bits[0]
    return alone


USUAL: dict[str, tuple[Callable[[Report, int], None], int, int]] = {
    "fingerprints": (fingerprints, 10_000, 2_000),
    "library": (library, 870, 40),
    "pairs": (pairs, 200, 20),
}


def measure(given: Namespace, report: Report) -> None:
    """Print one table, and the peak memory."""
    work, usual, small = USUAL[given.what]
    work(report, given.amount or (small if given.small else usual))
    report.note(f"memory at its highest: {peak_memory():,.0f} MB")


if __name__ == "__main__":
    raise SystemExit(BENCHMARK.run(measure))
