-- Memes whose texts contradicted each other when they were last weighed, so that nobody has to hear them all to find these.
CREATE TABLE disputed (
    meme_id  INTEGER PRIMARY KEY REFERENCES memes (id) ON DELETE CASCADE
) STRICT;

-- What was weighed before this was kept is weighed once more.
UPDATE passages SET weight = NULL;
