"""Dense search by codes against a scan of all rows: overlap of the answers, time by turns, on embeddings of real texts.

    python -m benchmarks.codes
    python -m benchmarks.codes --rows 1000000 --queries 100

Rows are embeddings of CM50's texts in pictures, put together as `benchmarks.scale` does, and beyond `--texts` of them
mixtures of two with noise; all are whitened as in an index. Queries are CM50's. Each is asked of the index with its
codes and of the same index without, by turns, so that what else the machine does costs both the same.
"""

from __future__ import annotations

from argparse import Namespace
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, process_time, thread_time

import numpy as np
from numpy.typing import NDArray

from benchmarks.data import cache, shared
from benchmarks.harness import Benchmark, Report
from benchmarks.scale import pools, sampled
from search.encoders.registry import export_text_encoder, load_text_encoder
from search.index.vectors.dense import DenseIndex
from search.index.vectors.dense_writer import build_dense
from search.index.vectors.threads import set_index_threads
from search.index.vectors.whitening import Whitening, fit_whitening
from search.meme import Field
from search.ranking.retrievers import DEPTH
from search.settings import Settings

NOISE = 0.3  # length of what is added to a mixture of two rows
_CHUNK = 20_000
BENCHMARK = Benchmark(
    __doc__, needs="CM50; 2 GB of memory for a million rows", takes="2 minutes, and 1 the first time; a million rows 10"
)
BENCHMARK.option("--rows", 100_000, small=1_000, help="vectors in the index")
BENCHMARK.option("--texts", 6_000, small=100, help="texts to embed")
BENCHMARK.option("--queries", 200, small=10, help="queries, each asked of both")


def embedded(texts: int, queries: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return MiniLM's rows ([n, 384]) of texts, and of queries; the texts' are kept in the cache."""
    shared("cm50")
    settings = Settings(data=cache() / "codes")
    export_text_encoder(settings)
    encoder = load_text_encoder(settings)
    own, asked = pools()
    file = cache() / f"codes-{texts}.npy"
    if not file.exists():
        draw = np.random.default_rng(4)
        parts = [text.split() for text in own[Field.OCR]]
        pairs = [[parts[place] for place in draw.integers(len(parts), size=2)] for _ in range(texts)]
        np.save(file, encoder.encode([" ".join([*one, *two[len(two) // 2 :]])[:900] for one, two in pairs]))
    return np.load(file), encoder.encode(sampled(asked, queries))


def rows_like(real: NDArray[np.float32], count: int, whitening: Whitening) -> NDArray[np.float16]:
    """Return whitened rows ([count, d]): the real ones, and mixtures of two of these."""
    draw = np.random.default_rng(1)
    found = np.empty((count, real.shape[1]), np.float16)
    found[: len(real)] = whitening(real[:count])
    for start in range(min(len(real), count), count, _CHUNK):
        size = min(_CHUNK, count - start)
        one, two = draw.integers(len(real), size=(2, size))
        share = draw.uniform(0.5, 0.9, (size, 1)).astype(np.float32)
        noise = draw.standard_normal((size, real.shape[1]), np.float32)
        noise *= NOISE / np.sqrt(real.shape[1])
        found[start : start + size] = whitening(share * real[one] + (1 - share) * real[two] + noise)
    return found


def measure(given: Namespace, report: Report) -> None:
    """Print the time and size of a build, the overlap, and the times of both searches."""
    real, queries = embedded(given.texts, given.queries)
    whitening = fit_whitening([real], dimensions=real.shape[1])
    rows = rows_like(real, given.rows, whitening)
    with TemporaryDirectory(dir=cache()) as folder:
        begun = process_time()
        build_dense(Path(folder) / "rows", rows, owners=np.arange(len(rows)))
        worked = process_time() - begun
        del rows
        sizes = {file.name: file.stat().st_size / 1e6 for file in sorted((Path(folder) / "rows").iterdir())}
        report.note(f"{given.rows:,} rows, {worked:.1f} s of processor time to build; MB: {sizes}")
        index = DenseIndex.open(Path(folder) / "rows", dimensions=real.shape[1])
        compare(index, whitening(queries), report)


def compare(index: DenseIndex, queries: NDArray[np.float32], report: Report) -> None:
    """Print overlap and times of an index and of the same index without its codes."""
    sides = {"codes": index, "all rows": DenseIndex(replace(index.main, codes=None))}
    set_index_threads(1)
    for one in sides.values():
        one.search(queries[0], DEPTH)
    spent = {name: np.empty((2, len(queries))) for name in sides}
    found = {name: [] for name in sides}  # type: dict[str, list[list[int]]]
    for at, query in enumerate(queries):
        for name in sides if at % 2 else reversed(sides):
            wall, worked = perf_counter(), thread_time()
            found[name].append(sides[name].search(query, DEPTH)[0].tolist())
            spent[name][:, at] = perf_counter() - wall, thread_time() - worked
    answers = list(zip(*found.values(), strict=True))
    for k in (10, DEPTH):
        overlap = np.mean([len({*one[:k]} & {*other[:k]}) / k for one, other in answers])
        report.note(f"overlap@{k} with the scan of all rows: {overlap:.5f}")
    report.note(f"the same {DEPTH} in the same order: {sum(one == other for one, other in answers)} of {len(answers)}")
    columns = {"search": "", "p10 ms": ".2f", "p50 ms": ".2f", "p95 ms": ".2f", "mean ms": ".2f"}
    table = report.table("one thread, wall and processor time", columns)
    for name, both in spent.items():
        for what, seconds in zip(("wall", "processor"), both, strict=True):
            table.row(f"{name}, {what}", *(1000 * np.percentile(seconds, [10, 50, 95])), 1000 * seconds.mean())


if __name__ == "__main__":
    raise SystemExit(BENCHMARK.run(measure))
