"""Texts of a removed meme that were copied to the meme that it was merged into."""

from __future__ import annotations

from collections.abc import Collection

from search.catalogue.database import Database


class InheritedTexts:
    """Copies of stored readings by operation, so that an undo removes exactly the copies that it made."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def copy(self, operation: str, *, kept: str, removed: Collection[str]) -> None:
        """Copy models' texts about the removed contents to the kept content without replacing any of its texts."""
        for content in sorted(removed):
            rows = self._database.rows(
                """
                SELECT kind, source, body, quality, made_at FROM readings AS removed_texts
                WHERE content_hash = :content AND kind != 'ocr' AND :content != :kept AND NOT EXISTS (
                    SELECT 1 FROM readings
                    WHERE content_hash = :kept AND kind = removed_texts.kind AND body = removed_texts.body)
                ORDER BY kind, source
                """,
                {"content": content, "kept": kept},
            )
            for row in rows:
                values = dict(row) | {"kept": kept, "operation": operation}
                values["source"] = self._free_source(values)
                self._database.write(
                    """
                    INSERT INTO readings (content_hash, kind, source, body, quality, boxes, made_at)
                    VALUES (:kept, :kind, :source, :body, :quality, NULL, :made_at)
                    """,
                    values,
                )
                self._database.write("INSERT INTO inherited_texts VALUES (:operation, :kept, :kind, :source)", values)
        self._make_stale(kept)

    def remove(self, operation: str) -> None:
        """Remove the copies that an operation made."""
        values = {"operation": operation}
        contents = self._database.rows(
            "SELECT DISTINCT content_hash FROM inherited_texts WHERE operation = :operation", values
        )
        self._database.write(
            """
            DELETE FROM readings WHERE (content_hash, kind, source) IN (
                SELECT content_hash, kind, source FROM inherited_texts WHERE operation = :operation)
            """,
            values,
        )
        self._database.write("DELETE FROM inherited_texts WHERE operation = :operation", values)
        for row in contents:
            self._make_stale(row["content_hash"])

    def _free_source(self, values: dict[str, str]) -> str:
        """Return the source's name, numbered when the kept meme has a text of that source and kind already."""
        name, number = values["source"], 1
        while self._database.row(
            "SELECT 1 FROM readings WHERE content_hash = :kept AND kind = :kind AND source = :name",
            values | {"name": name},
        ):
            number += 1
            name = f"{values['source']}.{number}"
        return name

    def _make_stale(self, content: str) -> None:
        self._database.write("UPDATE memes SET chunker = NULL WHERE content_hash = :content", {"content": content})
        self._database.touch()
