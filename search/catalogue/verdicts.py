"""The ledger of the curator's verdicts, by content. Rows are only added, so that no question is asked twice."""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from itertools import combinations

from search.catalogue.database import Database
from search.errors import NotFound, WrongUse


class VerdictKind(StrEnum):
    """What the curator decided."""

    DISTINCT = "not duplicates"
    KEEP_ALL = "keep all"  # duplicates, and all are wanted
    DUPLICATES = "duplicates"  # to be proposed again, whatever was decided before
    MERGED = "merged"
    RIGHT = "filed right"  # what a finding about categories proposed is not wanted
    MOVED = "moved"  # to another category
    ADDED = "added"  # an upload that was accepted
    UNDONE = "undone"  # undoes another verdict


SETTLING = (VerdictKind.DISTINCT, VerdictKind.KEEP_ALL)  # a merged file that comes back is a duplicate again
ABOUT_DUPLICATES = (VerdictKind.DISTINCT, VerdictKind.KEEP_ALL, VerdictKind.DUPLICATES, VerdictKind.MERGED)


@dataclass(frozen=True)
class Verdict:
    """One line of the ledger; `contents` are content hashes in order, one twice where two files were the same bytes.

    `about` is the finding about categories that it settles, and empty in a verdict about duplicates.
    """

    uid: str
    kind: VerdictKind
    contents: tuple[str, ...]
    made_at: datetime  # aware, UTC
    keep: str | None = None
    undoes: str | None = None
    paths: tuple[str, ...] = ()
    note: str = ""
    about: str = ""

    def pairs(self) -> frozenset[tuple[str, str]]:
        """Return every pair of contents, the lower hash first."""
        return frozenset(combinations(sorted(self.contents), 2))


class Verdicts:
    """The ledger, by time."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self,
        kind: VerdictKind,
        contents: Sequence[str],
        *,
        keep: str | None = None,
        paths: Sequence[str] = (),
        note: str = "",
        about: str = "",
        uid: str | None = None,
    ) -> Verdict:
        """Add a verdict and return it; raise WrongUse when it names too few memes."""
        if len(contents) < least_contents(kind):
            raise WrongUse("A verdict about duplicates is about two memes or more, any other about one.")
        verdict = Verdict(
            uid or new_uid(),
            kind,
            tuple(sorted(contents)),
            _now(),
            keep=keep,
            paths=tuple(paths),
            note=note,
            about=about,
        )
        self.put([verdict])
        return verdict

    def undo(self, uid: str, *, note: str = "") -> Verdict:
        """Mark a verdict as undone and return that line; raise NotFound, or WrongUse when it is undone already.

        No file is moved: `indexer.curation.reversal.undo` does that and calls this.
        """
        verdict = self.get(uid)
        if verdict.kind is VerdictKind.UNDONE:
            raise WrongUse("An undo is not undone: decide again.")
        if uid in {one.undoes for one in self.all()}:
            raise WrongUse("That verdict is undone already.")
        line = Verdict(
            new_uid(),
            VerdictKind.UNDONE,
            verdict.contents,
            _now(),
            undoes=uid,
            paths=verdict.paths,
            note=note,
            about=verdict.about,
        )
        self.put([line])
        return line

    def put(self, verdicts: Iterable[Verdict]) -> int:
        """Add the lines that are missing, all or none, and return how many were new; they may be another ledger's."""
        new = 0
        with self._database.transaction():
            for one in verdicts:
                new += self._database.write(
                    """
                    INSERT OR IGNORE INTO verdicts (uid, kind, contents, keep, undoes, paths, note, about, made_at)
                    VALUES (:uid, :kind, :contents, :keep, :undoes, :paths, :note, :about, :made_at)
                    """,
                    {
                        "uid": one.uid,
                        "kind": one.kind,
                        "contents": json.dumps(one.contents),
                        "keep": one.keep,
                        "undoes": one.undoes,
                        "paths": json.dumps(one.paths, ensure_ascii=False),
                        "note": one.note,
                        "about": one.about,
                        "made_at": one.made_at.astimezone(UTC).isoformat(timespec="microseconds"),
                    },
                ).rowcount
        return new

    def get(self, uid: str) -> Verdict:
        """Return a line; raise NotFound."""
        row = self._database.row("SELECT * FROM verdicts WHERE uid = :uid", {"uid": uid})
        if row is None:
            raise NotFound(f"There is no verdict {uid}.", hint="`memetica verdict list` lists them all.")
        return _verdict(row)

    def count(self) -> int:
        """Return the number of lines."""
        return self._database.number("SELECT COUNT(*) FROM verdicts")

    def all(self) -> list[Verdict]:
        """Return every line, by time."""
        return [_verdict(row) for row in self._database.rows("SELECT * FROM verdicts ORDER BY made_at, uid")]

    def standing(self) -> list[Verdict]:
        """Return the verdicts that have not been undone, by time."""
        return standing(self.all())

    def settled(self) -> frozenset[tuple[str, str]]:
        """Return the pairs of contents that must not be proposed again, the lower hash first."""
        return settled(self.all())


def standing(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """Return the verdicts that no other undoes, in the order given."""
    undone = {one.undoes for one in verdicts}
    return [one for one in verdicts if one.kind is not VerdictKind.UNDONE and one.uid not in undone]


def settled(verdicts: Sequence[Verdict]) -> frozenset[tuple[str, str]]:
    """Return the pairs that are settled by the last standing verdict on each."""
    last: dict[tuple[str, str], VerdictKind] = {}
    for one in sorted(standing(verdicts), key=lambda one: (one.made_at, one.uid)):
        if one.kind in ABOUT_DUPLICATES and one.kind is not VerdictKind.MERGED:
            last.update(dict.fromkeys(one.pairs(), one.kind))
    return frozenset(pair for pair, kind in last.items() if kind in SETTLING)


def least_contents(kind: VerdictKind) -> int:
    """Return the least number of memes in a verdict of a kind."""
    return 2 if kind in ABOUT_DUPLICATES else 1


def new_uid() -> str:
    """Return a new unique id: 16 hexadecimal digits."""
    return secrets.token_hex(8)


def _now() -> datetime:
    return datetime.now(UTC)


def _verdict(row: sqlite3.Row) -> Verdict:
    return Verdict(
        uid=row["uid"],
        kind=VerdictKind(row["kind"]),
        contents=tuple(json.loads(row["contents"])),
        made_at=datetime.fromisoformat(row["made_at"]),
        keep=row["keep"],
        undoes=row["undoes"],
        paths=tuple(json.loads(row["paths"])),
        note=row["note"],
        about=row["about"],
    )
