"""Texts about memes: sidecars in the library, and the passages split from them and from readings."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from search.catalogue.database import Database, input_hash
from search.catalogue.memes import meme_rows
from search.catalogue.readings import STALE
from search.meme import Field, Meme, Passage, Text, TextKind


@dataclass(frozen=True)
class SidecarRecord:
    """A sidecar: a text file of a meme, at a path relative to the library."""

    path: str
    kind: TextKind
    source: str
    body: str
    size: int
    mtime_ns: int


@dataclass(frozen=True)
class PassageRow:
    """A stored passage and the meme that it belongs to."""

    id: int
    meme_id: int
    passage: Passage
    input_hash: str


class Texts:
    """Sidecars and passages."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def sidecars_known(self, meme_id: int | None = None) -> dict[int, dict[str, tuple[int, int]]]:
        """Return, by meme id and path, each stored sidecar's size and mtime in nanoseconds, of one meme or of all."""
        known: dict[int, dict[str, tuple[int, int]]] = {}
        for row in self._database.stream(
            "SELECT meme_id, path, size, mtime_ns FROM sidecars WHERE :id IS NULL OR meme_id = :id", {"id": meme_id}
        ):
            known.setdefault(row["meme_id"], {})[row["path"]] = (row["size"], row["mtime_ns"])
        return known

    def put_sidecars(self, meme_id: int, sidecars: Iterable[SidecarRecord], *, gone: Iterable[str] = ()) -> None:
        """Store new and changed sidecars and delete those whose files are gone."""
        with self._database.transaction():
            self._database.write_many(
                "DELETE FROM sidecars WHERE meme_id = :meme_id AND path = :path",
                [{"meme_id": meme_id, "path": path} for path in gone],
            )
            self._database.write_many(
                """
                INSERT OR REPLACE INTO sidecars (meme_id, path, kind, source, body, size, mtime_ns)
                VALUES (:meme_id, :path, :kind, :source, :body, :size, :mtime_ns)
                """,
                [asdict(sidecar) | {"meme_id": meme_id} for sidecar in sidecars],
            )
            self._database.write(STALE + "id = :id", {"id": meme_id})
            self._database.touch()

    def count_described(self) -> int:
        """Return the number of present memes with a description."""
        return self._database.number(
            "SELECT COUNT(*) FROM memes WHERE vanished_at IS NULL AND ("
            "EXISTS (SELECT 1 FROM sidecars WHERE meme_id = memes.id AND kind LIKE '%-%') OR "
            "EXISTS (SELECT 1 FROM readings WHERE readings.content_hash = memes.content_hash AND kind LIKE '%-%'))"
        )

    def of(self, meme: Meme) -> list[Text]:
        """Return all texts about a meme: sidecars first, then readings, each by source.

        A reading that is also a sidecar is returned once, as the sidecar: somebody may have corrected it.
        """
        sidecars = self._database.rows(
            "SELECT kind, source, body, path, mtime_ns FROM sidecars WHERE meme_id = :id ORDER BY kind, source, path",
            {"id": meme.id},
        )
        readings = self._database.rows(
            """
            SELECT kind, source, body, made_at FROM readings
            WHERE content_hash = :hash AND NOT EXISTS (
                SELECT 1 FROM sidecars
                WHERE meme_id = :id AND sidecars.kind = readings.kind AND sidecars.source = readings.source)
            ORDER BY kind, source
            """,
            {"hash": meme.content_hash, "id": meme.id},
        )
        return [
            Text(
                kind=TextKind(row["kind"]),
                source=row["source"],
                body=row["body"],
                sidecar=row["path"],
                made_at=datetime.fromtimestamp(row["mtime_ns"] / 1e9, UTC),
            )
            for row in sidecars
        ] + [
            Text(
                kind=TextKind(row["kind"]),
                source=row["source"],
                body=row["body"],
                made_at=datetime.fromisoformat(row["made_at"]),
            )
            for row in readings
        ]

    def counts(self, ids: Collection[int]) -> dict[int, int]:
        """Return, by meme id, how many texts `of` returns about each of these memes."""
        rows = self._database.rows(
            """
            SELECT id, (SELECT COUNT(*) FROM sidecars WHERE meme_id = memes.id) +
                (SELECT COUNT(*) FROM readings WHERE readings.content_hash = memes.content_hash AND NOT EXISTS (
                    SELECT 1 FROM sidecars WHERE meme_id = memes.id
                    AND sidecars.kind = readings.kind AND sidecars.source = readings.source)) AS texts
            FROM memes WHERE id IN (SELECT value FROM json_each(:ids))
            """,
            {"ids": json.dumps(list(ids))},
        )
        return {row["id"]: row["texts"] for row in rows}

    def boxes_of(self, meme: Meme) -> list[tuple[str, float, list[tuple[float, float]]]]:
        """Return the lines and boxes of the newest OCR reading of a meme; [] without one."""
        row = self._database.row(
            """
            SELECT boxes FROM readings WHERE content_hash = :hash AND kind = 'ocr' AND boxes IS NOT NULL
            ORDER BY made_at DESC LIMIT 1
            """,
            {"hash": meme.content_hash},
        )
        return [] if row is None else [tuple(line) for line in json.loads(row["boxes"])]

    def alt_texts(self, ids: Sequence[int]) -> dict[int, str]:
        """Return, by meme id, the newest simple description of each meme that has one."""
        if not ids:
            return {}  # SQLite reads the whole table for an empty list
        marks = ",".join(str(int(id)) for id in ids)
        rows = self._database.rows(
            f"""
            SELECT meme_id, body, mtime_ns / 1000000000 AS made FROM sidecars
            WHERE kind = 'simple-description' AND meme_id IN ({marks})
            UNION ALL
            SELECT memes.id, body, unixepoch(made_at) FROM readings JOIN memes USING (content_hash)
            WHERE kind = 'simple-description' AND memes.id IN ({marks})
            ORDER BY made
            """
        )
        return {row["meme_id"]: row["body"] for row in rows}

    def captions(self, ids: Sequence[int]) -> dict[int, str]:
        """Return, by meme id, what OCR read in each picture: the text of the best quality, the newest of several."""
        if not ids:
            return {}  # SQLite reads the whole table for an empty list
        marks = ",".join(str(int(id)) for id in ids)
        rows = self._database.rows(
            f"""
            SELECT meme_id, body, 0.5 AS quality, mtime_ns / 1000000000 AS made FROM sidecars
            WHERE kind = 'ocr' AND meme_id IN ({marks})
            UNION ALL
            SELECT memes.id, body, COALESCE(quality, 0.5), unixepoch(made_at)
            FROM readings JOIN memes USING (content_hash)
            WHERE kind = 'ocr' AND memes.id IN ({marks})
            ORDER BY quality, made
            """
        )
        return {row["meme_id"]: row["body"] for row in rows if row["body"].strip()}

    def unsplit(self, splitter: str, *, limit: int = -1, after: int = 0) -> list[Meme]:
        """Return the present memes whose texts this splitter version has not split since they changed, by id.

        `after` is the id of the last meme of the page before.
        """
        return meme_rows(
            self._database,
            """
            WHERE memes.id > :after AND vanished_at IS NULL AND chunker IS NOT :splitter
            ORDER BY memes.id LIMIT :limit
            """,
            {"splitter": splitter, "limit": limit, "after": after},
        )

    def count_unsplit(self, splitter: str) -> int:
        """Return the number of the memes that `unsplit` returns."""
        return self._database.number(
            "SELECT COUNT(*) FROM memes WHERE vanished_at IS NULL AND chunker IS NOT :splitter", {"splitter": splitter}
        )

    def put_passages(self, meme_id: int, passages: Iterable[Passage], *, splitter: str) -> None:
        """Store a meme's passages in place of its earlier ones."""
        with self._database.transaction():
            self._database.write("DELETE FROM passages WHERE meme_id = :id", {"id": meme_id})
            self._database.write_many(
                """
                INSERT INTO passages (meme_id, field, source, heading, body, input_hash)
                VALUES (:meme_id, :field, :source, :heading, :body, :input_hash)
                """,
                [asdict(part) | {"meme_id": meme_id, "input_hash": input_hash(part.body)} for part in passages],
            )
            self._database.write(
                "UPDATE memes SET chunker = :splitter WHERE id = :id", {"id": meme_id, "splitter": splitter}
            )
            self._database.touch()

    def unweighed(self) -> list[Meme]:
        """Return the present memes with passages that have no weight yet."""
        return meme_rows(
            self._database,
            """
            WHERE vanished_at IS NULL AND memes.id IN (SELECT meme_id FROM passages WHERE weight IS NULL)
            ORDER BY memes.id
            """,
        )

    def disputed(self, *, after: int | None = None) -> Iterator[Meme]:
        """Yield the present memes whose texts disagreed at the last weighing, or have changed since, newest first.

        `after` is the id of the last meme of the page before.
        """
        while True:
            page = meme_rows(
                self._database,
                f"""
                WHERE vanished_at IS NULL AND ({_MAY_DISAGREE})
                  AND (:after IS NULL OR
                       (first_seen, memes.id) < (SELECT first_seen, id FROM memes WHERE id = :after))
                ORDER BY first_seen DESC, memes.id DESC LIMIT {_PAGE}
                """,
                {"after": after},
            )
            yield from page
            if len(page) < _PAGE:
                return
            after = page[-1].id

    def count_disputed(self) -> int:
        """Count present memes whose texts disagreed at the last weighing and have not changed since."""
        return self._database.number(
            """
            SELECT COUNT(*) FROM memes WHERE vanished_at IS NULL AND id IN (SELECT meme_id FROM disputed)
            AND id NOT IN (SELECT meme_id FROM passages WHERE weight IS NULL)
            """
        )

    def put_weights(self, meme_id: int, weights: Mapping[tuple[Field, str], float], *, disputed: bool = False) -> None:
        """Store the weights (0 to 1) of a meme's passages by field and source, and whether its texts disagree.

        Other passages get the weight 1.
        """
        with self._database.transaction():
            self._database.write("DELETE FROM disputed WHERE meme_id = :id", {"id": meme_id})
            if disputed:
                self._database.write("INSERT INTO disputed (meme_id) VALUES (:id)", {"id": meme_id})
            self._database.write("UPDATE passages SET weight = 1 WHERE meme_id = :id", {"id": meme_id})
            self._database.write_many(
                "UPDATE passages SET weight = :weight WHERE meme_id = :id AND field = :field AND source = :source",
                [
                    {"id": meme_id, "field": field, "source": source, "weight": weight}
                    for (field, source), weight in weights.items()
                ],
            )
            self._database.touch()

    def passages(self, field: Field | None = None, *, least_weight: float = 0.0) -> Iterator[PassageRow]:
        """Yield the passages of present memes by meme id, of one field or of all, with at least this weight."""
        for row in self._database.stream(
            """
            SELECT passages.* FROM passages JOIN memes ON memes.id = meme_id
            WHERE vanished_at IS NULL AND (:field IS NULL OR field = :field) AND COALESCE(weight, 1) >= :least
            ORDER BY meme_id, passages.id
            """,
            {"field": field, "least": least_weight},
        ):
            yield _passage(row)

    def bodies(self, field: Field) -> Iterator[tuple[int, str, str]]:
        """Yield (meme id, source, body) of the passages of a field, as `passages` does; of a million, in half the time.

        >>> next(workspace.catalogue.texts.bodies(Field.NAME))[1]
        'name'
        """
        rows = self._database.stream(
            """
            SELECT meme_id, source, body FROM passages JOIN memes ON memes.id = meme_id
            WHERE vanished_at IS NULL AND field = :field ORDER BY meme_id, passages.id
            """,
            {"field": field},
        )
        yield from map(tuple, rows)

    def passages_of(
        self, ids: Sequence[int], *, fields: Collection[Field] | None = None, least_weight: float = 0.0
    ) -> list[PassageRow]:
        """Return the passages of these memes, of some fields or of all, in the order of the texts.

        Passages below `least_weight` are excluded.
        """
        if not ids or (fields is not None and not fields):
            return []  # SQLite reads the whole table for an empty list
        rows = self._database.rows(
            """
            SELECT * FROM passages
            WHERE meme_id IN (SELECT value FROM json_each(:ids)) AND COALESCE(weight, 1) >= :least
              AND (:fields IS NULL OR field IN (SELECT value FROM json_each(:fields)))
            ORDER BY meme_id, id
            """,
            {
                "ids": json.dumps([*map(int, ids)]),
                "fields": None if fields is None else json.dumps(sorted(fields)),
                "least": least_weight,
            },
        )
        return [_passage(row) for row in rows]


_PAGE = 50
# Memes whose texts disagreed, whose reviews or embeddings have changed since, or whose texts are not split yet.
_MAY_DISAGREE = """
    memes.id IN (SELECT meme_id FROM disputed) OR memes.chunker IS NULL
    OR memes.id IN (SELECT meme_id FROM passages WHERE weight IS NULL)
"""


def _passage(row: sqlite3.Row) -> PassageRow:
    id, meme_id, field, source, heading, body, key, _ = row
    return PassageRow(id, meme_id, Passage(Field(field), source, body, heading), key)
