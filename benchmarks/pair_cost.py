"""What comparing a pair of memes costs, beside another revision: both compare the same pairs by turns, in one run.

    git worktree add ../before REVISION
    python -m benchmarks.pair_cost ../before
    python -m benchmarks.pair_cost ../before real_memes --seed 46

The pairs are those that `memetica duplicates find` compares in the library, read by OCR, drawn at random. Each
revision loads and prepares the pictures with its own code in a process of its own; a revision that knows no words on
pictures gets the texts alone, as it did. Processor time counts, of comparing alone, from the second turn on: the first
computes what is kept with a picture. A near pair is one that this revision calls a copy, a variant, or the same words.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks.data import add_library, library_of
from benchmarks.duplicates import compared
from benchmarks.harness import PROJECT, Benchmark, Report, Skipped
from indexer.stages.decode import decode_content
from search.duplicates.candidates import texts_by_content
from search.meme import MediaType
from search.workspace import Workspace

BATCH = 20  # pairs that one revision compares before it is the other's turn
BENCHMARK = Benchmark(__doc__, needs="another checkout, by `git worktree add`", takes="3 minutes")
BENCHMARK.parser.add_argument("before", nargs="?", type=Path, help="the folder of the other checkout")
add_library(BENCHMARK)
BENCHMARK.option("--pairs", 300, small=10, help="pairs, each compared by both")
BENCHMARK.option("--turns", 4, small=2, help="times that each compares all of them; the first is not counted")

# Runs in either checkout, so it uses what both have.
WORKER = """
import json, sys, time
from PIL import Image
from search.duplicates.comparison import compare_prepared, prepare
from search.duplicates.picture import disable_opencv_threads
try:
    from search.duplicates.wording import read_lines
except ImportError:
    read_lines = None

disable_opencv_threads()
pictures, pairs = json.loads(sys.stdin.readline())
prepared = []
for file, _, boxes in pictures:
    with Image.open(file) as opened:
        prepared.append(prepare(opened.copy(), **({} if read_lines is None else {"lines": read_lines(boxes)})))
texts = [text for _, text, _ in pictures]
for line in sys.stdin:
    spent, tiers = [], []
    for one, other in (pairs[at] for at in json.loads(line)):
        begun = time.process_time()
        found = compare_prepared(prepared[one], prepared[other], text_a=texts[one], text_b=texts[other])
        spent.append(time.process_time() - begun)
        tiers.append(found.tier)
    print(json.dumps([spent, tiers]), flush=True)
"""


class Checkout:
    """A checkout's process, which compares pairs."""

    def __init__(self, tree: Path, job: Any) -> None:
        environment = {**os.environ, "PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-c", WORKER],
            cwd=tree,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._send(job)

    def compare(self, order: Sequence[int]) -> tuple[list[float], list[str | None]]:
        """Return the processor seconds of each of these pairs, and its tier."""
        self._send(order)
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise Skipped(f"a checkout ended with {self._process.wait()}: it may be too old for this benchmark")
        spent, tiers = json.loads(line)
        return spent, tiers

    def close(self) -> None:
        """End the process."""
        self._process.communicate()

    def _send(self, what: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(what) + "\n")
        self._process.stdin.flush()


def job_of(workspace: Workspace, folder: Path, count: int) -> tuple[list[Any], list[tuple[int, int]]]:
    """Write the pictures of compared stills into a folder; return files, texts and boxes, and pairs of their places."""
    catalogue = workspace.catalogue
    memes = {meme.content_hash: meme for meme in catalogue.memes.everything() if meme.type is MediaType.IMAGE}
    texts = texts_by_content(catalogue)
    keys = sorted(key for key in catalogue.pairs.compared() if memes.keys() >= set(key))
    chosen = Random(0).sample(keys, min(len(keys), count))
    places = {content: at for at, content in enumerate(sorted({content for key in chosen for content in key}))}
    pictures = []
    for content, at in places.items():
        file = folder / f"{at}.png"
        decode_content(workspace.settings, memes[content]).comparable[0].save(file, compress_level=1)
        pictures.append((str(file), texts.get(content), catalogue.texts.boxes_of(memes[content])))
    return pictures, [(places[one], places[other]) for one, other in chosen]


def measure(given: Namespace, report: Report) -> None:
    """Print the mean processor time of a pair in both, and the ratios."""
    if given.before is None:
        raise Skipped("no other checkout was named")
    workspace, _ = compared(library_of(given), ocr=not given.small)
    with workspace, TemporaryDirectory() as folder:
        job = job_of(workspace, Path(folder), given.pairs)
        count = len(job[1])
        spent, tiers = np.zeros((2, count)), np.full((2, count), "none")
        checkouts = [Checkout(tree, job) for tree in (given.before.absolute(), PROJECT)]
        try:
            for turn in range(given.turns):
                for start in range(0, count, BATCH):
                    order = list(range(start, min(count, start + BATCH)))
                    for at in (0, 1) if (turn + start // BATCH) % 2 else (1, 0):
                        seconds, found = checkouts[at].compare(order)
                        spent[at, order] += np.array(seconds) if turn else 0.0
                        tiers[at, order] = [tier or "none" for tier in found]
        finally:
            for one in checkouts:
                one.close()
    columns = {"pairs": "", "count": ",d", "before, ms": ".2f", "now, ms": ".2f", "ratio": ".2f"}
    table = report.table("comparing a pair, processor time", columns)
    near = tiers[1] != "none"
    for name, chosen in (("all", near | True), ("near", near), ("not near", ~near)):
        if chosen.any():
            before, now = 1000 * spent[:, chosen].mean(axis=1) / (given.turns - 1)
            table.row(name, int(chosen.sum()), before, now, now / before)


if __name__ == "__main__":
    raise SystemExit(BENCHMARK.run(measure))
