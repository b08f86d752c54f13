-- What the curator says of a text: only ever added to, and the last word counts. By content and by the text itself, so
-- that it outlives renames and a new index, and a text that is written anew is judged anew.
CREATE TABLE judgements (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    content_hash  TEXT NOT NULL,
    kind          TEXT NOT NULL,
    source        TEXT NOT NULL,
    body_hash     TEXT NOT NULL,            -- SHA-256 of the text, hexadecimal
    verdict       TEXT NOT NULL CHECK (verdict IN ('right', 'wrong', 'open')),
    made_at       TEXT NOT NULL             -- ISO 8601, UTC
) STRICT;
CREATE INDEX judgements_by_content ON judgements (content_hash);

-- How much a passage counts in search, 0 to 1; NULL until its meme's texts have been weighed against each other.
ALTER TABLE passages ADD COLUMN weight REAL;
CREATE INDEX passages_unweighed ON passages (meme_id) WHERE weight IS NULL;
