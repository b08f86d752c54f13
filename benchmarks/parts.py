"""What indexing in parts costs beside one process: `memetica index --part` for each part, `gather`, and the rest.

    python -m benchmarks.parts
    python -m benchmarks.parts real_memes --memes 400 --parts 4

Each command runs alone, one after another, with a data folder of its own and models that are there already, as the
how-to says. Processor time is of a command with all its processes. The parts together do what one process does; more
than its processor time is what it costs to start each, to scan the whole library in each, and to gather.
"""

from __future__ import annotations

import resource
import shutil
import subprocess
import sys
import tempfile
import time
from argparse import Namespace
from pathlib import Path

from benchmarks.data import DRAWN, drawn_library
from benchmarks.harness import PROJECT, Benchmark, Report, Skipped
from search.index.generations import live_manifest

BENCHMARK = Benchmark(__doc__, needs="nothing (the drawn demo library), or real_memes", takes="10 minutes with demo")
BENCHMARK.parser.add_argument("library", nargs="?", default="demo", help="demo, cm50, real_memes, or a folder of memes")
BENCHMARK.option("--memes", 0, small=30, help="memes to draw; 0 draws the usual number")
BENCHMARK.option("--seed", -1, help="of what is drawn; -1 draws with the usual seed")
BENCHMARK.option("--parts", 4, small=2, help="parts of the library")
BENCHMARK.parser.add_argument("--ocr", default="rapidocr", help="what reads the pictures: rapidocr, tesseract or none")


class Commands:
    """Runs commands, and keeps what each has taken."""

    def __init__(self, report: Report) -> None:
        self._table = report.table("commands", {"command": "", "wall s": ".1f", "processor s": ".1f"})

    def run(self, *arguments: str) -> float:
        """Run a command; return its processor time in seconds, that of its processes included."""
        before, begun = _processor_of_children(), time.perf_counter()
        _run_command(*arguments)
        took = _processor_of_children() - before
        named = " ".join(Path(one).name if Path(one).is_absolute() else one for one in arguments)
        self._table.row(named, time.perf_counter() - begun, took)
        return took


def _run_command(*arguments: str) -> None:
    command = [sys.executable, "-m", "web.cli", *arguments, "--quiet"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=PROJECT)
    if done.returncode not in {0, 1}:  # 1: files that cannot be read, which the demo has
        raise SystemExit(f"{' '.join(command)}: {done.stderr}")


def _processor_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measure(given: Namespace, report: Report) -> None:
    """Print what each command takes, and the ratio."""
    if given.library in DRAWN:
        memes = drawn_library(given.library, memes=given.memes, seed=given.seed).memes
    else:
        memes = Path(given.library).absolute()
        if not memes.is_dir():
            raise Skipped(f"there is no folder {memes}.")
    commands = Commands(report)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _prepare_models(memes, folder / "prepared", ocr=given.ocr)

        def index(data: str, *more: str) -> float:
            if not (folder / data).exists():
                shutil.copytree(folder / "prepared" / "models", folder / data / "models")
            own = ("--data", str(folder / data), "--see", "built-in", "--ocr", given.ocr, "--no-duplicates")
            return commands.run("index", str(memes), *own, *more)

        alone = index("one")
        parts = [f"part-{part}" for part in range(1, given.parts + 1)]
        each = [index(one, "--part", f"{part}/{given.parts}") for part, one in enumerate(parts, start=1)]
        shutil.copytree(folder / "prepared" / "models", folder / "all" / "models")
        gathered = commands.run("gather", "--data", str(folder / "all"), *(str(folder / one) for one in parts))
        rest = index("all")
        rows = [built.rows for one in ("one", "all") if (built := live_manifest(folder / one / "index"))]
    report.note(f"rows of the index, the same both ways: {rows[0] == rows[-1] and len(rows) == 2}")
    together = sum(each) + gathered + rest
    report.note(
        f"processor time, {given.parts} parts, gather and the rest: {together:.1f} s; one process: {alone:.1f} s; "
        f"ratio {together / alone:.2f}"
    )


def _prepare_models(memes: Path, data: Path, *, ocr: str) -> None:
    """Index one meme, so that the models are there."""
    with tempfile.TemporaryDirectory() as name:
        category = Path(name) / "One"
        category.mkdir()
        first = min(file for file in memes.rglob("*") if file.suffix in {".jpg", ".png"})
        shutil.copy(first, category)
        _run_command("index", name, "--data", str(data), "--see", "built-in", "--ocr", ocr)


if __name__ == "__main__":
    raise SystemExit(BENCHMARK.run(measure))
