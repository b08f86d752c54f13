"""The vector index at the size of a library and beyond: build time, size, latency on one and two threads, recall.

    python -m benchmarks.dense --rows 200000
    python -m benchmarks.dense --rows 1000000

The rows are made up: many clusters in a space of fewer directions than numbers, as embeddings have. Latency and the
exact search do not mind; recall of the coded search is a rough guide, and real embeddings are to be measured where
there are that many.

Two busy cores with AVX-512, November 2026, 384 numbers, p50 of k=200, one faiss thread:

    200,000 rows, exact      built in 1 s, 155 MB     13 ms, 49 a second; 76 on two threads of the caller
    600,000 rows, coded      lists searched 1/32: 5 ms, recall@10 .92;  1/16: 7 ms, .93;  1/8: 12 ms, .98
    1,000,000 rows, coded    built in 132 s, 1,174 MB  lists searched 1/32: 9 ms, recall@10 .94

More faiss threads never helped a single query; more threads of the caller do.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from search.index.binary import BinaryIndex, build_binary
from search.index.dense import EXACT_UP_TO, DenseIndex, build_dense
from search.index.threads import set_index_threads

DIRECTIONS = 96
QUERIES = 100
ROWS_A_MEME = 7


def drawn(rows: int, dimensions: int, *, seed: int) -> np.ndarray:
    """Return unit rows ([rows, dimensions] float16)."""
    draw = np.random.default_rng(seed)
    base = np.random.default_rng(0)
    space = base.standard_normal((DIRECTIONS, dimensions)).astype(np.float32)
    centres = base.standard_normal((5000, DIRECTIONS)).astype(np.float32)
    found = np.empty((rows, dimensions), np.float16)
    for start in range(0, rows, 50_000):
        count = min(50_000, rows - start)
        inside = centres[draw.integers(0, len(centres), count)] + draw.standard_normal((count, DIRECTIONS), np.float32)
        vectors = inside @ space + 2 * draw.standard_normal((count, dimensions), np.float32)
        found[start : start + count] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return found


def percentiles(ask: Callable[[np.ndarray], object], queries: np.ndarray) -> str:
    """Return the median and the 95th percentile of asking, in milliseconds."""
    took = []
    for query in queries:
        begun = time.perf_counter()
        ask(query)
        took.append((time.perf_counter() - begun) * 1000)
    return f"p50 {np.percentile(took, 50):7.2f} ms   p95 {np.percentile(took, 95):7.2f} ms"


def rate(ask: Callable[[np.ndarray], object], queries: np.ndarray, *, threads: int) -> str:
    """Return how many queries a second so many threads of one process answer."""
    with ThreadPoolExecutor(threads) as pool:
        begun = time.perf_counter()
        list(pool.map(ask, queries))
        return f"{len(queries) / (time.perf_counter() - begun):.0f} a second on {threads} threads of the caller"


def exact_recall(index: DenseIndex, rows: np.ndarray, queries: np.ndarray) -> Iterator[float]:
    """Yield, for each query, the share of the ten nearest memes that a search gives."""
    for query in queries:
        nearest = np.concatenate(
            [rows[start : start + 100_000].astype(np.float32) @ query for start in range(0, len(rows), 100_000)]
        )
        best = list(dict.fromkeys(index.owners[np.argsort(-nearest)[:500]].tolist()))[:10]
        yield len(set(best) & set(index.search(query, 10)[0].tolist())) / len(best)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--dimensions", type=int, default=384)
    parser.add_argument("--recall", type=int, default=20, help="queries to compare with brute force")
    given = parser.parse_args()
    rows = drawn(given.rows, given.dimensions, seed=1)
    owners = np.arange(given.rows, dtype=np.int64) // ROWS_A_MEME
    queries = drawn(QUERIES, given.dimensions, seed=2).astype(np.float32)
    kind = "exact" if given.rows <= EXACT_UP_TO else "coded"
    with TemporaryDirectory() as folder:
        path = Path(folder) / "rows"
        set_index_threads(os.cpu_count() or 1)
        begun = time.perf_counter()
        build_dense(path, rows, owners=owners)
        built = time.perf_counter() - begun
        size = sum(file.stat().st_size for file in path.iterdir()) / 1e6
        index = DenseIndex.open(path, dimensions=given.dimensions)
        print(f"{given.rows:,} rows of {given.dimensions}, {kind}: built in {built:.1f} s, {size:.0f} MB")
        index.search(queries[0], 10)
        for threads in (1, 2):
            set_index_threads(threads)
            for k in (10, 200):
                took = percentiles(lambda query, k=k: index.search(query, k), queries)
                print(f"search k={k:<4} faiss on {threads} thread(s)   {took}")
        set_index_threads(1)
        for threads in (1, 2):
            print(f"search k=200  {rate(lambda query: index.search(query, 200), queries, threads=threads)}")
        draw = np.random.default_rng(3)
        for share in (0.5, 0.1, 0.01):
            allowed = np.flatnonzero(draw.random(owners[-1] + 1) < share)
            took = percentiles(lambda query, allowed=allowed: index.search(query, 200, allowed=allowed), queries)
            print(f"search k=200, {share:.0%} allowed   {took}")
        some = np.sort(draw.choice(owners[-1], 1000, replace=False))
        print(f"scores of 1000 memes           {percentiles(lambda query: index.scores(query, ids=some), queries)}")
        took = percentiles(lambda query: index.scores(query, ids=some, best=3), queries)
        print(f"scores of 1000 memes, best=3   {took}")
        print(f"recall@10 {np.mean(list(exact_recall(index, rows, queries[: given.recall]))):.3f}")

        bits = draw.integers(0, 256, (given.rows, 32), dtype=np.uint8)
        build_binary(Path(folder) / "bits", bits, owners=owners)
        fingerprints = BinaryIndex.open(Path(folder) / "bits")
        print(f"fingerprints k=20      {percentiles(lambda one: fingerprints.search(one, 20), bits[:QUERIES])}")
        print(f"fingerprints within 31 {percentiles(lambda one: fingerprints.within(one, 31), bits[:QUERIES])}")


if __name__ == "__main__":
    main()
