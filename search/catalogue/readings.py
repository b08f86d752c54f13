"""Readings: texts about contents that Memetica made itself, by OCR or by a model."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from search.catalogue.database import Database, text_hash
from search.catalogue.memes import meme_rows
from search.meme import Meme, TextKind

# A meme's texts have changed, so its passages must be split again and the index rebuilt.
STALE = "UPDATE memes SET chunker = NULL WHERE "

_HAS_OCR = """(
    EXISTS (SELECT 1 FROM sidecars WHERE sidecars.meme_id = memes.id AND sidecars.kind = 'ocr') OR
    EXISTS (SELECT 1 FROM readings WHERE readings.content_hash = memes.content_hash AND readings.kind = 'ocr')
)"""


@dataclass(frozen=True)
class ReadingRecord:
    """A text about a content, read by an OCR engine or written by a model.

    `boxes` is, for each line of OCR, `[text, confidence, [[x, y] × 4]]` in shares of the picture's width and height.
    """

    content_hash: str
    kind: TextKind
    source: str
    body: str
    quality: float | None = None
    boxes: Sequence[object] | None = None


class Readings:
    """What OCR engines read and models wrote about contents, each by its source."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, reading: ReadingRecord) -> None:
        """Store a reading in place of an earlier one of the same source."""
        values = asdict(reading) | {
            "boxes": None if reading.boxes is None else json.dumps(reading.boxes),
            "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        with self._database.transaction():
            self._database.write(
                """
                INSERT OR REPLACE INTO readings (content_hash, kind, source, body, quality, boxes, made_at)
                VALUES (:content_hash, :kind, :source, :body, :quality, :boxes, :made_at)
                """,
                values,
            )
            self._database.write(STALE + "content_hash = :content_hash", values)
            self._database.touch()

    def remove(self, content_hash: str, kind: TextKind, source: str) -> None:
        """Remove the reading of a source, if there is one."""
        values = {"content_hash": content_hash, "kind": kind, "source": source}
        with self._database.transaction():
            self._database.write(
                "DELETE FROM readings WHERE content_hash = :content_hash AND kind = :kind AND source = :source", values
            )
            self._database.write(STALE + "content_hash = :content_hash", values)
            self._database.touch()

    def get(self, content_hash: str, kind: TextKind, source: str) -> ReadingRecord | None:
        """Return what a source read or wrote about a content, or None."""
        row = self._database.row(
            """
            SELECT body, quality, boxes FROM readings
            WHERE content_hash = :hash AND kind = :kind AND source = :source
            """,
            {"hash": content_hash, "kind": kind, "source": source},
        )
        if row is None:
            return None
        boxes = None if row["boxes"] is None else json.loads(row["boxes"])
        return ReadingRecord(content_hash, kind, source, row["body"], row["quality"], boxes)

    def ocr(self, content_hash: str) -> list[ReadingRecord]:
        """Return the OCR readings of a content, best quality first."""
        rows = self._database.rows(
            """
            SELECT source, body, quality, boxes FROM readings WHERE content_hash = :hash AND kind = 'ocr'
            ORDER BY quality DESC, source
            """,
            {"hash": content_hash},
        )
        return [
            ReadingRecord(
                content_hash,
                TextKind.OCR,
                row["source"],
                row["body"],
                row["quality"],
                None if row["boxes"] is None else json.loads(row["boxes"]),
            )
            for row in rows
        ]

    def put_quality(self, content_hash: str, source: str, quality: float) -> None:
        """Store the quality (0 to 1) of an engine's reading of a content."""
        self._database.write(
            "UPDATE readings SET quality = :quality WHERE content_hash = :hash AND kind = 'ocr' AND source = :source",
            {"hash": content_hash, "source": source, "quality": quality},
        )

    def badly_read(self, least: float) -> list[tuple[Meme, ReadingRecord]]:
        """Return one present meme per content whose best OCR reading is below a quality, with the reading, worst first.

        Pictures without any recognized text and texts that the curator has reviewed are excluded.
        """
        found = []
        for meme in meme_rows(
            self._database,
            """
            WHERE vanished_at IS NULL
              AND (SELECT MAX(quality) FROM readings WHERE readings.content_hash = memes.content_hash
                   AND kind = 'ocr' AND body != '') < :least
            GROUP BY memes.content_hash ORDER BY memes.id
            """,
            {"least": least},
        ):
            best = next(reading for reading in self.ocr(meme.content_hash) if reading.body)
            review = self._database.row(
                """
                SELECT verdict FROM text_reviews WHERE content_hash = :hash AND kind = 'ocr' AND source = :source
                AND body_hash = :body ORDER BY id DESC LIMIT 1
                """,
                {"hash": meme.content_hash, "source": best.source, "body": text_hash(best.body)},
            )
            if review is None or review["verdict"] == "open":
                found.append((meme, best))
        return sorted(found, key=lambda item: (item[1].quality or 0.0, item[0].id))

    def without_ocr(self, source: str, *, again: bool = False, content_hash: str | None = None) -> list[Meme]:
        """Return one present, decoded meme for each content that has no OCR text by any source, newest first.

        With `again`, memes that have OCR sidecars or readings of other sources are returned too. Memes on which this
        source failed are excluded; failures of other sources do not matter. `content_hash` limits the query to one
        content.
        """
        has_other = "FALSE" if again else _HAS_OCR
        return meme_rows(
            self._database,
            f"""
            WHERE vanished_at IS NULL AND pictures.content_hash IS NOT NULL AND NOT ({has_other})
              AND NOT EXISTS (SELECT 1 FROM readings WHERE readings.content_hash = memes.content_hash
                              AND readings.kind = 'ocr' AND readings.source = :source)
              AND NOT EXISTS (SELECT 1 FROM failures WHERE stage = 'ocr' AND failures.content_hash = memes.content_hash
                              AND failures.source IN ('', :source))
              AND (:content_hash IS NULL OR memes.content_hash = :content_hash)
            GROUP BY memes.content_hash ORDER BY first_seen DESC, memes.id DESC
            """,
            {"source": source, "content_hash": content_hash},
        )

    def count_with_ocr(self) -> int:
        """Return the number of present memes with an OCR text, empty ones included."""
        return self._database.number(f"SELECT COUNT(*) FROM memes WHERE vanished_at IS NULL AND {_HAS_OCR}")
