"""Take over what another catalogue has computed by content: pictures, fingerprints, texts read or written, embeddings.

All of these are keyed by content, so that merging is a union: what is there already stays, and a second time adds
nothing. Memes, sidecars and decisions are not taken over: they belong to the one library and its curator.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from search.catalogue.copies import uri_to_read
from search.catalogue.database import Database
from search.errors import DataFolderError, IndexUnusable

_NEW_PICTURES = """
    CREATE TEMP TABLE gathered_pictures AS
    SELECT content_hash FROM other.pictures AS theirs
    WHERE decoded_by = :decoder AND NOT EXISTS (
        SELECT 1 FROM main.pictures AS ours
        WHERE ours.content_hash = theirs.content_hash AND ours.decoded_by = :decoder)
"""
_NEW_READINGS = """
    CREATE TEMP TABLE gathered_readings AS
    SELECT DISTINCT content_hash FROM other.readings AS theirs
    WHERE NOT EXISTS (
        SELECT 1 FROM main.readings AS ours
        WHERE ours.content_hash = theirs.content_hash AND ours.kind = theirs.kind AND ours.source = theirs.source)
"""
_OTHER_DIMENSIONS = """
    SELECT name, theirs.dimensions AS theirs, ours.dimensions AS ours
    FROM other.encoders AS theirs JOIN main.encoders AS ours USING (name) WHERE theirs.dimensions != ours.dimensions
"""


@dataclass(frozen=True)
class Gathered:
    """How many rows were taken over from another catalogue."""

    pictures: int
    texts: int
    embeddings: int


def gather(database: Database, file: Path, *, decoder: str) -> Gathered:
    """Take over what the catalogue in a file has and this one lacks, all or nothing, and return how many rows.

    Pictures of other decoders than `decoder` are left out. The file must be a catalogue of this version. Raises
    IndexUnusable when the two have different encoders of one name.
    """
    with _attached(database, file), database.transaction():
        for row in database.rows(_OTHER_DIMENSIONS):
            raise IndexUnusable(
                f"{file} has embeddings by {row['name']} with {row['theirs']} dimensions, this catalogue has "
                f"{row['ours']}.",
                hint="Index all parts with the same models.",
            )
        for table in ("gathered_pictures", "gathered_readings"):
            database.write(f"DROP TABLE IF EXISTS temp.{table}")
        database.write(_NEW_PICTURES, {"decoder": decoder})
        database.write(_NEW_READINGS)
        among = "WHERE content_hash IN (SELECT content_hash FROM temp.gathered_pictures)"
        pictures = database.write(f"INSERT OR REPLACE INTO main.pictures SELECT * FROM other.pictures {among}").rowcount
        # Those of an earlier decoder would stay beside the new ones.
        database.write(f"DELETE FROM main.fingerprints {among}")
        database.write(f"INSERT INTO main.fingerprints SELECT * FROM other.fingerprints {among}")
        texts = database.write("INSERT OR IGNORE INTO main.readings SELECT * FROM other.readings").rowcount
        database.write(
            "UPDATE main.memes SET chunker = NULL "
            "WHERE content_hash IN (SELECT content_hash FROM temp.gathered_readings)"
        )
        database.write("INSERT OR IGNORE INTO main.encoders SELECT * FROM other.encoders")
        embeddings = database.write("INSERT OR IGNORE INTO main.embeddings SELECT * FROM other.embeddings").rowcount
        if pictures or texts or embeddings:
            database.touch()
    return Gathered(pictures, texts, embeddings)


@contextmanager
def _attached(database: Database, file: Path) -> Iterator[None]:
    """Let this thread's connection read another database as `other`."""
    connection = database.connection()
    try:
        connection.execute("ATTACH :file AS other", {"file": uri_to_read(file)})
    except sqlite3.Error as error:
        raise DataFolderError(f"{file} cannot be read: {error}.", hint="Gather a copy of its folder.") from error
    try:
        yield
    finally:
        connection.execute("DETACH other")
