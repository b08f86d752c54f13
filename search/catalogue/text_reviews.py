"""What the curator says of texts about memes: only ever added to, and the last word on a text counts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum

from search.catalogue.database import Database, text_hash
from search.meme import Text, TextKind


class TextReview(StrEnum):
    """What the curator says of a text; `OPEN` takes back what was said."""

    RIGHT = "right"
    WRONG = "wrong"
    OPEN = "open"


class TextReviews:
    """TextReviews of texts by the content that they are about, whoever wrote them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, content_hash: str, text: Text, verdict: TextReview) -> None:
        """Keep a judgement; the texts about this content are then to be weighed anew."""
        with self._database.transaction():
            self._database.write(
                """
                INSERT INTO text_reviews (content_hash, kind, source, body_hash, verdict, made_at)
                VALUES (:content_hash, :kind, :source, :body_hash, :verdict, :now)
                """,
                {
                    "content_hash": content_hash,
                    "kind": text.kind,
                    "source": text.source,
                    "body_hash": text_hash(text.body),
                    "verdict": verdict,
                    "now": datetime.now(UTC).isoformat(timespec="seconds"),
                },
            )
            self._database.write(
                """
                UPDATE passages SET weight = NULL
                WHERE meme_id IN (SELECT id FROM memes WHERE content_hash = :content_hash)
                """,
                {"content_hash": content_hash},
            )
            self._database.touch()

    def of(self, content_hash: str) -> Mapping[tuple[TextKind, str, str], TextReview]:
        """Return, by kind, source and hash of the text, what was said last of the texts about a content."""
        rows = self._database.rows(
            "SELECT kind, source, body_hash, verdict FROM text_reviews WHERE content_hash = :hash ORDER BY id",
            {"hash": content_hash},
        )
        return {(TextKind(row["kind"]), row["source"], row["body_hash"]): TextReview(row["verdict"]) for row in rows}
