"""Known-item search: memes found by quoted words, with and without a typo, by their picture, by a similar meme.

    python -m benchmarks.known_items
    python -m benchmarks.known_items real_memes --memes 1000 --seed 7

Quotes: how often the first hit contains the quoted words. Described pictures (real_memes only: three queries a template
that share almost no words with the descriptions): precision@10 by template. Similar: the share of the first five
relatives that show the same template, of every fifth meme whose template others share.
"""

from __future__ import annotations

import json
from argparse import Namespace
from collections import Counter
from statistics import mean

from benchmarks.data import Library, add_library, library_of, shared
from benchmarks.harness import Benchmark, Report, is_held_out
from search.encoders.registry import load_text_encoder
from search.meme import Likeness
from search.searcher import Searcher

BENCHMARK = Benchmark(
    __doc__,
    needs="nothing (the drawn demo library), or real_memes: see python -m benchmarks.data --help",
    takes="3 minutes with demo, 15 with real_memes, most of it the first time, for drawing and indexing",
)
add_library(BENCHMARK)


def paths(searcher: Searcher, query: str, k: int) -> list[str]:
    """Return the paths of the first k hits."""
    return [hit.meme.path for hit in searcher.search(query, k=k).hits]


def quotes(searcher: Searcher, library: Library, report: Report) -> None:
    """Add how often the first hit contains the words."""
    table = report.table("quoted words", {"query": "", "recall@1": ".3f", "held out": ".3f", "of": ",d"})
    quoted = library.quotes()
    for place, kind in enumerate(("as quoted", "with a slip")):
        found = [(min(right), bool(right.intersection(paths(searcher, one[place], 1)))) for *one, right in quoted]
        held_out = [first for key, first in found if is_held_out(key)]
        table.row(kind, mean(first for _, first in found), mean(held_out or [False]), len(found))


def descriptions(searcher: Searcher, library: Library, report: Report) -> None:
    """Add how many of the first ten hits show the template that a query describes."""
    precision, described = [], []
    for id, template in json.loads((shared("real_memes") / "templates.json").read_text("utf-8")).items():
        have = sum(library.templates[path] == id for path in library.described)
        for query in template["queries"]:
            found = paths(searcher, query, 100)
            precision.append(mean(library.templates[path] == id for path in found[:10]))
            first = [path for path in found if path in library.described][: min(10, have)]
            described.append(sum(library.templates[path] == id for path in first) / max(1, min(10, have)))
    table = report.table("described pictures", {"among": "", "precision@10": ".3f", "queries": ",d"})
    table.row("all memes", mean(precision), len(precision))
    table.row("memes with a description", mean(described), len(described))


def relatives(searcher: Searcher, library: Library, report: Report, ids: dict[str, int]) -> None:
    """Add how many of the first five relatives show the same template."""
    own = {path: library.templates[path] for path in library.captions if path in ids}
    shared_by = Counter(own.values())
    asked = [path for path in own if shared_by[own[path]] > 1][::5]
    table = report.table("similar memes", {"by": "", "same template, first 5": ".3f", "memes": ",d"})
    for by in Likeness:
        shares = []
        for path in asked:
            found = [hit.meme.path for hit in searcher.similar(ids[path], by=by, k=10).hits if hit.meme.path in own]
            shares.append(mean([own[other] == own[path] for other in found[:5]] or [0]))
        table.row(str(by), mean(shares or [0.0]), len(asked))


def measure(given: Namespace, report: Report) -> None:
    """Print the tables."""
    library = library_of(given)
    with library.workspace() as workspace:
        searcher = Searcher(workspace, text_encoder=load_text_encoder(workspace.settings))
        quotes(searcher, library, report)
        if library.name == "real_memes":
            descriptions(searcher, library, report)
        relatives(searcher, library, report, {meme.path: meme.id for meme in workspace.catalogue.memes.everything()})


if __name__ == "__main__":
    raise SystemExit(BENCHMARK.run(measure))
