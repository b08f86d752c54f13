"""What a part of the campaign found: its cases, its figures and the faults."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field


@dataclass
class Report:
    """The cases of one part, its figures by name, and a sentence for each fault; a part without faults has passed."""

    part: str
    cases: int = 0
    faults: list[str] = field(default_factory=list)
    figures: dict[str, str] = field(default_factory=dict)
    skipped: str = ""  # the reason, when the part could not run here
    is_timed: bool = True  # whether what is slow is a fault; not on a machine that does other work

    def fault(self, case: str, what: str) -> None:
        """Record a fault and write it to stderr at once: a campaign takes long."""
        self.faults.append(f"{case}: {what}")
        sys.stderr.write(f"\n  FAULT {self.part}: {case}: {what}\n")

    def slow(self, case: str, what: str) -> None:
        """Record a fault of speed, if those count."""
        if self.is_timed:
            self.fault(case, what)

    def progress(self, case: str) -> None:
        """Count a case and write the number to stderr when that is a terminal."""
        self.cases += 1
        if sys.stderr.isatty():
            sys.stderr.write(f"\r\x1b[K  {self.part} {self.cases}: {case[:90]}")
            sys.stderr.flush()


def percentile(values: list[float], share: float) -> float:
    """Return the value below which a share of the values lie, 0.0 for none; the greatest value for a share of 1."""
    if not values:
        return 0.0
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]
