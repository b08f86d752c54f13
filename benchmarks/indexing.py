"""How long each stage takes to index a library from nothing, and how much memory it has taken by then.

    python -m benchmarks.indexing LIBRARY DATA

LIBRARY is a folder of memes, DATA a folder that does not exist yet. `../shared` draws two libraries of real memes:
`python ../shared/cm50/build_library.py OUT` and `python ../shared/real_memes/build_library.py OUT --memes 1000`.
"""

from __future__ import annotations

import argparse
import resource
import sys
from pathlib import Path

from benchmarks.machine import machine
from indexer.pipeline import index_library
from indexer.work.progress import SILENT, StageReport
from search.catalogue import open_catalogue
from search.settings import Settings
from search.workspace import Workspace


def peak() -> float:
    """Return the most megabytes that this process, or one that it waited for, has held."""
    kilobytes = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return kilobytes / (1_000_000 if sys.platform == "darwin" else 1000)


def show(report: StageReport) -> None:
    """Print what a stage did."""
    rate = report.done / report.seconds if report.seconds else 0.0
    print(
        f"{report.stage.value:8} {report.done:7,} done {report.failed:4,} failed {report.seconds:8.1f} s "
        f"{rate:8.1f}/s   peak so far {peak():6,.0f} MB",
        flush=True,
    )


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("library", type=Path)
    arguments.add_argument("data", type=Path)
    given = arguments.parse_args()
    settings = Settings(library=given.library, data=given.data).absolute()
    if settings.data.exists():
        raise SystemExit(f"{settings.data} exists: name a folder that does not, for a start from nothing.")
    print(machine())
    with open_catalogue(settings) as catalogue:
        reports = index_library(Workspace(settings, catalogue), progress=SILENT, finished=show)
        memes = catalogue.memes.count()
    print(f"{memes:,} memes in {sum(report.seconds for report in reports):.1f} s")


if __name__ == "__main__":
    main()
