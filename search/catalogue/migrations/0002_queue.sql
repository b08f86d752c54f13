-- Who is working on what: two processes never do the same. A lease that is not renewed runs out.
CREATE TABLE leases (
    stage         TEXT NOT NULL,
    source        TEXT NOT NULL,            -- the model or the engine that does the work; '' where there is one only
    content_hash  TEXT NOT NULL,
    owner         TEXT NOT NULL,
    expires_at    REAL NOT NULL,            -- seconds since 1970, UTC
    PRIMARY KEY (stage, source, content_hash)
) STRICT, WITHOUT ROWID;
CREATE INDEX leases_by_owner ON leases (owner);

-- Every call to a model's endpoint, from the moment it is made: what was paid for and what came of it.
CREATE TABLE calls (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    model         TEXT NOT NULL,
    endpoint      TEXT NOT NULL,
    kind          TEXT NOT NULL,
    prompt        TEXT NOT NULL,            -- the prompts' version, and what was added to them
    content_hash  TEXT NOT NULL,
    path          TEXT NOT NULL,
    asked_at      TEXT NOT NULL,            -- ISO 8601, UTC
    outcome       TEXT NOT NULL,            -- 'asked' while it is under way, and for good when the process was killed
    detail        TEXT NOT NULL DEFAULT '',
    seconds       REAL,
    tokens_in     INTEGER,
    tokens_out    INTEGER
) STRICT;
CREATE INDEX calls_by_model ON calls (model, kind, outcome);

-- A meme may fail with one model and succeed with another; what failed by chance is tried again by itself.
CREATE TABLE failures_by_source (
    stage         TEXT NOT NULL,
    subject       TEXT NOT NULL,            -- a path relative to the library, or a model's name
    source        TEXT NOT NULL,            -- the model or the engine that failed; '' where there is one only
    content_hash  TEXT NOT NULL,            -- what failed; another content is tried anew
    reason        TEXT NOT NULL,
    hint          TEXT NOT NULL,
    passing       INTEGER NOT NULL CHECK (passing IN (0, 1)),  -- 1: the next run tries it again, unasked
    failed_at     TEXT NOT NULL,
    attempts      INTEGER NOT NULL,
    PRIMARY KEY (stage, subject, source)
) STRICT;
INSERT INTO failures_by_source
    SELECT stage, subject, '', content_hash, reason, hint, 0, failed_at, attempts FROM failures;
DROP TABLE failures;
ALTER TABLE failures_by_source RENAME TO failures;
CREATE INDEX failures_by_content ON failures (content_hash, stage);
CREATE INDEX readings_by_source ON readings (kind, source);
