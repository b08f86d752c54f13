"""Retrieval quality of the fused ranking and of single signals, on a library's judged queries.

    python -m benchmarks.retrieval
    python -m benchmarks.retrieval cm50
    python -m benchmarks.retrieval cm50 --without descriptions
    python -m benchmarks.retrieval real_memes --without categories
    python -m benchmarks.retrieval --text-encoder path/to/folder

Reports nDCG@10, recall@1, recall@10 and MRR by kind of query: for all queries, for the held-out half, and for memes
that have no description. `--without` leaves out all descriptions, as in a library that nobody described, or the names
of categories, which may give the answer away. `--text-encoder` takes another one than MiniLM, in a data folder beside
the library's. `--only fused` measures nothing but what is served. "No picture" is the ranking without the signal of the
image encoder.

CM50's queries are what a meme means, the same in eight words, and its title; the one meme that a query was written
about is relevant. File names tell CM50's template, and are searched. With `--other-words` its queries are asked without
the words that are drawn on their meme or stand in its file's name or its category, so that only what it means finds
it; docs/benchmarks.md says how that differs from captions by people.

The demo's queries say what a meme shows, says and means; copies and, for what it shows, variants are relevant too.
Those of real_memes describe a template in words that are not on it; all memes of it are relevant.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from dataclasses import replace

from benchmarks.data import (
    Library,
    add_library,
    described_templates,
    in_other_words,
    library_of,
    without_category_names,
    without_descriptions,
)
from benchmarks.harness import Benchmark, Report, Skipped, Table, is_held_out
from search.catalogue import Catalogue
from search.encoders.base import TextEncoder
from search.encoders.minilm import NAME
from search.encoders.registry import load_text_encoder
from search.evaluation.metrics import JudgedQuery, Metric, evaluate
from search.meme import Field
from search.searcher import Searcher
from search.settings import WEIGHTS
from search.signals import IMAGE_TEXT, LEXICAL_ALL, LEXICAL_OCR, semantic
from search.workspace import Workspace

MEASURES = ("ndcg@10", "recall@1", "recall@10", "mrr")
RANKINGS = {
    "fused": dict(WEIGHTS),
    "fused, no picture": dict(WEIGHTS) | {IMAGE_TEXT: 0.0},
    "BM25, all text": {LEXICAL_ALL: 1.0},
    "BM25, OCR text": {LEXICAL_OCR: 1.0},
    "meaning, OCR text": {semantic(Field.OCR): 1.0},
    "meaning, simple description": {semantic(Field.DESCRIPTION): 1.0},
}
BENCHMARK = Benchmark(
    __doc__,
    needs="nothing (the drawn demo library), CM50 or real_memes: see python -m benchmarks.data --help",
    takes="3 minutes with demo, 15 with cm50, most of it the first time, for drawing and indexing",
)
add_library(BENCHMARK)
WITHOUT = {"descriptions": without_descriptions, "categories": without_category_names}
BENCHMARK.parser.add_argument(
    "--text-encoder", default=NAME, metavar="MODEL", help=f"as in `memetica models --use` (default: {NAME})"
)
BENCHMARK.parser.add_argument("--only", choices=list(RANKINGS), help="measure this ranking alone")
BENCHMARK.parser.add_argument("--without", choices=list(WITHOUT), help="leave out descriptions, or categories' names")


BENCHMARK.parser.add_argument(
    "--other-words", action="store_true", help="ask CM50's queries without the words that are on their meme"
)


def without_description(catalogue: Catalogue) -> set[str]:
    """Return the paths of the memes that have neither a simple nor a detailed description."""
    described = {
        row.meme_id
        for field in (Field.DESCRIPTION, Field.VISUAL, Field.ANALYSIS)
        for row in catalogue.texts.passages(field)
    }
    return {meme.path for meme in catalogue.memes.everything() if meme.id not in described}


def metrics(workspace: Workspace, encoder: TextEncoder, judged: Sequence[JudgedQuery], *, ranking: str) -> list[Metric]:
    """Return the metrics of a searcher with one ranking's weights."""
    weighted = Workspace(replace(workspace.settings, weights=RANKINGS[ranking]), workspace.catalogue)
    with Searcher(weighted, text_encoder=encoder) as searcher:
        return evaluate(judged, lambda query: [hit.path for hit in searcher.search(query, k=100)], field=ranking)


def add_rows(table: Table, found: Sequence[Metric]) -> None:
    """Add a row for each kind of query."""
    by_kind: dict[str, list[Metric]] = {}
    for metric in found:
        by_kind.setdefault(metric.kind, []).append(metric)
    for kind, own in by_kind.items():
        values = {metric.metric: metric.value for metric in own}
        table.row(own[0].field, kind, *(values[name] for name in MEASURES), own[0].queries)


def measure(given: Namespace, report: Report) -> None:
    """Print one table for each set of queries."""
    library = library_of(given)
    if given.without:
        library.workspace().close()
        library = WITHOUT[given.without](library)
    if given.text_encoder != NAME:
        library = library.beside("-texts")
    judged = (in_other_words if given.other_words else Library.judged)(library) or [
        (key, JudgedQuery(query, dict.fromkeys(paths, 1), "describes a template"))
        for key, query, paths in described_templates(library)
    ]
    if not judged:
        raise Skipped(f"{library.root} has no judged queries: take demo, cm50 or real_memes.")
    columns = {"ranking": "", "queries of": "", "ndcg@10": ".3f", "recall@1": ".3f", "recall@10": ".3f", "mrr": ".3f"}
    with library.workspace(text_encoder=given.text_encoder) as workspace:
        encoder = load_text_encoder(workspace.settings)
        bare = without_description(workspace.catalogue)
        sets = {
            "all": [one for _, one in judged],
            "held out": [one for key, one in judged if is_held_out(key)],
            "no description": [one for _, one in judged if bare.issuperset(one.relevant)],
        }
        for name, queries in sets.items():
            table = report.table(name, {**columns, "of": ",d"})
            usual = list(RANKINGS) if name == "all" else ["fused", "fused, no picture"]
            for ranking in [given.only] if given.only else usual:
                add_rows(table, metrics(workspace, encoder, queries, ranking=ranking))


if __name__ == "__main__":
    raise SystemExit(BENCHMARK.run(measure))
