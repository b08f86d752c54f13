"""The table of uploads: files that wait for the curator's decision, the findings about them, and the decisions."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from search.catalogue.database import Database
from search.catalogue.pictures import FingerprintRecord
from search.errors import InboxFull, NotFound


class UploadState(StrEnum):
    """The state of an upload."""

    WAITING = "waiting"  # to be examined
    EXAMINED = "examined"  # to be decided on
    FAILED = "failed"  # could not be examined: to be discarded
    ACCEPTING = "accepting"  # its file is being written into the library
    ACCEPTED = "accepted"
    UNDOING = "undoing"  # its file is being taken out of the library
    DISCARDED = "discarded"


HELD = (
    UploadState.WAITING,
    UploadState.EXAMINED,
    UploadState.FAILED,
    UploadState.ACCEPTING,
    UploadState.UNDOING,
)
OPEN = (UploadState.WAITING, UploadState.EXAMINED, UploadState.FAILED)
DECIDED = (UploadState.ACCEPTED, UploadState.DISCARDED)


@dataclass(frozen=True)
class Upload:
    """One upload. `findings` are those of `indexer.inbox.examiner`; `path` is set once it is accepted."""

    id: int
    content_hash: str
    name: str
    suffix: str
    size: int
    received_by: str
    received_at: datetime  # aware, UTC
    state: UploadState
    findings: Mapping[str, Any] | None = None
    reason: str = ""
    hint: str = ""
    category: str | None = None
    path: str | None = None
    note: str = ""
    verdict: str | None = None
    meme_id: int | None = None
    decided_at: datetime | None = None
    unindexed: bool = False


class Uploads:
    """Uploads by id; a later upload has a higher id."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self,
        content_hash: str,
        *,
        name: str,
        suffix: str,
        size: int,
        received_by: str,
        max_uploads: int,
        max_bytes: int,
    ) -> Upload:
        """Store an upload and return it, or the undecided upload with the same bytes; raise InboxFull.

        The row is synchronized to the disk before this returns.
        """
        with self._database.durable():
            known = self.held(content_hash)
            if known is not None:
                return known
            count, held_bytes = self.load()
            if count >= max_uploads or held_bytes + size > max_bytes:
                raise InboxFull(
                    f"The inbox is full: {count:,} uploads of {held_bytes / 1e6:,.0f} MB wait there.",
                    hint="Accept or discard some, or raise inbox_files or inbox_bytes.",
                )
            found = self._database.write(
                """
                INSERT INTO uploads (content_hash, name, suffix, size, received_by, received_at, state)
                VALUES (:content_hash, :name, :suffix, :size, :received_by, :received_at, 'waiting')
                """,
                {
                    "content_hash": content_hash,
                    "name": name,
                    "suffix": suffix,
                    "size": size,
                    "received_by": received_by,
                    "received_at": _now(),
                },
            )
            assert found.lastrowid is not None
            return self.get(found.lastrowid)

    def load(self) -> tuple[int, int]:
        """Return the number of undecided uploads and the sum of their sizes in bytes."""
        row = self._database.row(
            f"SELECT COUNT(*) AS uploads, COALESCE(SUM(size), 0) AS bytes FROM uploads WHERE state IN ({_marks(HELD)})"
        )
        assert row is not None
        return row["uploads"], row["bytes"]

    def get(self, id: int) -> Upload:
        """Return an upload; raise NotFound for an unknown id."""
        row = self._database.row("SELECT * FROM uploads WHERE id = :id", {"id": id})
        if row is None:
            raise NotFound(f"There is no upload {id}.", hint="`memetica inbox` lists them all.")
        return _upload(row)

    def held(self, content_hash: str) -> Upload | None:
        """Return the undecided upload with these bytes, or None."""
        row = self._database.row(
            f"SELECT * FROM uploads WHERE content_hash = :hash AND state IN ({_marks(HELD)})", {"hash": content_hash}
        )
        return None if row is None else _upload(row)

    def in_state(self, *states: UploadState) -> list[Upload]:
        """Return the uploads in these states, oldest first."""
        return [
            _upload(row)
            for row in self._database.rows(f"SELECT * FROM uploads WHERE state IN ({_marks(states)}) ORDER BY id")
        ]

    def count(self, *states: UploadState) -> int:
        """Return the number of uploads in these states."""
        return self._database.number(f"SELECT COUNT(*) FROM uploads WHERE state IN ({_marks(states)})")

    def decided(self, limit: int, *, offset: int = 0) -> list[Upload]:
        """Return a page of the accepted and discarded uploads, latest decision first."""
        rows = self._database.rows(
            f"""
            SELECT * FROM uploads WHERE state IN ({_marks(DECIDED)})
            ORDER BY decided_at DESC, id DESC LIMIT :limit OFFSET :offset
            """,
            {"limit": limit, "offset": offset},
        )
        return [_upload(row) for row in rows]

    def next(self, *, after: int = 0) -> Upload | None:
        """Return the next undecided upload after an id, examined ones first; None when there is none."""
        row = self._database.row(
            f"""
            SELECT * FROM uploads WHERE state IN ({_marks(OPEN)}) AND id > :after
            ORDER BY state = 'waiting', id LIMIT 1
            """,
            {"after": after},
        )
        return None if row is None else _upload(row)

    def previous(self, before: int) -> Upload | None:
        """Return the last undecided upload before an id; None when there is none."""
        row = self._database.row(
            f"SELECT * FROM uploads WHERE state IN ({_marks(OPEN)}) AND id < :before ORDER BY id DESC LIMIT 1",
            {"before": before},
        )
        return None if row is None else _upload(row)

    def mark_examined(self, id: int, findings: Mapping[str, Any], fingerprints: Collection[FingerprintRecord]) -> None:
        """Store the findings about a waiting upload, and its fingerprints by content."""
        with self._database.transaction():
            self._database.write_many(
                "INSERT OR REPLACE INTO fingerprints VALUES (:content_hash, :algorithm, :frame, :bits, :quality)",
                [vars(fingerprint) for fingerprint in fingerprints],
            )
            self._database.write(
                """
                UPDATE uploads SET state = 'examined', findings = :findings, reason = '', hint = ''
                WHERE id = :id AND state IN ('waiting', 'failed', 'examined')
                """,
                {"id": id, "findings": json.dumps(findings, ensure_ascii=False)},
            )

    def mark_failed(self, id: int, *, reason: str, hint: str) -> None:
        """Store why an upload could not be examined."""
        self._database.write(
            "UPDATE uploads SET state = 'failed', reason = :reason, hint = :hint WHERE id = :id AND state = 'waiting'",
            {"id": id, "reason": reason, "hint": hint},
        )

    def mark_accepting(self, id: int, *, category: str, path: str, note: str) -> None:
        """Mark an upload as being accepted, with the path that it will have in the library."""
        self._database.write(
            """
            UPDATE uploads SET state = 'accepting', category = :category, path = :path, note = :note,
                             decided_at = :now
            WHERE id = :id
            """,
            {"id": id, "category": category, "path": path, "note": note, "now": _now()},
        )

    def mark_accepted(self, id: int, *, meme_id: int, verdict: str) -> None:
        """Mark an upload as accepted and not yet indexed."""
        self._database.write(
            """
            UPDATE uploads SET state = 'accepted', meme_id = :meme_id, verdict = :verdict, unindexed = 1 WHERE id = :id
            """,
            {"id": id, "meme_id": meme_id, "verdict": verdict},
        )

    def mark_undoing(self, id: int) -> None:
        """Mark an upload as being taken out of the library."""
        self._database.write("UPDATE uploads SET state = 'undoing' WHERE id = :id", {"id": id})

    def reopen(self, id: int) -> None:
        """Let an upload wait for a decision again; mark it as unindexed if it was a meme."""
        self._database.write(
            """
            UPDATE uploads SET state = CASE WHEN findings IS NULL THEN 'waiting' ELSE 'examined' END,
                             category = NULL, path = NULL, note = '', verdict = NULL, decided_at = NULL,
                             unindexed = meme_id IS NOT NULL
            WHERE id = :id
            """,
            {"id": id},
        )

    def mark_discarded(self, id: int) -> None:
        """Mark an upload as discarded."""
        self._database.write(
            "UPDATE uploads SET state = 'discarded', decided_at = :now WHERE id = :id", {"id": id, "now": _now()}
        )

    def retry(self, id: int) -> None:
        """Let an upload that could not be examined wait for another attempt."""
        self._database.write("UPDATE uploads SET state = 'waiting' WHERE id = :id AND state = 'failed'", {"id": id})

    def unindexed(self) -> list[Upload]:
        """Return the uploads that were added to or removed from the library since the last update of the index."""
        return [_upload(row) for row in self._database.rows("SELECT * FROM uploads WHERE unindexed = 1 ORDER BY id")]

    def mark_indexed(self, uploads: Collection[Upload]) -> None:
        """Mark uploads as indexed, unless their state has changed since."""
        self._database.write_many(
            "UPDATE uploads SET unindexed = 0 WHERE id = :id AND state = :state",
            [{"id": upload.id, "state": upload.state} for upload in uploads],
        )

    def forget(self, id: int) -> None:
        """Delete a discarded upload, and its fingerprints unless a meme has the same bytes."""
        with self._database.transaction():
            self._database.write(
                """
                DELETE FROM fingerprints
                WHERE content_hash = (SELECT content_hash FROM uploads WHERE id = :id)
                  AND content_hash NOT IN (SELECT content_hash FROM memes)
                """,
                {"id": id},
            )
            self._database.write("DELETE FROM uploads WHERE id = :id AND state = 'discarded'", {"id": id})

    def fingerprints_of(self, content_hash: str) -> list[FingerprintRecord]:
        """Return every fingerprint of a content."""
        rows = self._database.rows(
            "SELECT * FROM fingerprints WHERE content_hash = :hash ORDER BY algorithm, frame", {"hash": content_hash}
        )
        return [FingerprintRecord(**dict(row)) for row in rows]


def _marks(states: Collection[UploadState]) -> str:
    return ",".join(repr(state.value) for state in states)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")


def _upload(row: sqlite3.Row) -> Upload:
    values = dict(row)
    values["state"] = UploadState(values["state"])
    values["received_at"] = datetime.fromisoformat(values["received_at"])
    values["decided_at"] = datetime.fromisoformat(values["decided_at"]) if values["decided_at"] else None
    values["findings"] = json.loads(values["findings"]) if values["findings"] else None
    values["unindexed"] = bool(values["unindexed"])
    return Upload(**values)
