-- The library's files. A vanished file is marked, not forgotten; its id is never reused.
CREATE TABLE memes (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    path          TEXT NOT NULL UNIQUE,     -- relative to the library
    category      TEXT NOT NULL,
    content_hash  TEXT NOT NULL,            -- SHA-256 of the bytes, hexadecimal
    type          TEXT NOT NULL CHECK (type IN ('image', 'gif', 'video')),
    size          INTEGER NOT NULL,         -- bytes
    mtime_ns      INTEGER NOT NULL,
    first_seen    TEXT NOT NULL,            -- ISO 8601, UTC
    first_seen_source TEXT NOT NULL CHECK (first_seen_source IN ('sidecar', 'mtime')),
    chunker       TEXT,                     -- version of the chunker that made the passages; NULL when texts changed since
    vanished_at   TEXT
) STRICT;
CREATE INDEX memes_by_content ON memes (content_hash);
CREATE INDEX memes_by_first_seen ON memes (first_seen DESC, id DESC) WHERE vanished_at IS NULL;
CREATE INDEX memes_by_category ON memes (category, first_seen DESC, id DESC) WHERE vanished_at IS NULL;
CREATE INDEX memes_vanished ON memes (id) WHERE vanished_at IS NOT NULL;

-- What decoding found, by content, so that a renamed or copied file is not decoded again.
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

CREATE TABLE fingerprints (
    content_hash  TEXT NOT NULL,
    algorithm     TEXT NOT NULL,            -- name and version: 'pdq-1'
    frame         INTEGER NOT NULL,
    bits          BLOB NOT NULL,
    quality       REAL NOT NULL,
    PRIMARY KEY (content_hash, algorithm, frame)
) STRICT, WITHOUT ROWID;

-- Texts that lie beside the memes.
CREATE TABLE sidecars (
    meme_id       INTEGER NOT NULL REFERENCES memes (id) ON DELETE CASCADE,
    path          TEXT NOT NULL,
    kind          TEXT NOT NULL CHECK (kind IN ('ocr', 'simple-description', 'detailed-analysis', 'other')),
    source        TEXT NOT NULL,
    body          TEXT NOT NULL,
    size          INTEGER NOT NULL,
    mtime_ns      INTEGER NOT NULL,
    PRIMARY KEY (meme_id, path)
) STRICT;

-- Texts that an OCR engine read or a model wrote, by content.
CREATE TABLE readings (
    content_hash  TEXT NOT NULL,
    kind          TEXT NOT NULL CHECK (kind IN ('ocr', 'simple-description', 'detailed-analysis', 'other')),
    source        TEXT NOT NULL,            -- the engine or the model, with its version where it matters
    body          TEXT NOT NULL,
    quality       REAL,                     -- 0 to 1, NULL when not assessed
    boxes         TEXT,                     -- JSON: [[text, confidence, [[x, y] × 4 in shares of width and height]], …]
    made_at       TEXT NOT NULL,            -- ISO 8601, UTC
    PRIMARY KEY (content_hash, kind, source)
) STRICT;
CREATE INDEX readings_by_source ON readings (kind, source);

-- The units that are embedded: cut from sidecars and readings, and cut again whenever those change.
CREATE TABLE passages (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    meme_id       INTEGER NOT NULL REFERENCES memes (id) ON DELETE CASCADE,
    field         TEXT NOT NULL,
    source        TEXT NOT NULL,
    heading       TEXT NOT NULL,
    body          TEXT NOT NULL,
    input_hash    TEXT NOT NULL,            -- SHA-256 of the body, hexadecimal
    weight        REAL                      -- 0 to 1, how much it counts in search; NULL until its meme's texts are compared
) STRICT;
CREATE INDEX passages_by_meme ON passages (meme_id);
CREATE INDEX passages_by_input ON passages (input_hash);
CREATE INDEX passages_unweighted ON passages (meme_id) WHERE weight IS NULL;

-- Memes whose texts contradicted each other when they were last compared.
CREATE TABLE disputed (
    meme_id       INTEGER PRIMARY KEY REFERENCES memes (id) ON DELETE CASCADE
) STRICT;

-- The curator's reviews of texts: rows are only added, and the last one on a text counts. By content and by the text
-- itself, so that a review survives renames and a new index, and a text that is written anew is open again.
CREATE TABLE text_reviews (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    content_hash  TEXT NOT NULL,
    kind          TEXT NOT NULL,
    source        TEXT NOT NULL,
    body_hash     TEXT NOT NULL,            -- SHA-256 of the text, hexadecimal
    verdict       TEXT NOT NULL CHECK (verdict IN ('right', 'wrong', 'open')),
    made_at       TEXT NOT NULL             -- ISO 8601, UTC
) STRICT;
CREATE INDEX text_reviews_by_content ON text_reviews (content_hash);

CREATE TABLE encoders (
    name          TEXT PRIMARY KEY,
    dimensions    INTEGER NOT NULL CHECK (dimensions > 0)
) STRICT;

CREATE TABLE embeddings (
    encoder       TEXT NOT NULL REFERENCES encoders (name),
    input_hash    TEXT NOT NULL,            -- of a passage's body, or a picture's content_hash, ':' and the frame
    vector        BLOB NOT NULL,            -- little-endian float16, as many as the encoder's dimensions
    UNIQUE (encoder, input_hash)
) STRICT;

-- What failed and why. A meme may fail with one model and succeed with another.
CREATE TABLE failures (
    stage         TEXT NOT NULL,
    subject       TEXT NOT NULL,            -- a path relative to the library, or a model's name
    source        TEXT NOT NULL,            -- the model or the engine that failed; '' where there is one only
    content_hash  TEXT NOT NULL,            -- what failed; another content is tried anew
    reason        TEXT NOT NULL,
    hint          TEXT NOT NULL,
    transient     INTEGER NOT NULL CHECK (transient IN (0, 1)),  -- 1: the next run tries it again
    failed_at     TEXT NOT NULL,            -- ISO 8601, UTC
    attempts      INTEGER NOT NULL,
    PRIMARY KEY (stage, subject, source)
) STRICT;
CREATE INDEX failures_by_content ON failures (content_hash, stage);

-- Who works on what, so that two processes never do the same. A lease that is not renewed expires.
CREATE TABLE leases (
    stage         TEXT NOT NULL,
    source        TEXT NOT NULL,            -- the model or the engine that does the work; '' where there is one only
    content_hash  TEXT NOT NULL,
    owner         TEXT NOT NULL,
    expires_at    REAL NOT NULL,            -- seconds since 1970, UTC
    PRIMARY KEY (stage, source, content_hash)
) STRICT, WITHOUT ROWID;
CREATE INDEX leases_by_owner ON leases (owner);

-- Every call to a model's endpoint, stored before it is made.
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

-- Contents that were compared, each pair once, the lower hash first.
CREATE TABLE pairs (
    one           TEXT NOT NULL,
    other         TEXT NOT NULL,
    version       TEXT NOT NULL,            -- name and version of the comparison
    tier          TEXT,                     -- NULL when they are not alike
    evidence      TEXT NOT NULL,            -- JSON, `one` named first
    compared_at   TEXT NOT NULL,            -- ISO 8601, UTC
    PRIMARY KEY (one, other, version),
    CHECK (one < other)
) STRICT, WITHOUT ROWID;
CREATE INDEX pairs_by_other ON pairs (other);
CREATE INDEX pairs_by_tier ON pairs (version, tier) WHERE tier IS NOT NULL;

-- Contents that were compared with all of their candidates at the time; a later content is compared by its own search.
CREATE TABLE compared_contents (
    content_hash  TEXT NOT NULL,
    version       TEXT NOT NULL,
    PRIMARY KEY (content_hash, version)
) STRICT, WITHOUT ROWID;

-- The ledger of the curator's verdicts: rows are only added. An undo is a row of its own.
CREATE TABLE verdicts (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    uid           TEXT NOT NULL UNIQUE,     -- the same wherever the ledger is imported
    kind          TEXT NOT NULL,
    contents      TEXT NOT NULL,            -- JSON: content hashes, in order; a hash twice where two files are the same
    keep          TEXT,                     -- the content hash that a merge kept
    undoes        TEXT,                     -- the uid of the row that this one undoes
    paths         TEXT NOT NULL,            -- JSON: the memes' paths at the time, for people to read
    note          TEXT NOT NULL,
    about         TEXT NOT NULL,            -- the issue about categories that it settles, or ''
    made_at       TEXT NOT NULL             -- ISO 8601, UTC
) STRICT;
CREATE INDEX verdicts_in_time ON verdicts (made_at, uid);
CREATE INDEX verdicts_of_tags ON verdicts (made_at, uid) WHERE kind IN ('tagged', 'untagged');
CREATE TRIGGER verdicts_are_not_changed BEFORE UPDATE ON verdicts
BEGIN
    SELECT RAISE(ABORT, 'a verdict is never changed');
END;
CREATE TRIGGER verdicts_are_not_removed BEFORE DELETE ON verdicts
BEGIN
    SELECT RAISE(ABORT, 'a verdict is never removed');
END;

-- The journal of operations on the library's files: a row is on the disk before the first file is touched.
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

-- Readings of a removed meme that were copied to the one that stays, so that an undo tells them from its own.
CREATE TABLE inherited_texts (
    operation     TEXT NOT NULL REFERENCES operations (uid),
    content_hash  TEXT NOT NULL,
    kind          TEXT NOT NULL,
    source        TEXT NOT NULL,
    PRIMARY KEY (operation, content_hash, kind, source)
) STRICT, WITHOUT ROWID;

-- Uploads, from their arrival to the decision. Their bytes lie in the data folder under the content hash.
CREATE TABLE uploads (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    content_hash  TEXT NOT NULL,
    name          TEXT NOT NULL,            -- the file's name as it came, for people to read
    suffix        TEXT NOT NULL,            -- of the type that its content has: '.png'
    size          INTEGER NOT NULL,
    received_by   TEXT NOT NULL,            -- 'page', 'api', 'command'
    received_at   TEXT NOT NULL,            -- ISO 8601, UTC
    state         TEXT NOT NULL CHECK (state IN
                  ('waiting', 'examined', 'failed', 'accepting', 'accepted', 'undoing', 'discarded')),
    findings      TEXT,                     -- JSON: what examining it found; NULL before
    reason        TEXT NOT NULL DEFAULT '', -- why it could not be examined
    hint          TEXT NOT NULL DEFAULT '',
    category      TEXT,                     -- where it was accepted
    path          TEXT,                     -- relative to the library
    note          TEXT NOT NULL DEFAULT '', -- why it was added although it looked like a duplicate
    verdict       TEXT,                     -- the uid of its row in the ledger, and of its operation
    meme_id       INTEGER,                  -- once it is in the library
    decided_at    TEXT,
    unindexed     INTEGER NOT NULL DEFAULT 0 CHECK (unindexed IN (0, 1))  -- 1: the index has still to learn of it
) STRICT;
CREATE UNIQUE INDEX uploads_once ON uploads (content_hash)
    WHERE state IN ('waiting', 'examined', 'failed', 'accepting', 'undoing');
CREATE INDEX uploads_by_state ON uploads (state, id);
CREATE INDEX uploads_unindexed ON uploads (id) WHERE unindexed = 1;

-- Many decisions that were taken at once: carried out one by one, undone together.
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

-- One row: rises whenever something that the index is built from changes.
CREATE TABLE revision (
    only          INTEGER PRIMARY KEY CHECK (only = 1),
    number        INTEGER NOT NULL
) STRICT;
INSERT INTO revision VALUES (1, 0);
