"""Read a folder whose pictures a CSV file is about."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from indexer.imports.export_files import MISSING, own_files, unused_files
from indexer.imports.records import SOURCES, TAGS, Found, ImportedMeme, NotImported, parsed_time, texts_of
from search.errors import WrongUse

_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "file": ("file", "path", "filename", "image", "picture"),
    "category": ("category", "folder", "album", "collection"),
    "name": ("name", "title"),
    "date": ("date", "first_seen", "first seen", "created", "created_at", "time"),
    "tags": ("tags", "keywords"),
    "description": ("description", "caption", "alt", "alt text"),
    "text": ("text", "ocr"),
    "source": ("source", "url", "link"),
}


def read_table(folder: Path) -> Iterator[Found]:
    """Yield what a folder with one CSV file holds: its first line names the columns, `file` what a row is about.

    Raises WrongUse for a table that cannot be read to its end.
    """
    tables = [file for file in own_files(folder) if file.suffix.lower() in (".csv", ".tsv")]
    if len(tables) != 1:
        raise WrongUse(
            f"There are {len(tables)} CSV files in {folder}; one is needed.",
            hint="Its columns: file, category, name, …",
        )
    [table] = tables
    used = {table}
    try:
        text = table.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise WrongUse(f"{table} cannot be read: {error}.", hint="Save it as UTF-8.") from error
    csv.field_size_limit(max(csv.field_size_limit(), len(text)))  # a text may be long
    # Only line feeds end lines: `str.splitlines` would also break a text at U+2028 and others.
    rows = csv.DictReader(io.StringIO(text), delimiter=_delimiter(text.partition("\n")[0]), strict=True)
    headers = _columns_of(rows.fieldnames or ())
    if "file" not in headers:
        raise WrongUse(f"{table} has no column `file`.", hint="Its first line must name the columns.")
    for name in (name for name in rows.fieldnames or () if name not in headers.values()):
        key = _key_of(name)
        reason = f"Column {headers[key]} is taken." if key else f"It is none of {', '.join(_COLUMNS)}."
        yield NotImported(f"column {name}", reason)
    files = {file.relative_to(folder).as_posix(): file for file in own_files(folder)}
    for row in _rows_of(rows, table):
        line = rows.line_num - sum(str(cell).count("\n") for cell in row.values())  # on which the row begins
        cells = {key: (row.get(name) or "").strip() for key, name in headers.items()}
        relative = cells["file"].replace("\\", "/")
        if not relative or ".." in Path(relative).parts or Path(relative).is_absolute():
            yield NotImported(f"line {line} ({relative[:60]})", "It names no file of this folder.")
            continue
        file = files.get(Path(relative).as_posix())
        if file is None:
            yield NotImported(f"line {line} ({relative[:60]})", MISSING)
            continue
        used.add(file)
        date = cells.get("date", "")
        if date and parsed_time(date) is None:
            yield NotImported(f"line {line}, date {date!r}", "It is not written as 2024-03-01; the file's own is kept.")
        inner = Path(relative).parts[:-1]
        yield ImportedMeme(
            file,
            cells.get("category") or (inner[0] if inner else "Imported"),
            cells.get("name") or file.stem,
            parsed_time(date),
            texts_of(
                **{
                    TAGS: cells.get("tags", ""),
                    SOURCES: cells.get("source", ""),
                    "csv.simple_description": cells.get("description", ""),
                    "": cells.get("text", ""),
                }
            ),
        )
    yield from unused_files(folder, used)


def _delimiter(first_line: str) -> str:
    """Return what separates the columns that a table's first line names: a comma, a semicolon or a tab.

    The csv module's Sniffer is not asked: it cannot tell that quotation marks within a text are doubled, from names.
    """
    counts = {one: len(next(csv.reader([first_line], delimiter=one), [])) for one in ",;\t"}
    return max(counts, key=lambda one: counts[one])  # of a single column, a comma


def _rows_of(rows: csv.DictReader[str], table: Path) -> Iterator[dict[str, str]]:
    """Yield the rows of a table; raise WrongUse where a quotation mark is not closed: it would swallow what follows."""
    try:
        yield from rows
    except csv.Error as error:
        raise WrongUse(
            f"{table} cannot be read as far as its line {rows.line_num}: {error}.",
            hint="Look for a quotation mark that is not closed; one within a text is written twice.",
        ) from error


def _columns_of(names: Sequence[str]) -> dict[str, str]:
    """Return the column that holds each thing; of several, the one whose name comes first in _COLUMNS."""
    found: dict[str, str] = {}
    for key, known in _COLUMNS.items():
        own = [name for name in names if _key_of(name) == key]
        if own:
            found[key] = min(own, key=lambda name: known.index(name.strip().lower()))
    return found


def _key_of(column: str) -> str:
    """Return what a column of a table holds, empty for an unknown one."""
    return next((key for key, names in _COLUMNS.items() if column.strip().lower() in names), "")
