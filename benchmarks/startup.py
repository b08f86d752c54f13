"""The start of the command: processor time of what needs no library, in a process of its own each time.

    python -m benchmarks.startup

User and system time of the process, its imports among it, so that other work on the machine counts little; the least of
the runs is the figure without such work. The interpreter alone is the part that no code of ours can shorten.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from argparse import Namespace
from collections.abc import Mapping, Sequence
from statistics import median

from benchmarks.harness import Benchmark, Report

BENCHMARK = Benchmark(__doc__, needs="nothing", takes="20 s")
BENCHMARK.option("--runs", 20, small=2, help="processes for each row")

COMMAND = ("-m", "web.cli")
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
    for label, arguments, environ in (
        ("the interpreter alone", ("-c", "pass"), {}),
        ("memetica --version", (*COMMAND, "--version"), {}),
        ("memetica --help", (*COMMAND, "--help"), {}),
        ("completion of a command's name", COMMAND, COMPLETING),
    ):
        seconds = [processor_seconds(arguments, environ) for _ in range(given.runs)]
        table.row(label, 1000 * min(seconds), 1000 * median(seconds))


if __name__ == "__main__":
    raise SystemExit(BENCHMARK.run(measure))
