-- What a verdict is about, where contents alone do not say: a finding about categories, or where memes were moved.
ALTER TABLE verdicts ADD COLUMN about TEXT NOT NULL DEFAULT '';

-- The journal of memes that the curator moved to another category: written before the first file is touched.
CREATE TABLE refilings (
    uid       TEXT PRIMARY KEY,             -- also the uid of the verdict
    state     TEXT NOT NULL CHECK (state IN ('begun', 'done', 'undoing', 'undone')),
    category  TEXT NOT NULL,                -- where they go
    memes     TEXT NOT NULL,                -- JSON: [[path before, path after, content hash], …]
    files     TEXT NOT NULL,                -- JSON: [[path before, path after, SHA-256], …], the memes' own come last
    about     TEXT NOT NULL,                -- the finding that it settles
    begun_at  TEXT NOT NULL,                -- ISO 8601, UTC
    unindexed INTEGER NOT NULL DEFAULT 0 CHECK (unindexed IN (0, 1))  -- 1: the index does not know yet
) STRICT;
CREATE INDEX refilings_by_state ON refilings (state);
CREATE INDEX refilings_unindexed ON refilings (uid) WHERE unindexed = 1;
