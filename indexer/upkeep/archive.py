"""The file format of a backup: a zip archive with a manifest that has the SHA-256 of every file.

The entries under `data/` have the paths that they have in the data folder, so that any unzip program can take one out.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO

from search.errors import DataFolderError

FORMAT = 1  # of the archive; a higher one is refused
MANIFEST = "memetica-backup.json"
CATALOGUE = "catalogue.sqlite"
# What an archive may hold. `server-secret` and keys are left out: sessions end with a restore, a revoked key stays so.
FILES = (CATALOGUE, "settings.json", "curator.json")
FOLDERS = ("inbox", "trash")
_BLOCK = 1 << 20
_OF_THE_TARGET = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EEXIST)  # errors of writing what is read
_HINT = "Choose another backup; `memetica restore --list` lists the automatic copies."
OnFile = Callable[[str], None]


@dataclass(frozen=True)
class Entry:
    """A file of a backup: its name in the archive, its bytes and time, or the target of a symbolic link."""

    name: str
    sha256: str
    size: int
    mtime_ns: int
    link: str = ""


@dataclass(frozen=True)
class Manifest:
    """The contents of a backup, by path in the data folder."""

    made_at: str  # ISO 8601, UTC
    memetica: str  # the version that made it
    catalogue_version: int
    library: str
    files: Mapping[str, Entry] = field(default_factory=dict)


def write_archive(out: BinaryIO, files: Mapping[str, Path], about: Manifest, *, on_file: OnFile) -> Manifest:
    """Write an archive of these files, by their path in the data folder, and return its manifest.

    Raises OSError when it cannot be written, DataFolderError when a file cannot be read.
    """
    entries: dict[str, Entry] = {}
    with zipfile.ZipFile(out, "w", allowZip64=True) as archive:
        for number, (path, file) in enumerate(files.items()):
            on_file(path)
            entries[path] = _write_entry(archive, _entry_name(path, number), file)
        manifest = Manifest(about.made_at, about.memetica, about.catalogue_version, about.library, entries)
        written = {"format": FORMAT} | asdict(manifest)
        archive.writestr(zipfile.ZipInfo(MANIFEST), json.dumps(written, indent=1), compress_type=zipfile.ZIP_DEFLATED)
    return manifest


def _entry_name(path: str, number: int) -> str:
    """Return the name of an entry; a path that is not valid Unicode gets a number."""
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        return f"data/{PurePosixPath(path).parts[0]}/{number:08}"
    return f"data/{path}"


def _write_entry(archive: zipfile.ZipFile, name: str, file: Path) -> Entry:
    digest, size = hashlib.sha256(), 0
    try:
        found = file.lstat()
        if file.is_symlink():
            return Entry(name, "", 0, found.st_mtime_ns, link=os.fsdecode(file.readlink()))
        opened = file.open("rb")
    except OSError as error:
        raise _unreadable(file, error) from error
    about = zipfile.ZipInfo(name)
    # Pictures are compressed already.
    about.compress_type = zipfile.ZIP_STORED if "/inbox/" in name or "/trash/" in name else zipfile.ZIP_DEFLATED
    with opened, archive.open(about, "w", force_zip64=True) as out:
        while block := _read(opened, file):
            digest.update(block)
            size += len(block)
            out.write(block)
    return Entry(name, digest.hexdigest(), size, found.st_mtime_ns)


def _read(opened: IO[bytes], file: Path) -> bytes:
    try:
        return opened.read(_BLOCK)
    except OSError as error:
        raise _unreadable(file, error) from error


def _unreadable(file: Path, error: OSError) -> DataFolderError:
    return DataFolderError(f"{file} cannot be read: {error.strerror}.", hint="`memetica check` lists what is damaged.")


@contextmanager
def read_archive(file: Path) -> Iterator[tuple[zipfile.ZipFile, Manifest]]:
    """Yield an archive, opened, and its manifest; raise DataFolderError when it is damaged or made by a newer Memetica.

    The manifest's paths lead into the data folder; `verify` compares the contents.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            yield archive, _manifest(archive, file)
    except FileNotFoundError as error:
        raise DataFolderError(f"There is no backup {file}.", hint=_HINT) from error
    except OSError as error:
        if error.errno in _OF_THE_TARGET:
            raise
        raise DataFolderError(f"{file} cannot be read: {error.strerror or error}.", hint=_HINT) from error
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, zlib.error) as error:
        raise DataFolderError(f"{file} is no backup, or damaged: {error}.", hint=_HINT) from error


def _manifest(archive: zipfile.ZipFile, file: Path) -> Manifest:
    try:
        written = json.loads(archive.read(MANIFEST))
        found = written.pop("format")
        if found != FORMAT:
            raise DataFolderError(
                f"{file} was made by a newer Memetica: it has the format {found}, this Memetica reads {FORMAT}.",
                hint="Update Memetica.",
            )
        files = {path: Entry(**entry) for path, entry in written.pop("files").items()}
        manifest = Manifest(files=files, **written)
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise DataFolderError(f"{file} is no backup of Memetica, or damaged: {error}.", hint=_HINT) from error
    for path in manifest.files:
        parts = PurePosixPath(path).parts
        inside = (len(parts) == 1 and parts[0] in FILES) or (len(parts) > 1 and parts[0] in FOLDERS)
        if not inside or ".." in parts or "\0" in path or PurePosixPath(path).is_absolute():
            raise DataFolderError(f"{file} is no backup of Memetica: it names the file {path!r}.", hint=_HINT)
    if CATALOGUE not in manifest.files:
        raise DataFolderError(f"{file} is no backup of Memetica: it has no catalogue.", hint=_HINT)
    return manifest


def verify(file: Path, *, to: Path | None = None, on_file: OnFile = lambda path: None) -> Manifest:
    """Compare every file of an archive with its SHA-256 and return the manifest; with `to`, write them there too.

    Raises DataFolderError when anything is missing or damaged, OSError when `to` cannot be written.
    """
    with read_archive(file) as (archive, manifest):
        for path, entry in manifest.files.items():
            on_file(path)
            target = None if to is None else to / path
            if target is not None:
                target.parent.mkdir(parents=True, exist_ok=True)
            if entry.link:
                if target is not None:
                    target.symlink_to(entry.link)
                continue
            if _content(archive, entry, target) != entry.sha256:
                raise DataFolderError(f"{file} is damaged: {path} is not as it was written.", hint=_HINT)
            if target is not None:
                os.utime(target, ns=(entry.mtime_ns, entry.mtime_ns))
    return manifest


def _content(archive: zipfile.ZipFile, entry: Entry, target: Path | None) -> str:
    """Return the SHA-256 of an entry, and write it to `target`, synchronized to the disk."""
    digest = hashlib.sha256()
    try:
        opened = archive.open(entry.name)
    except KeyError:
        return ""
    with opened:
        if target is None:
            while block := opened.read(_BLOCK):
                digest.update(block)
            return digest.hexdigest()
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as out:
            while block := opened.read(_BLOCK):
                digest.update(block)
                out.write(block)
            out.flush()
            os.fsync(out.fileno())
    return digest.hexdigest()
