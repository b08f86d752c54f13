"""The library that the campaign works on, and what must be the old or the new of it after a kill."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from indexer.upkeep.archive import verify
from search.errors import MemeticaError
from tests.support.curating import draw_duplicates
from tests.support.shapes import draw_shapes
from tests.support.tiny import draw_tiny_library
from web.curator.passwords import PasswordRecord, load_password, verify_password

OLD_PASSWORD, NEW_PASSWORD = "the old password", "the new password"
State = dict[str, object]


@dataclass(frozen=True)
class Folder:
    """A folder with a library (`memes`), a data folder (`data`) and what commands are given (`given`)."""

    path: Path

    @property
    def library(self) -> Path:
        return self.path / "memes"

    @property
    def data(self) -> Path:
        return self.path / "data"

    @property
    def given(self) -> Path:
        return self.path / "given"

    @property
    def places(self) -> tuple[str | Path, ...]:
        """The arguments that name the library and the data folder."""
        return ("--library", self.library, "--data", self.data)

    def draw(self, *, shapes: bool) -> None:
        """Draw the tiny library, copies and variants of some of its memes, and perhaps 60 memes of shapes."""
        draw_tiny_library(self.library)
        draw_duplicates(self.library)
        if shapes:
            draw_shapes(self.library)
        self.given.mkdir()

    def keep(self, at: Path) -> None:
        """Keep a copy of everything."""
        shutil.copytree(self.path, at, symlinks=True)

    def bring_back(self, kept: Path) -> None:
        """Make everything as it was kept; the paths, which the data folder knows, stay the same."""
        shutil.rmtree(self.path, ignore_errors=True)
        shutil.copytree(kept, self.path, symlinks=True)

    def rows(self, statement: str) -> list[tuple[object, ...]]:
        """Return the rows of a statement on the catalogue."""
        with closing(sqlite3.connect(self.data / "catalogue.sqlite", timeout=30)) as catalogue:
            return catalogue.execute(statement).fetchall()

    def row(self, statement: str) -> str:
        """Return the only value of a statement on the catalogue, as text."""
        [[value]] = self.rows(statement)
        return str(value)

    def problems(self) -> list[str]:
        """Return what SQLite finds wrong with the catalogue."""
        if not (self.data / "catalogue.sqlite").exists():
            return []
        integrity = [str(row[0]) for row in self.rows("PRAGMA integrity_check") if row[0] != "ok"]
        return integrity + [f"foreign key: {row}" for row in self.rows("PRAGMA foreign_key_check")]

    def unfinished(self) -> list[str]:
        """Return the journalled operations that are neither done nor undone, or that the index does not know."""
        if not (self.data / "catalogue.sqlite").exists():
            return []
        rows = self.rows("SELECT kind, state, unindexed FROM operations")
        return [f"{kind} {state}" for kind, state, unindexed in rows if state not in ("done", "undone") or unindexed]

    def contents(self) -> Counter[str]:
        """Return the SHA-256 of all files of the library, the trash and the inbox, with the number of each.

        Previews of uploads are drawn again when they are missing, and are left out.
        """
        found: Counter[str] = Counter()
        for folder in (self.library, self.data / "trash", self.data / "inbox"):
            found.update(
                hashlib.sha256(file.read_bytes()).hexdigest()
                for file in folder.rglob("*")
                if file.is_file() and (folder.name != "inbox" or file.suffix != ".webp")
            )
        return found

    def parts(self) -> list[str]:
        """Return the unfinished files in library and data folder."""
        return sorted(
            path.relative_to(self.path).as_posix()
            for folder in (self.library, self.data)
            for path in folder.rglob("*")
            if ".part" in path.name or path.name.startswith(("building-", "restoring-"))
        )

    def age_parts(self) -> None:
        """Make unfinished files two hours old: younger ones are left, as their process may still live."""
        then = time.time() - 7200
        for part in self.parts():
            os.utime(self.path / part, (then, then), follow_symlinks=False)

    def state(self) -> State:
        """Return what each command changes wholly or not at all, by name; None stands for what is not there."""
        state: State = {
            f"library/{file.relative_to(self.library).as_posix()}": hashlib.sha256(file.read_bytes()).hexdigest()
            for file in self.library.rglob("*")
            if file.is_file()
        }
        settings = self.data / "settings.json"
        if settings.exists():
            state |= {f"setting {name}": value for name, value in json.loads(settings.read_text("utf-8")).items()}
        record = load_password(self.data)
        for password in (OLD_PASSWORD, NEW_PASSWORD):
            state[f"password: {password}"] = record is not None and _is_password(record, password)
        sessions = self.data / "sessions.json"
        state["sessions"] = len(json.loads(sessions.read_text("utf-8"))) if sessions.exists() else 0
        state |= {f"backup {file.name}": _verified(file) for file in self.given.glob("*.zip")}
        if not (self.data / "catalogue.sqlite").exists():
            return state
        for table, columns in _ROWS.items():
            counted = Counter(map(repr, self.rows(f"SELECT {columns} FROM {table}")))
            state |= {f"{table}: {row}": count for row, count in counted.items()}
        return state


# Columns that are the same whenever and however often a command is run.
_ROWS = {
    "verdicts": "kind, contents, keep, paths, note, about, undoes IS NOT NULL",
    # An upload that waits to be examined is received as one that was: the next list or start of the site examines it.
    "uploads": "content_hash, name, replace(state, 'waiting', 'examined'), category, path, unindexed",
    "memes": "path, category, content_hash, first_seen, vanished_at IS NULL",
    "readings": "content_hash, kind, source, body",
    "sidecars": "path, kind, source, body",
}


@cache
def _is_password(record: PasswordRecord, password: str) -> bool:
    return verify_password(record, password)  # slow by design, and asked for several times in each case


def _verified(archive: Path) -> str:
    """Return "whole" when a backup can be restored, else why not."""
    try:
        verify(archive)
    except MemeticaError as error:
        return error.message
    return "whole"


def mixed(found: State, *, old: State, new: State) -> list[str]:
    """Return what is neither as before the command nor as after it."""
    return [
        f"{name} is {found.get(name)!r}, neither {old.get(name)!r} nor {new.get(name)!r}"
        for name in sorted({*found, *old, *new})
        if found.get(name) not in (old.get(name), new.get(name))
    ]
