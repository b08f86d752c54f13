"""Time of a query by stage of the search, in one process, at 30,000 synthetic memes.

    python -m benchmarks.query_profile
    python -m benchmarks.query_profile FOLDER

The library is that of `benchmarks.http`. Stages overlap: the text encoder and the dense retrievers work in threads
while the lexical index is searched, so that stages add up to more than the whole. The processor time of a stage is that
of the thread that runs it (the text encoder's own threads are in `all threads` alone): it hardly depends on what else
the machine does. The difference between the whole search here and a request of `benchmarks.http` is HTTP, JSON and the
page.
"""

from __future__ import annotations

from argparse import Namespace
from collections import defaultdict
from collections.abc import Callable
from importlib import import_module
from statistics import median
from time import perf_counter, process_time, thread_time
from typing import Any

import numpy as np

import search.pipeline
import search.ranking.paging
from benchmarks.harness import Benchmark, Report, percentiles
from benchmarks.http import prepare
from benchmarks.scale import add_folder, folder_of, pools, sampled, source_of_texts
from search.catalogue import open_catalogue
from search.catalogue.texts import Texts
from search.encoders.registry import load_text_encoder
from search.index.lexical.index import LexicalIndex
from search.index.local import LocalIndex
from search.index.vectors.dense import DenseIndex
from search.pipeline import QueryPipeline
from search.ranking.retriever_factory import RetrieverFactory
from search.searcher import Searcher
from search.settings import Settings
from search.workspace import Workspace

WARM_UP = 30
BENCHMARK = Benchmark(__doc__, needs="nothing", takes="6 minutes the first time, then half a minute")
add_folder(BENCHMARK)
BENCHMARK.option("--queries", 300, small=20, help="queries to time")


WHOLE, ALL_THREADS = "the whole search", "  of it, all threads"
Spent = tuple[float, float]  # seconds: of the clock, of the processor


EXPLAIN = import_module("search.ranking.explain")  # the package exports a function of this name
STAGES: tuple[tuple[Any, str, str], ...] = (
    (QueryPipeline, "plan", "plan"),
    (search.pipeline, "apply_filters", "  filters"),
    (search.pipeline, "correct_spelling", "  spelling"),
    (search.pipeline, "memes_holding", "  memes that hold the words"),
    (search.pipeline, "make_quote", "  quotes"),
    (search.pipeline, "stats_of", "  frequencies of the words"),
    (RetrieverFactory, "of_meaning", "  retrievers of meaning, the encoder begun"),
    (RetrieverFactory, "of_words", "  retrievers of words"),
    (LexicalIndex, "phrase", "    phrases"),
    (search.pipeline, "score_candidates", "candidates and their scores"),
    (LocalIndex, "propose", "  candidates, waiting for the encoder"),
    (LexicalIndex, "search", "    lexical retrieval"),
    (DenseIndex, "search", "    dense retrieval, in threads"),
    (LocalIndex, "judge", "  scores, and fields' shares later"),
    (LexicalIndex, "scores", "    lexical scores"),
    (DenseIndex, "scores", "    dense scores, in threads"),
    (search.pipeline, "relevance_cutoff", "relevance cut-off"),
    (search.ranking.paging, "explain", "explanations and snippets"),
    (EXPLAIN, "_field_shares", "  fields' shares"),
    (EXPLAIN, "_snippets", "  snippets"),
    (Texts, "passages_of", "    passages read"),
    (EXPLAIN, "reasons_of", "  reasons"),
    (search.ranking.paging, "count_facets", "facets"),
)


class Watch:
    """Adds up the seconds spent in chosen functions, by stage: of the clock, and of the processor by that thread."""

    def __init__(self) -> None:
        self.spent: dict[str, Spent] = defaultdict(lambda: (0.0, 0.0))

    def over(self, owner: Any, name: str, *, stage: str) -> None:
        """Replace a function by one that adds its seconds to a stage."""
        work: Callable[..., Any] = getattr(owner, name)

        def timed(*arguments: Any, **options: Any) -> Any:
            begun, worked = perf_counter(), thread_time()
            try:
                return work(*arguments, **options)
            finally:
                self.add(stage, perf_counter() - begun, thread_time() - worked)

        setattr(owner, name, timed)

    def add(self, stage: str, wall: float, processor: float) -> None:
        """Add seconds to a stage."""
        before = self.spent[stage]
        self.spent[stage] = before[0] + wall, before[1] + processor


def measure(given: Namespace, report: Report) -> None:
    """Print the stages, the slowest first."""
    report.note(source_of_texts())
    folder = folder_of(given, "http")
    settings = Settings(data=folder, library=folder)
    prepare(settings, given.memes)
    queries = sampled(pools()[1], given.queries + WARM_UP)
    watch = Watch()
    with open_catalogue(settings) as catalogue:
        encoder = load_text_encoder(settings, long_running=True, for_queries=True)  # as a server does
        watch.over(type(encoder), "encode_queries", stage="text encoder")
        searcher = Searcher(Workspace(settings, catalogue), text_encoder=encoder)
        for owner, name, stage in STAGES:
            watch.over(owner, name, stage=stage)
        rows: list[dict[str, Spent]] = []
        for query in queries:
            watch.spent.clear()
            begun, worked, own = perf_counter(), process_time(), thread_time()
            searcher.search(query, k=10, collapse=True)
            wall = perf_counter() - begun
            watch.add(WHOLE, wall, thread_time() - own)
            watch.add(ALL_THREADS, wall, process_time() - worked)
            rows.append(dict(watch.spent))
    rows = rows[WARM_UP:]
    columns = {"stage": "", "p50 ms": ".2f", "p95 ms": ".2f", "processor p50": ".2f", "mean": ".2f"}
    table = report.table("stages", columns)

    def of(stage: str, kind: int) -> list[float]:
        return [row.get(stage, (0.0, 0.0))[kind] for row in rows]

    for stage in sorted({name for row in rows for name in row}, key=lambda name: -median(of(name, 0))):
        worked_ms = np.array(of(stage, 1)) * 1000
        table.row(stage, *percentiles(of(stage, 0)), float(np.median(worked_ms)), float(np.mean(worked_ms)))


if __name__ == "__main__":
    raise SystemExit(BENCHMARK.run(measure))
