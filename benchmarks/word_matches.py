"""Which memes hold a query's words, and the best by words of some memes: bits and term vectors against tantivy alone.

    python -m benchmarks.word_matches
    python -m benchmarks.word_matches --memes 1000000

Texts are put together as in `benchmarks.scale`; queries are CM50's. Each is asked of one index by turns, with what lies
beside tantivy's files and as if it were not there, and both answers are compared. Of the memes that a search is
restricted to, the best 300 are asked for; they are drawn at random.
"""

from __future__ import annotations

import gc
from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from time import thread_time
from typing import Any

import numpy as np

from benchmarks.harness import Benchmark, Report
from benchmarks.mixed_vectors import put_together
from benchmarks.scale import ANALYSES, CATEGORIES, UNDESCRIBED, pools, sampled, source_of_texts
from search.index.columns import Ids
from search.index.lexical.analyzer import query_terms, term_of
from search.index.lexical.index import LexicalIndex
from search.index.lexical.schema import ALL_TEXT, VECTORS
from search.index.lexical.term_vectors import HOLDERS_FILE
from search.index.lexical.writer import Document, build_lexical
from search.meme import Field
from search.query.words import memes_holding
from search.ranking.matching import MAX_SCORED

AMONG = (1_000, 4_000, 16_000)  # memes that a search is restricted to
COUNTED, STEP = 5, 40  # frequent words whose memes are found and counted: every so many of the most frequent ones
WARM_UP = 50  # queries that are not timed
ASKED = 20  # queries with fewest, and with most words
BENCHMARK = Benchmark(__doc__, needs="nothing", takes="1 minute; a million memes 20")
BENCHMARK.option("--memes", 30_000, small=1_200, help="made-up memes")
BENCHMARK.option("--queries", 300, small=10, help="queries, each asked of both")


class WithoutVectors(LexicalIndex):
    """An index that asks tantivy alone."""

    def _is_frequent(self, group: Sequence[Sequence[str]]) -> bool:
        return False

    def _is_narrow(self, parts: Sequence[tuple[str, ...]], k: int, allowed: Ids) -> bool:
        return False


def documents(memes: int) -> Iterator[Document]:
    """Yield the texts of made-up memes."""
    texts, draw = pools()[0], np.random.default_rng(2)
    for number in range(memes):
        category = f"Category {int(CATEGORIES * draw.random() ** 2)}"
        described = [Field.DESCRIPTION, Field.VISUAL, *[Field.ANALYSIS] * ANALYSES]
        parts: dict[Field, list[str]] = {Field.NAME: [f"{category}: meme {number}"]}
        for field in (Field.OCR, *(described if number % UNDESCRIBED != UNDESCRIBED - 1 else ())):
            first, second = (texts[field][place] for place in draw.integers(len(texts[field]), size=2))
            parts.setdefault(field, []).append(put_together(first, second))
        yield Document(number + 1, {field: "\n".join(own) for field, own in parts.items()}, f"{category}/{number}.jpg")


def clocked(work: Callable[..., Any], *arguments: Any, **options: Any) -> tuple[Any, float]:
    """Return what a function returns, and the milliseconds of processor time that it took in this thread."""
    begun = thread_time()
    found = work(*arguments, **options)
    return found, 1000 * (thread_time() - begun)


def measure(given: Namespace, report: Report) -> None:
    """Print the times of tantivy's hits, of the memes that hold the words, and of the best of some memes."""
    report.note(source_of_texts())
    queries = sampled(pools()[1], given.queries)
    with TemporaryDirectory() as folder:
        build_lexical(Path(folder) / "words", documents(given.memes))
        holders = Path(folder) / "words" / VECTORS / HOLDERS_FILE
        rows = len(np.load(holders, mmap_mode="r"))
        report.note(f"{given.memes:,} memes, {rows:,} frequent terms, {holders.stat().st_size / 1e6:.1f} MB of bits")
        sides = {"tantivy alone": WithoutVectors.open(Path(folder) / "words")}
        sides["as it is"] = LexicalIndex.open(Path(folder) / "words")
        gc.disable()  # it looks through what tantivy hands out, in the time of either
        report_hits(sides["as it is"], report)
        report_holding(sides, queries, report)
        report_best(sides, queries, report)


def report_hits(index: LexicalIndex, report: Report) -> None:
    """Print what tantivy takes to hand out the memes with some frequent words, and to count them."""
    vocabulary = index.vocabulary
    ranked = sorted(vocabulary, key=lambda word: -vocabulary[word])
    table = report.table("memes with a word", {"memes": ",d", "handed out, ms": ".3f", "counted, ms": ".3f"})
    for word in ranked[: STEP * COUNTED : STEP]:
        query = index._query((term_of(word),), ALL_TEXT)
        found, handed_out = clocked(index._ids, query)
        _, counted = clocked(index._searcher.search, query, limit=1, count=True)
        table.row(len(found), handed_out, counted)


def report_holding(sides: Mapping[str, LexicalIndex], queries: Sequence[str], report: Report) -> None:
    """Print the times of all memes that hold the words of queries."""
    warm_up = min(WARM_UP, len(queries) // 2)  # lists of words and files are read by the first ones
    for query in queries[:warm_up]:
        for index in sides.values():
            memes_holding(query, {}, index)
    spent: dict[str, list[float]] = {name: [] for name in sides}
    for at, query in enumerate(queries[warm_up:]):
        answers: list[Ids] = []
        for name in list(sides)[:: 1 if at % 2 else -1]:
            found, milliseconds = clocked(memes_holding, query, {}, sides[name])
            answers.append(found)
            spent[name].append(milliseconds)
        if not np.array_equal(answers[0], answers[1]):
            raise SystemExit(f"not the same memes hold the words of {query!r}")
    columns = {"by": "", "p50 ms": ".2f", "mean": ".2f", "p95": ".2f", "most": ".1f"}
    table = report.table("all memes with the words, the same ones", columns)
    for name, own in spent.items():
        table.row(name, np.median(own), np.mean(own), np.quantile(own, 0.95), max(own))


def report_best(sides: Mapping[str, LexicalIndex], queries: Sequence[str], report: Report) -> None:
    """Print the times of the best of some memes, by the queries with fewest and with most words."""
    draw = np.random.default_rng(0)
    by_length = sorted(map(query_terms, queries), key=len)
    table = report.table("the best 300", {"words": ",d", "of memes": ",d"} | {f"{name}, ms": ".2f" for name in sides})
    size = len(next(iter(sides.values())))
    for asked in (by_length[:ASKED], by_length[-ASKED:]):
        for count in (one for one in AMONG if 2 * one <= size):
            spent: dict[str, list[float]] = {name: [] for name in sides}
            for terms in asked:
                allowed = np.sort(draw.choice(np.arange(1, size + 1), count, replace=False))
                answers = []
                for name, index in sides.items():
                    (_, scores), milliseconds = clocked(index.search, terms, k=MAX_SCORED, allowed=allowed)
                    answers.append(scores)
                    spent[name].append(milliseconds)
                if not np.allclose(answers[0], answers[1], rtol=1e-5):
                    raise SystemExit(f"not the same scores by {terms}")
            words = round(np.median([len(terms) for terms in asked]))
            table.row(words, count, *(float(np.median(own)) for own in spent.values()))


if __name__ == "__main__":
    raise SystemExit(BENCHMARK.run(measure))
