"""The stored results of comparing pairs of contents, so that no pair is compared twice."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from search.catalogue.database import Database
from search.evidence import COMPARISON, Evidence, Tier


@dataclass(frozen=True)
class Pair:
    """The hashes of two compared contents, and the evidence with `one` first."""

    one: str
    other: str
    evidence: Evidence

    @property
    def tier(self) -> Tier | None:
        """The tier of their likeness; None when they are not alike."""
        return self.evidence.tier

    @property
    def key(self) -> tuple[str, str]:
        """Both hashes, the lower first."""
        return (self.one, self.other) if self.one < self.other else (self.other, self.one)

    def swapped(self) -> Pair:
        """Return the same pair with the two contents named in the other order."""
        return Pair(self.other, self.one, self.evidence.swapped())


class Pairs:
    """Compared pairs, by both content hashes and the version of the comparison."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, pairs: Iterable[Pair], *, version: str = COMPARISON) -> None:
        """Store the results of comparisons, all or none, in place of earlier results of the same version.

        Raises ValueError for a content paired with itself: the same bytes need no comparison.
        """
        now = datetime.now(UTC).isoformat(timespec="seconds")
        rows = []
        for pair in pairs:
            if pair.one == pair.other:
                raise ValueError(f"{pair.one} is paired with itself")
            ordered = pair if pair.one < pair.other else pair.swapped()
            rows.append(
                {
                    "one": ordered.one,
                    "other": ordered.other,
                    "version": version,
                    "tier": ordered.tier,
                    "evidence": ordered.evidence.to_json(),
                    "now": now,
                }
            )
        self._database.write_many(
            """
            INSERT OR REPLACE INTO pairs (one, other, version, tier, evidence, compared_at)
            VALUES (:one, :other, :version, :tier, :evidence, :now)
            """,
            rows,
        )

    def all(self, tier: Tier | None = None, *, version: str = COMPARISON) -> Iterator[Pair]:
        """Yield the pairs that are alike, of one tier or of all, sorted by hashes, the lower hash first.

        Both contents belong to present memes.
        """
        for row in self._database.stream(
            f"""
            SELECT one, other, evidence FROM pairs
            WHERE version = :version AND tier IS NOT NULL AND (:tier IS NULL OR tier = :tier)
              AND {_PRESENT.format(side="one")} AND {_PRESENT.format(side="other")}
            ORDER BY one, other
            """,
            {"version": version, "tier": tier},
        ):
            yield _pair(row)

    def of(self, content_hash: str, *, version: str = COMPARISON) -> list[Pair]:
        """Return the pairs of a content with similar ones of present memes, `content_hash` first, by the other hash."""
        rows = self._database.rows(
            f"""
            SELECT one, other, evidence FROM pairs
            WHERE version = :version AND tier IS NOT NULL
              AND ((one = :hash AND {_PRESENT.format(side="other")}) OR
                   (other = :hash AND {_PRESENT.format(side="one")}))
            """,
            {"version": version, "hash": content_hash},
        )
        found = [_pair(row) for row in rows]
        oriented = [pair if pair.one == content_hash else pair.swapped() for pair in found]
        return sorted(oriented, key=lambda pair: pair.other)

    def compared(self, version: str = COMPARISON) -> set[tuple[str, str]]:
        """Return the hashes, the lower first, of all pairs that this version has compared, alike or not."""
        rows = self._database.stream("SELECT one, other FROM pairs WHERE version = :version", {"version": version})
        return {(row["one"], row["other"]) for row in rows}

    def count(self) -> int:
        """Return the number of pairs that any version found alike."""
        return self._database.number("SELECT COUNT(*) FROM pairs WHERE tier IS NOT NULL")

    def mark_searched(self, content_hashes: Iterable[str], *, version: str = COMPARISON) -> None:
        """Store that these contents were compared with all of their candidates."""
        self._database.write_many(
            "INSERT OR IGNORE INTO compared_contents (content_hash, version) VALUES (:hash, :version)",
            [{"hash": content_hash, "version": version} for content_hash in content_hashes],
        )

    def searched(self, version: str = COMPARISON) -> set[str]:
        """Return the hashes of the contents that were compared with all of their candidates."""
        rows = self._database.stream(
            "SELECT content_hash FROM compared_contents WHERE version = :version", {"version": version}
        )
        return {row["content_hash"] for row in rows}

    def count_unsearched(self, version: str) -> int:
        """Return the number of decoded contents of present memes that are not among the `searched` ones."""
        return self._database.number(
            """
            SELECT COUNT(DISTINCT memes.content_hash) FROM memes JOIN pictures USING (content_hash)
            WHERE vanished_at IS NULL
              AND NOT EXISTS (SELECT 1 FROM compared_contents AS known
                              WHERE known.content_hash = memes.content_hash AND known.version = :version)
            """,
            {"version": version},
        )


_PRESENT = "EXISTS (SELECT 1 FROM memes WHERE memes.content_hash = pairs.{side} AND vanished_at IS NULL)"


def _pair(row: sqlite3.Row) -> Pair:
    return Pair(row["one"], row["other"], _evidence(row["evidence"]))


@lru_cache(maxsize=16_384)  # the same pairs are read after each decision
def _evidence(text: str) -> Evidence:
    return Evidence.from_json(text)
