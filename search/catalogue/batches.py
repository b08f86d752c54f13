"""The table of batches: many decisions that the curator took at once, carried out one by one and undone together."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from search.catalogue.database import Database
from search.errors import NotFound, WrongState


class BatchState(StrEnum):
    """The state of a batch."""

    RUNNING = "running"
    DONE = "done"
    UNDOING = "undoing"
    UNDONE = "undone"


class ItemState(StrEnum):
    """The state of one decision of a batch."""

    WAITING = "waiting"
    STARTED = "started"  # a process that was killed may have carried it out
    DONE = "done"
    FAILED = "failed"
    UNDONE = "undone"


@dataclass(frozen=True)
class BatchItem:
    """One decision: its action, what it is about, and its argument, such as a category; `name` is for people.

    `result` is what undoes it: the uid of the ledger's line, or the number of the upload. `reason` says why it failed,
    or why it could not be undone.
    """

    action: str
    subject: str
    argument: str = ""
    name: str = ""
    position: int = 0
    state: ItemState = ItemState.WAITING
    result: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Batch:
    """A batch: its title, the address of the page that it was started from, and how far it is."""

    uid: str
    title: str
    page: str
    state: BatchState
    made_at: datetime  # aware, UTC
    total: int
    waiting: int  # decisions that are not carried out or undone yet
    done: int
    failed: int

    @property
    def is_active(self) -> bool:
        """Whether it is being carried out or undone."""
        return self.state in (BatchState.RUNNING, BatchState.UNDOING)

    @property
    def finished(self) -> int:
        """How many of its decisions are carried out, undone or failed, by its state."""
        return self.total - self.waiting


_BATCH = """
    SELECT batches.*, COUNT(position) AS total,
           SUM(CASE WHEN batches.state = 'undoing' THEN items.state = 'done'
                    ELSE items.state IN ('waiting', 'started') END) AS waiting,
           SUM(items.state = 'done') AS done, SUM(items.reason != '') AS failed
    FROM batches JOIN batch_items AS items ON items.batch = batches.uid
"""


class Batches:
    """Batches by uid; a later one comes first."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, uid: str, items: Sequence[BatchItem], *, title: str, page: str) -> Batch:
        """Store a batch of decisions, durably, and return it."""
        with self._database.durable():
            self._database.write(
                "INSERT INTO batches (uid, title, page, state, made_at) VALUES (:uid, :title, :page, 'running', :now)",
                {"uid": uid, "title": title, "page": page, "now": datetime.now(UTC).isoformat(timespec="microseconds")},
            )
            self._database.write_many(
                """
                INSERT INTO batch_items (batch, position, action, subject, argument, name, state)
                VALUES (:batch, :position, :action, :subject, :argument, :name, 'waiting')
                """,
                [
                    {
                        "batch": uid,
                        "position": position,
                        "action": item.action,
                        "subject": item.subject,
                        "argument": item.argument,
                        "name": item.name,
                    }
                    for position, item in enumerate(items)
                ],
            )
        return self.get(uid)

    def get(self, uid: str) -> Batch:
        """Return a batch; raise NotFound for an unknown one."""
        row = self._database.row(_BATCH + "WHERE batches.uid = :uid GROUP BY batches.uid", {"uid": uid})
        if row is None:
            raise NotFound(f"There is no batch {uid}.", hint="The curator's page lists the recent decisions.")
        return _batch(row)

    def active(self, *, actions: Collection[str] | None = None) -> list[Batch]:
        """Return the batches that are being carried out or undone, oldest first; all, or those of some actions."""
        rows = self._database.rows(
            f"""
            {_BATCH}
            WHERE batches.state IN ('running', 'undoing')
              AND (:actions IS NULL OR items.action IN (SELECT value FROM json_each(:actions)))
            GROUP BY batches.uid ORDER BY made_at, batches.uid
            """,
            {"actions": None if actions is None else json.dumps([*actions])},
        )
        return [_batch(row) for row in rows]

    def recent(self, limit: int) -> list[Batch]:
        """Return the newest batches, newest first."""
        rows = self._database.rows(
            _BATCH + "GROUP BY batches.uid ORDER BY made_at DESC, batches.uid LIMIT :limit", {"limit": limit}
        )
        return [_batch(row) for row in rows]

    def next_item(self, batch: Batch) -> BatchItem | None:
        """Return the decision to carry out next, or to undo next, the last first; None when none is left."""
        undoing = batch.state is BatchState.UNDOING
        states, order = ("'done'", "DESC") if undoing else ("'waiting', 'started'", "")
        row = self._database.row(
            f"""
            SELECT * FROM batch_items WHERE batch = :uid AND state IN ({states}) ORDER BY position {order} LIMIT 1
            """,
            {"uid": batch.uid},
        )
        return None if row is None else _item(row)

    def items(self, uid: str, *, states: Collection[ItemState] = tuple(ItemState)) -> list[BatchItem]:
        """Return the decisions of a batch in these states, in order."""
        rows = self._database.rows(
            """
            SELECT * FROM batch_items
            WHERE batch = :uid AND state IN (SELECT value FROM json_each(:states)) ORDER BY position
            """,
            {"uid": uid, "states": json.dumps([*states])},
        )
        return [_item(row) for row in rows]

    def set_item(self, uid: str, position: int, state: ItemState, *, result: str = "", reason: str = "") -> None:
        """Store the state of a decision; an empty `result` keeps the stored one."""
        self._database.write(
            """
            UPDATE batch_items SET state = :state, reason = :reason, result = COALESCE(NULLIF(:result, ''), result)
            WHERE batch = :uid AND position = :position
            """,
            {"uid": uid, "position": position, "state": state, "result": result, "reason": reason},
        )

    def fail_waiting(self, uid: str, *, reason: str) -> None:
        """Let every decision of a batch that was not carried out yet fail for the same reason."""
        self._database.write(
            """
            UPDATE batch_items SET state = 'failed', reason = :reason
            WHERE batch = :uid AND state IN ('waiting', 'started')
            """,
            {"uid": uid, "reason": reason},
        )

    def set_state(self, uid: str, state: BatchState) -> None:
        """Store the state of a batch."""
        self._database.write("UPDATE batches SET state = :state WHERE uid = :uid", {"uid": uid, "state": state})

    def begin_undo(self, uid: str) -> Batch:
        """Let a batch be undone; what was not carried out yet is left. Raises WrongState when it is undone already."""
        with self._database.durable():
            found = self.get(uid)
            if found.state in (BatchState.UNDOING, BatchState.UNDONE):
                raise WrongState("That is undone already.")
            self._database.write(
                "UPDATE batch_items SET state = 'failed' WHERE batch = :uid AND state = 'waiting'", {"uid": uid}
            )
            self._database.write("UPDATE batch_items SET reason = '' WHERE batch = :uid", {"uid": uid})
            self.set_state(uid, BatchState.UNDOING)
        return self.get(uid)


def _batch(row: sqlite3.Row) -> Batch:
    values = dict(row)
    return Batch(
        **values | {"state": BatchState(values["state"]), "made_at": datetime.fromisoformat(values["made_at"])}
    )


def _item(row: sqlite3.Row) -> BatchItem:
    values = dict(row)
    del values["batch"]
    return BatchItem(**values | {"state": ItemState(values["state"])})
