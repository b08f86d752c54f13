"""Where the project and the measuring data beside it are."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared"  # real memes to measure on; tests that want them skip where it is not
