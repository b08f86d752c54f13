"""The tables of an export: the columns of each with their types, and its rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from indexer.curation.duplicates import propose
from search.catalogue.ledger import verdict_row
from search.evidence import Tier
from search.workspace import Workspace

Row = dict[str, Any]


class TableName(StrEnum):
    """What can be exported as a table."""

    MEMES = "memes"
    TEXTS = "texts"
    DUPLICATES = "duplicates"
    VERDICTS = "verdicts"


class ColumnType(StrEnum):
    """The type of a column; every value may be missing."""

    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    TIME = "time"  # aware, UTC
    TEXTS = "texts"  # a list of texts


COLUMNS: Mapping[TableName, Mapping[str, ColumnType]] = {
    TableName.MEMES: {
        "id": ColumnType.INTEGER,
        "path": ColumnType.TEXT,
        "category": ColumnType.TEXT,
        "content_hash": ColumnType.TEXT,
        "type": ColumnType.TEXT,
        "first_seen": ColumnType.TIME,
        "size": ColumnType.INTEGER,
        "width": ColumnType.INTEGER,
        "height": ColumnType.INTEGER,
        "frames": ColumnType.INTEGER,
        "seconds": ColumnType.NUMBER,
        "content_type": ColumnType.TEXT,
        "codec": ColumnType.TEXT,
        "transparent": ColumnType.BOOLEAN,
        "share_decoded": ColumnType.NUMBER,
        "damage": ColumnType.TEXT,
        "tags": ColumnType.TEXTS,
    },
    TableName.TEXTS: {
        "meme": ColumnType.INTEGER,
        "path": ColumnType.TEXT,
        "kind": ColumnType.TEXT,
        "source": ColumnType.TEXT,
        "body": ColumnType.TEXT,
        "sidecar": ColumnType.TEXT,
        "made_at": ColumnType.TIME,
    },
    TableName.DUPLICATES: {
        "group": ColumnType.TEXT,
        "tier": ColumnType.TEXT,
        "meme": ColumnType.INTEGER,
        "path": ColumnType.TEXT,
        "keep": ColumnType.BOOLEAN,
        "reason": ColumnType.TEXT,
        "evidence": ColumnType.TEXT,
    },
    TableName.VERDICTS: {
        "id": ColumnType.TEXT,
        "verdict": ColumnType.TEXT,
        "at": ColumnType.TIME,
        "contents": ColumnType.TEXTS,
        "paths": ColumnType.TEXTS,
        "keep": ColumnType.TEXT,
        "undoes": ColumnType.TEXT,
        "note": ColumnType.TEXT,
        "about": ColumnType.TEXT,
    },
}


def table_rows(workspace: Workspace, table: TableName) -> Iterator[Row]:
    """Yield the rows of a table, each with a value for every column of `COLUMNS`; None where one is missing.

    `memes` and `texts` are about present memes, by id. `duplicates` has a row for each member of each undecided group,
    of every tier; `keep` is None in tiers that are not duplicates. `verdicts` is the ledger, by time.

    >>> from indexer.export import TableName, table_rows
    >>> first = next(table_rows(workspace, TableName.MEMES))
    >>> first["path"], first["width"], first["first_seen"].year
    ('Cats/keyboard cat.jpg', 130, 2024)
    """
    return _ROWS[table](workspace)


def _memes(workspace: Workspace) -> Iterator[Row]:
    for meme in workspace.catalogue.memes.everything():
        values = {name: getattr(meme, name) for name in COLUMNS[TableName.MEMES] if name != "tags"}
        yield values | {"type": meme.type.value, "tags": workspace.catalogue.tags.of(meme.content_hash)}


def _texts(workspace: Workspace) -> Iterator[Row]:
    for meme in workspace.catalogue.memes.everything():
        for text in workspace.catalogue.texts.of(meme):
            yield {
                "meme": meme.id,
                "path": meme.path,
                "kind": text.kind.value,
                "source": text.source,
                "body": text.body,
                "sidecar": text.sidecar,
                "made_at": text.made_at,
            }


def _duplicates(workspace: Workspace) -> Iterator[Row]:
    for proposal in propose(workspace, tiers=tuple(Tier)):
        decides = proposal.group.tier.is_duplicate
        for member in proposal.group.members:
            yield {
                "group": proposal.key,
                "tier": (member.tier or proposal.group.tier).value,
                "meme": member.meme.id,
                "path": member.meme.path,
                "keep": member.meme == proposal.kept if decides else None,
                "reason": proposal.reason if decides and member.meme == proposal.kept else None,
                "evidence": None if member.evidence is None else member.evidence.in_words(),
            }


def _verdicts(workspace: Workspace) -> Iterator[Row]:
    for verdict in workspace.catalogue.verdicts.all():
        row = verdict_row(verdict)
        yield {name: row[name] for name in COLUMNS[TableName.VERDICTS]} | {"at": verdict.made_at}


_ROWS: Mapping[TableName, Callable[[Workspace], Iterator[Row]]] = {
    TableName.MEMES: _memes,
    TableName.TEXTS: _texts,
    TableName.DUPLICATES: _duplicates,
    TableName.VERDICTS: _verdicts,
}


def time_text(time: datetime) -> str:
    """Return a time as ISO 8601 in UTC, with `Z`, as the HTTP API writes it."""
    return time.isoformat().replace("+00:00", "Z")
