"""Draws the demo library: `python -m demo FOLDER` writes FOLDER/memes and FOLDER/truth.json.

The same arguments give the same bytes with the same versions of Pillow, OpenCV and PyAV. `memetica demo` draws the same
library, without the truth, then indexes and serves it.
"""

from __future__ import annotations

import argparse
import json
import sys
from datetime import UTC, datetime
from pathlib import Path

from demo.library import draw_demo
from search.errors import MemeticaError


def main(arguments: list[str] | None = None) -> int:
    """Draw the library; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m demo", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="new or empty folder to write")
    parser.add_argument("--memes", type=int, default=260, help="number of different memes (default: 260)")
    parser.add_argument("--seed", type=int, default=1, help="seed of the random choices (default: 1)")
    parser.add_argument("--date", type=datetime.fromisoformat, help="date of the newest memes (default: today)")
    given = parser.parse_args(arguments)
    try:
        truth = draw_demo(
            given.folder / "memes",
            memes=given.memes,
            seed=given.seed,
            now=given.date and given.date.replace(tzinfo=UTC),
        )
    except MemeticaError as error:
        print(f"{error.message} {error.hint}", file=sys.stderr)  # noqa: T201
        return 1
    text = json.dumps(truth.as_json(), indent=1, ensure_ascii=False)
    (given.folder / "truth.json").write_text(text + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
