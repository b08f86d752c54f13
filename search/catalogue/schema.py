"""The version of the catalogue's schema, and the migrations that lead to it.

To change the schema: edit `schema.sql`, which makes a new catalogue, and add to MIGRATIONS the statements that turn a
catalogue of the version before into the same. A migration that was released is never edited. `tests/search/catalogue/
test_migrations.py` compares the two ways.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from importlib import resources

FIRST_VERSION = 10  # 1 to 9 were made before the first release, and are not migrated
MIGRATIONS: Mapping[int, str] = {  # by the version that they start from: the statements that lead to the next one
    10: """
ALTER TABLE pictures RENAME TO pictures_before;
CREATE TABLE pictures (
    content_hash  TEXT PRIMARY KEY,
    width         INTEGER NOT NULL,         -- pixels, as shown
    height        INTEGER NOT NULL,
    frames        INTEGER NOT NULL,
    seconds       REAL,
    type          TEXT NOT NULL CHECK (type IN ('image', 'gif', 'video')),
    content_type  TEXT NOT NULL,            -- by the content: 'image/jpeg'; '' when decoded by an earlier version
    codec         TEXT NOT NULL,            -- 'jpeg', 'webp-lossless', 'h264' …; '' when decoded by an earlier version
    transparent   INTEGER NOT NULL CHECK (transparent IN (0, 1)),  -- 1: some of its pixels are
    share_decoded REAL NOT NULL CHECK (share_decoded > 0 AND share_decoded <= 1),  -- how much of it is there
    damage        TEXT NOT NULL,            -- a sentence on what is damaged though it is shown; '' for a sound file
    placeholder   TEXT NOT NULL,
    decoded_by    TEXT NOT NULL             -- name and version of the decoder
) STRICT;
INSERT INTO pictures
    SELECT content_hash, width, height, frames, seconds, type, '', '', 0, 1.0, '', placeholder, decoded_by
    FROM pictures_before;
DROP TABLE pictures_before;
""",
    # Searches ask which files have vanished, and passages lie between the rows of the table: a scan took 0.1 s.
    11: """
CREATE INDEX memes_vanished ON memes (id) WHERE vanished_at IS NOT NULL;
""",
    12: """
CREATE TABLE inherited_texts_before AS SELECT * FROM inherited_texts;
CREATE TABLE operations_before AS SELECT * FROM operations;
DROP TABLE inherited_texts;
DROP TABLE operations;
CREATE TABLE operations (
    uid           TEXT PRIMARY KEY,         -- also the uid of the verdict, and the name of the folder in the trash
    kind          TEXT NOT NULL CHECK (kind IN ('merge', 'move', 'accept', 'trash')),
    state         TEXT NOT NULL CHECK (state IN ('begun', 'done', 'aborting', 'undoing', 'undone')),
    intent        TEXT NOT NULL,            -- JSON: what was decided, by kind
    steps         TEXT NOT NULL,            -- JSON: each file that is moved or written, in order
    undo_note     TEXT NOT NULL DEFAULT '',
    begun_at      TEXT NOT NULL,            -- ISO 8601, UTC
    unindexed     INTEGER NOT NULL DEFAULT 0 CHECK (unindexed IN (0, 1))  -- 1: the index has still to learn of it
) STRICT;
CREATE INDEX operations_by_state ON operations (state, begun_at);
CREATE INDEX operations_unindexed ON operations (uid) WHERE unindexed = 1;
CREATE INDEX operations_by_kept ON operations (json_extract(intent, '$.kept_content')) WHERE kind = 'merge';
INSERT INTO operations (uid, kind, state, intent, steps, undo_note, begun_at, unindexed)
    SELECT uid, kind, state, intent, steps, undo_note, begun_at, unindexed FROM operations_before;
CREATE TABLE inherited_texts (
    operation     TEXT NOT NULL REFERENCES operations (uid),
    content_hash  TEXT NOT NULL,
    kind          TEXT NOT NULL,
    source        TEXT NOT NULL,
    PRIMARY KEY (operation, content_hash, kind, source)
) STRICT, WITHOUT ROWID;
INSERT INTO inherited_texts (operation, content_hash, kind, source)
    SELECT operation, content_hash, kind, source FROM inherited_texts_before;
DROP TABLE inherited_texts_before;
DROP TABLE operations_before;
CREATE INDEX verdicts_of_tags ON verdicts (made_at, uid) WHERE kind IN ('tagged', 'untagged');
CREATE TABLE batches (
    uid           TEXT PRIMARY KEY,
    title         TEXT NOT NULL,            -- follows the number: 'accepted', 'moved to Cats'
    page          TEXT NOT NULL,            -- the address of the page that it was started from
    state         TEXT NOT NULL CHECK (state IN ('running', 'done', 'undoing', 'undone')),
    made_at       TEXT NOT NULL             -- ISO 8601, UTC
) STRICT;
CREATE INDEX batches_by_state ON batches (state, made_at);

CREATE TABLE batch_items (
    batch         TEXT NOT NULL REFERENCES batches (uid),
    position      INTEGER NOT NULL,
    action        TEXT NOT NULL,            -- 'accept', 'discard', 'merge' …
    subject       TEXT NOT NULL,            -- the number of an upload or of a meme, the key of a group
    argument      TEXT NOT NULL,            -- a category, a tag …
    name          TEXT NOT NULL,            -- for people to read
    state         TEXT NOT NULL CHECK (state IN ('waiting', 'started', 'done', 'failed', 'undone')),
    result        TEXT NOT NULL DEFAULT '', -- what undoes it: the uid of a verdict, the number of an upload
    reason        TEXT NOT NULL DEFAULT '', -- why it failed, or could not be undone
    PRIMARY KEY (batch, position)
) STRICT, WITHOUT ROWID;
""",
}
TABLES = {"memes", "verdicts", "revision"}  # some that every version has


def newest_version(migrations: Mapping[int, str] | None = None) -> int:
    """Return the version that this build reads and writes."""
    return FIRST_VERSION + len(MIGRATIONS if migrations is None else migrations)


def create_schema(connection: sqlite3.Connection, *, script: str | None = None) -> None:
    """Make the tables of the newest version, within the connection's transaction."""
    script = script or (resources.files("search.catalogue") / "schema.sql").read_text("utf-8")
    for statement in statements(script):
        connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {newest_version()}")


def migrate_schema(connection: sqlite3.Connection) -> None:
    """Bring a catalogue of an earlier version to the newest, within the connection's transaction.

    Raises sqlite3.IntegrityError when rows then refer to rows that are not there.
    """
    connection.execute("PRAGMA defer_foreign_keys = ON")  # so that a table can be made anew and its rows copied
    while (version := connection.execute("PRAGMA user_version").fetchone()[0]) < newest_version():
        for statement in statements(MIGRATIONS[version]):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {version + 1}")
    broken = connection.execute("PRAGMA foreign_key_check").fetchone()
    if broken is not None:
        raise sqlite3.IntegrityError(f"a row of {broken[0]} refers to a row of {broken[2]} that is missing")


def statements(script: str) -> Iterator[str]:
    """Yield a script's statements one by one, because `executescript` would end the transaction.

    >>> list(statements("SELECT 1;\\nSELECT 2;"))
    ['SELECT 1;\\n', 'SELECT 2;']
    """
    gathered = ""
    for line in script.splitlines(keepends=True):
        gathered += line
        if sqlite3.complete_statement(gathered):
            yield gathered
            gathered = ""
