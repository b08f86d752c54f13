"""The journal of memes moved to another category: what is to be done, written before the first file is touched."""

from __future__ import annotations

import json
import sqlite3
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from search.catalogue.database import Database
from search.errors import NotFound


class RefilingState(StrEnum):
    """How far a move is. One that was begun, or is being undone, and is not under way was interrupted."""

    BEGUN = "begun"
    DONE = "done"
    UNDOING = "undoing"
    UNDONE = "undone"


@dataclass(frozen=True)
class Renamed:
    """A file's path before and after, relative to the library, and a hash: a meme's content, or of its bytes."""

    before: str
    after: str
    content: str


@dataclass(frozen=True)
class RefilingRecord:
    """Memes that go to a category, and every file that goes with them, the memes' own last."""

    uid: str
    state: RefilingState
    category: str
    memes: tuple[Renamed, ...]
    files: tuple[Renamed, ...]
    about: str
    begun_at: datetime


class Refilings:
    """Moves by their uid, which is their verdict's too."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, record: RefilingRecord) -> None:
        """Write down what is about to be done; it is on the disk when this returns."""
        with self._database.durable():
            self._database.write(
                """
                INSERT INTO refilings (uid, state, category, memes, files, about, begun_at)
                VALUES (:uid, :state, :category, :memes, :files, :about, :begun_at)
                """,
                {
                    "uid": record.uid,
                    "state": record.state,
                    "category": record.category,
                    "memes": _json(record.memes),
                    "files": _json(record.files),
                    "about": record.about,
                    "begun_at": record.begun_at.astimezone(UTC).isoformat(timespec="microseconds"),
                },
            )

    def move_on(self, uid: str, state: RefilingState, *, unindexed: bool) -> None:
        """Write down how far a move is, within the surrounding transaction."""
        self._database.write(
            "UPDATE refilings SET state = :state, unindexed = :unindexed WHERE uid = :uid",
            {"uid": uid, "state": state, "unindexed": int(unindexed)},
        )

    def go_back(self, record: RefilingRecord) -> None:
        """Write down that a move is being undone, and which files go back: texts may have come beside the memes."""
        self._database.write(
            "UPDATE refilings SET state = 'undoing', files = :files, unindexed = 0 WHERE uid = :uid",
            {"uid": record.uid, "files": _json(record.files)},
        )

    def forget(self, uid: str) -> None:
        """Remove a move that was never begun in earnest."""
        self._database.write("DELETE FROM refilings WHERE uid = :uid", {"uid": uid})

    def durably(self) -> AbstractContextManager[None]:
        """Return a transaction that is on the disk when it ends."""
        return self._database.durable()

    def get(self, uid: str) -> RefilingRecord:
        """Return a move; raise NotFound."""
        row = self._database.row("SELECT * FROM refilings WHERE uid = :uid", {"uid": uid})
        if row is None:
            raise NotFound(f"There is no move {uid}.", hint="`memetica verdicts` lists what was decided.")
        return _record(row)

    def in_state(self, *states: RefilingState) -> list[RefilingRecord]:
        """Return the moves in these states, the newest first."""
        marks = ",".join(repr(state.value) for state in states)
        rows = self._database.rows(f"SELECT * FROM refilings WHERE state IN ({marks}) ORDER BY begun_at DESC, uid")
        return [_record(row) for row in rows]

    def unindexed(self) -> list[RefilingRecord]:
        """Return the moves that the index does not know of yet."""
        return [_record(row) for row in self._database.rows("SELECT * FROM refilings WHERE unindexed = 1 ORDER BY uid")]

    def indexed(self, records: list[RefilingRecord]) -> None:
        """Write down that the index knows of these moves, unless they were undone or done anew meanwhile."""
        for record in records:
            self._database.write(
                "UPDATE refilings SET unindexed = 0 WHERE uid = :uid AND state = :state",
                {"uid": record.uid, "state": record.state},
            )


def _json(renamed: tuple[Renamed, ...]) -> str:
    return json.dumps([[one.before, one.after, one.content] for one in renamed], ensure_ascii=False)


def _record(row: sqlite3.Row) -> RefilingRecord:
    return RefilingRecord(
        uid=row["uid"],
        state=RefilingState(row["state"]),
        category=row["category"],
        memes=tuple(Renamed(*one) for one in json.loads(row["memes"])),
        files=tuple(Renamed(*one) for one in json.loads(row["files"])),
        about=row["about"],
        begun_at=datetime.fromisoformat(row["begun_at"]),
    )
