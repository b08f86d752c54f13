"""The ledger of the curator's verdicts, by content. Rows are only added, so that a settled question stays settled."""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from itertools import combinations

from search.catalogue.database import Database
from search.errors import NotFound, WrongState, WrongUse


class VerdictKind(StrEnum):
    """What the curator decided."""

    DISTINCT = "not duplicates"
    KEEP_ALL = "keep all"  # duplicates, and all are wanted
    DUPLICATES = "duplicates"  # to be proposed again, despite earlier verdicts
    MERGED = "merged"
    RIGHT = "filed right"  # the fix that a category issue proposed is declined
    MOVED = "moved"  # to another category
    RENAMED = "renamed"
    ADDED = "added"  # an upload that was accepted
    TRASHED = "trashed"  # left the library for the trash
    TAGGED = "tagged"  # `about` is the tag
    UNTAGGED = "untagged"
    UNDONE = "undone"  # undoes another verdict


SETTLING = (VerdictKind.DISTINCT, VerdictKind.KEEP_ALL)  # not MERGED: a merged file that returns is proposed again
ABOUT_DUPLICATES = (VerdictKind.DISTINCT, VerdictKind.KEEP_ALL, VerdictKind.DUPLICATES, VerdictKind.MERGED)


@dataclass(frozen=True)
class Verdict:
    """One line of the ledger; `contents` are sorted content hashes, with repetitions for files with the same bytes.

    `about` is the category issue that the verdict settles, or the tag that it gives or takes; it is empty in a verdict
    about duplicates.
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
        """Add a verdict and return it; raise WrongUse for too few contents."""
        if len(contents) < least_contents(kind):
            raise WrongUse("A verdict about duplicates needs at least two memes, any other at least one.")
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
        """Mark a verdict as undone and return the new line; raise NotFound, or WrongState if it is undone already.

        No file is moved: `indexer.curation.reversal.undo` moves the files and calls this method.
        """
        verdict = self.get(uid)
        if verdict.kind is VerdictKind.UNDONE:
            raise WrongState("An undo cannot be undone: decide again instead.")
        if uid in {line.undoes for line in self.all()}:
            raise WrongState("That verdict is undone already.")
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
        """Add the missing lines, all or none, and return their number; other data folders' lines are allowed."""
        new = 0
        with self._database.transaction():
            for verdict in verdicts:
                new += self._database.write(
                    """
                    INSERT OR IGNORE INTO verdicts (uid, kind, contents, keep, undoes, paths, note, about, made_at)
                    VALUES (:uid, :kind, :contents, :keep, :undoes, :paths, :note, :about, :made_at)
                    """,
                    {
                        "uid": verdict.uid,
                        "kind": verdict.kind,
                        "contents": json.dumps(verdict.contents),
                        "keep": verdict.keep,
                        "undoes": verdict.undoes,
                        "paths": json.dumps(verdict.paths, ensure_ascii=False),
                        "note": verdict.note,
                        "about": verdict.about,
                        "made_at": verdict.made_at.astimezone(UTC).isoformat(timespec="microseconds"),
                    },
                ).rowcount
        return new

    def get(self, uid: str) -> Verdict:
        """Return a line; raise NotFound for an unknown one."""
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
    """Return the verdicts that no later line undoes, in their order."""
    undone = {verdict.undoes for verdict in verdicts}
    return [verdict for verdict in verdicts if verdict.kind is not VerdictKind.UNDONE and verdict.uid not in undone]


def settled(verdicts: Sequence[Verdict]) -> frozenset[tuple[str, str]]:
    """Return the pairs of contents that are settled by the last standing verdict on them.

    What was merged into another stands for it: a content that is no copy of the merged one is none of the kept one.
    """
    last: dict[tuple[str, str], VerdictKind] = {}
    kept: dict[str, str] = {}
    for verdict in sorted(standing(verdicts), key=lambda verdict: (verdict.made_at, verdict.uid)):
        if verdict.kind is VerdictKind.MERGED:
            if verdict.keep is not None:
                kept.update(dict.fromkeys(set(verdict.contents) - {verdict.keep}, verdict.keep))
                kept.pop(verdict.keep, None)  # it came back since it was merged itself
        elif verdict.kind in ABOUT_DUPLICATES:
            last.update(dict.fromkeys(verdict.pairs(), verdict.kind))
    found = {pair for pair, kind in last.items() if kind in SETTLING}
    for one, other in list(found):
        first, second = sorted((_stands_for(one, kept), _stands_for(other, kept)))
        if first != second and (first, second) not in last:
            found.add((first, second))
    return frozenset(found)


def _stands_for(content: str, kept: Mapping[str, str]) -> str:
    """Return the content that a content was merged into, over several merges."""
    while content in kept:
        content = kept[content]
    return content


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
