"""Put restored files in place of those of a data folder, so that a kill at any point leaves the old or the new state.

The new files lie complete in a folder beside the old ones. One rename of the plan is the moment of decision: before it
nothing has changed, after it whoever opens the catalogue next finishes what is left. The catalogue itself is written
by SQLite into the old file, in one transaction: a server that has it open goes on with the new contents.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from search.catalogue.copies import FILE, FOLDER
from search.errors import DataFolderError
from search.system.atomic_write import sync_folder, write_atomically
from search.system.lazy_module import LazyModule

filelock: Any = LazyModule("filelock")  # late: of all who open a catalogue, those who find a plan need it
PLAN = "restore.json"  # in the data folder, while a restore is being carried out
WAIT_SECONDS = 60.0
OnStep = Callable[[str], None]
Move = tuple[str, str]  # paths in the data folder: from, to


def replace_files(
    data: Path,
    staging: Path,
    *,
    before: Sequence[Move],
    after: Sequence[Move],
    on_step: OnStep = lambda step: None,
) -> None:
    """Replace a data folder's catalogue by that of the folder `staging`, and move files before and after that.

    `on_step` is called before each step. Raises DataFolderError when a file cannot be moved; what was decided is then
    finished by the next opening of the catalogue.
    """
    plan = {"staging": staging.name, "before": list(before), "after": list(after)}
    on_step("plan")
    write_atomically(data / PLAN, json.dumps(plan, indent=1))
    finish_replacement(data, on_step=on_step)


def finish_replacement(data: Path, *, on_step: OnStep = lambda step: None) -> None:
    """Carry out a plan that is in the data folder; do nothing without one.

    Raises DataFolderError when the data folder cannot be written.
    """
    if not (data / PLAN).exists():
        return
    hint = "Make the data folder writable and run the same command again, or `memetica restore` anew."
    try:
        with filelock.FileLock(data / "restoring.lock").acquire(timeout=WAIT_SECONDS):
            if (data / PLAN).exists():  # unless another process has finished it meanwhile
                _finish(data, on_step)
    except filelock.Timeout as error:
        raise DataFolderError(f"Another process restores {data}.", hint="Wait until it is done.") from error
    except (OSError, sqlite3.Error, ValueError, KeyError) as error:
        raise DataFolderError(f"A restore of {data} that was begun cannot be finished: {error}.", hint=hint) from error


def _finish(data: Path, on_step: OnStep) -> None:
    plan = json.loads((data / PLAN).read_text("utf-8"))
    staging = data / plan["staging"]
    for source, target in plan["before"]:
        on_step(f"move {target}")
        _move(data / source, data / target)
    if (staging / FILE).exists():
        on_step("catalogue")
        _replace_catalogue(staging / FILE, data / FILE)
        (staging / FILE).unlink()
    for source, target in plan["after"]:
        on_step(f"move {target}")
        _move(data / source, data / target)
    on_step("tidy")
    (data / PLAN).unlink()
    sync_folder(data)
    shutil.rmtree(staging, ignore_errors=True)


def _move(source: Path, target: Path) -> None:
    if not os.path.lexists(source):
        return  # moved before a kill
    target.parent.mkdir(parents=True, exist_ok=True)
    source.replace(target)
    sync_folder(target.parent)


def _replace_catalogue(new: Path, live: Path) -> None:
    """Write the contents of one catalogue into another; one that is damaged beyond that is moved to `backups/`."""
    try:
        with closing(sqlite3.connect(new)) as source, closing(sqlite3.connect(live, timeout=WAIT_SECONDS)) as target:
            source.backup(target)
            target.execute("PRAGMA synchronous = FULL")
            if target.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok":
                return
    except sqlite3.OperationalError as error:
        if not any(sign in str(error) for sign in ("unable to open", "not a database", "malformed")):
            raise  # locked, or the disk is full: the old contents are still there
    except sqlite3.DatabaseError:
        pass
    folder = live.parent / FOLDER
    folder.mkdir(exist_ok=True)
    stamp = f"{datetime.now(UTC):%Y-%m-%dT%H%M%S}"
    for ending in ("-wal", "-shm", ""):  # the log first: the new file must not meet it
        with suppress(FileNotFoundError):
            Path(f"{live}{ending}").replace(folder / f"damaged-{stamp}.sqlite{ending}.bad")
    shutil.copyfile(new, live.with_name(".catalogue.part"))
    with live.with_name(".catalogue.part").open("rb+") as written:
        os.fsync(written.fileno())
    live.with_name(".catalogue.part").replace(live)
    sync_folder(live.parent)
