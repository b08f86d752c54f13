"""One more meme in a large index: how soon it is found, and what queries cost before and after the library changed.

    python -m benchmarks.added
    python -m benchmarks.added FOLDER --memes 30000
    python -m benchmarks.added FOLDER --no-build

The library is that of `benchmarks.http`; with `--no-build` it is the one in FOLDER, which `benchmarks.scale` may have
made, with its index as it is. Memes are added to the index one by one, each with a word that no other has, by a process
that has searched before, as a server has. Between the queries after them, descriptions come in, as while a model
describes the library. Each query is asked twice over: once before anything changed, once after. Adding is measured
until the first search that finds the meme ends.
"""

from __future__ import annotations

from argparse import Namespace
from time import perf_counter, process_time

import numpy as np

from benchmarks.harness import Benchmark, Report, percentiles, timed
from benchmarks.http import prepare
from benchmarks.mixed_vectors import MIXED
from benchmarks.scale import add_folder, add_new, folder_of, mixed_vectors, pools, sampled, source_of_texts
from benchmarks.stages import memory_now
from indexer.stages.update_index import update_index
from search.catalogue import ReadingRecord, open_catalogue
from search.encoders.base import TextEncoder
from search.encoders.registry import load_text_encoder
from search.index.generations import FORMAT, live_manifest
from search.meme import TextKind
from search.searcher import Searcher
from search.settings import Settings
from search.workspace import Workspace

WARM_UP = 30
BENCHMARK = Benchmark(__doc__, needs="nothing", takes="6 minutes the first time, then 1")
add_folder(BENCHMARK)
BENCHMARK.option("--queries", 200, small=20, help="queries to time, before and after")
BENCHMARK.option("--added", 5, small=2, help="memes to add")
BENCHMARK.parser.add_argument("--no-build", action="store_true", help="extend the index that FOLDER has")


def measure(given: Namespace, report: Report) -> None:
    """Print the latency before and after, their ratio, and how long an added meme takes to be found."""
    report.note(source_of_texts())
    folder = folder_of(given, "http")
    settings = Settings(data=folder, library=folder)
    if not given.no_build:
        prepare(settings, given.memes)
    queries = sampled(pools()[1], given.queries + WARM_UP)
    encoder = encoder_of(settings)
    with (
        open_catalogue(settings) as catalogue,
        Searcher(workspace := Workspace(settings, catalogue), text_encoder=encoder) as searcher,
    ):
        described = catalogue.memes.get(1)

        def after_a_description(query: str) -> float:
            reading = ReadingRecord(described.content_hash, TextKind.SIMPLE, "benchmark", query)
            catalogue.readings.put(reading)
            begun = perf_counter()
            searcher.search(query, k=10)
            return perf_counter() - begun

        before = percentiles(timed(lambda query: searcher.search(query, k=10), queries, warm_up=WARM_UP))
        report_memory(report, "before")
        columns = {"": "", "found after, s": ".2f", "index, s": ".2f", "first search, s": ".2f", "processor, s": ".2f"}
        draw, number = np.random.default_rng(), catalogue.memes.count()
        added = report.table(f"one more meme than {number:,}", columns)
        for place in range(given.added):
            word = f"zyx{draw.integers(1 << 60):x}"
            begun, worked = perf_counter(), process_time()
            id = add_new(catalogue, number + place, f"{word} on a picture", draw)
            update_index(workspace, [id], encoder=encoder)
            indexed = perf_counter()
            found = searcher.search(word, k=1).hits
            ended = perf_counter()
            if [hit.meme.id for hit in found] != [id]:
                raise SystemExit(f"The meme {id} was added and is not found.")
            seconds = ended - begun, indexed - begun, ended - indexed
            added.row(f"meme {place + 1}", *seconds, process_time() - worked)
        after = percentiles([after_a_description(query) for query in queries][WARM_UP:])
        table = report.table("search, 10 hits", {"": "", "p50 ms": ".1f", "p95 ms": ".1f"})
        table.row("before anything changed", *before)
        table.row("after memes were added, descriptions", *after)
        report.note(f"p50 after / before: {after[0] / before[0]:.2f}")
        report_memory(report, "after")


def encoder_of(settings: Settings) -> TextEncoder:
    """Return the text encoder of a made-up library's index; end the run where there is none that can be extended."""
    # Not verified here: a server that begins to search has read no more of the index than this.
    manifest = live_manifest(settings.absolute().data / "index")
    if manifest is None or manifest.format != FORMAT:
        raise SystemExit(f"{settings.data} has no index that can be extended: leave --no-build out, once.")
    if manifest.text_encoder.startswith(MIXED):
        return mixed_vectors()
    return load_text_encoder(settings, long_running=True)


def report_memory(report: Report, when: str) -> None:
    """Print the memory of this process."""
    own, resident = memory_now()
    report.note(f"memory {when}: {own:,.0f} MB of the process alone, {resident:,.0f} MB with pages of files")


if __name__ == "__main__":
    raise SystemExit(BENCHMARK.run(measure))
