"""The journal of operations on the library's files: each is stored before its first file is touched.

The state of an operation is its direction. `begun` goes forward to `done`; `aborting` goes back, and is removed at the
end; `undoing` goes back to `undone`. An operation in one of `PENDING` that no process works on was interrupted.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from search.catalogue.database import Database
from search.errors import NotFound
from search.meme import Meme


class OperationKind(StrEnum):
    """What the curator decided that changes files."""

    MERGE = "merge"
    MOVE = "move"
    ACCEPT = "accept"


class OperationState(StrEnum):
    """How far an operation is."""

    BEGUN = "begun"
    DONE = "done"
    ABORTING = "aborting"
    UNDOING = "undoing"
    UNDONE = "undone"


PENDING = (OperationState.BEGUN, OperationState.ABORTING, OperationState.UNDOING)


@dataclass(frozen=True)
class MoveFile:
    """Move a file whose bytes have this SHA-256 to a free path.

    On the way back the file returns only while `anchor` exists, where one is named: a text without its meme would be
    nobody's. A path begins with its root: `library/`, `trash/` (the operation's own) or `inbox/`.
    """

    source: str
    target: str
    sha256: str
    anchor: str = ""


@dataclass(frozen=True)
class WriteFile:
    """Write these bytes, in hexadecimal, to a free path."""

    target: str
    sha256: str
    body: str


@dataclass(frozen=True)
class ExpectFile:
    """Go on only while the meme at a path has this content hash."""

    target: str
    sha256: str


Step = MoveFile | WriteFile | ExpectFile
_STEPS: dict[str, type[MoveFile] | type[WriteFile] | type[ExpectFile]] = {
    "move": MoveFile,
    "write": WriteFile,
    "expect": ExpectFile,
}


@dataclass(frozen=True)
class Merge:
    """Memes that give way to one: the path and the content hash of each, relative to the library."""

    kept: str
    kept_content: str
    removed: tuple[tuple[str, str], ...]
    note: str = ""


@dataclass(frozen=True)
class Relocation:
    """A meme's path before and after, relative to the library, and its content hash."""

    before: str
    after: str
    content_hash: str


@dataclass(frozen=True)
class Move:
    """Memes that go to another category; `about` is the issue that this settles."""

    category: str
    memes: tuple[Relocation, ...]
    about: str = ""
    note: str = ""


@dataclass(frozen=True)
class Accept:
    """An upload that becomes the meme at a path; `note` is the reason to add what looks like a duplicate."""

    upload: int
    category: str
    path: str
    note: str = ""


Intent = Merge | Move | Accept


@dataclass(frozen=True)
class Operation:
    """One operation: what is wanted, and every step in order. `uid` also names its ledger line and trash folder."""

    uid: str
    state: OperationState
    intent: Intent
    steps: tuple[Step, ...]
    begun_at: datetime  # aware, UTC
    undo_note: str = ""

    @property
    def kind(self) -> OperationKind:
        """What was decided."""
        return _KINDS[type(self.intent)]


_KINDS: dict[type[Intent], OperationKind] = {
    Merge: OperationKind.MERGE,
    Move: OperationKind.MOVE,
    Accept: OperationKind.ACCEPT,
}


class Journal:
    """Operations by uid."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, operation: Operation) -> None:
        """Store an operation within the surrounding transaction."""
        self._database.write(
            """
            INSERT INTO operations (uid, kind, state, intent, steps, begun_at)
            VALUES (:uid, :kind, :state, :intent, :steps, :begun_at)
            """,
            {
                "uid": operation.uid,
                "kind": operation.kind,
                "state": operation.state,
                "intent": json.dumps(asdict(operation.intent), ensure_ascii=False),
                "steps": _steps_json(operation.steps),
                "begun_at": operation.begun_at.astimezone(UTC).isoformat(timespec="microseconds"),
            },
        )

    def set_state(self, uid: str, state: OperationState, *, unindexed: bool = False) -> None:
        """Store how far an operation is, and whether the index has still to learn of it."""
        self._database.write(
            "UPDATE operations SET state = :state, unindexed = :unindexed WHERE uid = :uid",
            {"uid": uid, "state": state, "unindexed": int(unindexed)},
        )

    def begin_undo(self, uid: str, steps: Sequence[Step], *, note: str) -> None:
        """Store that an operation is undone, and the steps to reverse: other texts may lie beside the memes since."""
        self._database.write(
            """
            UPDATE operations SET state = 'undoing', steps = :steps, undo_note = :note, unindexed = 0 WHERE uid = :uid
            """,
            {"uid": uid, "steps": _steps_json(steps), "note": note},
        )

    def remove(self, uid: str) -> None:
        """Remove an operation that was aborted and has left nothing."""
        self._database.write("DELETE FROM operations WHERE uid = :uid", {"uid": uid})

    def get(self, uid: str) -> Operation:
        """Return an operation; raise NotFound."""
        row = self._database.row("SELECT * FROM operations WHERE uid = :uid", {"uid": uid})
        if row is None:
            raise NotFound(
                f"This data folder has not carried out {uid}, so it cannot undo it.",
                hint="`memetica verdict list` lists what was decided.",
            )
        return _operation(row)

    def in_state(self, *states: OperationState, kind: OperationKind | None = None) -> list[Operation]:
        """Return the operations in these states, of one kind or of all, newest first."""
        rows = self._database.rows(
            """
            SELECT * FROM operations
            WHERE state IN (SELECT value FROM json_each(:states)) AND (:kind IS NULL OR kind = :kind)
            ORDER BY begun_at DESC, uid
            """,
            {"states": json.dumps(states), "kind": kind},
        )
        return [_operation(row) for row in rows]

    def unindexed(self) -> list[Operation]:
        """Return the operations that the index has still to learn of."""
        rows = self._database.rows("SELECT * FROM operations WHERE unindexed = 1 ORDER BY uid")
        return [_operation(row) for row in rows]

    def mark_indexed(self, operations: Collection[Operation]) -> None:
        """Store that the index knows these operations, unless their state has changed since."""
        self._database.write_many(
            "UPDATE operations SET unindexed = 0 WHERE uid = :uid AND state = :state",
            [{"uid": one.uid, "state": one.state} for one in operations],
        )

    def categories_merged_into(self, meme: Meme) -> list[str]:
        """Return the other categories that held memes which were merged into this one, by name."""
        rows = self._database.rows(
            """
            SELECT intent FROM operations
            WHERE kind = 'merge' AND state = 'done' AND json_extract(intent, '$.kept_content') = :content
            """,
            {"content": meme.content_hash},
        )
        found = {path.partition("/")[0] for row in rows for path, _ in json.loads(row["intent"])["removed"]}
        return sorted(found - {meme.category})


def _steps_json(steps: Sequence[Step]) -> str:
    names = {kind: name for name, kind in _STEPS.items()}
    return json.dumps([{"step": names[type(step)]} | asdict(step) for step in steps], ensure_ascii=False)


def _step(row: dict[str, Any]) -> Step:
    return _STEPS[row.pop("step")](**row)


def _intent(kind: OperationKind, values: dict[str, Any]) -> Intent:
    if kind is OperationKind.MERGE:
        removed = tuple((path, content) for path, content in values.pop("removed"))
        return Merge(removed=removed, **values)
    if kind is OperationKind.MOVE:
        return Move(memes=tuple(Relocation(**one) for one in values.pop("memes")), **values)
    return Accept(**values)


def _operation(row: sqlite3.Row) -> Operation:
    return Operation(
        uid=row["uid"],
        state=OperationState(row["state"]),
        intent=_intent(OperationKind(row["kind"]), json.loads(row["intent"])),
        steps=tuple(_step(one) for one in json.loads(row["steps"])),
        begun_at=datetime.fromisoformat(row["begun_at"]),
        undo_note=row["undo_note"],
    )
