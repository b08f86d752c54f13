"""`memetica export`: tables and vectors for other programs."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from indexer.export.files import FileFormat, WrittenFile, export_tables, write_table
from indexer.export.tables import TableName
from indexer.export.vectors import export_vectors
from search.errors import WrongUse
from web.cli.command import Command, Session

_PATH = click.Path(path_type=Path)
STDOUT = Path("-")


@click.command(
    cls=Command,
    examples=(
        "memetica export --parquet exported --vectors exported/vectors",
        "memetica export --csv texts.csv --table texts",
        "memetica export --jsonl - --table memes",
    ),
)
@click.option("--parquet", type=_PATH, metavar="PLACE", help="Write Parquet files (needs the extra `parquet`).")
@click.option("--csv", type=_PATH, metavar="PLACE", help="Write CSV files.")
@click.option("--jsonl", type=_PATH, metavar="PLACE", help="Write JSON Lines files.")
@click.option("--vectors", type=_PATH, metavar="FOLDER", help="Write the embeddings by field as NumPy files.")
@click.option(
    "--table",
    "tables",
    multiple=True,
    type=click.Choice([one.value for one in TableName]),
    help="Write this table only; may be given several times.",
)
@click.option("--replace", "overwrite", is_flag=True, help="Replace files that exist.")
def export(
    session: Session,
    parquet: Path | None,
    csv: Path | None,
    jsonl: Path | None,
    vectors: Path | None,
    tables: tuple[str, ...],
    overwrite: bool,
) -> None:
    """Write memes, texts, duplicates and verdicts as tables, and embeddings.

    PLACE is a folder for a file of each table; or a file such as memes.csv for one table, by default that of the memes;
    or, of CSV and JSON Lines, `-` for stdout. Existing files are not touched without --replace.
    """
    places = [
        (format, place)
        for format, place in (
            (FileFormat.PARQUET, parquet),
            (FileFormat.CSV, csv),
            (FileFormat.JSON_LINES, jsonl),
        )
        if place is not None
    ]
    if not places and vectors is None:
        raise WrongUse(
            "There is nothing to export.", hint="Say where to: memetica export --csv FOLDER, --parquet, --jsonl, …"
        )
    if [place for _, place in places].count(STDOUT) > 1 or (parquet == STDOUT):
        raise WrongUse("Only one table, as CSV or JSON Lines, can be written to stdout.")
    chosen = [TableName(one) for one in dict.fromkeys(tables)]
    written: list[WrittenFile] = []
    with session.workspace() as workspace:
        for format, place in places:
            one_file = place == STDOUT or place.suffix.lower() == f".{format.value}"
            wanted = chosen or ([TableName.MEMES] if one_file else list(TableName))
            if place == STDOUT:
                if len(wanted) > 1:
                    raise WrongUse("One table fits on stdout.", hint="Name it with one `--table`.")
                write_table(workspace, sys.stdout.buffer, format, wanted[0])
            else:
                written += export_tables(workspace, place, format, tables=wanted, overwrite=overwrite)
        if vectors is not None:
            written += export_vectors(workspace, vectors, overwrite=overwrite)
    for one in written:
        if session.terminal.as_json and STDOUT not in (csv, jsonl):
            session.terminal.row({"holds": one.holds, "path": str(one.path), "rows": one.rows})
        else:
            session.terminal.say(f"{one.path}: {one.rows:,} rows")
