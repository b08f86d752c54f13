-- Uploads from the moment that they are kept to what became of them. Their bytes lie in the data folder under the hash.
CREATE TABLE inbox (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    uid           TEXT NOT NULL UNIQUE,     -- names what goes to the trash with an undo, and the ledger's line
    content_hash  TEXT NOT NULL,
    name          TEXT NOT NULL,            -- as it came, for people to read
    suffix        TEXT NOT NULL,            -- of the kind that its content says: '.png'
    size          INTEGER NOT NULL,
    came_by       TEXT NOT NULL,            -- 'page', 'api', 'command'
    came_at       TEXT NOT NULL,            -- ISO 8601, UTC
    state         TEXT NOT NULL CHECK (state IN
                  ('waiting', 'examined', 'failed', 'accepting', 'accepted', 'undoing', 'discarded')),
    findings      TEXT,                     -- JSON: what examining it found; NULL before
    reason        TEXT NOT NULL DEFAULT '', -- why it could not be examined
    hint          TEXT NOT NULL DEFAULT '',
    category      TEXT,                     -- where it was accepted
    path          TEXT,                     -- relative to the library
    note          TEXT NOT NULL DEFAULT '', -- why it was added in spite of a suspected duplicate
    verdict       TEXT,                     -- the uid of the ledger's line that says so
    meme_id       INTEGER,                  -- once it is in the library
    decided_at    TEXT,
    unindexed     INTEGER NOT NULL DEFAULT 0 CHECK (unindexed IN (0, 1))  -- 1: the index does not know yet
) STRICT;
CREATE UNIQUE INDEX inbox_once ON inbox (content_hash)
    WHERE state IN ('waiting', 'examined', 'failed', 'accepting', 'undoing');
CREATE INDEX inbox_by_state ON inbox (state, id);
CREATE INDEX inbox_unindexed ON inbox (id) WHERE unindexed = 1;
