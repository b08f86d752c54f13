"""The ledger as lines: what goes out comes in, and what is not a verdict is named by its line."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from search.catalogue import Verdict, VerdictKind
from search.catalogue.ledger import read_verdicts, verdict_row
from search.errors import WrongUse

A, B = "a" * 64, "b" * 64
VERDICT = Verdict(
    uid="0123456789abcdef",
    kind=VerdictKind.MERGED,
    contents=(A, B),
    made_at=datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
    keep=A,
    paths=("Cats/😂.png", "Dogs/b.png"),
    note="„so“",
)


def test_a_row_reads_as_people_would_write_it() -> None:
    assert verdict_row(VERDICT) == {
        "id": "0123456789abcdef",
        "verdict": "merged",
        "contents": [A, B],
        "keep": A,
        "undoes": None,
        "paths": ["Cats/😂.png", "Dogs/b.png"],
        "note": "„so“",
        "about": "",
        "at": "2026-01-02T03:04:05.678901Z",
    }


def test_what_goes_out_comes_in() -> None:
    undo = Verdict("f" * 16, VerdictKind.UNDONE, (A, B), VERDICT.made_at, undoes=VERDICT.uid)
    lines = [json.dumps(verdict_row(one)) + "\n" for one in (VERDICT, undo)]
    assert list(read_verdicts([lines[0], "\n", lines[1]])) == [VERDICT, undo]


@pytest.mark.parametrize(
    "change",
    [
        {"id": "short"},
        {"id": 7},
        {"verdict": "maybe"},
        {"verdict": "undone"},
        {"undoes": "f" * 16},
        {"contents": [A]},
        {"contents": A},
        {"contents": [A, "not a hash"]},
        {"keep": "x"},
        {"at": "yesterday"},
        {"at": None},
        {"paths": 3},
    ],
)
def test_a_line_that_is_no_verdict_is_named(change: dict[str, object]) -> None:
    lines = [json.dumps(verdict_row(VERDICT)), json.dumps(verdict_row(VERDICT) | change)]
    with pytest.raises(WrongUse, match="Line 2 is not a verdict"):
        list(read_verdicts(lines))


@pytest.mark.parametrize("line", ["{", "[]", "7", "{}", '"text"'])
def test_a_line_that_is_no_object_is_named(line: str) -> None:
    with pytest.raises(WrongUse, match="Line 1 is not a verdict"):
        list(read_verdicts([line]))
