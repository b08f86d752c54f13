"""Time, processor time and memory of each stage of a build, in the process that builds."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, process_time
from types import TracebackType
from typing import Self

from search.index.generations import TEXT_FIELDS
from search.meme import Stage

SAMPLED_EVERY = 0.02  # seconds
_MEANINGS = f"meanings of {len(TEXT_FIELDS)} fields"
# What `on_part` of a build ends, one after the other; what comes after the last is the rest of a build.
_PARTS = ("words", *[_MEANINGS] * len(TEXT_FIELDS), "fingerprints", "looks", "pictures")
_REST = "variants, columns, checksums"


@dataclass(frozen=True)
class BuildStage:
    """One stage: seconds, those of the processor, and the most memory while it ran, in MB.

    `own_mb` is memory of the process alone; the rest of `resident_mb` are pages of files, which the system takes back.
    """

    name: str
    seconds: float
    processor: float
    own_mb: float
    resident_mb: float


class BuildWatch:
    """Counts what each stage of `build_index` takes: give it as `progress`, in a `with` block."""

    def __init__(self) -> None:
        self._parts = iter(_PARTS)
        self._found: dict[str, list[BuildStage]] = {}
        self._own = self._resident = 0.0
        self._ended = threading.Event()
        self._sampler = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> Self:
        self._at = perf_counter(), process_time()
        self._sampler.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._close(_REST)
        self._ended.set()
        self._sampler.join()

    def begin(self, stage: Stage, total: int, *, unit: str) -> None:
        """Begin to count."""

    def advance(self, steps: int = 1, *, failed: bool = False) -> None:
        """End a stage."""
        self._close(next(self._parts))

    def end(self) -> None:
        """End the build."""

    def stages(self) -> list[BuildStage]:
        """Return the stages in their order, parts of one stage together."""
        return [
            BuildStage(
                name,
                sum(one.seconds for one in own),
                sum(one.processor for one in own),
                max(one.own_mb for one in own),
                max(one.resident_mb for one in own),
            )
            for name, own in self._found.items()
        ]

    def _close(self, name: str) -> None:
        self._look()
        began, worked = self._at
        self._at = perf_counter(), process_time()
        stage = BuildStage(name, self._at[0] - began, self._at[1] - worked, self._own, self._resident)
        self._found.setdefault(name, []).append(stage)
        self._own = self._resident = 0.0

    def _sample(self) -> None:
        while not self._ended.wait(SAMPLED_EVERY):
            self._look()

    def _look(self) -> None:
        own, resident = memory_now()
        self._own, self._resident = max(self._own, own), max(self._resident, resident)


def memory_now() -> tuple[float, float]:
    """Return the memory of this process alone, and what is resident with pages of files, in MB; 0 where not told."""
    status = Path("/proc/self/status")
    if not status.exists():
        return 0.0, 0.0
    lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
    own, resident = (int(lines[key].split()[0]) / 1000 for key in ("RssAnon", "VmRSS"))
    return own, resident
