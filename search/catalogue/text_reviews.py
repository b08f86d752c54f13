"""The curator's reviews of texts about memes. Rows are only added; the last review of a text counts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum

from search.catalogue.database import Database, text_hash
from search.meme import Text, TextKind


class TextReview(StrEnum):
    """The curator's review of a text; `OPEN` withdraws an earlier one."""

    RIGHT = "right"
    WRONG = "wrong"
    OPEN = "open"


class TextReviews:
    """Reviews by the content that the reviewed text is about."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, content_hash: str, text: Text, verdict: TextReview) -> None:
        """Store a review and remove the weights of this content's passages, so that they are computed again."""
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
        """Return the last review of each text about a content, by kind, source and hash of the text."""
        rows = self._database.rows(
            "SELECT kind, source, body_hash, verdict FROM text_reviews WHERE content_hash = :hash ORDER BY id",
            {"hash": content_hash},
        )
        return {(TextKind(row["kind"]), row["source"], row["body_hash"]): TextReview(row["verdict"]) for row in rows}
