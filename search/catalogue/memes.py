"""The table of the library's files, present and vanished."""

from __future__ import annotations

import json
import sqlite3
import threading
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from random import randrange

import numpy as np
from numpy.typing import NDArray

from search.catalogue.database import Database, Parameters
from search.errors import NotFound
from search.meme import CATEGORY_SEPARATOR, MediaType, Meme, name_key

# The type found by decoding takes precedence over the type guessed from the file's name.
_MEME = """
    SELECT memes.id, memes.path, memes.category, memes.content_hash, COALESCE(pictures.type, memes.type) AS type,
           memes.first_seen, memes.size, pictures.width, pictures.height, pictures.frames, pictures.seconds,
           pictures.content_type, pictures.codec, pictures.transparent, pictures.share_decoded, pictures.damage,
           pictures.placeholder
    FROM memes LEFT JOIN pictures USING (content_hash)
"""

# Each category of present memes by name, found by one look into an index for each: SQLite's DISTINCT reads every meme.
_CATEGORIES = """
    WITH RECURSIVE categories (category) AS (
        SELECT MIN(category) FROM memes WHERE vanished_at IS NULL
        UNION ALL
        SELECT (SELECT MIN(memes.category) FROM memes
                WHERE vanished_at IS NULL AND memes.category > categories.category)
        FROM categories WHERE category IS NOT NULL)
"""

_DRAWS = 50  # of a random id, before every meme is looked at


@dataclass(frozen=True)
class MemeRecord:
    """A scanned file; `first_seen` is timezone-aware and comes from `first_seen_source`: `sidecar` or `mtime`."""

    path: str
    category: str
    content_hash: str
    type: MediaType
    size: int
    mtime_ns: int
    first_seen: datetime
    first_seen_source: str


class Memes:
    """Files of the library, present and vanished."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._vanished = threading.local()  # what each thread's connection has read, and in which state

    def known(self) -> dict[str, tuple[int, str, int, int, bool]]:
        """Return, by path, the id, content hash, size, mtime in nanoseconds and whether the file is present."""
        return {
            row["path"]: (row["id"], row["content_hash"], row["size"], row["mtime_ns"], row["vanished_at"] is None)
            for row in self._database.rows("SELECT id, path, content_hash, size, mtime_ns, vanished_at FROM memes")
        }

    def known_at(self, path: str) -> tuple[int, str, int, int, bool] | None:
        """Return the values of `known` for one path, or None."""
        row = self._database.row(
            "SELECT id, content_hash, size, mtime_ns, vanished_at FROM memes WHERE path = :path", {"path": path}
        )
        if row is None:
            return None
        return row["id"], row["content_hash"], row["size"], row["mtime_ns"], row["vanished_at"] is None

    def put(self, record: MemeRecord) -> int:
        """Insert or update the file at a path and return its id.

        A file at a new path takes the row of a vanished file with the same content: it was renamed.
        """
        values = asdict(record) | {"first_seen": _iso(record.first_seen)}
        with self._database.transaction():
            if self._database.row("SELECT 1 FROM memes WHERE path = :path", values) is None:
                self._database.write(
                    """
                    UPDATE memes SET path = :path
                    WHERE id = (SELECT id FROM memes WHERE content_hash = :content_hash AND vanished_at IS NOT NULL
                                ORDER BY vanished_at DESC, id LIMIT 1)
                    """,
                    values,
                )
            row = self._database.row(
                """
                INSERT INTO memes (path, category, content_hash, type, size, mtime_ns, first_seen, first_seen_source)
                VALUES (:path, :category, :content_hash, :type, :size, :mtime_ns, :first_seen, :first_seen_source)
                ON CONFLICT (path) DO UPDATE SET
                    category = :category, content_hash = :content_hash, type = :type,
                    size = :size, mtime_ns = :mtime_ns, first_seen = :first_seen,
                    first_seen_source = :first_seen_source, vanished_at = NULL, chunker = NULL
                RETURNING id
                """,
                values,
            )
            assert row is not None
            self._database.touch()
            return int(row["id"])

    def see_again(self, id: int, *, first_seen: datetime, first_seen_source: str, back: bool) -> None:
        """Update the first-seen time of an unchanged file; `back` is True if it had vanished and is present again."""
        found = self._database.write(
            """
            UPDATE memes SET vanished_at = iif(:back, NULL, vanished_at), first_seen = :first_seen,
                             first_seen_source = :first_seen_source
            WHERE id = :id AND ((:back AND vanished_at IS NOT NULL) OR first_seen != :first_seen
                                OR first_seen_source != :first_seen_source)
            """,
            {"id": id, "first_seen": _iso(first_seen), "first_seen_source": first_seen_source, "back": back},
        )
        if found.rowcount:
            self._database.touch()

    def mark_vanished(self, ids: Iterable[int]) -> None:
        """Mark files as vanished."""
        gone = [{"id": id, "now": _iso(datetime.now(UTC))} for id in ids]
        if gone:
            with self._database.transaction():
                self._database.write_many(
                    "UPDATE memes SET vanished_at = :now WHERE id = :id AND vanished_at IS NULL", gone
                )
                self._database.touch()

    def get(self, id: int) -> Meme:
        """Return a present meme; raise NotFound if there is none with this id."""
        row = self._database.row(_MEME + "WHERE memes.id = :id AND vanished_at IS NULL", {"id": id})
        if row is None:
            raise NotFound(f"There is no meme with the id {id}.")
        return _meme(row)

    def at(self, path: str) -> Meme:
        """Return the present meme at a path relative to the library; raise NotFound if there is none.

        The path may be in another form of Unicode than the file's name on the disk.
        """
        forms = dict.fromkeys((path, unicodedata.normalize("NFC", path), unicodedata.normalize("NFD", path)))
        query = _MEME + "WHERE memes.path = :path AND vanished_at IS NULL"
        row = next(filter(None, (self._database.row(query, {"path": form}) for form in forms)), None)
        if row is None:
            raise NotFound(f"There is no meme at {path}.", hint="Paths are relative to the library: Movies/x.jpg.")
        return _meme(row)

    def many(self, ids: Sequence[int]) -> list[Meme]:
        """Return the present memes with these ids, in the order of `ids`, without vanished ones."""
        if not ids:
            return []  # SQLite reads the whole table to find that no id is in an empty list
        # One statement for all lists of ids: SQLite takes as long to prepare another one as to run it.
        rows = self._database.rows(
            _MEME + "WHERE memes.id IN (SELECT value FROM json_each(:ids)) AND vanished_at IS NULL",
            {"ids": json.dumps([*map(int, ids)])},
        )
        found = {row["id"]: _meme(row) for row in rows}
        return [found[id] for id in ids if id in found]

    def with_content(self, content_hash: str) -> list[Meme]:
        """Return the present memes with exactly these bytes, oldest first."""
        rows = self._database.rows(
            _MEME + "WHERE content_hash = :hash AND vanished_at IS NULL ORDER BY first_seen, memes.id",
            {"hash": content_hash},
        )
        return [_meme(row) for row in rows]

    def freshest(self, limit: int, *, offset: int = 0, category: str | None = None) -> list[Meme]:
        """Return a page of present memes, newest first, of one category or of all."""
        where = "WHERE vanished_at IS NULL" + (" AND category = :category" if category is not None else "")
        rows = self._database.rows(
            _MEME + where + " ORDER BY first_seen DESC, memes.id DESC LIMIT :limit OFFSET :offset",
            {"limit": limit, "offset": offset, "category": category},
        )
        return [_meme(row) for row in rows]

    def newest_of_categories(self) -> dict[str, Meme]:
        """Return, by category, its newest present meme that has a thumbnail; categories without one are left out."""
        rows = self._database.rows(
            _CATEGORIES
            + _MEME
            + """
            WHERE memes.id IN (
                SELECT (SELECT own.id FROM memes AS own JOIN pictures AS decoded USING (content_hash)
                        WHERE own.category = every.category AND own.vanished_at IS NULL
                          AND decoded.placeholder IS NOT NULL
                        ORDER BY own.first_seen DESC, own.id DESC LIMIT 1)
                FROM categories AS every WHERE category IS NOT NULL)
            """
        )
        return {row["category"]: _meme(row) for row in rows}

    def random(self) -> Meme | None:
        """Return any present meme that has a thumbnail, each as likely as the others; None when there is none."""
        highest = self._database.number("SELECT MAX(id) FROM memes")
        drawn = _MEME + "WHERE memes.id = :id AND vanished_at IS NULL AND placeholder IS NOT NULL"
        for _ in range(_DRAWS if highest else 0):
            row = self._database.row(drawn, {"id": 1 + randrange(highest)})
            if row is not None:
                return _meme(row)
        # Nearly all have vanished or are not decoded: only then is it worth looking at every one.
        row = self._database.row(
            _MEME
            + """
            WHERE memes.id = (SELECT memes.id FROM memes JOIN pictures USING (content_hash)
                              WHERE vanished_at IS NULL AND placeholder IS NOT NULL ORDER BY random() LIMIT 1)
            """
        )
        return None if row is None else _meme(row)

    def everything(self) -> list[Meme]:
        """Return every present meme by id."""
        return list(self.each())

    def each(self) -> Iterator[Meme]:
        """Yield every present meme by id, without a list of them all; write nothing until the last one."""
        for row in self._database.stream(_MEME + "WHERE vanished_at IS NULL ORDER BY memes.id"):
            yield _meme(row)

    def contents(self) -> Iterator[tuple[int, str]]:
        """Yield the id and the content hash of every present meme by id; write nothing until the last one."""
        for row in self._database.stream("SELECT id, content_hash FROM memes WHERE vanished_at IS NULL ORDER BY id"):
            yield row["id"], row["content_hash"]

    def with_likes(self) -> list[Meme]:
        """Return the present memes with a byte-identical copy or a similar meme, by id."""
        return meme_rows(
            self._database,
            """
            WHERE vanished_at IS NULL AND content_hash IN (
                SELECT one FROM pairs WHERE tier IS NOT NULL UNION SELECT other FROM pairs WHERE tier IS NOT NULL
                UNION
                SELECT content_hash FROM memes WHERE vanished_at IS NULL GROUP BY content_hash HAVING COUNT(*) > 1)
            ORDER BY memes.id
            """,
        )

    def vanished_ids(self) -> NDArray[np.int64]:
        """Return the rising ids ([n]) of vanished files; they are read again only when the catalogue has changed."""
        state = self._database.state()
        if getattr(self._vanished, "state", None) != state:
            rows = self._database.rows("SELECT id FROM memes WHERE vanished_at IS NOT NULL ORDER BY id")
            self._vanished.ids = np.array([row["id"] for row in rows], np.int64)
            self._vanished.state = state
        found: NDArray[np.int64] = self._vanished.ids
        return found

    def count(self, *, category: str | None = None) -> int:
        """Return the number of present memes, in one category or in all."""
        # Each has an index that answers it; with one condition for both, every row was read.
        where = "vanished_at IS NULL" + (" AND category = :category" if category is not None else "")
        return self._database.number(f"SELECT COUNT(*) FROM memes WHERE {where}", {"category": category})

    def has_category(self, category: str) -> bool:
        """Return whether a category or one of its subcategories has a present meme."""
        below = category + CATEGORY_SEPARATOR
        return bool(
            self._database.number(
                """
                SELECT EXISTS (SELECT 1 FROM memes WHERE vanished_at IS NULL AND category = :category)
                    OR EXISTS (SELECT 1 FROM memes WHERE vanished_at IS NULL AND category >= :below AND category < :end)
                """,
                {"category": category, "below": below, "end": below[:-1] + chr(ord(below[-1]) + 1)},
            )
        )

    def category_named(self, name: str) -> str | None:
        """Return the category that people read as `name`, as the catalogue spells it; None for an unknown one."""
        spelled = "SELECT 1 FROM memes WHERE vanished_at IS NULL AND category = :name LIMIT 1"
        if self._database.row(spelled, {"name": name}) is not None:
            return name
        rows = self._database.rows(_CATEGORIES + "SELECT category FROM categories WHERE category IS NOT NULL")
        return next((row["category"] for row in rows if name_key(row["category"]) == name_key(name)), None)

    def respell_category(self, old: str, new: str) -> None:
        """Give the memes of a category another spelling of its name."""
        if self._database.write(
            "UPDATE memes SET category = :new WHERE category = :old", {"old": old, "new": new}
        ).rowcount:
            self._database.touch()

    def categories(self, *, since: datetime | None = None) -> list[tuple[str, int, int]]:
        """Return each category by name with its count and how many were first seen since a time."""
        rows = self._database.rows(
            """
            SELECT category, COUNT(*) AS memes, SUM(first_seen >= :since) AS fresh
            FROM memes WHERE vanished_at IS NULL GROUP BY category ORDER BY category
            """,
            {"since": _iso(since) if since else "9"},
        )
        return [(row["category"], row["memes"], row["fresh"]) for row in rows]


def meme_rows(database: Database, conditions: str, parameters: Parameters | None = None) -> list[Meme]:
    """Return the memes of a query; `conditions` starts with WHERE and may use the tables `memes` and `pictures`."""
    return [_meme(row) for row in database.stream(_MEME + conditions, parameters)]


def _meme(row: sqlite3.Row) -> Meme:
    values = dict(row)
    values["type"] = MediaType(values["type"])
    values["first_seen"] = datetime.fromisoformat(values["first_seen"])
    values["has_thumbnail"] = values["placeholder"] is not None
    for name in ("placeholder", "content_type", "codec", "damage"):
        values[name] = values[name] or ""
    values["transparent"] = bool(values["transparent"])
    values["share_decoded"] = 1.0 if values["share_decoded"] is None else values["share_decoded"]
    return Meme(**values)


def _iso(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="seconds")
