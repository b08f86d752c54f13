"""A library of 30,000 memes and 240,000 embedded passages: how long it takes to index, to open and to search.

    python -m benchmarks.scale FOLDER --memes 30000

The texts are those of `../shared/cm50`, shuffled, or drawn from a list of frequent words where it is not there;
embeddings are directions drawn at random around a common one. The data folder is kept in FOLDER, so a second run only
searches.
"""

from __future__ import annotations

import argparse
import json
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from statistics import median, quantiles

import numpy as np

from benchmarks.machine import machine
from indexer.stages.build_index import build_index
from search.catalogue import Catalogue, FingerprintRecord, MemeRecord, PictureRecord, open_catalogue
from search.encoders.base import Vectors
from search.images.fingerprints import LOOK, LOOK_DIMENSIONS, PDQ, PDQ_BITS
from search.meme import Field, MediaType, Passage
from search.searcher import Searcher
from search.settings import Settings
from search.texts.chunking import SPLITTER
from search.workspace import Workspace

SHARED = Path(__file__).parents[2] / "shared" / "cm50"
CATEGORIES = 300
ANALYSES = 4  # passages of an essay
START = datetime(2015, 1, 1, tzinfo=UTC)


class RandomDirections:
    """Gives a text a direction drawn by its checksum, around a common one, as encoders do."""

    dimensions = 384

    def __init__(self, name: str = "random-directions-1") -> None:
        self.name = name

    def encode(self, texts: Sequence[str]) -> Vectors:
        common = np.random.default_rng(0).standard_normal(self.dimensions)
        rows = np.stack(
            [np.random.default_rng(zlib.crc32(text.encode())).standard_normal(self.dimensions) for text in texts]
        )
        rows += common
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def pools() -> tuple[dict[Field, list[str]], list[str]]:
    """Return texts for each field, and queries."""
    if not SHARED.exists():
        lines = (files("symspellpy") / "frequency_dictionary_en_82_765.txt").read_text("utf-8-sig").splitlines()
        words = [line.split()[0] for line in lines[:20_000]]
        draw = np.random.default_rng(1)

        def text(length: int) -> str:
            return " ".join(words[int(20_000 * draw.random() ** 3)] for _ in range(length))

        lengths = {Field.OCR: 15, Field.DESCRIPTION: 50, Field.VISUAL: 60, Field.ANALYSIS: 100}
        return {field: [text(length) for _ in range(1000)] for field, length in lengths.items()}, [
            text(6) for _ in range(500)
        ]
    memes = json.loads((SHARED / "memes.json").read_text("utf-8"))
    found: dict[Field, list[str]] = {
        field: [] for field in (Field.OCR, Field.DESCRIPTION, Field.VISUAL, Field.ANALYSIS)
    }
    for meme in memes:
        found[Field.OCR].append(" ".join(meme["boxes"]))
        found[Field.DESCRIPTION].append(meme["descriptions"]["gpt-4o.simple-description"])
        sections = meme["descriptions"]["gpt-4o.detailed-analysis"].split("\n## ")
        found[Field.VISUAL].append(sections[0])
        found[Field.ANALYSIS] += sections[1:]
    queries = json.loads((SHARED / "queries_dev.json").read_text("utf-8"))
    return found, [text for one in queries.values() for text in one.values()]


def fill(catalogue: Catalogue, memes: int, *, encoder: RandomDirections) -> None:
    """Write a synthetic library into an empty catalogue, embedded by an encoder."""
    texts, _ = pools()
    catalogue.embeddings.register(encoder.name, dimensions=encoder.dimensions)
    draw = np.random.default_rng(2)
    for start in range(0, memes, 2000):
        with catalogue.transaction():
            for number in range(start, min(memes, start + 2000)):
                add(catalogue, number, texts, draw)
        missing = catalogue.embeddings.missing_passages(encoder.name)
        catalogue.embeddings.put(
            encoder.name, [key for key, _ in missing], encoder.encode([body for _, body in missing])
        )


def add(catalogue: Catalogue, number: int, texts: dict[Field, list[str]], draw: np.random.Generator) -> None:
    """Write one synthetic meme, decoded, read and described."""
    category = f"Category {int(CATEGORIES * draw.random() ** 2)}"
    content = f"{number:064x}"
    id = catalogue.memes.put(
        MemeRecord(
            path=f"{category}/meme {number}.jpg",
            category=category,
            content_hash=content,
            type=MediaType.IMAGE,
            size=1,
            mtime_ns=1,
            first_seen=START + timedelta(hours=float(draw.random() * 90_000)),
            first_seen_is="sidecar",
        )
    )
    look = draw.standard_normal(LOOK_DIMENSIONS)
    catalogue.pictures.put(
        PictureRecord(content, 600, 400, 1, None, MediaType.IMAGE, "", "synthetic"),
        [
            FingerprintRecord(content, PDQ, 0, draw.bytes(PDQ_BITS // 8), 1.0),
            FingerprintRecord(content, LOOK, 0, (look / np.linalg.norm(look)).astype("<f2").tobytes(), 1.0),
        ],
    )
    fields = [Field.OCR, Field.DESCRIPTION, Field.VISUAL, *[Field.ANALYSIS] * ANALYSES]
    passages = [Passage(Field.NAME, "name", f"{category}: meme {number}")]
    for number_of, field in enumerate(fields):
        # A text of one meme with the end of another's: the words of real ones, and few texts alike.
        first, second = (texts[field][place].split() for place in draw.integers(len(texts[field]), size=2))
        passages.append(Passage(field, f"model {number_of}", " ".join([*first, *second[len(second) // 2 :]])[:900]))
    catalogue.texts.put_passages(id, passages, splitter=SPLITTER)


def timed(label: str, work: Callable[[str], object], queries: Sequence[str]) -> None:
    """Print the median and the 95th percentile of doing something with each query."""
    for query in queries[:20]:
        work(query)
    seconds = []
    for query in queries:
        begun = time.perf_counter()
        work(query)
        seconds.append(time.perf_counter() - begun)
    print(f"{label:32} p50 {1000 * median(seconds):6.1f} ms   p95 {1000 * quantiles(seconds, n=20)[-1]:6.1f} ms")


def searches(searcher: Searcher, queries: Sequence[str], memes: int) -> Iterator[tuple[str, Callable[[str], object]]]:
    """Yield what to time."""
    ids = {query: 1 + place * 17 % memes for place, query in enumerate(queries)}
    yield "search, 30 hits", lambda query: searcher.search(query)
    yield "search, 10 hits", lambda query: searcher.search(query, k=10)
    yield "search, a category of 1,700", lambda query: searcher.search(query, category="Category 0")
    yield "newest, 30 hits", lambda query: searcher.search("")
    yield "similar, by everything", lambda query: searcher.similar(ids[query])


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--memes", type=int, default=30_000)
    arguments.add_argument("--queries", type=int, default=200)
    given = arguments.parse_args()
    settings = Settings(data=given.folder, text_encoder=RandomDirections().name)
    print(machine())
    with open_catalogue(settings) as catalogue:
        if not catalogue.memes.count():
            begun = time.perf_counter()
            fill(catalogue, given.memes, encoder=RandomDirections())
            print(f"catalogue of {given.memes:,} memes made in {time.perf_counter() - begun:.1f} s")
        begun = time.perf_counter()
        manifest = build_index(Workspace(settings, catalogue), text_encoder=settings.text_encoder, force=True)
        rows = sum(count for part, count in manifest.rows.items() if part.startswith("meanings."))
        print(f"index of {manifest.memes:,} memes, {rows:,} vectors built in {time.perf_counter() - begun:.1f} s")
        begun = time.perf_counter()
        searcher = Searcher(Workspace(settings, catalogue), text_encoder=RandomDirections())
        print(f"opened in {time.perf_counter() - begun:.2f} s")
        _, queries = pools()
        queries = [queries[place * 7 % len(queries)] for place in range(given.queries)]
        for label, work in searches(searcher, queries, manifest.memes):
            timed(label, work, queries)


if __name__ == "__main__":
    main()
