"""The lexical index, tantivy, against SQLite's FTS5: build time, size, latency of four-word queries, top 100.

    python -m benchmarks.lexical
    python -m benchmarks.lexical --memes 1000000 --analysis 20 --description 15

Words are drawn by Zipf's law from the frequencies of English words. FTS5 scores every match before it
sorts them; tantivy skips documents that cannot reach the top.
"""

from __future__ import annotations

import sqlite3
from argparse import Namespace
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np

from benchmarks.harness import Benchmark, Report, percentiles, seconds_of, timed
from search.index.lexical.analyzer import query_terms
from search.index.lexical.index import LexicalIndex
from search.index.lexical.schema import ALL_TEXT
from search.index.lexical.writer import Document, build_lexical
from search.meme import Field
from search.query.language import english_frequencies

WORDS = 40_000
BENCHMARK = Benchmark(__doc__, needs="nothing", takes="3 minutes; a million memes of 50 words half an hour")
BENCHMARK.option("--memes", 30_000, small=300, help="made-up memes")
BENCHMARK.option("--ocr", 15, help="words of OCR text")
BENCHMARK.option("--description", 50, help="words of description")
BENCHMARK.option("--analysis", 500, small=50, help="words of analysis")
BENCHMARK.option("--queries", 200, small=20, help="queries to time")


def words() -> list[str]:
    """Return the most frequent English words, the most frequent first."""
    return list(islice(english_frequencies(), WORDS))


def texts(vocabulary: np.ndarray, counts: dict[Field, int], memes: int, *, seed: int) -> Iterator[dict[Field, str]]:
    """Yield the texts of memes, of so many words in each field."""
    draw = np.random.default_rng(seed)
    chance = 1 / np.arange(1, len(vocabulary) + 1)
    ladder = np.cumsum(chance / chance.sum())
    for _ in range(memes):
        yield {
            field: " ".join(vocabulary[np.searchsorted(ladder, draw.random(count))]) for field, count in counts.items()
        }


def size(path: Path) -> float:
    """Return the size of a file or a folder, in MB."""
    found = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in found if file.is_file()) / 1e6


def build_fts5(path: Path, documents: Iterator[dict[Field, str]], names: list[Field]) -> sqlite3.Connection:
    """Return an FTS5 index that stems, folds accents and keeps no copy of the texts, merged into one segment."""
    database = sqlite3.connect(path)
    columns = ", ".join([*names, "everything"])
    database.execute(f"CREATE VIRTUAL TABLE t USING fts5({columns}, content='', tokenize='porter unicode61')")
    marks = ", ".join("?" * (len(names) + 2))
    database.executemany(
        f"INSERT INTO t (rowid, {columns}) VALUES ({marks})",
        (
            (id, *(one[name] for name in names), "\n".join(one[name] for name in names))
            for id, one in enumerate(documents)
        ),
    )
    database.execute("INSERT INTO t (t) VALUES ('optimize')")
    database.commit()
    return database


def measure(given: Namespace, report: Report) -> None:
    """Print build times, then the latency of each kind of question."""
    counts = {Field.OCR: given.ocr, Field.DESCRIPTION: given.description, Field.ANALYSIS: given.analysis}
    vocabulary = np.array(words(), dtype=object)
    queries = [one[Field.OCR] for one in texts(vocabulary, {Field.OCR: 4}, given.queries, seed=7)]

    def drawn() -> Iterator[dict[Field, str]]:
        return texts(vocabulary, counts, given.memes, seed=1)

    drawing = seconds_of(lambda: [None for _ in drawn()])
    report.note(f"{given.memes:,} memes of {sum(counts.values())} words; drawing them, {drawing:.0f} s, is not counted")
    with TemporaryDirectory() as folder:
        built = report.table("build", {"engine": "", "seconds": ".0f", "MB": ".0f"})
        seconds = seconds_of(
            lambda: build_lexical(Path(folder) / "words", (Document(id, one) for id, one in enumerate(drawn())))
        )
        built.row("tantivy", seconds - drawing, size(Path(folder) / "words"))
        begun = perf_counter()
        database = build_fts5(Path(folder) / "fts5", drawn(), list(counts))
        built.row("FTS5", perf_counter() - begun - drawing, size(Path(folder) / "fts5"))

        begun = perf_counter()
        index = LexicalIndex.open(Path(folder) / "words")
        opened = perf_counter() - begun
        table = report.table("latency", {"question": "", "p50 ms": ".2f", "p95 ms": ".2f"})
        for field in (Field.OCR, Field.DESCRIPTION, ALL_TEXT):
            took = timed(lambda query, f=field: index.search(query_terms(query), f, k=100), queries, warm_up=10)  # type: ignore[misc]
            table.row(f"tantivy, {field}", *percentiles(took))
        draw = np.random.default_rng(3)
        for count in (200, 1000):
            some = draw.choice(given.memes, min(count, given.memes), replace=False).astype(np.int64)
            for field in (Field.OCR, ALL_TEXT):
                took = timed(lambda query, f=field, ids=some: index.scores(query_terms(query), f, ids=ids), queries)  # type: ignore[misc]
                table.row(f"tantivy, {field}, scores of {len(some)}", *percentiles(took))
        for share in (0.5, 0.1, 0.01):
            allowed = np.flatnonzero(draw.random(given.memes) < share)
            took = timed(lambda query, a=allowed: index.search(query_terms(query), k=100, allowed=a), queries)  # type: ignore[misc]
            table.row(f"tantivy, {ALL_TEXT}, {share:.0%} allowed", *percentiles(took))
        begun = perf_counter()
        spellings = len(index.vocabulary)
        spelled = perf_counter() - begun
        took = timed(lambda query: index.similar_words(query.split()[0]), queries)
        table.row("tantivy, similar words", *percentiles(took))
        question = "SELECT rowid, bm25(t) FROM t WHERE t MATCH ? ORDER BY bm25(t) LIMIT 100"
        for field in (Field.OCR, Field.DESCRIPTION, "everything"):

            def ask(query: str, field: str = field) -> object:
                any_of = " OR ".join(f'"{word}"' for word in query.split())
                return database.execute(question, [f"{field} : ({any_of})"]).fetchall()

            asked = queries if given.memes <= 100_000 else queries[:40]
            table.row(f"FTS5, {field}", *percentiles(timed(ask, asked)))
        database.close()
        report.note(
            f"tantivy opened in {opened * 1000:.0f} ms, {spellings:,} spellings read in {spelled * 1000:.0f} ms"
        )


if __name__ == "__main__":
    raise SystemExit(BENCHMARK.run(measure))
