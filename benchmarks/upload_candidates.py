"""An upload against the memes of a large library: time, memory, and how long the inbox takes to open.

    python -m benchmarks.upload_candidates
    python -m benchmarks.upload_candidates FOLDER --memes 1000000

One picture that is a copy of a meme among made-up others, which have 80 keypoints, a fingerprint and nine words each.
Filling the catalogue, opening the inbox for the first time, which writes the index of keypoints, and opening it again
to match uploads are processes of their own, so that each one's memory is seen. FOLDER keeps catalogue and index for
another run. Keypoints of random descriptors crowd less than those of real pictures, and more of a real library's memes
are compared: what is measured grows with the number of memes, not with their likeness.
"""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.harness import Benchmark, Report, peak_memory, percentiles
from search.catalogue import Catalogue, FingerprintRecord, MemeRecord, PictureRecord, open_catalogue
from search.duplicates.candidates import KEYPOINTS, keypoint_blobs, signature_of
from search.duplicates.keypoints.index import pack_keypoints
from search.duplicates.keypoints.orb import Keypoints
from search.duplicates.match import Matcher
from search.images.fingerprints import PDQ, pdq
from search.meme import Field, MediaType, Meme, Passage
from search.query.language import english_frequencies
from search.settings import Settings
from search.workspace import Workspace

WORDS = 9
BATCH = 5000
BENCHMARK = Benchmark(__doc__, needs="nothing; 9 kB of disk a meme", takes="1 minute; with a million memes 30")
BENCHMARK.parser.add_argument("folder", nargs="?", type=Path, help="data folder to keep (default: a temporary one)")
BENCHMARK.option("--memes", 30_000, small=1_500, help="memes of the library")
BENCHMARK.option("--uploads", 40, small=5, help="uploads to time, after five that warm up")


def picture() -> Image.Image:
    """Return the picture that the first meme has, 640 × 480 pixels."""
    drawn = np.random.default_rng(0).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    return Image.fromarray(drawn).resize((640, 480), Image.Resampling.NEAREST)


def fill(data: Path, memes: int) -> float:
    """Write the memes into an empty catalogue; return the bytes of the disk that it takes, in MB."""
    generator = np.random.default_rng(0)
    words = np.array(list(islice(english_frequencies(), 40_000)))
    with open_catalogue(Settings(data=data)) as catalogue:
        if catalogue.memes.count() == memes:
            return _size(data, "catalogue*")
        for start in range(0, memes, BATCH):
            with catalogue.transaction():
                for number in range(start, min(memes, start + BATCH)):
                    _add(catalogue, number, generator, words)
    return _size(data, "catalogue*")


def _add(catalogue: Catalogue, number: int, generator: np.random.Generator, words: np.ndarray) -> None:
    content, seen = f"{number:064x}", datetime(2026, 1, 1, tzinfo=UTC)
    bits, keypoints = generator.bytes(32), _made_up(generator)
    if not number:
        bits, keypoints = pdq(picture())[0].tobytes(), keypoint_blobs([picture()])[0][0]
    id = catalogue.memes.put(MemeRecord(f"A/{number}.png", "A", content, MediaType.IMAGE, 1, 1, seen, "mtime"))
    catalogue.pictures.put(
        PictureRecord(content, 640, 480, 1, None, MediaType.IMAGE, "", "made up"),
        [
            FingerprintRecord(content, algorithm, 0, row, 1.0)
            for algorithm, row in ((PDQ, bits), (KEYPOINTS, keypoints))
        ],
    )
    said = " ".join(words[(len(words) * generator.random(WORDS) ** 2).astype(int)])
    catalogue.texts.put_passages(id, [Passage(Field.OCR, "made up", said)], splitter="made up")


def _made_up(generator: np.random.Generator) -> bytes:
    return pack_keypoints(
        Keypoints(
            generator.uniform(0, 480, (80, 2)).astype(np.float32),
            np.repeat(np.arange(8, dtype=np.uint8), 10),
            generator.integers(0, 256, 80, dtype=np.uint8),
            generator.integers(0, 256, (80, 32), dtype=np.uint8),
        )
    )


def open_first(data: Path) -> dict[str, float]:
    """Open a matcher where there may be no index yet; return seconds, peak in MB, and the index's size in MB."""
    begun, used = time.perf_counter(), time.process_time()
    with _matcher(data):
        opened, processor = time.perf_counter() - begun, time.process_time() - used
    return {"wall": opened, "processor": processor, "peak": peak_memory(), "size": _size(data, "keypoints/**/*")}


def match(data: Path, uploads: int) -> dict[str, float]:
    """Open a matcher again and match uploads; return seconds, milliseconds and MB."""
    begun, used = time.perf_counter(), time.process_time()
    with _matcher(data) as matcher:
        found: dict[str, float] = {"wall": time.perf_counter() - begun, "processor": time.process_time() - used}
        walls, processors, candidates = [], [], []
        for number in range(uploads + 5):
            asked = picture().resize((500 - number, 375))
            begun, used = time.perf_counter(), time.process_time()
            assert matcher.match([asked])[0].meme.path == "A/0.png"
            walls.append(time.perf_counter() - begun)
            processors.append(time.process_time() - used)
            signature = signature_of([asked])
            begun = time.perf_counter()
            matcher.candidates.find(signature)
            candidates.append(time.perf_counter() - begun)
    walls, candidates = walls[5:], candidates[5:]
    found["p50"], found["p95"] = percentiles(walls)
    found["candidates"] = percentiles(candidates)[0]
    found["processor p50"] = percentiles(processors[5:])[0]
    return found | resident() | {"peak": peak_memory()}


def resident() -> dict[str, float]:
    """Return this process's own memory and its pages of files, in MB; empty where /proc does not say."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return {}
    sizes = {line.split()[0].rstrip(":"): int(line.split()[1]) / 1000 for line in lines if line.startswith("Rss")}
    return {"own": sizes["RssAnon"], "files": sizes["RssFile"]}


@contextmanager
def _matcher(data: Path) -> Iterator[Matcher]:
    def load(meme: Meme) -> list[Image.Image]:
        return [picture()]

    settings = Settings(data=data)
    with Workspace(settings, open_catalogue(settings)) as workspace:
        yield Matcher.open(workspace.catalogue, load=load, folder=workspace.keypoints)


def _size(data: Path, pattern: str) -> float:
    return sum(file.stat().st_size for file in data.glob(pattern) if file.is_file()) / 1e6


def _apart(work: Callable[[], Any]) -> Any:
    """Return what a function returns in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(work).result()


def measure(given: Namespace, report: Report) -> None:
    """Print the sizes, what opening takes, and what an upload takes."""
    with TemporaryDirectory() as temporary:
        data = given.folder or Path(temporary)
        catalogue = _apart(partial(fill, data, given.memes))
        first = _apart(partial(open_first, data))
        columns = {"memes": ",d", "": "", "wall s": ".1f", "processor s": ".1f", "peak MB": ",.0f"}
        table = report.table("opening", columns)
        table.row(given.memes, "first", first["wall"], first["processor"], first["peak"])
        again = _apart(partial(match, data, given.uploads))
        table.row(given.memes, "again", again["wall"], again["processor"], again["peak"])
        columns = {"p50 ms": ".0f", "p95 ms": ".0f", "candidates ms": ".0f", "processor ms": ".0f"}
        table = report.table("an upload", columns | {"own MB": ",.0f", "pages of files MB": ",.0f"})
        times = (again["p50"], again["p95"], again["candidates"], again["processor p50"])
        table.row(*times, again.get("own", 0.0), again.get("files", 0.0))
        report.note(f"catalogue: {catalogue:,.0f} MB; keypoints: {first['size']:,.0f} MB")


if __name__ == "__main__":
    raise SystemExit(BENCHMARK.run(measure))
