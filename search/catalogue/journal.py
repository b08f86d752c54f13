"""The journal of operations on the library's files: each operation is stored before its first file is changed.

`begun` leads to `done`, `undoing` to `undone`; an operation in `aborting` is reversed and then deleted here.
An operation in a `PENDING` state that no process is executing was interrupted.
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
    """The curator's decisions that change files."""

    MERGE = "merge"
    MOVE = "move"
    ACCEPT = "accept"
    TRASH = "trash"


class OperationState(StrEnum):
    """The state of an operation."""

    BEGUN = "begun"
    DONE = "done"
    ABORTING = "aborting"
    UNDOING = "undoing"
    UNDONE = "undone"


PENDING = (OperationState.BEGUN, OperationState.ABORTING, OperationState.UNDOING)


@dataclass(frozen=True)
class MoveFile:
    """Move a file whose bytes have this SHA-256 to a free path.

    With an `anchor`, undoing moves the file back only while that path exists: a sidecar without its meme would be an
    orphan. A path begins with its root: `library/`, `trash/` (the operation's folder) or `inbox/`.
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
    """Stop the operation unless the meme at a path has this content hash."""

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
    """A merge: the kept path and content hash, and the removed ones; paths are relative to the library."""

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
    """A move of memes to another category; `about` is the issue that it resolves."""

    category: str
    memes: tuple[Relocation, ...]
    about: str = ""
    note: str = ""


@dataclass(frozen=True)
class Accept:
    """An upload accepted as the meme at a path; `note` is the reason to add a suspected duplicate."""

    upload: int
    category: str
    path: str
    note: str = ""


@dataclass(frozen=True)
class Trash:
    """Memes that leave the library for the trash: their paths, relative to the library, and content hashes."""

    removed: tuple[tuple[str, str], ...]
    note: str = ""


Intent = Merge | Move | Accept | Trash


@dataclass(frozen=True)
class Operation:
    """One operation: its intent and every step in order. `uid` also names its ledger line and trash folder."""

    uid: str
    state: OperationState
    intent: Intent
    steps: tuple[Step, ...]
    begun_at: datetime  # aware, UTC
    undo_note: str = ""

    @property
    def kind(self) -> OperationKind:
        """The kind of the intent."""
        return _KINDS[type(self.intent)]


_KINDS: dict[type[Intent], OperationKind] = {
    Merge: OperationKind.MERGE,
    Move: OperationKind.MOVE,
    Accept: OperationKind.ACCEPT,
    Trash: OperationKind.TRASH,
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
        """Store an operation's state, and whether the index still has to be updated for it."""
        self._database.write(
            "UPDATE operations SET state = :state, unindexed = :unindexed WHERE uid = :uid",
            {"uid": uid, "state": state, "unindexed": int(unindexed)},
        )

    def begin_undo(self, uid: str, steps: Sequence[Step], *, note: str) -> None:
        """Store that an operation is being undone, and the steps to reverse: memes may have new sidecars since."""
        self._database.write(
            """
            UPDATE operations SET state = 'undoing', steps = :steps, undo_note = :note, unindexed = 0 WHERE uid = :uid
            """,
            {"uid": uid, "steps": _steps_json(steps), "note": note},
        )

    def remove(self, uid: str) -> None:
        """Remove an aborted operation, all of whose steps are reversed."""
        self._database.write("DELETE FROM operations WHERE uid = :uid", {"uid": uid})

    def get(self, uid: str) -> Operation:
        """Return an operation; raise NotFound for an unknown one."""
        row = self._database.row("SELECT * FROM operations WHERE uid = :uid", {"uid": uid})
        if row is None:
            raise NotFound(
                f"This data folder has no record of the operation {uid}, so it cannot be undone.",
                hint="`memetica verdict list` lists the decisions.",
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
        """Return the operations for which the index still has to be updated."""
        rows = self._database.rows("SELECT * FROM operations WHERE unindexed = 1 ORDER BY uid")
        return [_operation(row) for row in rows]

    def mark_indexed(self, operations: Collection[Operation]) -> None:
        """Store that the index is updated for these operations, unless their state has changed since."""
        self._database.write_many(
            "UPDATE operations SET unindexed = 0 WHERE uid = :uid AND state = :state",
            [{"uid": operation.uid, "state": operation.state} for operation in operations],
        )

    def categories_merged_into(self, meme: Meme) -> list[str]:
        """Return the other categories of memes that were merged into this one, sorted by name."""
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
    if kind in (OperationKind.MERGE, OperationKind.TRASH):
        removed = tuple((path, content) for path, content in values.pop("removed"))
        made = Merge if kind is OperationKind.MERGE else Trash
        return made(removed=removed, **values)
    if kind is OperationKind.MOVE:
        return Move(memes=tuple(Relocation(**meme) for meme in values.pop("memes")), **values)
    return Accept(**values)


def _operation(row: sqlite3.Row) -> Operation:
    return Operation(
        uid=row["uid"],
        state=OperationState(row["state"]),
        intent=_intent(OperationKind(row["kind"]), json.loads(row["intent"])),
        steps=tuple(_step(step) for step in json.loads(row["steps"])),
        begun_at=datetime.fromisoformat(row["begun_at"]),
        undo_note=row["undo_note"],
    )
