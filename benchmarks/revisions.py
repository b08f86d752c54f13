"""Two revisions of Memetica asked the same queries by turns, in one run: what the newer costs, divided by the older.

    git worktree add ../before REVISION
    python -m benchmarks.revisions ../before
    python -m benchmarks.revisions ../before --data DATA

Each revision makes and indexes the same made-up library with its own code, then answers in a process of its own; with
`--data` both open the index of a data folder. Processor time counts, of all threads of that process, because a machine
that does something else leaves it as it is. Every second query has an operator, a quoted phrase, a misspelt word or a
page of its own. Whole answers are compared: hits, order, scores, shares, snippets, reasons, variants, totals, facets.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from string import punctuation as PUNCTUATION
from typing import Any

import numpy as np

from benchmarks.harness import PROJECT, Benchmark, Report, Skipped
from benchmarks.scale import pools, sampled

BENCHMARK = Benchmark(__doc__, needs="another checkout, by `git worktree add`", takes="5 minutes")
BENCHMARK.parser.add_argument("before", nargs="?", type=Path, help="the folder of the other checkout")
BENCHMARK.parser.add_argument("--data", type=Path, help="a data folder with an index that both revisions read")
BENCHMARK.parser.add_argument("--before-data", type=Path, help="that of the other one, if its format is another")
BENCHMARK.option("--memes", 3_000, small=300, help="memes of the library")
BENCHMARK.option("--queries", 200, small=5, help="queries, each asked of both")
WARM_UP = 20

# Runs in either checkout, so it uses what both have.
WORKER = """
import hashlib, json, sys, time
from dataclasses import asdict
from pathlib import Path
from benchmarks.scale import RandomDirections, fill, mixed_vectors, pools, sampled
from indexer.stages.build_index import build_index
from search.catalogue import open_catalogue
from search.encoders.registry import load_text_encoder
from search.index.generations import read_live
from search.searcher import Searcher
from search.settings import Settings
from search.workspace import Workspace

data, memes, queries, is_built = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4] == "built"
random = RandomDirections()
known = read_live(data / "index")[1].text_encoder if is_built else random.name
settings = Settings(data=data, library=data, text_encoder=known)
catalogue = open_catalogue(settings, create=not is_built)
workspace = Workspace(settings, catalogue)
begun = time.process_time()
if not is_built:
    fill(catalogue, memes, encoder=random)
    begun = time.process_time()
    build_index(workspace, text_encoder=known, force=True)
built = time.process_time() - begun
if known == random.name:
    encoder = random
elif known.startswith("mixtures"):
    encoder = mixed_vectors()
else:
    encoder = load_text_encoder(settings, long_running=True, for_queries=True)
searcher = Searcher(workspace, text_encoder=encoder)
print(json.dumps({"built": built}), flush=True)

def plain(value):
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {str(key): plain(own) for key, own in value.items()}
    return [plain(own) for own in value] if isinstance(value, (list, tuple)) else value

for line in sys.stdin:
    query, options = json.loads(line)
    wall, worked, own = time.perf_counter(), time.process_time(), time.thread_time()
    answer = searcher.search(query, **options)
    row = {"processor": time.process_time() - worked, "thread": time.thread_time() - own,
           "wall": time.perf_counter() - wall}
    whole = asdict(answer) | {"took_ms": 0, "thumbnails": ""}
    row["hits"] = [hit.meme.id for hit in answer]
    row["whole"] = hashlib.sha256(json.dumps(plain(whole), default=str).encode()).hexdigest()
    print(json.dumps(row), flush=True)
"""


def asked(query: str, number: int) -> tuple[str, dict[str, Any]]:
    """Return a query in one of several forms, and the options that it is asked with."""
    words, options = query.split(), {"k": 10, "collapse": number % 4 != 3}
    form = number // 2 % 6 if number % 2 else -1
    if form == 0:
        return f"{query} type:image", options
    if form == 1 and len(words) > 1:
        return f"{query} -{words[0].strip(PUNCTUATION) or 'a'}", options
    if form == 2:
        return f'"{" ".join(words[:3])}" {" ".join(words[3:])}', options
    if form == 3:
        return f"{query} after:2020", options
    if form == 4:
        longest = max(words, key=len)
        return query.replace(longest, longest[:-2] + longest[-1:], 1), options
    return query, options | ({"offset": 10, "k": 30} if form == 5 else {})


class Checkout:
    """A checkout's process, which answers queries."""

    def __init__(self, tree: Path, data: Path, memes: int, queries: int, *, is_built: bool) -> None:
        words = [sys.executable, "-c", WORKER, str(data), str(memes), str(queries), "built" if is_built else ""]
        environment = {**os.environ, "PYTHONPATH": str(tree)}
        self._process = subprocess.Popen(
            words, cwd=tree, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def read(self) -> dict:
        """Return the next answer; raise Skipped when the process has ended."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise Skipped(f"a checkout ended with {self._process.wait()}: it may be too old for this benchmark")
        found: dict = json.loads(line)
        return found

    def ask(self, query: str, options: Mapping[str, Any]) -> dict:
        """Return what an answer took, its ids, and a checksum of all of it."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([query, options]) + "\n")
        self._process.stdin.flush()
        return self.read()

    def close(self) -> None:
        """End the process."""
        self._process.communicate()


def measure(given: Namespace, report: Report) -> None:
    """Print the sums and quantiles of both, and their ratios."""
    if given.before is None:
        raise Skipped("no other checkout was named")
    count = given.queries + WARM_UP
    queries = [asked(query, number) for number, query in enumerate(sampled(pools()[1], count))]
    with tempfile.TemporaryDirectory() as folder:
        checkouts: list[Checkout] = []
        builds = []
        try:
            for number, tree in enumerate((given.before.absolute(), PROJECT)):
                known = given.before_data if given.before_data and not number else given.data
                own = known.absolute() if known else Path(folder) / str(number)
                checkouts.append(Checkout(tree, own, given.memes, count, is_built=bool(given.data)))
                builds.append(checkouts[-1].read()["built"])  # one after the other
            answers: tuple[list[dict], list[dict]] = ([], [])
            for number in range(count):
                for at in (0, 1) if number % 2 else (1, 0):
                    answers[at].append(checkouts[at].ask(*queries[number]))
        finally:
            for one in checkouts:
                one.close()
    table = report.table("now, divided by before", {"": "", "before": ".1f", "now": ".1f", "ratio": ".3f"})
    if given.data is None:
        table.row("build, processor s", *builds, builds[1] / builds[0])
    timed = [own[WARM_UP:] for own in answers]
    for what, of_what in (("processor", "all threads"), ("thread", "its own thread"), ("wall", "wall time")):
        milliseconds = [1000 * np.array([one[what] for one in own]) for own in timed]
        for name, of in (("mean", np.mean), ("p50", np.median), ("p95", lambda own: np.percentile(own, 95))):
            before, now = (float(of(own)) for own in milliseconds)
            table.row(f"query, {of_what}, ms, {name}", before, now, now / before)
    for what, name in (("hits", "the same hits in the same order"), ("whole", "the same in all but the time it took")):
        alike = [one[what] == other[what] for one, other in zip(*timed, strict=True)]
        report.note(f"{name}: {sum(alike)} of {given.queries} queries")
    for number in np.flatnonzero(~np.array(alike))[:5].tolist():
        report.note(f"another answer: {queries[WARM_UP + number]}")


if __name__ == "__main__":
    raise SystemExit(BENCHMARK.run(measure))
