-- The curator's verdicts: only ever added to. Undo is a line of its own.
CREATE TABLE verdicts (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    uid           TEXT NOT NULL UNIQUE,     -- the same wherever the ledger is imported
    kind          TEXT NOT NULL,            -- 'not duplicates', 'keep all', 'duplicates', 'merged', 'undone'
    contents      TEXT NOT NULL,            -- JSON: content hashes, in order; a hash twice where two files are the same
    keep          TEXT,                     -- the content hash that a merge kept
    undoes        TEXT,                     -- the uid of the line that this one takes back
    paths         TEXT NOT NULL,            -- JSON: where the memes lay then, for people to read
    note          TEXT NOT NULL,
    made_at       TEXT NOT NULL             -- ISO 8601, UTC
) STRICT;
CREATE INDEX verdicts_in_time ON verdicts (made_at, uid);
CREATE TRIGGER verdicts_are_not_changed BEFORE UPDATE ON verdicts
BEGIN
    SELECT RAISE(ABORT, 'a verdict is never changed');
END;
CREATE TRIGGER verdicts_are_not_removed BEFORE DELETE ON verdicts
BEGIN
    SELECT RAISE(ABORT, 'a verdict is never removed');
END;

-- The journal of what Memetica does to the library's files: written before the first is touched.
CREATE TABLE merges (
    uid           TEXT PRIMARY KEY,         -- also the uid of the merge's verdict, and the name of its folder in the trash
    state         TEXT NOT NULL CHECK (state IN ('begun', 'done', 'undoing', 'undone')),
    kept          TEXT NOT NULL,            -- path of the meme that stays, relative to the library
    kept_content  TEXT NOT NULL,
    removed       TEXT NOT NULL,            -- JSON: [[path, content hash], …] of the memes that go
    steps         TEXT NOT NULL,            -- JSON: what is moved and what is written, in order
    begun_at      TEXT NOT NULL
) STRICT;
CREATE INDEX merges_by_state ON merges (state, begun_at);

-- Readings of a removed meme that were copied to the one that stays, so that an undo knows them from its own.
CREATE TABLE inherited (
    merge         TEXT NOT NULL REFERENCES merges (uid),
    content_hash  TEXT NOT NULL,
    kind          TEXT NOT NULL,
    source        TEXT NOT NULL,
    PRIMARY KEY (merge, content_hash, kind, source)
) STRICT, WITHOUT ROWID;
