"""tantivy, as Memetica uses it, against SQLite's FTS5: build time, size and latency of queries of four words, top 100.

    python -m benchmarks.lexical --memes 30000
    python -m benchmarks.lexical --memes 1000000 --analysis 20 --description 15

The words are drawn by Zipf's law from the frequency dictionary that symspellpy ships.

Two busy cores with AVX-512, November 2026, p50 and p95 in ms:

                              30,000 memes of 565 words    1,000,000 memes of 50 words
    tantivy, OCR                    0.2     0.4                    5      13
    tantivy, all text               0.4     0.5                    7      15
    FTS5, OCR                        15      35                  495   1,231
    FTS5, all text                   72     177                1,276   3,564
    tantivy, built in / size       22 s, 80 MB                 129 s, 276 MB
    FTS5, built in / size          9 s, 123 MB                  58 s, 385 MB

FTS5 scores every match before it sorts them; tantivy skips what cannot reach the top.
"""

from __future__ import annotations

import argparse
import sqlite3
import time
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from search.index.analyzer import query_terms
from search.index.lexical import ALL_TEXT, Document, LexicalIndex, build_lexical
from search.meme import Field

QUERIES = 200
WORDS = 40_000


def words() -> list[str]:
    """Return the most frequent English words, the most frequent first."""
    lines = (files("symspellpy") / "frequency_dictionary_en_82_765.txt").read_text("utf-8-sig").splitlines()
    return [line.split()[0] for line in lines[:WORDS]]


def texts(vocabulary: np.ndarray, counts: dict[Field, int], memes: int, *, seed: int) -> Iterator[dict[Field, str]]:
    """Yield the texts of memes, of so many words in each field."""
    draw = np.random.default_rng(seed)
    chance = 1 / np.arange(1, len(vocabulary) + 1)
    ladder = np.cumsum(chance / chance.sum())
    for _ in range(memes):
        yield {
            field: " ".join(vocabulary[np.searchsorted(ladder, draw.random(count))]) for field, count in counts.items()
        }


def percentiles(ask: Callable[[str], object], queries: list[str]) -> str:
    """Return the median and the 95th percentile of asking, in milliseconds."""
    for query in queries[:20]:
        ask(query)
    took = []
    for query in queries:
        begun = time.perf_counter()
        ask(query)
        took.append((time.perf_counter() - begun) * 1000)
    return f"p50 {np.percentile(took, 50):8.2f} ms   p95 {np.percentile(took, 95):8.2f} ms"


def size(path: Path) -> str:
    """Return the size of a file or a folder, in megabytes."""
    found = path.rglob("*") if path.is_dir() else [path]
    return f"{sum(file.stat().st_size for file in found if file.is_file()) / 1e6:.0f} MB"


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--memes", type=int, default=30_000)
    parser.add_argument("--ocr", type=int, default=15, help="words of OCR text")
    parser.add_argument("--description", type=int, default=50, help="words of description")
    parser.add_argument("--analysis", type=int, default=500, help="words of analysis")
    given = parser.parse_args()
    counts = {Field.OCR: given.ocr, Field.DESCRIPTION: given.description, Field.ANALYSIS: given.analysis}
    vocabulary = np.array(words(), dtype=object)
    queries = [one[Field.OCR] for one in texts(vocabulary, {Field.OCR: 4}, QUERIES, seed=7)]

    begun = time.perf_counter()
    for _ in texts(vocabulary, counts, given.memes, seed=1):
        pass
    drawing = time.perf_counter() - begun
    print(f"{given.memes:,} memes of {sum(counts.values())} words; drawing them takes {drawing:.0f} s, not counted")

    with TemporaryDirectory() as folder:
        begun = time.perf_counter()
        drawn = texts(vocabulary, counts, given.memes, seed=1)
        build_lexical(Path(folder) / "words", (Document(id, one) for id, one in enumerate(drawn)))
        built = time.perf_counter() - begun - drawing
        begun = time.perf_counter()
        index = LexicalIndex.open(Path(folder) / "words")
        opened = (time.perf_counter() - begun) * 1000
        print(f"tantivy  built in {built:.0f} s, {size(Path(folder) / 'words')}, opened in {opened:.0f} ms")
        for field in (Field.OCR, Field.DESCRIPTION, ALL_TEXT):
            took = percentiles(lambda query, field=field: index.search(query_terms(query), field, k=100), queries)
            print(f"tantivy  {field:12} {took}")
        draw = np.random.default_rng(3)
        for count in (200, 1000):
            some = draw.choice(given.memes, min(count, given.memes), replace=False).astype(np.int64)
            for field in (Field.OCR, ALL_TEXT):
                took = percentiles(
                    lambda query, f=field, ids=some: index.scores(query_terms(query), f, ids=ids), queries
                )
                print(f"tantivy  {field:12} {took}   exact scores of {count} memes")
        for share in (0.5, 0.1, 0.01):
            allowed = np.flatnonzero(draw.random(given.memes) < share)
            took = percentiles(
                lambda query, allowed=allowed: index.search(query_terms(query), k=100, allowed=allowed), queries
            )
            print(f"tantivy  {ALL_TEXT:12} {took}   {share:.0%} allowed")
        begun = time.perf_counter()
        spellings = len(index.vocabulary)
        print(f"tantivy  {spellings:,} spellings read in {(time.perf_counter() - begun) * 1000:.0f} ms")
        print(f"tantivy  similar_words {percentiles(lambda query: index.similar_words(query.split()[0]), queries)}")

        begun = time.perf_counter()
        names = list(counts)
        database = build_fts5(Path(folder) / "fts5", texts(vocabulary, counts, given.memes, seed=1), names)
        built = time.perf_counter() - begun - drawing
        print(f"FTS5     built in {built:.0f} s, {size(Path(folder) / 'fts5')}")
        question = "SELECT rowid, bm25(t) FROM t WHERE t MATCH ? ORDER BY bm25(t) LIMIT 100"
        for field in (Field.OCR, Field.DESCRIPTION, "everything"):

            def ask(query: str, field: str = field) -> object:
                any_of = " OR ".join(f'"{word}"' for word in query.split())
                return database.execute(question, [f"{field} : ({any_of})"]).fetchall()

            print(f"FTS5     {field:12} {percentiles(ask, queries if given.memes <= 100_000 else queries[:40])}")
        database.close()


if __name__ == "__main__":
    main()
