"""Percentages have one spelling, "97 %": of `search.evidence.percent`, with a no-break space in pages."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("search", "indexer", "web")
ONE_HOME = ROOT / "search" / "evidence.py"


def own_spellings(source: str) -> Iterator[int]:
    """Yield the lines of f-strings that spell a percentage themselves, by a format or by a sign behind a value."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.JoinedStr):
            continue
        for at, part in enumerate(node.values):
            if not isinstance(part, ast.FormattedValue):
                continue
            following = node.values[at + 1] if at + 1 < len(node.values) else None
            behind = following.value if isinstance(following, ast.Constant) else ""
            formatted = part.format_spec is not None and re.search(r"\.\d%'", ast.unparse(part.format_spec))
            if formatted or re.match(r"[ \u00a0]?%(?![A-Za-z0-9%])", str(behind)):
                yield part.lineno


@pytest.mark.parametrize(
    ("source", "found"),
    [("f'{share:.0%} of it'", 1), ("f'{100 * share:.0f} %'", 1), ("f'{n}%'", 1), ("f'{day:%Y-%m}'", 0), ("'50 %'", 0)],
)
def test_own_spellings_are_found(source: str, found: int) -> None:
    assert len(list(own_spellings(source))) == found


def test_messages_take_their_percentages_from_one_function() -> None:
    files = [file for package in PACKAGES for file in (ROOT / package).rglob("*.py")]
    spelled = [f"{file.relative_to(ROOT)}:{line}" for file in files for line in own_spellings(file.read_text("utf-8"))]
    assert [one for one in spelled if not one.startswith(f"{ONE_HOME.relative_to(ROOT)}:")] == []
    assert len(spelled) == 1


def test_pages_take_their_percentages_from_one_filter() -> None:
    spelled = [
        f"{file.name}: {found}"
        for file in (ROOT / "web" / "templates").iterdir()
        for found in re.findall(r"\}\}\s?(?:&nbsp;|&#160;)?%(?![};\"])", file.read_text("utf-8"))
    ]
    assert spelled == []
