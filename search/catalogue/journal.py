"""The journal of merges: what is about to be done to the library's files, written before the first is touched."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum

from search.catalogue.database import Database
from search.errors import NotFound
from search.meme import Meme


class MergeState(StrEnum):
    """How far a merge is. One that was begun and is not under way was interrupted."""

    BEGUN = "begun"
    DONE = "done"
    UNDOING = "undoing"
    UNDONE = "undone"


@dataclass(frozen=True)
class Move:
    """A file that goes to the trash: its path in the library, the SHA-256 of its bytes, and the meme that it is of."""

    path: str
    content: str
    of: str


@dataclass(frozen=True)
class Write:
    """A text that comes into the library: its path, the SHA-256 of its bytes, and these, of any encoding."""

    path: str
    content: str
    body: str  # hexadecimal


Step = Move | Write


@dataclass(frozen=True)
class MergeRecord:
    """A merge: which meme stays, which go, and every step in order; paths are relative to the library."""

    uid: str
    state: MergeState
    kept: str
    kept_content: str
    removed: tuple[tuple[str, str], ...]  # path and content hash
    steps: tuple[Step, ...]
    begun_at: datetime


class Merges:
    """Merges by their uid, which is their verdict's too."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, record: MergeRecord) -> None:
        """Write down what is about to be done; it is on the disk when this returns."""
        with self._database.durable():
            self._database.write(
                """
                INSERT INTO merges (uid, state, kept, kept_content, removed, steps, begun_at)
                VALUES (:uid, :state, :kept, :kept_content, :removed, :steps, :begun_at)
                """,
                {
                    "uid": record.uid,
                    "state": record.state,
                    "kept": record.kept,
                    "kept_content": record.kept_content,
                    "removed": json.dumps(record.removed, ensure_ascii=False),
                    "steps": json.dumps([asdict(step) for step in record.steps], ensure_ascii=False),
                    "begun_at": record.begun_at.astimezone(UTC).isoformat(timespec="microseconds"),
                },
            )

    def move_on(self, uid: str, state: MergeState) -> None:
        """Write down how far a merge is, within the surrounding transaction."""
        self._database.write("UPDATE merges SET state = :state WHERE uid = :uid", {"uid": uid, "state": state})

    def durably(self) -> AbstractContextManager[None]:
        """Return a transaction that is on the disk when it ends."""
        return self._database.durable()

    def get(self, uid: str) -> MergeRecord:
        """Return a merge; raise NotFound."""
        row = self._database.row("SELECT * FROM merges WHERE uid = :uid", {"uid": uid})
        if row is None:
            raise NotFound(f"There is no merge {uid}.", hint="`memetica duplicates --trash` lists what was merged.")
        return _record(row)

    def in_state(self, *states: MergeState) -> list[MergeRecord]:
        """Return the merges in these states, the newest first."""
        marks = ",".join(repr(state.value) for state in states)
        rows = self._database.rows(f"SELECT * FROM merges WHERE state IN ({marks}) ORDER BY begun_at DESC, uid")
        return [_record(row) for row in rows]

    def categories_merged_into(self, meme: Meme) -> list[str]:
        """Return the other categories in which lay what was merged into a meme, by name."""
        rows = self._database.rows(
            "SELECT removed FROM merges WHERE state = 'done' AND kept_content = :content",
            {"content": meme.content_hash},
        )
        found = {path.partition("/")[0] for row in rows for path, _ in json.loads(row["removed"])}
        return sorted(found - {meme.category})

    def inherit(self, uid: str, *, kept_content: str, removed: Sequence[str]) -> None:
        """Give the content that stays a copy of what models wrote of those that go, never over its own."""
        for content in removed:
            rows = self._database.rows(
                """
                SELECT kind, source, body, quality, made_at FROM readings AS theirs
                WHERE content_hash = :content AND kind != 'ocr' AND :content != :kept AND NOT EXISTS (
                    SELECT 1 FROM readings WHERE content_hash = :kept AND kind = theirs.kind AND body = theirs.body)
                ORDER BY kind, source
                """,
                {"content": content, "kept": kept_content},
            )
            for row in rows:
                values = dict(row) | {"kept": kept_content, "merge": uid}
                values["source"] = self._free_source(values)
                self._database.write(
                    """
                    INSERT INTO readings (content_hash, kind, source, body, quality, boxes, made_at)
                    VALUES (:kept, :kind, :source, :body, :quality, NULL, :made_at)
                    """,
                    values,
                )
                self._database.write("INSERT INTO inherited VALUES (:merge, :kept, :kind, :source)", values)
        self._stale(kept_content)

    def disinherit(self, uid: str) -> None:
        """Take back the copies that a merge made."""
        contents = self._database.rows("SELECT DISTINCT content_hash FROM inherited WHERE merge = :uid", {"uid": uid})
        self._database.write(
            """
            DELETE FROM readings WHERE (content_hash, kind, source) IN (
                SELECT content_hash, kind, source FROM inherited WHERE merge = :uid)
            """,
            {"uid": uid},
        )
        self._database.write("DELETE FROM inherited WHERE merge = :uid", {"uid": uid})
        for row in contents:
            self._stale(row["content_hash"])

    def _free_source(self, values: dict[str, str]) -> str:
        """Return the source's name, numbered when the kept meme has a text of that source and kind already."""
        name, number = values["source"], 1
        while self._database.row(
            "SELECT 1 FROM readings WHERE content_hash = :kept AND kind = :kind AND source = :name",
            values | {"name": name},
        ):
            number += 1
            name = f"{values['source']}.{number}"
        return name

    def _stale(self, content: str) -> None:
        self._database.write("UPDATE memes SET split_by = NULL WHERE content_hash = :content", {"content": content})
        self._database.touch()


def _record(row: sqlite3.Row) -> MergeRecord:
    return MergeRecord(
        uid=row["uid"],
        state=MergeState(row["state"]),
        kept=row["kept"],
        kept_content=row["kept_content"],
        removed=tuple((path, content) for path, content in json.loads(row["removed"])),
        steps=tuple(Write(**step) if "body" in step else Move(**step) for step in json.loads(row["steps"])),
        begun_at=datetime.fromisoformat(row["begun_at"]),
    )
