"""Waiting for what another thread or process does, however slow or busy the machine is."""

from __future__ import annotations

import time
from collections.abc import Callable

# Seconds for what takes one or few on an idle machine: a test that passes never waits so long. A minute was too short
# for the start of a process where ten others had each processor.
PATIENCE = 300.0


def until(is_true: Callable[[], object], *, seconds: float = PATIENCE) -> None:
    """Wait until a condition holds; fail the test when it does not within `seconds`."""
    ends = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < ends, f"it did not become true in {seconds:g} seconds"
        time.sleep(0.01)
