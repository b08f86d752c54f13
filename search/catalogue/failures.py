"""Failures and their reasons, stored until the work succeeds, the file changes, or the curator retries."""

from __future__ import annotations

from datetime import UTC, datetime

from search.catalogue.database import Database
from search.errors import MemeticaError
from search.meme import Failure, Stage


class Failures:
    """Recorded failures, one for each stage, subject and source."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(
        self,
        stage: Stage,
        subject: str,
        error: MemeticaError,
        *,
        content_hash: str = "",
        source: str = "",
        transient: bool = False,
    ) -> None:
        """Record why a subject failed and count the attempts; `source` is the model or engine that failed.

        A `transient` failure is listed like the others, and the next run retries it automatically.
        """
        self._database.write(
            """
            INSERT INTO failures
                (stage, subject, source, content_hash, reason, hint, transient, failed_at, attempts)
            VALUES (:stage, :subject, :source, :content_hash, :reason, :hint, :transient, :now, 1)
            ON CONFLICT (stage, subject, source) DO UPDATE SET content_hash = :content_hash, reason = :reason,
                hint = :hint, transient = :transient, failed_at = :now, attempts = attempts + 1
            """,
            {
                "stage": stage,
                "subject": subject,
                "source": source,
                "content_hash": content_hash,
                "transient": int(transient),
                "reason": error.message,
                "hint": error.hint,
                "now": datetime.now(UTC).isoformat(timespec="seconds"),
            },
        )

    def forget(self, stage: Stage | None = None, *, subject: str | None = None, source: str | None = None) -> int:
        """Delete failures by stage, subject and source, so that they are tried again; return the number of failures."""
        return self._database.write(
            """
            DELETE FROM failures
            WHERE (:stage IS NULL OR stage = :stage) AND (:subject IS NULL OR subject = :subject)
              AND (:source IS NULL OR source = :source)
            """,
            {"stage": stage, "subject": subject, "source": source},
        ).rowcount

    def forget_vanished(self) -> None:
        """Delete the failures of files that have vanished or changed."""
        self._database.write(
            """
            DELETE FROM failures WHERE content_hash != '' AND NOT EXISTS (
                SELECT 1 FROM memes WHERE memes.path = failures.subject AND vanished_at IS NULL
                AND memes.content_hash = failures.content_hash)
            """
        )

    def all(self) -> list[Failure]:
        """Return every failure, by stage, subject and source."""
        return self._read("", {})

    def of(self, subject: str) -> list[Failure]:
        """Return the failures of one subject, by stage and source."""
        return self._read("WHERE subject = :subject", {"subject": subject})

    def _read(self, condition: str, values: dict[str, str]) -> list[Failure]:
        return [
            Failure(
                stage=Stage(row["stage"]),
                subject=row["subject"],
                reason=row["reason"],
                hint=row["hint"],
                failed_at=datetime.fromisoformat(row["failed_at"]),
                attempts=row["attempts"],
                source=row["source"],
            )
            for row in self._database.rows(
                f"""
                SELECT stage, subject, source, reason, hint, failed_at, attempts FROM failures {condition}
                ORDER BY stage, subject, source
                """,
                values,
            )
        ]
