"""List the benchmarks: the name of each and what it measures; or try the smallest form of each.

    python -m benchmarks
    python -m benchmarks --small
    python -m benchmarks --small uploads http

`--small` runs each in a process of its own, in some 20 minutes, and says which of them failed or were skipped, so that
none breaks unseen. The status is then 1 when one failed.
"""

from __future__ import annotations

import argparse
import ast
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

SUPPORT = (
    "__init__",
    "__main__",
    "browser",
    "calibration",
    "cropped_words",
    "data",
    "drawn_captions",
    "drawn_changes",
    "drawn_marks",
    "edited",
    "harness",
    "lookalikes",
    "mixed_vectors",
    "stages",
)
LIMIT_SECONDS = 900.0


def names() -> list[str]:
    """Return the names of all benchmarks, in alphabetical order.

    >>> "retrieval" in names(), "harness" in names()
    (True, False)
    """
    return sorted(file.stem for file in Path(__file__).parent.glob("*.py") if file.stem not in SUPPORT)


def outcome_of(name: str) -> str:
    """Run the smallest form of a benchmark; return "ran", the sentence that says why it was skipped, or its failure."""
    command = [sys.executable, "-m", f"benchmarks.{name}", "--small"]
    try:
        run = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return f"failed: not done after {LIMIT_SECONDS:.0f} s"
    if run.returncode:
        lines = f"{run.stdout}\n{run.stderr}".strip().splitlines()
        return f"failed: {lines[-1] if lines else f'status {run.returncode}'}"
    return next((line for line in run.stdout.splitlines() if line.startswith("Skipped: ")), "ran")


def try_all(chosen: Sequence[str]) -> int:
    """Print the outcome of each benchmark's smallest form; return how many failed."""
    failed = 0
    for name in chosen:
        started = time.perf_counter()
        outcome = outcome_of(name)
        failed += outcome.startswith("failed")
        print(f"{name:20} {time.perf_counter() - started:5.0f} s  {outcome}", flush=True)
    return failed


def main(arguments: Sequence[str] | None = None) -> int:
    """Print each benchmark's name and the first line of its description, or try their smallest forms."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="List the benchmarks.")
    parser.add_argument("--small", action="store_true", help="run the smallest form of each, or of those named")
    parser.add_argument("names", nargs="*", metavar="NAME")
    given = parser.parse_args(arguments)
    for name in given.names:
        if name not in names():
            parser.error(f"there is no benchmark {name!r}")
    chosen = given.names or names()
    if given.small:
        return 1 if try_all(chosen) else 0
    for name in chosen:
        text = (Path(__file__).parent / f"{name}.py").read_text("utf-8")
        print(f"{name:20} {(ast.get_docstring(ast.parse(text)) or '').splitlines()[0]}")
    print("\nRun one by `python -m benchmarks.NAME`; `--help` says what it needs and how long it takes.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
