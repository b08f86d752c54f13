"""Where the time of a query goes: each stage of a search in one process, over the library of `benchmarks.http`.

    python -m benchmarks.query_profile FOLDER

Stages overlap: the encoder and the voters of meaning work in threads while words are looked up, so that the stages add
up to more than the whole. What HTTP, JSON and the page add is the difference to `benchmarks.http`.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter
from typing import Any

import search.ranking.explain
import search.ranking.paging
import search.searcher
from benchmarks.http import prepare
from benchmarks.machine import machine
from benchmarks.scale import pools
from search.catalogue import open_catalogue
from search.encoders.registry import load_text_encoder
from search.index.dense import DenseIndex
from search.index.lexical import LexicalIndex
from search.searcher import Searcher
from search.settings import Settings
from search.workspace import Workspace

WARM_UP = 30


class Watch:
    """How long functions took, summed for each query."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = defaultdict(float)

    def over(self, owner: Any, name: str, *, stage: str) -> None:
        """Time every call of a function under a stage's name from now on."""
        work: Callable[..., Any] = getattr(owner, name)

        def timed(*arguments: Any, **options: Any) -> Any:
            begun = perf_counter()
            try:
                return work(*arguments, **options)
            finally:
                self.spent[stage] += perf_counter() - begun

        setattr(owner, name, timed)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--memes", type=int, default=30_000)
    arguments.add_argument("--queries", type=int, default=300)
    given = arguments.parse_args()
    settings = Settings(data=given.folder.absolute(), library=given.folder.absolute())
    print(machine())
    prepare(settings, given.memes)
    _, queries = pools()
    queries = [queries[place * 7 % len(queries)] for place in range(given.queries + WARM_UP)]
    watch = Watch()
    with open_catalogue(settings) as catalogue:
        encoder = load_text_encoder(settings, long_running=True)
        watch.over(type(encoder), "encode", stage="text encoder")
        searcher = Searcher(Workspace(settings, catalogue), text_encoder=encoder)
        watch.over(search.searcher, "narrowed", stage="operators")
        watch.over(search.searcher, "spelt", stage="spelling")
        watch.over(LexicalIndex, "search", stage="words put forward")
        watch.over(LexicalIndex, "phrase", stage="words in sequence")
        watch.over(LexicalIndex, "scores", stage="words scored")
        watch.over(DenseIndex, "search", stage="meanings put forward")
        watch.over(DenseIndex, "scores", stage="meanings scored")
        watch.over(search.searcher, "count", stage="all voters and fusion")
        watch.over(search.searcher, "judge", stage="where relevance ends")
        watch.over(search.ranking.paging, "explained", stage="reasons and snippets")
        watch.over(search.ranking.explain, "_snippets", stage="  of these, snippets")
        watch.over(search.ranking.paging, "facets_of", stage="facets")
        rows: list[dict[str, float]] = []
        for query in queries:
            watch.spent.clear()
            begun = perf_counter()
            searcher.search(query, k=10, collapse=True)
            rows.append({"the whole search": perf_counter() - begun, **watch.spent})
    rows = rows[WARM_UP:]
    for stage in sorted(
        {name for row in rows for name in row}, key=lambda name: -median(row.get(name, 0) for row in rows)
    ):
        seconds = [row.get(stage, 0.0) for row in rows]
        print(f"{stage:24} p50 {1000 * median(seconds):6.2f} ms   p95 {1000 * quantiles(seconds, n=20)[-1]:6.2f} ms")


if __name__ == "__main__":
    main()
