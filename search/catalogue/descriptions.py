"""Queries about models' descriptions: which memes have none, and which descriptions have no sidecar."""

from __future__ import annotations

from search.catalogue.database import Database
from search.catalogue.memes import meme_rows
from search.meme import Meme, TextKind

# By any source when :source is NULL. A sidecar of one copy of a file counts for all copies.
_DESCRIBED = """(
    EXISTS (SELECT 1 FROM readings
            WHERE readings.content_hash = memes.content_hash AND kind = :kind AND (:source IS NULL OR source = :source))
    OR EXISTS (SELECT 1 FROM sidecars JOIN memes AS copies ON copies.id = meme_id
               WHERE copies.content_hash = memes.content_hash AND copies.vanished_at IS NULL
                 AND kind = :kind AND (:source IS NULL OR source = :source))
)"""


def work_label(source: str, kind: TextKind) -> str:
    """Return the label of a model's texts of a kind: of its sidecars, and the `source` of its leases and failures."""
    return f"{source}.{kind}"


class Descriptions:
    """Texts that models wrote about pictures; the source of a text is its model."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def missing(self, kind: TextKind, source: str, *, by_any_source: bool = False) -> list[Meme]:
        """Return one present meme per content without a source's text of a kind, newest first.

        With `by_any_source`, only memes without a text of this kind by any source. Memes that cannot be decoded and
        memes on which this source failed permanently are excluded.
        """
        return meme_rows(
            self._database,
            f"""
            WHERE vanished_at IS NULL AND NOT {_DESCRIBED}
              AND NOT EXISTS (SELECT 1 FROM failures WHERE failures.content_hash = memes.content_hash
                              AND (stage = 'media' OR stage = 'describe' AND source = :label AND NOT transient))
            GROUP BY memes.content_hash ORDER BY first_seen DESC, memes.id DESC
            """,
            {"kind": kind, "source": None if by_any_source else source, "label": work_label(source, kind)},
        )

    def is_missing(self, content_hash: str, kind: TextKind, source: str, *, by_any_source: bool = False) -> bool:
        """Return whether a present content has no text of a kind by a source, or with `by_any_source` by any."""
        return bool(
            self._database.number(
                f"SELECT COUNT(*) FROM memes WHERE content_hash = :hash AND vanished_at IS NULL AND NOT {_DESCRIBED}",
                {"hash": content_hash, "kind": kind, "source": None if by_any_source else source},
            )
        )

    def unwritten(self, kind: TextKind, source: str) -> list[tuple[Meme, str]]:
        """Return the present memes with a text that Memetica made and no sidecar of that source, newest first."""
        memes = meme_rows(
            self._database,
            """
            WHERE vanished_at IS NULL
              AND EXISTS (SELECT 1 FROM readings
                          WHERE content_hash = memes.content_hash AND kind = :kind AND source = :source)
              AND NOT EXISTS (SELECT 1 FROM sidecars WHERE meme_id = memes.id AND kind = :kind AND source = :source)
            ORDER BY first_seen DESC, memes.id DESC
            """,
            {"kind": kind, "source": source},
        )
        bodies = {
            row["content_hash"]: row["body"]
            for row in self._database.rows(
                "SELECT content_hash, body FROM readings WHERE kind = :kind AND source = :source",
                {"kind": kind, "source": source},
            )
        }
        return [(meme, bodies[meme.content_hash]) for meme in memes]
