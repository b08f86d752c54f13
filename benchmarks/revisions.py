"""Two revisions of Memetica asked the same queries by turns, in one run: what the newer costs, divided by the older.

    git worktree add ../before REVISION
    python -m benchmarks.revisions ../before

Each revision makes and indexes the same made-up library with its own code, then answers in a process of its own.
Processor time counts, of all threads of that process, because a machine that does something else leaves it as it is.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from argparse import Namespace
from pathlib import Path

import numpy as np

from benchmarks.harness import PROJECT, Benchmark, Report, Skipped

BENCHMARK = Benchmark(__doc__, needs="another checkout, by `git worktree add`", takes="5 minutes")
BENCHMARK.parser.add_argument("before", nargs="?", type=Path, help="the folder of the other checkout")
BENCHMARK.option("--memes", 3_000, small=300, help="memes of the library")
BENCHMARK.option("--queries", 200, small=5, help="queries, each asked of both")
WARM_UP = 20

# Runs in either checkout, so it uses what both have.
WORKER = """
import json, sys, time
from pathlib import Path
from benchmarks.scale import RandomDirections, fill, pools, sampled
from indexer.stages.build_index import build_index
from search.catalogue import open_catalogue
from search.searcher import Searcher
from search.settings import Settings
from search.workspace import Workspace

data, memes, queries = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
settings = Settings(data=data, text_encoder=RandomDirections().name)
catalogue = open_catalogue(settings, create=True)
fill(catalogue, memes, encoder=RandomDirections())
workspace = Workspace(settings, catalogue)
begun = time.process_time()
build_index(workspace, text_encoder=settings.text_encoder, force=True)
searcher = Searcher(workspace, text_encoder=RandomDirections())
print(json.dumps({"built": time.process_time() - begun}), flush=True)
for line in sys.stdin:
    query = sampled(pools()[1], queries)[int(line)]
    wall, worked = time.perf_counter(), time.process_time()
    hits = [hit.meme.id for hit in searcher.search(query, k=10)]
    row = {"processor": time.process_time() - worked, "wall": time.perf_counter() - wall, "hits": hits}
    print(json.dumps(row), flush=True)
"""


class Checkout:
    """A checkout's process, which answers queries by their numbers."""

    def __init__(self, tree: Path, data: Path, memes: int, queries: int) -> None:
        words = [sys.executable, "-c", WORKER, str(data), str(memes), str(queries)]
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

    def ask(self, number: int) -> dict:
        """Return the answer to a query."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{number}\n")
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
    with tempfile.TemporaryDirectory() as folder:
        checkouts: list[Checkout] = []
        builds = []
        try:
            for number, tree in enumerate((given.before.absolute(), PROJECT)):
                checkouts.append(Checkout(tree, Path(folder) / str(number), given.memes, count))
                builds.append(checkouts[-1].read()["built"])  # one after the other
            answers: tuple[list[dict], list[dict]] = ([], [])
            for number in range(count):
                for at in (0, 1) if number % 2 else (1, 0):
                    answers[at].append(checkouts[at].ask(number))
        finally:
            for one in checkouts:
                one.close()
    table = report.table("now, divided by before", {"": "", "before": ".1f", "now": ".1f", "ratio": ".3f"})
    table.row("build, processor s", *builds, builds[1] / builds[0])
    timed = [own[WARM_UP:] for own in answers]
    for what in ("processor", "wall"):
        milliseconds = [1000 * np.array([one[what] for one in own]) for own in timed]
        for name, of in (("mean", np.mean), ("p50", np.median), ("p95", lambda own: np.percentile(own, 95))):
            before, now = (float(of(own)) for own in milliseconds)
            table.row(f"query, {what} ms, {name}", before, now, now / before)
    same = sum(one["hits"] == other["hits"] for one, other in zip(*timed, strict=True))
    report.note(f"the same ten hits in the same order: {same} of {given.queries} queries")


if __name__ == "__main__":
    raise SystemExit(BENCHMARK.run(measure))
