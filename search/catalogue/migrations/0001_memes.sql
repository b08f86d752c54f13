-- The library's files. A vanished file is marked, not forgotten; its id is never reused.
CREATE TABLE memes (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    path          TEXT NOT NULL UNIQUE,
    category      TEXT NOT NULL,
    content_hash  TEXT NOT NULL,
    type          TEXT NOT NULL CHECK (type IN ('image', 'gif', 'video')),
    size          INTEGER NOT NULL,
    mtime_ns      INTEGER NOT NULL,
    first_seen    TEXT NOT NULL,            -- ISO 8601, UTC
    first_seen_is TEXT NOT NULL CHECK (first_seen_is IN ('sidecar', 'mtime')),
    split_by      TEXT,                     -- version of the splitter that made the passages; NULL when texts changed since
    vanished_at   TEXT
) STRICT;
CREATE INDEX memes_by_content ON memes (content_hash);
CREATE INDEX memes_by_first_seen ON memes (first_seen DESC, id DESC) WHERE vanished_at IS NULL;
CREATE INDEX memes_by_category ON memes (category, first_seen DESC, id DESC) WHERE vanished_at IS NULL;

-- What decoding found, by content, so that a renamed or copied file costs nothing.
CREATE TABLE pictures (
    content_hash  TEXT PRIMARY KEY,
    width         INTEGER NOT NULL,
    height        INTEGER NOT NULL,
    frames        INTEGER NOT NULL,
    seconds       REAL,
    type          TEXT NOT NULL CHECK (type IN ('image', 'gif', 'video')),
    placeholder   TEXT NOT NULL,
    decoded_by    TEXT NOT NULL
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

-- Texts that Memetica read or asked for, by content.
CREATE TABLE readings (
    content_hash  TEXT NOT NULL,
    kind          TEXT NOT NULL CHECK (kind IN ('ocr', 'simple-description', 'detailed-analysis', 'other')),
    source        TEXT NOT NULL,            -- the engine or the model, with its version where it matters
    body          TEXT NOT NULL,
    quality       REAL,                     -- 0 to 1, NULL when not judged
    boxes         TEXT,                     -- JSON: [[text, confidence, [[x, y] × 4 in shares of width and height]], …]
    made_at       TEXT NOT NULL,
    PRIMARY KEY (content_hash, kind, source)
) STRICT;

-- What encoders read: pieces of sidecars and readings, made again whenever those change.
CREATE TABLE passages (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    meme_id       INTEGER NOT NULL REFERENCES memes (id) ON DELETE CASCADE,
    field         TEXT NOT NULL,
    source        TEXT NOT NULL,
    heading       TEXT NOT NULL,
    body          TEXT NOT NULL,
    input_hash    TEXT NOT NULL             -- SHA-256 of the body, hexadecimal
) STRICT;
CREATE INDEX passages_by_meme ON passages (meme_id);
CREATE INDEX passages_by_input ON passages (input_hash);

CREATE TABLE encoders (
    name          TEXT PRIMARY KEY,
    dimensions    INTEGER NOT NULL CHECK (dimensions > 0)
) STRICT;

CREATE TABLE embeddings (
    encoder       TEXT NOT NULL REFERENCES encoders (name),
    input_hash    TEXT NOT NULL,            -- of a passage's body, or a picture's content_hash
    vector        BLOB NOT NULL,            -- little-endian float16, as many as the encoder's dimensions
    UNIQUE (encoder, input_hash)
) STRICT;

CREATE TABLE failures (
    stage         TEXT NOT NULL,
    subject       TEXT NOT NULL,            -- a path relative to the library, or a model's name
    content_hash  TEXT NOT NULL,            -- what failed; another content is tried anew
    reason        TEXT NOT NULL,
    hint          TEXT NOT NULL,
    failed_at     TEXT NOT NULL,
    attempts      INTEGER NOT NULL,
    PRIMARY KEY (stage, subject)
) STRICT;

-- One row: rises whenever something that the index is built from changes.
CREATE TABLE revision (
    only          INTEGER PRIMARY KEY CHECK (only = 1),
    number        INTEGER NOT NULL
) STRICT;
INSERT INTO revision VALUES (1, 0);
