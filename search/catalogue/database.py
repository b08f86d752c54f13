"""Connections to the catalogue's file: opening, migrating, transactions, and SQLite's errors as sentences.

Every error of SQLite about the file becomes a DataFolderError here, whichever table was read or written.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sqlite3
import threading
import weakref
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from search.catalogue import schema
from search.catalogue.copies import DAMAGE_HINT, catalogue_copies, keep_copy
from search.catalogue.replacement import finish_replacement
from search.errors import DataFolderError, NotFound

BUSY_SECONDS = 30
_SHARED_MEMORY = 100_000  # bytes: a little more than SQLite needs beside a file to open it
_NO_ROOM = ("disk I/O error", "readonly database", "unable to open")  # on a full disk, for want of room
# What SQLite says about a file that is damaged, or was one of another program.
_DAMAGE = ("malformed", "not a database", "no such table", "no such column", "unsupported file format", "corrupt")
Parameters = Mapping[str, Any]


class _ThreadConnection:
    """A connection that is closed when its thread ends: only the thread's local storage refers to it."""

    def __init__(self, connection: sqlite3.Connection, inode: int) -> None:
        self.connection = connection
        self.inode = inode
        self.close = weakref.finalize(self, connection.close)


class Database:
    """One SQLite file in WAL mode, with one connection per living thread.

    A catalogue of an earlier version is migrated only with `migrate`, after it was copied.
    """

    def __init__(self, path: Path, *, create: bool = True, migrate: bool = False, inspect: bool = False) -> None:
        """Open a catalogue; with `inspect`, nothing is written, created or finished, and writing fails."""
        self.path = path
        self._inspect = inspect
        self._local = threading.local()
        self._open: weakref.WeakSet[_ThreadConnection] = weakref.WeakSet()
        self._lock = threading.Lock()
        self._watch: _ThreadConnection | None = None  # it never writes, so it sees the writes of every thread
        self._watches = 0
        if not inspect:
            finish_replacement(path.parent)
        if not path.exists():
            self._refuse_to_start_anew()
            if not create:
                inner = path.parent / "data"  # a demo's folder has its data folder below it
                known = (inner / path.name).exists()
                hint = f"There is one in {inner}." if known else "Run `memetica index MEMES` to create one."
                raise DataFolderError(f"There is no catalogue in {path.parent}.", hint=hint)
            self._make_folder()
        elif not path.stat().st_size:
            self._refuse_to_start_anew()
        self.read_only = not (os.access(path.parent, os.W_OK) and (not path.exists() or os.access(path, os.W_OK)))
        self._prepare(migrate=migrate)

    def _refuse_to_start_anew(self) -> None:
        """Raise DataFolderError where a catalogue was and is no more: a new one would hide that."""
        state = "is empty" if self.path.exists() else "is missing"
        if catalogue_copies(self.path.parent):
            raise DataFolderError(
                f"The catalogue {self.path} {state}, and there are copies of it.",
                hint="`memetica restore --list` lists them, `memetica restore` takes one back. To start anew, move "
                f"{self.path.parent} away.",
            )
        if self.path.exists() and (self.path.parent / "index" / "CURRENT").exists():
            raise DataFolderError(
                f"The catalogue {self.path} is empty, although the index was built from one.",
                hint=f"`memetica restore FILE` takes a backup back. To start anew, move {self.path.parent} away.",
            )

    def _make_folder(self) -> None:
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            # SQLite would give the file, and its log, the permissions of the umask.
            with suppress(PermissionError):  # told below
                os.close(os.open(self.path, os.O_WRONLY | os.O_CREAT, 0o600))
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
        if held is not None and not held.connection.in_transaction and self._inode() not in (held.inode, 0):
            held.close()  # the file was replaced: a damaged catalogue was restored
            held = None
        if held is None:
            inode = self._inode()
            connection = self._connect()
            held = _ThreadConnection(connection, inode or self._inode())
            self._local.held = held
            with self._lock:
                self._open.add(held)
        return held.connection

    def _inode(self) -> int:
        """Return the number of the catalogue's file, 0 without one."""
        try:
            return self.path.stat().st_ino
        except OSError:
            return 0

    def _connect(self) -> sqlite3.Connection:
        try:
            return self._connected()
        except sqlite3.Error as error:
            if not self._disk_is_full():
                raise DataFolderError(
                    f"The catalogue {self.path} cannot be opened: {error}.", hint=DAMAGE_HINT
                ) from error
            log = Path(f"{self.path}-wal")
            if not self.path.exists() or (log.exists() and log.stat().st_size):
                raise self._full() from error
        # SQLite has no room for the memory that processes share: without a log to read, the file can be read alone.
        self.read_only = True
        return self._connected()

    def _connected(self) -> sqlite3.Connection:
        # SQLite opens a WAL file in a read-only folder only if `immutable` promises that no process writes it.
        mode = "mode=ro&immutable=1" if self.read_only else "mode=ro" if self._inspect else "mode=rwc"
        uri = f"{self.path.absolute().as_uri()}?{mode}"
        connection = sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        connection.row_factory = sqlite3.Row
        if not (self.read_only or self._inspect):
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA foreign_keys = ON")
        return connection

    def _disk_is_full(self) -> bool:
        try:
            return shutil.disk_usage(self.path.parent).free < _SHARED_MEMORY
        except OSError:
            return False

    def _full(self) -> DataFolderError:
        return DataFolderError(
            f"The disk that holds {self.path.parent} is full; earlier results are kept.",
            hint="Free some space and run the same command again.",
        )

    def _prepare(self, *, migrate: bool) -> None:
        """Create the schema in a new file, migrate an earlier version; raise DataFolderError for any other."""
        folder, newest = self.path.parent, schema.newest_version()
        try:
            version = self._version()
            tables = {row["name"] for row in self.rows("SELECT name FROM sqlite_master WHERE type = 'table'")}
        except DataFolderError as error:
            raise DataFolderError(error.message, hint=DAMAGE_HINT) from error
        if tables and not tables >= schema.TABLES:
            raise DataFolderError(
                f"{self.path} is not a catalogue: it is the database of another program, or damaged.", hint=DAMAGE_HINT
            )
        if version > newest:
            raise DataFolderError(
                f"The catalogue in {folder} was made by a newer Memetica: it has version {version}, "
                f"this Memetica reads version {newest}.",
                hint="Update Memetica, or choose another folder with `--data`.",
            )
        if version < schema.FIRST_VERSION and tables:
            raise DataFolderError(
                f"The catalogue in {folder} was made by a version of Memetica from before the first release "
                f"(catalogue version {version}) and cannot be read.",
                hint=f"Move {folder} away and run `memetica index` again. To keep your decisions, run "
                "`memetica verdicts --export FILE` with the old version and `memetica verdict import FILE` with this "
                "one. Merged files stay in the old folder's trash and waiting uploads in its inbox; first restore or "
                "accept those that you need with the old version.",
            )
        if version == newest and tables:
            return
        if self._inspect and not tables:
            raise DataFolderError(f"The catalogue {self.path} is empty.", hint=DAMAGE_HINT)
        if tables and not migrate:
            raise DataFolderError(
                f"The catalogue in {folder} was made by an earlier Memetica: it has version {version}, this Memetica "
                f"reads version {newest}.",
                hint="Run `memetica index`: it copies the catalogue to `backups`, then brings it up to date.",
            )
        if self.read_only:
            raise DataFolderError(
                f"The catalogue in {folder} {'has to be brought up to date' if tables else 'does not exist yet'}, and "
                "the folder cannot be written.",
                hint="Make it writable and run `memetica index`.",
            )
        if tables:
            keep_copy(folder, f"before-version-{newest}")
        with self.transaction():
            current = self._version()
            if current == 0:  # unless another process has created it meanwhile
                schema.create_schema(self.connection())
            elif current < newest:
                schema.migrate_schema(self.connection())

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
                with suppress(sqlite3.Error):  # of a damaged file: the first error says more
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
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")

    @contextmanager
    def _errors_told(self) -> Iterator[None]:
        """Turn SQLite's errors about the file into DataFolderError; mistakes of the caller are raised as they are."""
        try:
            yield
        except OverflowError:  # SQLite's integers have 64 bits
            raise NotFound("There is nothing with so large a number.") from None
        except (sqlite3.ProgrammingError, sqlite3.IntegrityError):
            raise
        except sqlite3.DatabaseError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: sqlite3.Error) -> DataFolderError:
        if any(sign in str(error) for sign in _DAMAGE):
            return DataFolderError(f"The catalogue {self.path} is damaged: {error}.", hint=DAMAGE_HINT)
        if "full" in str(error) or (any(sign in str(error) for sign in _NO_ROOM) and self._disk_is_full()):
            return self._full()
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
        with self._errors_told():
            return self.connection().execute(sql, parameters or {}).fetchall()

    def row(self, sql: str, parameters: Parameters | None = None) -> sqlite3.Row | None:
        """Return the first row of a query, or None; raise NotFound for a number that no row can have."""
        with self._errors_told():
            found: sqlite3.Row | None = self.connection().execute(sql, parameters or {}).fetchone()
            return found

    def stream(self, sql: str, parameters: Parameters | None = None) -> Iterator[sqlite3.Row]:
        """Yield the rows of a query without holding them all in memory."""
        with self._errors_told():
            yield from self.connection().execute(sql, parameters or {})

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

    def state(self) -> tuple[int, int, int]:
        """Return a value that is another one whenever the file was changed since this thread last asked."""
        connection = self.connection()
        # SQLite's number counts what other connections have committed; it costs 5 µs.
        return id(connection), self.number("PRAGMA data_version"), connection.total_changes

    def changes(self) -> tuple[int, int]:
        """Return a value that is another one whenever any thread or process has changed the file since."""
        with self._lock:
            if self._watch is None or self._inode() not in (self._watch.inode, 0):
                if self._watch is not None:
                    self._watch.close()
                inode = self._inode()
                self._watch = _ThreadConnection(self._connect(), inode or self._inode())
                self._open.add(self._watch)
                self._watches += 1
            with self._errors_told():
                version: int = self._watch.connection.execute("PRAGMA data_version").fetchone()[0]
            return self._watches, version

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
            self._watch = None
        self._local = threading.local()


def text_hash(body: str) -> str:
    """Return the hexadecimal SHA-256 of a text."""
    return hashlib.sha256(body.encode("utf-8")).hexdigest()


# Letters that an encoder of Latin letters may not read. Their texts have other keys than in the first versions, which
# embedded them whole: such embeddings are made again, all others stay.
_BEYOND_LATIN = re.compile(
    "[\u0370-\u1dff\u1f00-\u1fff\u2c00-\u2c5f\u2c80-\ua71f\ua800-\uab2f\uab70-\ud7ff\uf900-\uff20"
    "\uff3b-\uff40\uff5b-\U0010ffff]"
)


def input_hash(body: str) -> str:
    """Return the key of a passage's embedding.

    >>> from search.catalogue.database import input_hash
    >>> input_hash("a cat") == text_hash("a cat"), input_hash("кот") == text_hash("кот")
    (True, False)
    """
    return text_hash(f"readable part\n{body}" if _BEYOND_LATIN.search(body) else body)
