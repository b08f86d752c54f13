"""The dense index at the size of a library and beyond: build time, size, latency on one and two threads, recall.

    python -m benchmarks.dense
    python -m benchmarks.dense --rows 1000000

Rows are synthetic: many clusters in a space of fewer dimensions than the vectors have, as with embeddings. Latency and
exact search do not depend on this; recall of the quantized search is approximate: measure it on as many real embeddings
if there are any. More faiss threads never made a single query faster; more threads of the caller do.
"""

from __future__ import annotations

import os
from argparse import Namespace
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.harness import Benchmark, Report, percentiles, seconds_of, timed
from search.index.vectors.binary import BinaryIndex, build_binary
from search.index.vectors.codes import CODED_FROM
from search.index.vectors.dense import DenseIndex
from search.index.vectors.dense_writer import build_dense
from search.index.vectors.threads import set_index_threads

DIRECTIONS = 96
ROWS_A_MEME = 7
BENCHMARK = Benchmark(__doc__, needs="nothing; 3 GB of memory for a million rows", takes="1 minute; 1,000,000 rows 6")
BENCHMARK.option("--rows", 200_000, small=5_000, help="vectors in the index; from CODED_FROM on they are coded")
BENCHMARK.option("--dimensions", 384, help="numbers of a vector")
BENCHMARK.option("--recall", 20, small=5, help="queries to compare with brute force")
BENCHMARK.option("--queries", 100, small=10, help="queries to time")


def drawn(rows: int, dimensions: int, *, seed: int) -> np.ndarray:
    """Return unit rows ([rows, dimensions] float16)."""
    draw = np.random.default_rng(seed)
    base = np.random.default_rng(0)
    space = base.standard_normal((DIRECTIONS, dimensions)).astype(np.float32)
    centers = base.standard_normal((5000, DIRECTIONS)).astype(np.float32)
    found = np.empty((rows, dimensions), np.float16)
    for start in range(0, rows, 50_000):
        count = min(50_000, rows - start)
        inside = centers[draw.integers(0, len(centers), count)] + draw.standard_normal((count, DIRECTIONS), np.float32)
        vectors = inside @ space + 2 * draw.standard_normal((count, dimensions), np.float32)
        found[start : start + count] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return found


def rate(ask: Callable[[np.ndarray], object], queries: np.ndarray, *, threads: int) -> float:
    """Return the queries per second with this number of calling threads."""
    with ThreadPoolExecutor(threads) as pool:
        return len(queries) / seconds_of(lambda: list(pool.map(ask, queries)))


def exact_recall(index: DenseIndex, rows: np.ndarray, queries: np.ndarray) -> Iterator[float]:
    """Yield, for each query, the share of the ten nearest memes that a search gives."""
    for query in queries:
        nearest = np.concatenate(
            [rows[start : start + 100_000].astype(np.float32) @ query for start in range(0, len(rows), 100_000)]
        )
        best = list(dict.fromkeys(index.owners[np.argsort(-nearest)[:500]].tolist()))[:10]
        yield len(set(best) & set(index.search(query, 10)[0].tolist())) / len(best)


def measure(given: Namespace, report: Report) -> None:
    """Print build time and size, then latency and recall."""
    rows = drawn(given.rows, given.dimensions, seed=1)
    owners = np.arange(given.rows, dtype=np.int64) // ROWS_A_MEME
    queries = drawn(given.queries, given.dimensions, seed=2).astype(np.float32)
    kind = "coded" if given.rows >= CODED_FROM else "scanned"
    with TemporaryDirectory() as folder:
        path = Path(folder) / "rows"
        set_index_threads(os.cpu_count() or 1)
        built = seconds_of(lambda: build_dense(path, rows, owners=owners))
        size = sum(file.stat().st_size for file in path.iterdir()) / 1e6
        report.note(f"{given.rows:,} rows of {given.dimensions}, {kind}: built in {built:.1f} s, {size:.0f} MB")
        index = DenseIndex.open(path, dimensions=given.dimensions)
        index.search(queries[0], 10)
        table = report.table("latency", {"question": "", "p50 ms": ".2f", "p95 ms": ".2f"})

        def add(label: str, ask: Callable[[np.ndarray], object], asked: np.ndarray = queries) -> None:
            table.row(label, *percentiles(timed(ask, asked)))

        for threads in (1, 2):
            set_index_threads(threads)
            for k in (10, 200):
                add(f"search, k={k}, {threads} faiss threads", lambda query, k=k: index.search(query, k))  # type: ignore[misc]
        set_index_threads(1)
        draw = np.random.default_rng(3)
        for share in (0.5, 0.1, 0.01):
            allowed = np.flatnonzero(draw.random(owners[-1] + 1) < share)
            add(
                f"search, k=200, {share:.0%} allowed",
                lambda query, allowed=allowed: index.search(query, 200, allowed=allowed),  # type: ignore[misc]
            )
        some = np.sort(draw.choice(owners[-1], min(1000, int(owners[-1])), replace=False))
        add(f"scores of {len(some)} memes", lambda query: index.scores(query, ids=some))
        add(f"scores of {len(some)} memes, best=3", lambda query: index.scores(query, ids=some, best=3))

        bits = draw.integers(0, 256, (given.rows, 32), dtype=np.uint8)
        build_binary(Path(folder) / "bits", bits, owners=owners)
        fingerprints = BinaryIndex.open(Path(folder) / "bits")
        add("fingerprints, k=20", lambda one: fingerprints.search(one, 20), bits[: given.queries])
        add("fingerprints within 31 bits", lambda one: fingerprints.within(one, 31), bits[: given.queries])
        for threads in (1, 2):
            per_second = rate(lambda query: index.search(query, 200), queries, threads=threads)
            report.note(f"search, k=200: {per_second:.0f} queries a second on {threads} threads of the caller")
        report.note(f"recall@10 {np.mean(list(exact_recall(index, rows, queries[: given.recall]))):.3f}")


if __name__ == "__main__":
    raise SystemExit(BENCHMARK.run(measure))
