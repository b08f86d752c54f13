"""Write tables into files: Parquet, CSV or JSON Lines, each file whole or not at all."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from indexer.export.tables import COLUMNS, ColumnType, Row, TableName, table_rows, time_text
from search.errors import WrongUse
from search.system.atomic_write import atomic_file
from search.system.distribution import require_extra
from search.workspace import Workspace

BATCH_ROWS = 5_000  # of a Parquet file, held in memory at a time


class FileFormat(StrEnum):
    """A format of tables; its value is the ending of the files."""

    PARQUET = "parquet"
    CSV = "csv"
    JSON_LINES = "jsonl"


@dataclass(frozen=True)
class WrittenFile:
    """A file of an export: what it holds, its path and its number of rows."""

    holds: str
    path: Path
    rows: int


def export_tables(
    workspace: Workspace,
    target: Path,
    format: FileFormat,
    *,
    tables: Sequence[TableName] = tuple(TableName),
    overwrite: bool = False,
) -> list[WrittenFile]:
    """Write tables as one catalogue has them at one moment, and return the files.

    `target` is a folder, made when it is missing, that gets a file for each table; or, where it ends as files of the
    format do, the one file of one table. Lists are JSON texts in CSV, times are ISO 8601 in UTC in CSV and JSON.
    Raises WrongUse when a file exists without `overwrite`, or several tables are asked for in one file;
    ModelUnavailable for Parquet without pyarrow; DataFolderError when a file cannot be written. Nothing is left half
    written.

    >>> from indexer.export import FileFormat, TableName, export_tables
    >>> [written] = export_tables(workspace, folder / "memes.csv", FileFormat.CSV, tables=[TableName.MEMES])
    >>> written.rows, written.path.read_text("utf-8").splitlines()[1][:25]
    (9, '1,Cats/keyboard cat.jpg,C')
    """
    files = _files(target, format, tables)
    write = _writer(format)
    if not overwrite:
        refuse_existing(files.values())
    found = []
    with workspace.catalogue.snapshot():
        for table, path in files.items():
            with atomic_file(path, durable=False) as out:
                rows = write(out, COLUMNS[table], table_rows(workspace, table))
            found.append(WrittenFile(table.value, path, rows))
    return found


def write_table(workspace: Workspace, out: BinaryIO, format: FileFormat, table: TableName) -> int:
    """Write one table to an open binary file, such as stdout, and return its number of rows."""
    with workspace.catalogue.snapshot():
        return _writer(format)(out, COLUMNS[table], table_rows(workspace, table))


def refuse_existing(paths: Iterable[Path]) -> None:
    """Raise WrongUse when one of these files exists."""
    existing = next((path for path in paths if path.exists()), None)
    if existing is not None:
        raise WrongUse(
            f"{existing} exists already, so nothing was written.", hint="Name another place, or add `--replace`."
        )


def _files(target: Path, format: FileFormat, tables: Sequence[TableName]) -> dict[TableName, Path]:
    if target.suffix.lower() == f".{format.value}" and not target.is_dir():
        if len(tables) != 1:
            raise WrongUse(
                f"{target} is one file; {len(tables)} tables are asked for.",
                hint="Choose one table with `--table`, or name a folder.",
            )
        return {tables[0]: target}
    if target.exists() and not target.is_dir():
        raise WrongUse(
            f"{target} is a file that does not end in .{format.value}.", hint=f"Name a folder, or x.{format.value}."
        )
    return {table: target / f"{table.value}.{format.value}" for table in tables}


Write = Callable[[BinaryIO, Mapping[str, ColumnType], Iterator[Row]], int]


def _writer(format: FileFormat) -> Write:
    if format is FileFormat.PARQUET:
        require_extra("parquet", ["pyarrow"], purpose="Parquet files")
        return _write_parquet
    return _write_csv if format is FileFormat.CSV else _write_json_lines


def _write_json_lines(out: BinaryIO, columns: Mapping[str, ColumnType], rows: Iterator[Row]) -> int:
    count = 0
    for row in rows:
        out.write(json.dumps(row, ensure_ascii=False, default=_plain).encode() + b"\n")
        count += 1
    return count


def _plain(value: object) -> str:
    assert isinstance(value, datetime), value
    return time_text(value)


def _write_csv(out: BinaryIO, columns: Mapping[str, ColumnType], rows: Iterator[Row]) -> int:
    text = io.TextIOWrapper(out, "utf-8", newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    count = 0
    for row in rows:
        writer.writerow([_cell(row[name], kind) for name, kind in columns.items()])
        count += 1
    text.flush()
    text.detach()  # the file stays open: it is the caller's
    return count


def _cell(value: Any, kind: ColumnType) -> str | int | float:
    if value is None:
        return ""
    if kind is ColumnType.BOOLEAN:
        return "true" if value else "false"
    if kind is ColumnType.TIME:
        return time_text(value)
    return json.dumps(value, ensure_ascii=False) if kind is ColumnType.TEXTS else value


def _write_parquet(out: BinaryIO, columns: Mapping[str, ColumnType], rows: Iterator[Row]) -> int:
    import pyarrow as pa
    from pyarrow import parquet

    types = {
        ColumnType.TEXT: pa.string(),
        ColumnType.INTEGER: pa.int64(),
        ColumnType.NUMBER: pa.float64(),
        ColumnType.BOOLEAN: pa.bool_(),
        ColumnType.TIME: pa.timestamp("us", tz="UTC"),
        ColumnType.TEXTS: pa.list_(pa.string()),
    }
    schema = pa.schema([(name, types[kind]) for name, kind in columns.items()])
    count = 0
    with parquet.ParquetWriter(out, schema, compression="zstd") as writer:
        while batch := list(islice(rows, BATCH_ROWS)):
            writer.write_table(pa.Table.from_pylist(batch, schema=schema))
            count += len(batch)
    return count
