"""Indexing a new library: seconds and memes per second of each stage, and the peak memory so far.

    python -m benchmarks.indexing
    python -m benchmarks.indexing cm50
    python -m benchmarks.indexing path/to/memes path/to/new-data

LIBRARY is demo (default), cm50, real_memes, or any folder of memes. The data folder is new and is removed afterwards,
unless DATA names one. A run includes the export of the text encoder (about 20 s, by torch).
"""

from __future__ import annotations

import tempfile
from argparse import Namespace
from pathlib import Path

from benchmarks.data import DRAWN, drawn_library
from benchmarks.harness import Benchmark, Report, Skipped, peak_memory
from indexer.pipeline import index_library
from indexer.work.progress import SILENT, StageReport
from search.catalogue import open_catalogue
from search.settings import Settings
from search.workspace import Workspace

BENCHMARK = Benchmark(
    __doc__,
    needs="nothing (the drawn demo library), or CM50 or real_memes: see python -m benchmarks.data --help",
    takes="2 minutes with demo, 10 with cm50",
)
BENCHMARK.parser.add_argument("library", nargs="?", default="demo", help="demo, cm50, real_memes, or a folder of memes")
BENCHMARK.parser.add_argument("data", nargs="?", type=Path, help="a data folder that does not exist yet")
BENCHMARK.option("--memes", 0, small=40, help="memes to draw; 0 draws the usual number")
BENCHMARK.option("--seed", -1, help="of what is drawn; -1 draws with the usual seed")


def measure(given: Namespace, report: Report) -> None:
    """Print a row for each stage."""
    if given.library in DRAWN:
        memes = drawn_library(given.library, memes=given.memes, seed=given.seed).memes
    else:
        memes = Path(given.library)
        if not memes.is_dir():
            raise Skipped(f"there is no folder {memes}.")
    if given.data is not None and given.data.exists():
        raise Skipped(f"{given.data} exists: name a folder that does not, for a start from nothing.")
    table = report.table(
        "stages",
        {"stage": "", "done": ",d", "failed": ",d", "seconds": ".1f", "per second": ".1f", "peak MB so far": ",.0f"},
    )

    def show(stage: StageReport) -> None:
        rate = stage.done / stage.seconds if stage.seconds else 0.0
        table.row(stage.stage.value, stage.done, stage.failed, stage.seconds, rate, peak_memory())

    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(library=memes, data=given.data or Path(folder) / "data").absolute()
        with open_catalogue(settings) as catalogue:
            reports = index_library(Workspace(settings, catalogue), progress=SILENT, on_stage=show)
            count = catalogue.memes.count()
    report.note(f"{count:,} memes in {sum(stage.seconds for stage in reports):.1f} s")


if __name__ == "__main__":
    raise SystemExit(BENCHMARK.run(measure))
