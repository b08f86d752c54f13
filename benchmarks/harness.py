"""Code that all benchmarks share: arguments, the line on the machine, halves, timing, tables, JSON.

A benchmark module declares one `Benchmark` and one function that measures:

    BENCHMARK = Benchmark(__doc__, needs="nothing", takes="20 s")
    BENCHMARK.option("--memes", 30_000, small=300, help="memes of the made-up library")

    def measure(given: Namespace, report: Report) -> None:
        table = report.table("search", {"query": "", "p50 ms": ".1f"})
        table.row("cold", 12.3)

    if __name__ == "__main__":
        raise SystemExit(BENCHMARK.run(measure))
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import resource
import subprocess
import sys
import time
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

PROJECT = Path(__file__).parents[1]
PACKAGES = ("numpy", "faiss-cpu", "onnxruntime", "openvino")  # whose versions influence the figures


class Half(StrEnum):
    """The two halves of a data set: constants are chosen on one, and figures are of the other."""

    TUNED = "tuned"
    HELD_OUT = "held out"


def half_of(key: str) -> Half:
    """Return the half that a key belongs to: by the parity of its SHA-256, as `memetica evaluate --fit` splits queries.

    The key identifies what must not be in both halves: a meme's id or path for queries, a template or the
    original of copies where pictures resemble each other.
    """
    return Half.HELD_OUT if int(hashlib.sha256(key.encode()).hexdigest(), 16) % 2 else Half.TUNED


def is_held_out(key: str) -> bool:
    """Return whether a key belongs to the held-out half."""
    return half_of(key) is Half.HELD_OUT


class Skipped(Exception):
    """A benchmark's data or tool is missing; the message says what is missing and how to get it."""


def machine() -> dict[str, Any]:
    """Return date and machine of a run: date, git revision, CPU, cores, load, Python, system, package versions."""
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "revision": _revision(),
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "load": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None,
        "python": platform.python_version(),
        "system": platform.system(),
        "packages": {name: found for name in PACKAGES if (found := _version(name))},
    }


def machine_line(facts: Mapping[str, Any]) -> str:
    """Return a machine's facts as one line."""
    packages = ", ".join(f"{name} {number}" for name, number in facts["packages"].items())
    return (
        f"{facts['date']}, revision {facts['revision']}, {facts['cpu']}, {facts['cores']} cores, load {facts['load']}, "
        f"Python {facts['python']}, {facts['system']}; {packages}"
    )


def _revision() -> str:
    with suppress(OSError, subprocess.CalledProcessError):
        asked = ["git", "-C", str(PROJECT), "describe", "--always", "--dirty"]
        return subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip()
    return "unknown"


def _cpu() -> str:
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def peak_memory() -> float:
    """Return the largest resident size, in MB, of this process or of a child that has ended."""
    largest = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return largest / (1_000_000 if sys.platform == "darwin" else 1000)


def seconds_of(work: Callable[[], object]) -> float:
    """Return the seconds that one call takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def timed(work: Callable[[Any], object], arguments: Iterable[Any], *, warm_up: int = 0) -> list[float]:
    """Return the seconds of each call, without the first `warm_up` calls."""
    return [seconds_of(lambda one=one: work(one)) for one in arguments][warm_up:]  # type: ignore[misc]


def percentiles(seconds: Sequence[float]) -> tuple[float, float]:
    """Return the median and the 95th percentile, in milliseconds."""
    p50, p95 = np.percentile(np.asarray(seconds) * 1000, (50, 95))
    return float(p50), float(p95)


class Table:
    """One table of a report; each row is printed as soon as it is known."""

    def __init__(self, name: str, columns: Mapping[str, str], *, emit: Callable[[dict[str, Any]], None] | None) -> None:
        self.name = name
        self.rows: list[dict[str, Any]] = []
        self._columns = columns
        self._emit = emit
        self._widths = [max(len(title), 38 if place == 0 else 9) for place, title in enumerate(columns)]
        if emit is None:
            print(f"\n{name}")
            print(self._line(list(columns)), flush=True)

    def row(self, *values: Any) -> None:
        """Add a row: one value for each column; None for a cell without a value."""
        self.rows.append(dict(zip(self._columns, values, strict=True)))
        if self._emit is not None:
            self._emit({"table": self.name, **self.rows[-1]})
            return
        cells = [
            "" if value is None else format(value, form) for value, form in zip(values, self._forms(), strict=True)
        ]
        print(self._line(cells), flush=True)

    def _forms(self) -> list[str]:
        return list(self._columns.values())

    def _line(self, cells: Sequence[str]) -> str:
        first, *others = zip(cells, self._widths, strict=True)
        return (first[0].ljust(first[1]) + "".join(f"  {cell.rjust(width)}" for cell, width in others)).rstrip()


class Report:
    """Prints a benchmark's figures: as tables, or with `json` as one JSON object per line."""

    def __init__(self, *, json: bool = False) -> None:
        self._json = json
        self.tables: list[Table] = []

    def table(self, name: str, columns: Mapping[str, str]) -> Table:
        """Return a new table; `columns` maps each title to the format of its values."""
        self.tables.append(Table(name, columns, emit=self._emit if self._json else None))
        return self.tables[-1]

    def head(self, name: str, arguments: Mapping[str, Any]) -> None:
        """Print the machine and the arguments, seeds among them."""
        facts = machine()
        if self._json:
            self._emit({"benchmark": name, "machine": facts, "arguments": arguments})
            return
        print(machine_line(facts))
        print(f"{name} " + " ".join(f"{key}={value}" for key, value in arguments.items()), flush=True)

    def note(self, text: str) -> None:
        """Print a sentence that belongs to the figures."""
        if self._json:
            self._emit({"note": text})
        else:
            print(text, flush=True)

    def _emit(self, row: Mapping[str, Any]) -> None:
        print(json.dumps(row, default=_plain), flush=True)


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else str(value)


class Benchmark:
    """A benchmark's command: the common arguments and its own."""

    def __init__(self, description: str | None, *, needs: str, takes: str) -> None:
        self._small: dict[str, Any] = {}
        self.parser = ArgumentParser(
            description=f"{(description or '').strip()}\n\nNeeds: {needs}\nTakes: {takes}",
            formatter_class=RawDescriptionHelpFormatter,
        )
        self.parser.add_argument("--json", action="store_true", help="print JSON Lines instead of tables")
        self.parser.add_argument("--small", action="store_true", help="measure the smallest amounts: a trial run")

    def option(self, flag: str, default: Any, *, small: Any = None, help: str, **more: Any) -> None:
        """Add an argument; `small` is its default with `--small`."""
        if "type" not in more and "action" not in more:
            more["type"] = type(default)
        action = self.parser.add_argument(flag, default=None, help=f"{help} (default: {default})", **more)
        self._small[action.dest] = (default, default if small is None else small)

    def parse(self, arguments: Sequence[str] | None = None) -> Namespace:
        """Return the arguments, defaults filled in."""
        given = self.parser.parse_args(arguments)
        for name, (usual, small) in self._small.items():
            if getattr(given, name) is None:
                setattr(given, name, small if given.small else usual)
        return given

    def run(self, measure: Callable[[Namespace, Report], None], arguments: Sequence[str] | None = None) -> int:
        """Measure and print; return the exit status. A benchmark without its data reports it and returns 0."""
        given = self.parse(arguments)
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # processes find compiled modules, as on a user's machine
        report = Report(json=given.json)
        name = Path(sys.modules[measure.__module__].__file__ or "benchmark").stem
        report.head(name, {key: value for key, value in vars(given).items() if key not in ("json", "small")})
        try:
            measure(given, report)
        except Skipped as error:
            report.note(f"Skipped: {error}")
        return 0
