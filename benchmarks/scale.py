"""Search at the size of a large library: 30,000 synthetic memes with 240,000 passages, indexed, opened and searched.

    python -m benchmarks.scale
    python -m benchmarks.scale FOLDER --memes 100000

Texts are those of CM50, two put together, or words drawn from a frequency list where CM50 is not here. Embeddings are
mixtures of the embeddings of the two texts, and queries are embedded by the real encoder; with `--random` all are
directions drawn at random around a common one, which is harder than any library. Every fifth meme has no description,
and most pictures belong to a template that others belong to. FOLDER keeps the data folder, so that a second run only
searches.
"""

from __future__ import annotations

import json
import zlib
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from benchmarks.data import cache, shared
from benchmarks.harness import Benchmark, Report, Skipped, peak_memory, percentiles, timed
from benchmarks.mixed_vectors import MixedVectors, put_together
from benchmarks.stages import BuildStage, BuildWatch
from indexer.stages.build_index import build_index
from search.catalogue import (
    Catalogue,
    FingerprintRecord,
    MemeRecord,
    PictureRecord,
    ReadingRecord,
    open_catalogue,
)
from search.encoders.base import TextEncoder, Vectors
from search.encoders.registry import export_text_encoder, load_text_encoder
from search.images.fingerprints import LOOK, LOOK_DIMENSIONS, PDQ, PDQ_BITS
from search.index.generations import live_folder
from search.meme import Field, MediaType, Passage, TextKind
from search.query.language import english_frequencies
from search.searcher import Searcher
from search.settings import Settings
from search.texts.chunking import SPLITTER
from search.workspace import Workspace

CATEGORIES = 300
ANALYSES = 4  # passages of an essay
UNDESCRIBED = 5  # every fifth meme has no description, as in a library that is being described
MEMES_A_TEMPLATE = 4  # on average; a few templates have many memes
LOOK_NOISE, FLIPPED_BITS = 0.3, 24  # of a meme to its template: two of one template have a cosine of .92, 44 bits
START = datetime(2015, 1, 1, tzinfo=UTC)
WARM_UP = 20
BENCHMARK = Benchmark(__doc__, needs="nothing; 1 GB of disk", takes="5 minutes the first time, then 1")


def add_folder(benchmark: Benchmark) -> None:
    """Add the arguments of a made-up library: FOLDER and --memes."""
    benchmark.parser.add_argument("folder", nargs="?", type=Path, help="keeps the library (default: in the cache)")
    benchmark.option("--memes", 30_000, small=300, help="memes of a new library")


def folder_of(given: Namespace, name: str) -> Path:
    """Return the folder that keeps a made-up library."""
    return (given.folder or cache() / f"{name}-{given.memes}-with-gaps").absolute()


add_folder(BENCHMARK)
BENCHMARK.option("--queries", 200, small=20, help="queries to time, of each kind")
BENCHMARK.parser.add_argument("--no-build", action="store_true", help="search the index that FOLDER has")
BENCHMARK.parser.add_argument("--random", action="store_true", help="random directions as embeddings")


class RandomDirections:
    """A text encoder whose rows are random directions around a common one, seeded by the text's checksum."""

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
    try:
        folder = shared("cm50")
    except Skipped:
        words = list(islice(english_frequencies(), 20_000))
        draw = np.random.default_rng(1)

        def text(length: int) -> str:
            return " ".join(words[int(20_000 * draw.random() ** 3)] for _ in range(length))

        lengths = {Field.OCR: 15, Field.DESCRIPTION: 50, Field.VISUAL: 60, Field.ANALYSIS: 100}
        return {field: [text(length) for _ in range(1000)] for field, length in lengths.items()}, [
            text(6) for _ in range(500)
        ]
    memes = json.loads((folder / "memes.json").read_text("utf-8"))
    found: dict[Field, list[str]] = {
        field: [] for field in (Field.OCR, Field.DESCRIPTION, Field.VISUAL, Field.ANALYSIS)
    }
    for meme in memes:
        found[Field.OCR].append(" ".join(meme["boxes"]))
        found[Field.DESCRIPTION].append(meme["descriptions"]["gpt-4o.simple-description"])
        sections = meme["descriptions"]["gpt-4o.detailed-analysis"].split("\n## ")
        found[Field.VISUAL].append(sections[0])
        found[Field.ANALYSIS] += sections[1:]
    queries = json.loads((folder / "queries_dev.json").read_text("utf-8"))
    return found, [text for one in queries.values() for text in one.values()]


def mixed_vectors(models: Path | None = None, *, name: str | None = None) -> MixedVectors:
    """Return an encoder of the made-up library's passages, by MiniLM's vectors of the texts that they are made of."""
    settings = Settings(data=models or cache() / "mixed")
    export_text_encoder(settings)
    return MixedVectors(load_text_encoder(settings), [text for field in pools()[0].values() for text in field], name)


def source_of_texts() -> str:
    """Return a sentence that says which texts and queries `pools` has: latencies by others do not compare."""
    try:
        shared("cm50")
    except Skipped as error:
        return f"texts and queries: words of a frequency list ({error})"
    return "texts and queries: CM50's"


def fill(catalogue: Catalogue, memes: int, *, encoder: TextEncoder) -> None:
    """Write a synthetic library into an empty catalogue, embedded by an encoder."""
    texts, _ = pools()
    catalogue.embeddings.register(encoder.name, dimensions=encoder.dimensions)
    draw = np.random.default_rng(2)
    for start in range(0, memes, 2000):
        with catalogue.transaction():
            for number in range(start, min(memes, start + 2000)):
                add(catalogue, number, texts, draw)
    for missing in catalogue.embeddings.missing_passages(encoder.name):  # once: each time passes over all passages
        vectors = encoder.encode([body for _, body in missing])
        catalogue.embeddings.put(encoder.name, [key for key, _ in missing], vectors)


def add_new(catalogue: Catalogue, number: int, words: str, draw: np.random.Generator) -> int:
    """Write one more meme with a text in its picture, decoded and read but not split or embedded; return its id."""
    category = f"Category {int(CATEGORIES * draw.random() ** 2)}"
    content = f"{draw.integers(1 << 62):064x}"
    id = _put(catalogue, number, category=category, content=content, draw=draw)
    catalogue.readings.put(ReadingRecord(content, TextKind.OCR, "synthetic", words))
    return id


def add(catalogue: Catalogue, number: int, texts: dict[Field, list[str]], draw: np.random.Generator) -> None:
    """Write one synthetic meme, decoded, read and described."""
    category = f"Category {int(CATEGORIES * draw.random() ** 2)}"
    id = _put(catalogue, number, category=category, content=f"{number:064x}", draw=draw)
    is_described = number % UNDESCRIBED != UNDESCRIBED - 1
    described = [Field.DESCRIPTION, Field.VISUAL, *[Field.ANALYSIS] * ANALYSES]
    fields = [Field.OCR, *(described if is_described else ())]
    passages = [Passage(Field.NAME, "name", f"{category}: meme {number}")]
    for number_of, field in enumerate(fields):
        # The beginning of one meme's text and the end of another's: real words, and few equal texts.
        first, second = (texts[field][place] for place in draw.integers(len(texts[field]), size=2))
        passages.append(Passage(field, f"model {number_of}", put_together(first, second)))
    catalogue.texts.put_passages(id, passages, splitter=SPLITTER)


def _put(catalogue: Catalogue, number: int, *, category: str, content: str, draw: np.random.Generator) -> int:
    """Write a synthetic meme's file and decoded picture, and return its id."""
    id = catalogue.memes.put(
        MemeRecord(
            path=f"{category}/meme {number}.jpg",
            category=category,
            content_hash=content,
            type=MediaType.IMAGE,
            size=1,
            mtime_ns=1,
            first_seen=START + timedelta(hours=float(draw.random() * 90_000)),
            first_seen_source="sidecar",
        )
    )
    look, bits = picture(number, draw)
    catalogue.pictures.put(
        PictureRecord(content, 600, 400, 1, None, MediaType.IMAGE, "", "synthetic"),
        [
            FingerprintRecord(content, PDQ, 0, bits.tobytes(), 1.0),
            FingerprintRecord(content, LOOK, 0, look.astype("<f2").tobytes(), 1.0),
        ],
    )
    return id


def picture(number: int, draw: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Return the look ([704], of length 1) and the PDQ ([32] uint8) of a meme's picture: its template's, changed.

    Templates are drawn by their number, so that libraries of all sizes have the same. The square makes the first memes'
    templates the most frequent ones.
    """
    template = int((number / MEMES_A_TEMPLATE + 1) * draw.random() ** 2)
    of_template = np.random.default_rng([3, template])
    look = of_template.standard_normal(LOOK_DIMENSIONS) + LOOK_NOISE * draw.standard_normal(LOOK_DIMENSIONS)
    is_set = np.zeros(PDQ_BITS, np.uint8)
    is_set[of_template.permutation(PDQ_BITS)[: PDQ_BITS // 2]] = 1  # half of PDQ's bits are set
    is_set[draw.permutation(PDQ_BITS)[:FLIPPED_BITS]] ^= 1
    return (look / np.linalg.norm(look)).astype(np.float32), np.packbits(is_set)


def searches(searcher: Searcher, queries: Sequence[str], memes: int) -> Iterator[tuple[str, Callable[[str], object]]]:
    """Yield what to time, by name."""
    ids = {query: 1 + place * 17 % memes for place, query in enumerate(queries)}
    yield "search, 30 hits", lambda query: searcher.search(query)
    yield "search, 10 hits", lambda query: searcher.search(query, k=10)
    yield "search in the largest category", lambda query: searcher.search(query, category="Category 0")
    yield "newest, 30 hits", lambda query: searcher.search("")
    yield "similar, by everything", lambda query: searcher.similar(ids[query])


def sampled(queries: Sequence[str], count: int) -> list[str]:
    """Return `count` of the queries, spread over all of them."""
    return [queries[place * 7 % len(queries)] for place in range(count)]


def built(data: Path, encoder: str) -> tuple[int, int, float, list[BuildStage]]:
    """Build the index; return its memes and vectors, this process's peak in MB, and the build's stages."""
    settings = Settings(data=data, text_encoder=encoder)
    with open_catalogue(settings) as catalogue, BuildWatch() as watch:
        workspace = Workspace(settings, catalogue)
        manifest = build_index(workspace, text_encoder=settings.text_encoder, progress=watch, force=True)
    vectors = sum(count for part, count in manifest.rows.items() if part.startswith("meanings."))
    return manifest.memes, vectors, peak_memory(), watch.stages()


def report_build(settings: Settings, workspace: Workspace, report: Report) -> None:
    """Build the index in a process of its own, whose peak is of the build alone, and print what it took."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        memes, vectors, peak, stages = pool.submit(built, settings.data, settings.text_encoder).result()
    size = sum(file.stat().st_size for file in live_folder(workspace.index).rglob("*") if file.is_file())
    catalogue_size = (settings.data / "catalogue.sqlite").stat().st_size
    report.note(
        f"index of {memes:,} memes, {vectors:,} vectors, {size / 1e6:,.0f} MB built in "
        f"{sum(one.seconds for one in stages):.1f} s, {sum(one.processor for one in stages):.1f} s of processor "
        f"time, peak memory {peak:,.0f} MB with pages of files; catalogue {catalogue_size / 1e6:,.0f} MB"
    )
    columns = {"stage": "", "s": ".1f", "processor s": ".1f", "memory MB": ",.0f", "with files MB": ",.0f"}
    building = report.table("build", columns)
    for one in stages:
        building.row(one.name, one.seconds, one.processor, one.own_mb, one.resident_mb)


def measure(given: Namespace, report: Report) -> None:
    """Print build times, then the latency of each kind of question."""
    report.note(source_of_texts())
    folder = folder_of(given, "scale" if given.random else "mixed")
    encoder = RandomDirections() if given.random else mixed_vectors()
    settings = Settings(data=folder, text_encoder=encoder.name)
    with open_catalogue(settings) as catalogue:
        if not catalogue.memes.count():
            begun = perf_counter()
            fill(catalogue, given.memes, encoder=encoder)
            report.note(f"catalogue of {given.memes:,} memes made in {perf_counter() - begun:.1f} s")
        workspace = Workspace(settings, catalogue)
        memes = catalogue.memes.count()
        if not given.no_build:
            report_build(settings, workspace, report)
        begun = perf_counter()
        searcher = Searcher(workspace, text_encoder=encoder)
        report.note(f"opened in {perf_counter() - begun:.2f} s")
        queries = sampled(pools()[1], given.queries + WARM_UP)
        table = report.table("latency", {"question": "", "p50 ms": ".1f", "p95 ms": ".1f"})
        for label, work in searches(searcher, queries, memes):
            table.row(label, *percentiles(timed(work, queries, warm_up=WARM_UP)))


if __name__ == "__main__":
    raise SystemExit(BENCHMARK.run(measure))
