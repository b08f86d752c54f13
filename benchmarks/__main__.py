"""List the benchmarks: the name of each and what it measures."""

from __future__ import annotations

import ast
from pathlib import Path

SUPPORT = ("__init__", "__main__", "browser", "data", "drawn_captions", "harness", "lookalikes", "stages")


def names() -> list[str]:
    """Return the names of all benchmarks, in alphabetical order."""
    return sorted(file.stem for file in Path(__file__).parent.glob("*.py") if file.stem not in SUPPORT)


def main() -> None:
    """Print each benchmark's name and the first line of its description."""
    for name in names():
        text = (Path(__file__).parent / f"{name}.py").read_text("utf-8")
        print(f"{name:20} {(ast.get_docstring(ast.parse(text)) or '').splitlines()[0]}")
    print("\nRun one by `python -m benchmarks.NAME`; `--help` says what it needs and how long it takes.")


if __name__ == "__main__":
    main()
