"""The folder of an exported site: what changed is written aside, then switched in file by file.

The order of the switch is such that, whenever a process is killed, no page that a visitor can reach from the first page
has a link to a missing file: pictures and data come first, then new pages, then changed ones, and removals last. A
switch that was interrupted is finished by the next export. Files that Memetica did not write are never touched.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import IntEnum
from io import BufferedReader
from pathlib import Path
from typing import Any

from indexer.work.locks import lock
from search.errors import DataFolderError, WrongState
from search.system.atomic_write import sync_folder, write_atomically

STATE = ".memetica-site"  # the folder in the output that holds the manifest and what is being written
_VERSION = 1
_SHOWN = 3  # paths that a message names
_SYNCED_AT_ONCE = 16  # files


class Order(IntEnum):
    """When a file is switched in: what others link to comes before them."""

    DATA = 0  # pictures, scripts, the parts of the search index
    PAGE = 1
    ENTRY = 2  # the first page, the table of the search index, the sitemap: what leads to pages


@dataclass(frozen=True)
class SiteReport:
    """What an export did: numbers of files, and the paths of its own that somebody else changed, which it left."""

    written: int
    unchanged: int
    removed: int
    bytes: int  # of all files of the site
    kept: tuple[str, ...] = ()


@dataclass(frozen=True)
class _File:
    """A file of the manifest. `source` says what it was made from: equal sources make equal files."""

    source: str
    sha256: str
    size: int
    mtime_ns: int
    is_link: bool = False


@dataclass
class SiteFolder:
    """The output of one export. `open_site_folder` opens it; `put` files, then `switch`."""

    root: Path
    _old: dict[str, _File]
    made: Mapping[str, Any] = field(default_factory=dict)  # what the last export noted about itself
    _new: dict[str, _File] = field(default_factory=dict)
    _staged: list[tuple[int, str, str]] = field(default_factory=list)  # order, path, name of the staged file
    _foreign: list[str] = field(default_factory=list)
    _kept: list[str] = field(default_factory=list)
    _safe_folders: set[Path] = field(default_factory=set)

    def has(self, path: str, source: str) -> bool:
        """Return whether the file at a path was made from `source` and still is as it was written; keep it then."""
        known = self._old.get(path)
        if known is None or known.source != source or not self._is_own(path, known):
            return False
        if (self.root / path).exists():
            self._new[path] = known
            return True
        return False

    def keep(self, path: str) -> None:
        """Keep the file at a path, if there is one, although nobody can say what it should be."""
        if path in self._old:
            self._new[path] = self._old[path]

    def keep_rest(self) -> bool:
        """Keep the files that nothing has named yet; keep none and return False if one is not as it was written."""
        rest = {path: known for path, known in self._old.items() if path not in self._new}
        if all(self._is_own(path, known) and (self.root / path).exists() for path, known in rest.items()):
            self._new |= rest
            return True
        return False

    def put(self, path: str, content: bytes, order: Order, *, source: str = "") -> None:
        """Write a file, unless it has this content already."""
        digest = hashlib.sha256(content).hexdigest()
        if self.has(path, source or digest):
            return
        self._stage(path, lambda file: file.write_bytes(content), order, source=source or digest, sha256=digest)

    def put_copy(self, path: str, opened: BufferedReader, *, source: str, link: Path | None = None) -> bool:
        """Copy an open file, unless it was made from `source` already; a hard link to `link`, its path, where possible.

        Returns False when a copy was made in place of a link.
        """
        if self.has(path, source):
            return True
        is_link = link is not None

        def make(file: Path) -> None:
            nonlocal is_link
            if link is not None:
                with suppress(OSError):  # another file system, or one without hard links
                    os.link(link.resolve(), file)
                    if os.path.samestat(file.stat(), os.fstat(opened.fileno())):
                        return
                    file.unlink()  # replaced since it was opened
                is_link = False
            with file.open("wb") as out:
                shutil.copyfileobj(opened, out)

        self._stage(path, make, Order.DATA, source=source, links=lambda: is_link)
        return is_link or link is None

    def _stage(
        self,
        path: str,
        make: Callable[[Path], object],
        order: Order,
        *,
        source: str,
        sha256: str = "",
        links: Callable[[], bool] = lambda: False,
    ) -> None:
        target = self.root / path
        known = self._old.get(path)
        if path in self._new:
            raise AssertionError(f"{path} is written twice")
        if self._leads_elsewhere(target.parent) or (known is None and os.path.lexists(target)):
            self._foreign.append(path)
            return
        if known is not None and not self._is_own(path, known):
            self._kept.append(path)
            self._new[path] = known
            return
        name = str(len(self._staged))
        file = self.root / STATE / "new" / name
        make(file)
        status = file.stat()
        is_link = links()
        if not sha256 and not is_link:
            with file.open("rb") as opened:
                sha256 = hashlib.file_digest(opened, "sha256").hexdigest()
        self._new[path] = _File(source, sha256, status.st_size, status.st_mtime_ns, is_link)
        self._staged.append((order, path, name))

    def _leads_elsewhere(self, folder: Path) -> bool:
        """Return whether a folder of the site is a symbolic link, or below one, or is a file."""
        if folder in self._safe_folders or folder == self.root:
            return False
        if self._leads_elsewhere(folder.parent) or folder.is_symlink() or (folder.exists() and not folder.is_dir()):
            return True
        self._safe_folders.add(folder)
        return False

    def _is_own(self, path: str, known: _File) -> bool:
        """Return whether a file is as it was written, or gone."""
        file = self.root / path
        try:
            status = file.lstat()
        except OSError:
            return True
        if known.is_link or (status.st_size, status.st_mtime_ns) == (known.size, known.mtime_ns):
            return True
        if status.st_size != known.size or not file.is_file():
            return False
        with file.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest() == known.sha256

    def switch(self, *, made: Mapping[str, Any] | None = None) -> SiteReport:
        """Put everything that was written in its place, remove what is gone, and return what was done.

        `made` is noted for the next export, as JSON.
        Raises WrongState, and changes nothing, when files that Memetica did not write are where it would write.
        """
        if self._foreign:
            raise WrongState(
                f"{self.root} has {len(self._foreign):,} files or links that Memetica did not write, where it would "
                f"write its own: {', '.join(sorted(self._foreign)[:_SHOWN])}.",
                hint="Choose another folder, or move them away.",
            )
        gone = [path for path in self._old if path not in self._new]
        own = [path for path in gone if self._is_own(path, self._old[path])]
        self._kept += sorted(set(gone) - set(own))

        def rank(step: tuple[int, str, str]) -> tuple[int, bool]:
            order, path, _ = step
            return order, order == Order.PAGE and path in self._old  # new pages before those that lead to them

        steps = [["put", name, path] for _, path, name in sorted(self._staged, key=rank)]
        steps += [["remove", "", path] for path in sorted(own, key=lambda path: not path.endswith(".html"))]
        manifest = {path: list(vars(one).values()) for path, one in self._new.items()}
        staged = self.root / STATE / "new"
        _sync_files([staged / name for _, path, name in self._staged if not self._new[path].is_link])
        sync_folder(staged)
        for folder in {(self.root / path).parent for _, path, _ in self._staged}:
            folder.mkdir(parents=True, exist_ok=True)  # a full disk is found before anything is switched
        # A file that somebody else has changed is not what the inputs make.
        noted = {} if self._kept or made is None else dict(made)
        journal = json.dumps({"version": _VERSION, "steps": steps, "manifest": manifest, "made": noted})
        write_atomically(self.root / STATE / "switch.json", journal)
        _finish_switch(self.root)
        return SiteReport(
            written=len(self._staged),
            unchanged=len(self._new) - len(self._staged),
            removed=len(own),
            bytes=sum(one.size for one in self._new.values()),
            kept=tuple(self._kept),
        )


@contextmanager
def open_site_folder(root: Path) -> Iterator[SiteFolder]:
    """Open an output folder, made if missing, and finish the switch of an export that was interrupted.

    Raises Busy when another process exports into it, DataFolderError when it cannot be written.

    >>> with open_site_folder(folder / "site") as site:
    ...     site.put("index.html", b"<h1>Memes</h1>", Order.ENTRY)
    ...     site.switch().written
    1
    """
    state = root / STATE
    with lock(state, "exporting", seconds=0):
        try:
            _finish_switch(root)
            shutil.rmtree(state / "new", ignore_errors=True)
            (state / "new").mkdir()
            yield SiteFolder(root, *_manifest(state / "manifest.json"))
        except OSError as error:
            is_switching = (state / "switch.json").exists()
            raise DataFolderError(
                f"The site cannot be written to {root}: {error.strerror or error}.",
                hint="Free some space or check permissions, then run the same command again: "
                + ("it finishes the update, of which a part is there." if is_switching else "the site is unchanged."),
            ) from error
        finally:
            if not (state / "switch.json").exists():  # else the next export finishes the switch
                shutil.rmtree(state / "new", ignore_errors=True)


def _sync_files(files: Sequence[Path]) -> None:
    """Wait until files are on the disk, so that a journal never leads to files that a power cut has emptied.

    `os.sync` waits for what all other programs have written too, for minutes on a busy machine. File systems with a
    journal write it once for all files that threads wait for together.
    """

    def sync(file: Path) -> None:
        descriptor = os.open(file, os.O_RDWR)  # Windows synchronizes only what is open for writing
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    with ThreadPoolExecutor(_SYNCED_AT_ONCE) as pool:
        list(pool.map(sync, files))  # raises what a thread raised


def _manifest(file: Path) -> tuple[dict[str, _File], Mapping[str, Any]]:
    """Return the files that an export wrote, and what it noted about itself."""
    try:
        found = json.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        return {}, {}
    except ValueError as error:
        raise DataFolderError(
            f"{file} is damaged, so that it is not known which files are Memetica's.",
            hint="Export into an empty folder.",
        ) from error
    return {path: _File(*values) for path, values in found["files"].items()}, found.get("made", {})


def _finish_switch(root: Path) -> None:
    """Carry out the steps of a switch that are not done yet; nothing when there is none."""
    journal = root / STATE / "switch.json"
    try:
        found: dict[str, Any] = json.loads(journal.read_text("utf-8"))
    except FileNotFoundError:
        return
    staged = root / STATE / "new"
    folders: set[Path] = set()
    for action, name, path in found["steps"]:
        target = root / path
        if action == "put":
            target.parent.mkdir(parents=True, exist_ok=True)
            with suppress(FileNotFoundError):  # it is in its place already
                (staged / name).replace(target)
                folders.add(target.parent)
        else:
            target.unlink(missing_ok=True)
            _remove_empty(target.parent, root)
    for folder in folders:
        sync_folder(folder)
    manifest = {"version": _VERSION, "files": found["manifest"], "made": found.get("made", {})}
    write_atomically(root / STATE / "manifest.json", json.dumps(manifest), durable=True)
    journal.unlink()


def _remove_empty(folder: Path, root: Path) -> None:
    """Remove a folder and those above it as far as they are empty, up to the root."""
    while folder != root:
        try:
            folder.rmdir()
        except OSError:
            return
        folder = folder.parent
