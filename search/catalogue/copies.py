"""Copies of the catalogue by SQLite's backup API, made while other processes use it, and checks of a catalogue's file.

The automatic copies lie in `backups/` of the data folder: one a day, and one before each migration and each restore.
Nine tenths of a catalogue are computed from the library's files (58 kB a meme; 6 kB without); daily copies and backups
leave that out, and a restore takes it from the catalogue that is in place.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from search.catalogue.schema import FIRST_VERSION, TABLES, newest_version
from search.errors import DataFolderError
from search.system.atomic_write import sync_folder

FILE = "catalogue.sqlite"
FOLDER = "backups"
DAILY = "daily"  # the reason of the copy of a day
DAILY_KEPT = 7
OTHERS_KEPT = 3  # of the copies before migrations, of those before restores, and of what restores set aside
# What a restore sets aside in `backups/` besides copies, by kind: a damaged catalogue, settings, a password. The names
# of a kind differ by the time alone, and so sort by age.
_ASIDE = ("damaged-*.sqlite*.bad*", "20??-??-??T??????-settings.json", "20??-??-??T??????-curator.json")
MOST_PROBLEMS = 20  # that SQLite's check lists
# What `memetica index` and `memetica duplicates find` compute from the files, by content.
COMPUTED = ("pictures", "fingerprints", "embeddings", "pairs", "compared_contents")
_STRIP = (
    "DELETE FROM leases",
    # Uploads are compared by theirs, and are not decoded again.
    "DELETE FROM fingerprints WHERE content_hash NOT IN (SELECT content_hash FROM uploads)",
    *(f"DELETE FROM {table}" for table in COMPUTED if table != "fingerprints"),
)


@dataclass(frozen=True)
class CatalogueCopy:
    """An automatic copy: why and when it was made (`daily`, `before-version-11`, `before-restore`), and its size."""

    path: Path
    reason: str
    made_at: datetime  # aware, UTC; of a daily copy the beginning of its day
    size: int  # bytes

    @property
    def name(self) -> str:
        """The name that `memetica restore` takes."""
        return self.path.stem

    @property
    def is_daily(self) -> bool:
        """Whether it is the copy of a day, whose hour is not known."""
        return self.reason == DAILY


def open_to_read(file: Path, *, immutable: bool | None = None) -> sqlite3.Connection:
    """Return a connection that cannot write; in a folder that cannot be written, the file is taken for unchanging."""
    return sqlite3.connect(uri_to_read(file, immutable=immutable), uri=True, timeout=30)


def uri_to_read(file: Path, *, immutable: bool | None = None) -> str:
    """Return the URI by which SQLite opens a file and cannot write; `immutable` is as in `open_to_read`.

    >>> uri_to_read(Path("/data/catalogue.sqlite"), immutable=True)
    'file:///data/catalogue.sqlite?mode=ro&immutable=1'
    """
    if immutable is None:
        immutable = not os.access(file.parent, os.W_OK)
    return f"{file.absolute().as_uri()}?mode=ro{'&immutable=1' if immutable else ''}"


def copy_catalogue(source: Path, target: Path, *, computed: bool = True) -> None:
    """Write a copy of a catalogue, whole or not at all, as one file; other processes may write to the catalogue.

    Without `computed`, the copy lacks what can be computed from the library's files again.

    Raises DataFolderError when the source is damaged or the target cannot be written.

    >>> copy_catalogue(workspace.data / "catalogue.sqlite", folder / "copy.sqlite")
    >>> problems_of(folder / "copy.sqlite")
    []
    """
    partial = target.with_name(f".{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        partial.unlink(missing_ok=True)
        os.close(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))  # as private as the catalogue
        with closing(open_to_read(source)) as original, closing(sqlite3.connect(partial)) as copy:
            original.backup(copy)
            if not computed:
                for statement in _STRIP:
                    copy.execute(statement)
                copy.commit()
            copy.execute("PRAGMA journal_mode = DELETE")  # one file, without a log beside it
            if not computed:
                copy.execute("VACUUM")
            found = copy.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise DataFolderError(f"{source} is damaged: {found}.", hint=DAMAGE_HINT)
        with partial.open("rb+") as written:
            os.fsync(written.fileno())
        partial.replace(target)
        sync_folder(target.parent)
    except sqlite3.Error as error:
        full = "full" in str(error) or "disk I/O" in str(error)
        raise DataFolderError(
            f"{target if full else source} cannot be {'written' if full else 'copied'}: {error}.",
            hint="Free some space and try again." if full else DAMAGE_HINT,
        ) from error
    except OSError as error:
        raise DataFolderError(
            f"{target} cannot be written: {error.strerror}.", hint="Free some space or check the folder's permissions."
        ) from error
    finally:
        for leftover in (partial, Path(f"{partial}-journal")):
            with suppress(OSError):
                leftover.unlink(missing_ok=True)


DAMAGE_HINT = "`memetica check` lists what is damaged; `memetica restore --list` lists the copies to go back to."


def keep_daily_copy(data: Path, *, now: datetime | None = None) -> Path | None:
    """Copy the catalogue of a data folder unless there is a copy of today; return the new copy, or None.

    The oldest copies beyond DAILY_KEPT are deleted. An empty catalogue is not copied. Raises DataFolderError when the
    catalogue is damaged, so that no damaged copy takes the place of a good one, or when the copy cannot be written.
    """
    now = now or datetime.now(UTC)
    target = data / FOLDER / f"{DAILY}-{now:%Y-%m-%d}.sqlite"
    source = data / FILE
    if target.exists() or not source.exists() or not os.access(data, os.W_OK):
        return None
    with closing(open_to_read(source)) as opened:
        try:
            used = opened.execute("SELECT EXISTS (SELECT 1 FROM memes) OR EXISTS (SELECT 1 FROM verdicts)").fetchone()
        except sqlite3.Error as error:
            raise DataFolderError(f"The catalogue {source} is damaged: {error}.", hint=DAMAGE_HINT) from error
    if not used[0]:
        return None
    copy_catalogue(source, target, computed=False)
    _remove_old(data)
    return target


def keep_copy(data: Path, reason: str, *, computed: bool = True, now: datetime | None = None) -> Path:
    """Copy the catalogue of a data folder before something is done to it; raise DataFolderError as `copy_catalogue`."""
    target = data / FOLDER / f"{reason}-{now or datetime.now(UTC):%Y-%m-%dT%H%M%S}.sqlite"
    copy_catalogue(data / FILE, target, computed=computed)
    _remove_old(data)
    return target


def catalogue_copies(data: Path) -> list[CatalogueCopy]:
    """Return the automatic copies of a data folder, the newest first.

    >>> _ = keep_daily_copy(workspace.data)
    >>> [copy.reason for copy in catalogue_copies(workspace.data)]
    ['daily']
    """
    found = []
    for file in (data / FOLDER).glob("*.sqlite"):
        reason, _, stamp = file.stem.rpartition("-20")
        with suppress(OSError, ValueError):
            form = "%Y-%m-%dT%H%M%S" if "T" in stamp else "%Y-%m-%d"
            made_at = datetime.strptime(f"20{stamp}", form).replace(tzinfo=UTC)
            found.append(CatalogueCopy(file, reason, made_at, file.stat().st_size))
    return sorted(found, key=lambda copy: (copy.made_at, copy.name), reverse=True)


def take_over_computed(target: Path, source: Path) -> bool:
    """Add to one catalogue what another has computed from files; return whether the other could be used.

    One that is damaged, or of another version, is not used. Raises DataFolderError when the disk is full.
    """
    if problems_of(source) or version_of(source) != version_of(target):
        return False
    try:
        _take_over(target, source)
    except sqlite3.Error as error:
        raise DataFolderError(
            f"{target} cannot be written: {error}.", hint="Free some space and run the same command again."
        ) from error
    return True


def _take_over(target: Path, source: Path) -> None:
    with closing(sqlite3.connect(target, isolation_level=None)) as opened:
        opened.execute("ATTACH :source AS other", {"source": str(source)})
        opened.execute("BEGIN")
        for table in ("encoders", *COMPUTED):
            opened.execute(f"INSERT OR IGNORE INTO main.{table} SELECT * FROM other.{table}")
        opened.execute("COMMIT")


def _remove_old(data: Path) -> None:
    copies = catalogue_copies(data)
    for daily, kept in ((True, DAILY_KEPT), (False, OTHERS_KEPT)):
        by_reason: dict[str, list[CatalogueCopy]] = {}
        for copy in copies:
            if copy.is_daily is daily:
                by_reason.setdefault(copy.reason.partition("-version")[0], []).append(copy)
        for old in (one for same in by_reason.values() for one in same[kept:]):
            with suppress(OSError):
                old.path.unlink()
    for kind in _ASIDE:
        by_time: dict[str, list[Path]] = {}
        for file in (data / FOLDER).glob(kind):
            by_time.setdefault(file.name.partition(".")[0], []).append(file)  # a catalogue and its log
        for time in sorted(by_time)[:-OTHERS_KEPT]:
            for file in by_time[time]:
                with suppress(OSError):
                    file.unlink()


def problems_of(file: Path) -> list[str]:
    """Return a sentence for each fault of a catalogue's file, by SQLite's own checks; [] for a sound one.

    >>> problems_of(workspace.data / "catalogue.sqlite")
    []
    """
    return list(_problems(file))


def _problems(file: Path) -> Iterator[str]:
    if not file.exists():
        yield "The catalogue is missing."
        return
    if not file.stat().st_size:
        yield "The catalogue is empty."
        return
    try:
        with closing(open_to_read(file)) as opened:
            tables = {row[0] for row in opened.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            if not tables >= TABLES:
                yield "The catalogue is the database of another program."
                return
            version = opened.execute("PRAGMA user_version").fetchone()[0]
            if not FIRST_VERSION <= version <= newest_version():
                yield f"The catalogue has version {version}; this Memetica reads {newest_version()}."
            for (found,) in opened.execute(f"PRAGMA integrity_check({MOST_PROBLEMS})"):
                if found != "ok":
                    yield f"The catalogue is damaged: {' '.join(str(found).split())}."
            for row in opened.execute("PRAGMA foreign_key_check").fetchmany(MOST_PROBLEMS):
                yield f"A row of {row[0]} refers to a row of {row[2]} that is missing."
    except sqlite3.Error as error:
        yield f"The catalogue is damaged: {error}."


def version_of(file: Path) -> int:
    """Return the schema version of a catalogue's file; raise DataFolderError when it cannot be read."""
    try:
        with closing(open_to_read(file)) as opened:
            return int(opened.execute("PRAGMA user_version").fetchone()[0])
    except sqlite3.Error as error:
        raise DataFolderError(f"{file} is not a catalogue: {error}.") from error
