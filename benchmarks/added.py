"""One more meme in a large index: how soon it is found, and what queries cost before and after the library changed.

    python -m benchmarks.added
    python -m benchmarks.added FOLDER --memes 30000

The library is that of `benchmarks.http`. Memes are added to the index one by one, each with a word that no other has;
between the queries after them, descriptions come in, as while a model describes the library. Each query is asked twice
over: once before anything changed, once after. Adding is measured until the first search that finds the meme ends.
"""

from __future__ import annotations

from argparse import Namespace
from time import perf_counter, process_time

import numpy as np

from benchmarks.harness import Benchmark, Report, percentiles, timed
from benchmarks.http import prepare
from benchmarks.scale import add_folder, add_new, folder_of, pools, sampled, source_of_texts
from indexer.stages.update_index import update_index
from search.catalogue import ReadingRecord, open_catalogue
from search.encoders.registry import load_text_encoder
from search.meme import TextKind
from search.searcher import Searcher
from search.settings import Settings
from search.workspace import Workspace

WARM_UP = 30
BENCHMARK = Benchmark(__doc__, needs="nothing", takes="6 minutes the first time, then 1")
add_folder(BENCHMARK)
BENCHMARK.option("--queries", 200, small=20, help="queries to time, before and after")
BENCHMARK.option("--added", 5, small=2, help="memes to add")


def measure(given: Namespace, report: Report) -> None:
    """Print the latency before and after, their ratio, and how long an added meme takes to be found."""
    report.note(source_of_texts())
    folder = folder_of(given, "http")
    settings = Settings(data=folder, library=folder)
    prepare(settings, given.memes)
    queries = sampled(pools()[1], given.queries + WARM_UP)
    encoder = load_text_encoder(settings, long_running=True)
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
        added = report.table("one more meme", {"": "", "found after, s": ".2f", "processor, s": ".2f"})
        draw, number = np.random.default_rng(), catalogue.memes.count()
        for place in range(given.added):
            word = f"zyx{draw.integers(1 << 60):x}"
            begun, worked = perf_counter(), process_time()
            id = add_new(catalogue, number + place, f"{word} on a picture", draw)
            update_index(workspace, [id], encoder=encoder)
            found = searcher.search(word, k=1).hits
            if [hit.meme.id for hit in found] != [id]:
                raise SystemExit(f"The meme {id} was added and is not found.")
            added.row(f"meme {place + 1}", perf_counter() - begun, process_time() - worked)
        after = percentiles([after_a_description(query) for query in queries][WARM_UP:])
        table = report.table("search, 10 hits", {"": "", "p50 ms": ".1f", "p95 ms": ".1f"})
        table.row("before anything changed", *before)
        table.row("after memes were added, descriptions", *after)
        report.note(f"p50 after / before: {after[0] / before[0]:.2f}")


if __name__ == "__main__":
    raise SystemExit(BENCHMARK.run(measure))
