"""Connections to the catalogue's file: opening, schema, transactions."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import threading
import weakref
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Any

from search.errors import DataFolderError, NotFound

BUSY_SECONDS = 30
VERSION = 10  # of schema.sql; 1 to 9 were made before the first release
Parameters = Mapping[str, Any]


class _ThreadConnection:
    """A connection that is closed when its thread ends: only the thread's local storage refers to it."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self.close = weakref.finalize(self, connection.close)


class Database:
    """One SQLite file in WAL mode, with one connection per living thread."""

    def __init__(self, path: Path, *, create: bool = True) -> None:
        self.path = path
        self._local = threading.local()
        self._open: weakref.WeakSet[_ThreadConnection] = weakref.WeakSet()
        self._lock = threading.Lock()
        if not path.exists():
            if not create:
                raise DataFolderError(
                    f"There is no catalogue in {path.parent}.", hint="Run `memetica index MEMES` to create one."
                )
            self._make_folder()
        self.read_only = not (os.access(path.parent, os.W_OK) and (not path.exists() or os.access(path, os.W_OK)))
        self._prepare()

    def _make_folder(self) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DataFolderError(
                f"The data folder {self.path.parent} cannot be created: {error.strerror}.",
                hint="Choose another with `--data` or MEMETICA_DATA.",
            ) from error
        if not os.access(self.path.parent, os.W_OK):
            raise DataFolderError(
                f"The data folder {self.path.parent} cannot be written.",
                hint="Choose another with `--data` or MEMETICA_DATA.",
            )

    def connection(self) -> sqlite3.Connection:
        """Return this thread's connection, opened at its first use and closed when the thread ends."""
        held: _ThreadConnection | None = getattr(self._local, "held", None)
        if held is None:
            held = _ThreadConnection(self._connect())
            self._local.held = held
            with self._lock:
                self._open.add(held)
        return held.connection

    def _connect(self) -> sqlite3.Connection:
        # SQLite opens a WAL file in a read-only folder only if `immutable` promises that no process writes it.
        mode = "mode=ro&immutable=1" if self.read_only else "mode=rwc"
        uri = f"{self.path.absolute().as_uri()}?{mode}"
        try:
            connection = sqlite3.connect(
                uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            connection.row_factory = sqlite3.Row
            if not self.read_only:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("PRAGMA foreign_keys = ON")
        except sqlite3.Error as error:
            raise DataFolderError(
                f"The catalogue {self.path} cannot be opened: {error}.",
                hint="If the file is damaged, move it away and run `memetica index` again.",
            ) from error
        return connection

    def _prepare(self) -> None:
        """Create the schema in a new file; raise DataFolderError for a file of another version."""
        folder = self.path.parent
        try:
            version, tables = self._version(), self.number("SELECT COUNT(*) FROM sqlite_master")
        except sqlite3.Error as error:
            raise DataFolderError(
                f"{self.path} is not a catalogue: {error}.", hint="Move it away and run `memetica index` again."
            ) from error
        if version > VERSION:
            raise DataFolderError(
                f"The catalogue in {folder} was made by a newer Memetica: it has version {version}, "
                f"this Memetica reads version {VERSION}.",
                hint="Update Memetica, or choose another folder with `--data`.",
            )
        if version < VERSION and tables:
            raise DataFolderError(
                f"The catalogue in {folder} was made by a version of Memetica from before the first release "
                f"(catalogue version {version}) and cannot be read.",
                hint=f"Move {folder} away and run `memetica index` again. To keep your decisions, run "
                "`memetica verdicts --export FILE` with the old version and `memetica verdict import FILE` with this "
                "one. Merged files stay in the old folder's trash and waiting uploads in its inbox; first restore or "
                "accept those that you need with the old version.",
            )
        if version == VERSION:
            return
        if self.read_only:
            raise DataFolderError(
                f"There is no catalogue in {folder} yet, and the folder cannot be written.",
                hint="Make it writable and run `memetica index MEMES`.",
            )
        with self.transaction():
            if self._version() == 0:  # unless another process has created it meanwhile
                script = (resources.files("search.catalogue") / "schema.sql").read_text("utf-8")
                for statement in _statements(script):
                    self.connection().execute(statement)
                self.connection().execute(f"PRAGMA user_version = {VERSION}")

    def _version(self) -> int:
        return self.number("PRAGMA user_version")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make this thread's writes happen together or not at all; nested uses join the outer one."""
        connection = self.connection()
        if connection.in_transaction:
            yield
            return
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            raise self._unwritable(error) from error
        try:
            yield
            connection.execute("COMMIT")
        except BaseException as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            if isinstance(error, sqlite3.Error):
                raise self._unwritable(error) from error
            raise

    @contextmanager
    def durable(self) -> Iterator[None]:
        """Run a transaction that is on the disk when it ends: a power failure afterwards cannot undo it."""
        connection = self.connection()
        if connection.in_transaction:
            raise RuntimeError("a durable transaction cannot be part of another")
        connection.execute("PRAGMA synchronous = FULL")
        try:
            with self.transaction():
                yield
        finally:
            connection.execute("PRAGMA synchronous = NORMAL")

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Let this thread read the file as it is at its first query, without later writes by others."""
        connection = self.connection()
        if connection.in_transaction:
            yield
            return
        connection.execute("BEGIN")
        try:
            yield
        finally:
            connection.execute("ROLLBACK")

    def _unwritable(self, error: sqlite3.Error) -> DataFolderError:
        if "full" in str(error):
            return DataFolderError(
                f"The disk that holds {self.path.parent} is full; earlier results are kept.",
                hint="Free some space and run the same command again.",
            )
        if "locked" in str(error):
            return DataFolderError(
                f"Another process has held {self.path} for more than {BUSY_SECONDS} seconds.",
                hint="Wait for it to end and try again.",
            )
        return DataFolderError(
            f"The catalogue {self.path} cannot be written: {error}.", hint="Check the data folder's permissions."
        )

    def rows(self, sql: str, parameters: Parameters | None = None) -> list[sqlite3.Row]:
        """Return every row of a query; raise NotFound for a number that no row can have."""
        return self._read(sql, parameters).fetchall()

    def row(self, sql: str, parameters: Parameters | None = None) -> sqlite3.Row | None:
        """Return the first row of a query, or None; raise NotFound for a number that no row can have."""
        found: sqlite3.Row | None = self._read(sql, parameters).fetchone()
        return found

    def stream(self, sql: str, parameters: Parameters | None = None) -> Iterator[sqlite3.Row]:
        """Yield the rows of a query without holding them all in memory."""
        yield from self._read(sql, parameters)

    def _read(self, sql: str, parameters: Parameters | None) -> sqlite3.Cursor:
        try:
            return self.connection().execute(sql, parameters or {})
        except OverflowError:  # SQLite's integers have 64 bits
            raise NotFound("There is nothing with so large a number.") from None

    def number(self, sql: str, parameters: Parameters | None = None) -> int:
        """Return the first value of a query as a number; 0 without a row."""
        found = self.row(sql, parameters)
        return 0 if found is None or found[0] is None else int(found[0])

    def write(self, sql: str, parameters: Parameters | None = None) -> sqlite3.Cursor:
        """Execute one statement, in the surrounding transaction or one of its own."""
        with self.transaction():
            return self.connection().execute(sql, parameters or {})

    def write_many(self, sql: str, many: Iterable[Parameters]) -> None:
        """Execute one statement for each set of parameters, all or none."""
        with self.transaction():
            self.connection().executemany(sql, many)

    def revision(self) -> int:
        """Return the catalogue's revision."""
        return self.number("SELECT number FROM revision")

    def touch(self) -> None:
        """Increase the revision, because something that the index is built from has changed."""
        if not getattr(self._local, "separately_indexed", False):
            self.write("UPDATE revision SET number = number + 1")

    @contextmanager
    def separately_indexed(self) -> Iterator[None]:
        """Let this thread's writes leave the revision as it is, because the index is updated for each of them."""
        outer = getattr(self._local, "separately_indexed", False)
        self._local.separately_indexed = True
        try:
            yield
        finally:
            self._local.separately_indexed = outer

    def close(self) -> None:
        """Close the connections of all threads."""
        with self._lock:
            for held in list(self._open):
                held.close()
        self._local = threading.local()


def _statements(script: str) -> Iterator[str]:
    """Yield a script's statements one by one, because `executescript` would end the transaction."""
    gathered = ""
    for line in script.splitlines(keepends=True):
        gathered += line
        if sqlite3.complete_statement(gathered):
            yield gathered
            gathered = ""


def text_hash(body: str) -> str:
    """Return the hexadecimal SHA-256 of a text: the key of its embedding."""
    return hashlib.sha256(body.encode("utf-8")).hexdigest()
