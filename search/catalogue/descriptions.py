"""Descriptions: memes without one, and descriptions without a sidecar."""

from __future__ import annotations

from search.catalogue.database import Database
from search.catalogue.memes import meme_rows
from search.meme import Meme, TextKind

# By anybody where no source is given. A text beside one copy of a file is a text about all of its copies.
_DESCRIBED = """(
    EXISTS (SELECT 1 FROM readings
            WHERE readings.content_hash = memes.content_hash AND kind = :kind AND (:source IS NULL OR source = :source))
    OR EXISTS (SELECT 1 FROM sidecars JOIN memes AS copies ON copies.id = meme_id
               WHERE copies.content_hash = memes.content_hash AND copies.vanished_at IS NULL
                 AND kind = :kind AND (:source IS NULL OR source = :source))
)"""


def work_label(source: str, kind: TextKind) -> str:
    """Return the source of leases and failures of a model's texts of a kind: the label of its sidecars."""
    return f"{source}.{kind}"


class Descriptions:
    """Texts that models wrote about pictures; the source of a text is its model."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def missing(self, kind: TextKind, source: str, *, by_anybody: bool = False) -> list[Meme]:
        """Return one present meme per content without a source's text of a kind, newest first.

        With `by_anybody`, those that lack a text of this kind altogether. What cannot be decoded is left out, and what
        failed with this source otherwise than by chance.
        """
        return meme_rows(
            self._database,
            f"""
            WHERE vanished_at IS NULL AND NOT {_DESCRIBED}
              AND NOT EXISTS (SELECT 1 FROM failures WHERE failures.content_hash = memes.content_hash
                              AND (stage = 'media' OR stage = 'describe' AND source = :label AND NOT transient))
            GROUP BY memes.content_hash ORDER BY first_seen DESC, memes.id DESC
            """,
            {"kind": kind, "source": None if by_anybody else source, "label": work_label(source, kind)},
        )

    def is_missing(self, content_hash: str, kind: TextKind, source: str, *, by_anybody: bool = False) -> bool:
        """Return whether a present content has no text of a kind by a source, or by any source."""
        return bool(
            self._database.number(
                f"SELECT COUNT(*) FROM memes WHERE content_hash = :hash AND vanished_at IS NULL AND NOT {_DESCRIBED}",
                {"hash": content_hash, "kind": kind, "source": None if by_anybody else source},
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
