"""Time of a query by stage of the search, in one process, at 30,000 synthetic memes.

    python -m benchmarks.query_profile
    python -m benchmarks.query_profile FOLDER

The library is that of `benchmarks.http`. Stages overlap: the text encoder and the dense retrievers work in threads
while the lexical index is searched, so that stages add up to more than the whole. The difference between the whole
search here and a request of `benchmarks.http` is HTTP, JSON and the page.
"""

from __future__ import annotations

from argparse import Namespace
from collections import defaultdict
from collections.abc import Callable
from importlib import import_module
from statistics import median
from time import perf_counter
from typing import Any

import search.pipeline
import search.ranking.paging
import search.searcher
from benchmarks.harness import Benchmark, Report, percentiles
from benchmarks.http import prepare
from benchmarks.scale import add_folder, folder_of, pools, sampled
from search.catalogue import open_catalogue
from search.encoders.registry import load_text_encoder
from search.index.dense import DenseIndex
from search.index.lexical import LexicalIndex
from search.searcher import Searcher
from search.settings import Settings
from search.workspace import Workspace

WARM_UP = 30
BENCHMARK = Benchmark(__doc__, needs="nothing", takes="6 minutes the first time, then half a minute")
add_folder(BENCHMARK)
BENCHMARK.option("--queries", 300, small=20, help="queries to time")


class Watch:
    """Adds up the seconds spent in chosen functions, by stage."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = defaultdict(float)

    def over(self, owner: Any, name: str, *, stage: str) -> None:
        """Replace a function by one that adds its seconds to a stage."""
        work: Callable[..., Any] = getattr(owner, name)

        def timed(*arguments: Any, **options: Any) -> Any:
            begun = perf_counter()
            try:
                return work(*arguments, **options)
            finally:
                self.spent[stage] += perf_counter() - begun

        setattr(owner, name, timed)


def measure(given: Namespace, report: Report) -> None:
    """Print the stages, the slowest first."""
    folder = folder_of(given, "http")
    settings = Settings(data=folder, library=folder)
    prepare(settings, given.memes)
    queries = sampled(pools()[1], given.queries + WARM_UP)
    watch = Watch()
    with open_catalogue(settings) as catalogue:
        encoder = load_text_encoder(settings, long_running=True)
        watch.over(type(encoder), "encode", stage="text encoder")
        searcher = Searcher(Workspace(settings, catalogue), text_encoder=encoder)
        watch.over(search.pipeline, "apply_filters", stage="filters")
        watch.over(search.pipeline, "correct_spelling", stage="spelling")
        watch.over(LexicalIndex, "search", stage="lexical retrieval")
        watch.over(LexicalIndex, "phrase", stage="phrases")
        watch.over(LexicalIndex, "scores", stage="lexical scores")
        watch.over(DenseIndex, "search", stage="dense retrieval")
        watch.over(DenseIndex, "scores", stage="dense scores")
        watch.over(search.pipeline, "score_candidates", stage="all retrievers")
        watch.over(search.pipeline, "relevance_cutoff", stage="relevance cut-off")
        watch.over(search.ranking.paging, "explain", stage="explanations and snippets")
        watch.over(import_module("search.ranking.explain"), "_snippets", stage="  of these, snippets")
        watch.over(search.ranking.paging, "count_facets", stage="facets")
        rows: list[dict[str, float]] = []
        for query in queries:
            watch.spent.clear()
            begun = perf_counter()
            searcher.search(query, k=10, collapse=True)
            rows.append({"the whole search": perf_counter() - begun, **watch.spent})
    rows = rows[WARM_UP:]
    table = report.table("stages", {"stage": "", "p50 ms": ".2f", "p95 ms": ".2f"})
    for stage in sorted(
        {name for row in rows for name in row}, key=lambda name: -median(row.get(name, 0) for row in rows)
    ):
        table.row(stage, *percentiles([row.get(stage, 0.0) for row in rows]))


if __name__ == "__main__":
    raise SystemExit(BENCHMARK.run(measure))
