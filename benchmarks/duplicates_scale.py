"""What finding duplicates costs as fingerprints and memes grow.

python -m benchmarks.duplicates_scale fingerprints 100000
python -m benchmarks.duplicates_scale fingerprints 1000000
python -m benchmarks.duplicates_scale upload 30000
python -m benchmarks.duplicates_scale library 870
python -m benchmarks.duplicates_scale library 8700

A library is drawn by ../shared/real_memes/build_library.py, with 15 copies of every hundred memes.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time
from datetime import UTC, datetime
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image

from benchmarks.machine import machine
from indexer.library.scan import scan_library
from indexer.stages.decode import decode_memes
from indexer.stages.find_duplicates import compare_library
from indexer.work.progress import SILENT
from search.catalogue import open_catalogue
from search.duplicates.candidates import Candidates, Signature, signature_of
from search.duplicates.groups import find_groups
from search.duplicates.keypoints import Keypoints
from search.duplicates.match import Matcher
from search.images.fingerprints import PDQ_SAME, hamming, mirrored_bits
from search.index.binary import near_pairs
from search.meme import MediaType, Meme
from search.settings import Settings
from search.workspace import Workspace

SHARED = Path(__file__).parents[2] / "shared" / "real_memes"
DRAWN = 1000
COPIES = 0.05  # share of the fingerprints that are copies, each with up to PDQ_SAME bits changed


def fingerprints(count: int) -> None:
    """Print how long all near pairs take among made-up fingerprints, and how many of those put in are found."""
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
    print(f"{count} fingerprints: {len(pairs)} near pairs in {seconds:.1f} s, {found} of {copies} copies, {_memory()}")


def upload(count: int) -> None:
    """Print how long a question takes against made-up memes; what it asks about is drawn, and one meme is its copy."""
    generator = np.random.default_rng(0)
    drawn = generator.integers(0, 256, (12, 16, 3), dtype=np.uint8)
    picture = Image.fromarray(drawn).resize((640, 480), Image.Resampling.NEAREST)
    own = signature_of([picture])
    features = [own]
    for _ in range(count - 1):
        keypoints = Keypoints(
            generator.uniform(0, 480, (80, 2)).astype(np.float32),
            np.repeat(np.arange(8, dtype=np.uint8), 10),
            generator.integers(0, 256, 80, dtype=np.uint8),
            generator.integers(0, 256, (80, 32), dtype=np.uint8),
        )
        bits = generator.integers(0, 256, (1, 32), dtype=np.uint8)
        features.append(Signature(bits, mirrored_bits(bits), (keypoints,), ()))
    hashes = [f"{place:064}" for place in range(count)]
    begun = time.monotonic()
    meme = Meme(1, "a.png", "", hashes[0], MediaType.IMAGE, datetime.now(UTC), 1)
    matcher = Matcher(Candidates(hashes, features), dict.fromkeys(hashes, meme), {}, lambda meme: [picture])
    opened = time.monotonic() - begun
    asked = picture.resize((500, 375))
    times = []
    for _ in range(20):
        begun = time.monotonic()
        found = matcher.match([asked])
        times.append(time.monotonic() - begun)
    assert found
    p50, p95 = np.percentile(times, (50, 95)) * 1000
    print(f"an upload against {count} memes: p50 {p50:.0f} ms, p95 {p95:.0f} ms; opened in {opened:.1f} s, {_memory()}")


def library(memes: int) -> None:
    """Print how long each stage takes, from a folder of drawn memes to their groups, without OCR."""
    with TemporaryDirectory() as folder:
        # The shared memes have captions for some thousands: more are drawn as libraries beside each other.
        for seed in range(12, 12 + ceil(memes / DRAWN)):
            command = [sys.executable, str(SHARED / "build_library.py"), f"{folder}/drawn {seed}"]
            wanted = min(DRAWN, memes - DRAWN * (seed - 12))
            subprocess.run(
                [*command, "--memes", str(wanted), "--seed", str(seed)], check=True, stderr=subprocess.DEVNULL
            )
            (Path(folder) / "library").mkdir(exist_ok=True)
            for category in (Path(folder) / f"drawn {seed}" / "memes").iterdir():
                category.rename(Path(folder) / "library" / f"{category.name} - {seed}")
        settings = Settings(library=Path(folder) / "library", data=Path(folder) / "data")
        with open_catalogue(settings) as catalogue:
            begun = time.monotonic()
            scan_library(settings.library, catalogue, progress=SILENT)
            decode_memes(Workspace(settings, catalogue), progress=SILENT)
            decoded = time.monotonic() - begun
            report = compare_library(Workspace(settings, catalogue), progress=SILENT)
            begun = time.monotonic()
            groups = len(find_groups(catalogue))
            grouped = time.monotonic() - begun
            pairs = len(catalogue.pairs.compared())
            print(
                f"{catalogue.memes.count()} memes: scanned and decoded in {decoded:.0f} s, {pairs} pairs compared in "
                f"{report.seconds:.0f} s, {groups} groups in {grouped:.1f} s, {_memory()}"
            )


def _memory() -> str:
    return f"at most {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("what", choices=("fingerprints", "upload", "library"))
    arguments.add_argument("amount", type=int)
    given = arguments.parse_args()
    print(machine())
    {"fingerprints": fingerprints, "upload": upload, "library": library}[given.what](given.amount)


if __name__ == "__main__":
    main()
