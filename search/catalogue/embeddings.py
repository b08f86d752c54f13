"""Embeddings, stored as float16 by encoder and hash of the input."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from search.catalogue.database import Database
from search.catalogue.memes import meme_rows
from search.errors import IndexUnusable
from search.meme import Field, Meme


class Embeddings:
    """Embeddings by encoder and input hash."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def register(self, encoder: str, *, dimensions: int) -> None:
        """Register an encoder; raise IndexUnusable when its name was used with other dimensions."""
        self._database.write(
            "INSERT OR IGNORE INTO encoders VALUES (:encoder, :dimensions)",
            {"encoder": encoder, "dimensions": dimensions},
        )
        stored = self.dimensions(encoder)
        if stored != dimensions:
            raise IndexUnusable(
                f"The catalogue has embeddings by {encoder} with {stored} dimensions; this model makes {dimensions}.",
                hint="Give the other model another name, or choose another data folder.",
            )

    def dimensions(self, encoder: str) -> int:
        """Return the dimensions of an encoder's embeddings; 0 for an unknown encoder."""
        return self._database.number("SELECT dimensions FROM encoders WHERE name = :encoder", {"encoder": encoder})

    def encoders(self) -> list[str]:
        """Return the names of the encoders that have embeddings here, the one registered last first."""
        return [row["name"] for row in self._database.rows("SELECT name FROM encoders ORDER BY rowid DESC", {})]

    def missing_passages(self, encoder: str, *, page: int = 16_384) -> Iterator[list[tuple[str, str]]]:
        """Yield (input hash, body) of present memes' passages that this encoder has not embedded, page by page.

        Each page has each hash once; what was embedded since the page before is not in it.
        """
        after = 0
        while True:
            rows = self._database.rows(
                """
                SELECT passages.id, input_hash, body FROM passages JOIN memes ON memes.id = meme_id
                WHERE passages.id > :after AND vanished_at IS NULL
                  AND NOT EXISTS (SELECT 1 FROM embeddings
                                  WHERE embeddings.encoder = :encoder AND embeddings.input_hash = passages.input_hash)
                ORDER BY passages.id LIMIT :page
                """,
                {"encoder": encoder, "after": after, "page": page},
            )
            if not rows:
                return
            yield list({row["input_hash"]: row["body"] for row in rows}.items())
            after = rows[-1]["id"]

    def count_missing_passages(self, encoder: str) -> int:
        """Return the number of distinct passages of present memes that this encoder has not embedded."""
        return self._database.number(
            """
            SELECT COUNT(DISTINCT input_hash) FROM passages JOIN memes ON memes.id = meme_id
            WHERE vanished_at IS NULL
              AND NOT EXISTS (SELECT 1 FROM embeddings
                              WHERE embeddings.encoder = :encoder AND embeddings.input_hash = passages.input_hash)
            """,
            {"encoder": encoder},
        )

    def count_passages(self) -> int:
        """Return the number of distinct passages of present memes."""
        return self._database.number(
            "SELECT COUNT(DISTINCT input_hash) FROM passages JOIN memes ON memes.id = meme_id WHERE vanished_at IS NULL"
        )

    def put(self, encoder: str, inputs: Sequence[str], vectors: NDArray[np.float32]) -> None:
        """Store the embeddings ([n, d] float32) of n inputs by their hashes."""
        rows = np.asarray(vectors).astype("<f2")
        with self._database.transaction():
            self._database.write_many(
                "INSERT OR REPLACE INTO embeddings (encoder, input_hash, vector) VALUES (:encoder, :input, :vector)",
                [
                    {"encoder": encoder, "input": input, "vector": row.tobytes()}
                    for input, row in zip(inputs, rows, strict=True)
                ],
            )
            self._database.touch()

    def put_unread(self, encoder: str, inputs: Sequence[str]) -> None:
        """Store that an encoder cannot read these inputs: they are not missing, and have no embedding."""
        with self._database.transaction():
            self._database.write_many(
                "INSERT OR REPLACE INTO embeddings (encoder, input_hash, vector) VALUES (:encoder, :input, X'')",
                [{"encoder": encoder, "input": input} for input in inputs],
            )
            self._database.touch()

    def of_field(
        self, encoder: str, field: Field, *, least_weight: float = 0.0, share: float = 1.0
    ) -> tuple[NDArray[np.int64], NDArray[np.float16]]:
        """Return the meme ids ([n] int64, ascending) and the embeddings ([n, d] float16) of a field's passages.

        Passages below `least_weight` are excluded. With a `share` below 1, the passages are those of about this share
        of all memes, always the same ones.
        """
        parameters: dict[str, object] = {"encoder": encoder, "field": field, "least": least_weight}
        where = _OF_FIELD
        if share < 1:
            where += _SAMPLED
            parameters["sampled"] = int(share * _SCATTERED)
        most = self._database.number(f"SELECT COUNT(*) {_PASSAGES} {where}", parameters)
        query = f"SELECT meme_id, vector {_PASSAGES} {_EMBEDDED} {where} ORDER BY meme_id, passages.id"
        return self._stream(query, parameters, most=most)

    def count_stored_passages(self) -> int:
        """Return the number of stored passages, embedded or not, those of vanished memes included."""
        return self._database.number("SELECT COUNT(*) FROM passages")

    def sample_of_field(self, encoder: str, field: Field, *, limit: int) -> NDArray[np.float32]:
        """Return the embeddings ([n, d] float32) of a field's first passages, at most `limit`, one of each meme."""
        # In this order, so that it ends with the limit: SQLite would read all of the encoder's rows first.
        rows = self._database.rows(
            """
            SELECT vector FROM passages INDEXED BY passages_by_meme
            CROSS JOIN embeddings ON embeddings.input_hash = passages.input_hash AND encoder = :encoder
            WHERE field = :field AND length(vector) > 0 GROUP BY meme_id ORDER BY meme_id LIMIT :limit
            """,
            {"encoder": encoder, "field": field, "limit": limit},
        )
        found = [np.frombuffer(row["vector"], "<f2").astype(np.float32) for row in rows]
        return np.stack(found) if found else np.empty((0, self.dimensions(encoder)), np.float32)

    def missing_pictures(self, encoder: str, *, content_hash: str | None = None) -> list[Meme]:
        """Return one decoded meme per content that this encoder has neither embedded nor failed on, newest first.

        `content_hash` limits the query to one content.
        """
        return meme_rows(
            self._database,
            """
            WHERE vanished_at IS NULL AND pictures.decoded_by IS NOT NULL
              AND NOT EXISTS (SELECT 1 FROM embeddings WHERE embeddings.encoder = :encoder
                                AND embeddings.input_hash = memes.content_hash || ':00')
              AND NOT EXISTS (SELECT 1 FROM failures WHERE stage = 'pictures' AND failures.source = :encoder
                                AND failures.content_hash = memes.content_hash)
              AND (:content_hash IS NULL OR memes.content_hash = :content_hash)
            GROUP BY memes.content_hash ORDER BY first_seen DESC, memes.id DESC
            """,
            {"encoder": encoder, "content_hash": content_hash},
        )

    def count_pictures(self, encoder: str) -> int:
        """Return the number of present memes whose pictures this encoder has embedded."""
        return self._database.number(
            """
            SELECT COUNT(*) FROM memes WHERE vanished_at IS NULL
              AND EXISTS (SELECT 1 FROM embeddings WHERE embeddings.encoder = :encoder
                            AND embeddings.input_hash = memes.content_hash || ':00')
            """,
            {"encoder": encoder},
        )

    def put_picture(self, encoder: str, content_hash: str, vectors: NDArray[np.float32]) -> None:
        """Store the embeddings ([frames, d] float32) of a content's frames."""
        self.put(encoder, [f"{content_hash}:{frame:02}" for frame in range(len(vectors))], vectors)

    def of_pictures(self, encoder: str) -> tuple[NDArray[np.int64], NDArray[np.float16]]:
        """Return the meme ids ([n] int64, ascending) and the embeddings ([n, d] float16) of present memes' frames."""
        parameters = {"encoder": encoder}
        most = self._database.number(f"SELECT COUNT(*) {_PICTURES}", parameters)
        query = f"SELECT memes.id, vector {_PICTURES} ORDER BY memes.id, input_hash"
        return self._stream(query, parameters, most=most)

    def of_picture(self, encoder: str, content_hash: str) -> NDArray[np.float32]:
        """Return the embeddings ([frames, d] float32) of a content's frames; no rows when it is not embedded."""
        rows = self._database.rows(
            """
            SELECT vector FROM embeddings
            WHERE encoder = :encoder AND input_hash BETWEEN :content_hash || ':' AND :content_hash || ':~'
            ORDER BY input_hash
            """,
            {"encoder": encoder, "content_hash": content_hash},
        )
        found = [np.frombuffer(row["vector"], "<f2").astype(np.float32) for row in rows]
        return np.stack(found) if found else np.empty((0, self.dimensions(encoder)), np.float32)

    def get(self, encoder: str, inputs: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        """Return, by input hash, the embeddings ([d] float32) of these inputs, without missing and unreadable ones."""
        found = {}
        for start in range(0, len(inputs), _CHUNK):
            rows = self._database.rows(
                """
                SELECT input_hash, vector FROM embeddings
                WHERE encoder = :encoder AND input_hash IN (SELECT value FROM json_each(:inputs))
                  AND length(vector) > 0
                """,
                {"encoder": encoder, "inputs": json.dumps(inputs[start : start + _CHUNK])},
            )
            found.update({row["input_hash"]: np.frombuffer(row["vector"], "<f2").astype(np.float32) for row in rows})
        return found

    def _stream(
        self, query: str, parameters: Mapping[str, object], *, most: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float16]]:
        """Return the meme ids and the embeddings of a query's rows, `most` at the most, without a list of the rows."""
        owners = np.empty(most, np.int64)
        vectors = np.empty((most, self.dimensions(str(parameters["encoder"]))), np.float16)
        count = 0
        # Another process may have added rows since they were counted: the next build has them.
        limited = self._database.stream(f"{query} LIMIT :most", {**parameters, "most": most})
        for count, (id, vector) in enumerate(limited, 1):
            owners[count - 1] = id
            vectors[count - 1] = np.frombuffer(vector, "<f2")
        return owners[:count], vectors[:count]


_CHUNK = 1000  # inputs per query

# In this order: SQLite would read all the encoder's rows first, and look for the passage of each, ten times as long.
_PASSAGES = "FROM passages INDEXED BY passages_by_meme"
_EMBEDDED = """
    CROSS JOIN memes ON memes.id = meme_id AND vanished_at IS NULL
    CROSS JOIN embeddings
        ON embeddings.input_hash = passages.input_hash AND encoder = :encoder AND length(vector) > 0
"""
_OF_FIELD = "WHERE field = :field AND COALESCE(weight, 1) >= :least"

# Knuth's multiplicative hash of the id: memes that came one after the other are often alike, a sample should not be.
_SCATTERED = 1 << 32
_SAMPLED = f" AND meme_id * 2654435761 % {_SCATTERED} < :sampled"

_PICTURES = """
    FROM memes
    JOIN embeddings ON encoder = :encoder
      AND input_hash BETWEEN memes.content_hash || ':' AND memes.content_hash || ':~'
    WHERE vanished_at IS NULL
"""
