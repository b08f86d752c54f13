-- Contents that were compared, each pair once, the lower hash first; what was found outlives renames and a new index.
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

-- Contents that were compared with all that may be like them at the time; what comes later asks for itself.
CREATE TABLE searched (
    content_hash  TEXT NOT NULL,
    version       TEXT NOT NULL,
    PRIMARY KEY (content_hash, version)
) STRICT, WITHOUT ROWID;
