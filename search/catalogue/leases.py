"""Leases: which process works on which content, so that no work is done twice."""

from __future__ import annotations

import time
from dataclasses import dataclass

from search.catalogue.database import Database
from search.meme import Stage


@dataclass(frozen=True)
class Lease:
    """A piece of work and its owner; `expires_at` is in seconds since 1970, UTC."""

    stage: Stage
    source: str
    content_hash: str
    owner: str
    expires_at: float


class Leases:
    """Leases by stage, content and source (the model or engine)."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def acquire(self, stage: Stage, content_hash: str, *, owner: str, seconds: float, source: str = "") -> bool:
        """Acquire a lease for an owner; return False while another lease on the same work has not expired."""
        now = time.time()
        return (
            self._database.write(
                """
                INSERT INTO leases (stage, source, content_hash, owner, expires_at)
                VALUES (:stage, :source, :content_hash, :owner, :expires_at)
                ON CONFLICT (stage, source, content_hash) DO UPDATE SET owner = :owner, expires_at = :expires_at
                WHERE leases.expires_at <= :now
                """,
                {
                    "stage": stage,
                    "source": source,
                    "content_hash": content_hash,
                    "owner": owner,
                    "expires_at": now + seconds,
                    "now": now,
                },
            ).rowcount
            == 1
        )

    def renew(self, owner: str, *, seconds: float) -> int:
        """Extend an owner's leases to `seconds` from now; return the number of leases."""
        return self._database.write(
            "UPDATE leases SET expires_at = :expires_at WHERE owner = :owner",
            {"owner": owner, "expires_at": time.time() + seconds},
        ).rowcount

    def release(self, stage: Stage, content_hash: str, *, owner: str, source: str = "") -> bool:
        """Release a lease; return whether it was the owner's."""
        return (
            self._database.write(
                """
                DELETE FROM leases WHERE stage = :stage AND source = :source AND content_hash = :content_hash
                                     AND owner = :owner
                """,
                {"stage": stage, "source": source, "content_hash": content_hash, "owner": owner},
            ).rowcount
            == 1
        )

    def release_all(self, owner: str) -> int:
        """Release all leases of an owner; return the number of leases."""
        return self._database.write("DELETE FROM leases WHERE owner = :owner", {"owner": owner}).rowcount

    def held(self) -> list[Lease]:
        """Return the leases that have not expired, by stage, source and content."""
        rows = self._database.rows(
            "SELECT * FROM leases WHERE expires_at > :now ORDER BY stage, source, content_hash", {"now": time.time()}
        )
        return [
            Lease(Stage(row["stage"]), row["source"], row["content_hash"], row["owner"], row["expires_at"])
            for row in rows
        ]
