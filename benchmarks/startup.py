"""The start of the command: processor time of what needs no library, in a process of its own each time.

    python -m benchmarks.startup
    python -m benchmarks.startup --data FOLDER

With FOLDER, a data folder with an index, a search of it is started too, with the text encoder and all that it loads.
User and system time of the process, its imports among it, so that other work on the machine counts little; the least of
the runs is the figure without such work. Modules are compiled before. The interpreter alone is the part that no code of
ours can shorten.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from argparse import Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

from benchmarks.harness import Benchmark, Report

BENCHMARK = Benchmark(__doc__, needs="nothing", takes="20 s")
BENCHMARK.parser.add_argument("--data", type=Path, help="a data folder to search in")
BENCHMARK.option("--runs", 20, small=2, help="processes for each row")

COMMAND = ("-m", "web.cli")
QUERY = "dog in a burning room"
COMPLETING = {"_MEMETICA_COMPLETE": "bash_complete", "COMP_WORDS": "memetica se", "COMP_CWORD": "1"}


def processor_seconds(arguments: Sequence[str], environ: Mapping[str, str]) -> float:
    """Return the processor time of one Python process, in seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], env=os.environ | environ, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure(given: Namespace, report: Report) -> None:
    """Print the processor time of each start."""
    table = report.table("start", {"what": "", "least ms": ".0f", "median ms": ".0f"})
    starts: list[tuple[str, tuple[str, ...], dict[str, str]]] = [
        ("the interpreter alone", ("-c", "pass"), {}),
        ("memetica --version", (*COMMAND, "--version"), {}),
        ("memetica --help", (*COMMAND, "--help"), {}),
        ("completion of a command's name", COMMAND, COMPLETING),
    ]
    if given.data is not None:
        starts.append(("memetica search", (*COMMAND, "search", QUERY, "--data", str(given.data)), {}))
    for label, arguments, environ in starts:
        seconds = [processor_seconds(arguments, environ) for _ in range(given.runs)]
        table.row(label, 1000 * min(seconds), 1000 * median(seconds))


if __name__ == "__main__":
    raise SystemExit(BENCHMARK.run(measure))
