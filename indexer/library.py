"""The curator's folder, read in place: which files are memes, and which texts lie beside them.

The layout is that of the public generator `biblioteca-memetica`: a folder for each category, memes at any depth in it, and
beside a meme `X.ext` its sidecars `X.ext.txt` (OCR), `X.ext.first-seen.txt` and `X.ext.<label>.txt`. Its optional
`memes.json` repeats what the files say and is not read. Nothing here ever writes.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from search.errors import LibraryError, UnreadableFile
from search.meme import Text, TextKind

IMAGE_EXTENSIONS = (".avif", ".bmp", ".gif", ".jfif", ".jpeg", ".jpg", ".png", ".svg", ".webp")
VIDEO_EXTENSIONS = (".m4v", ".mov", ".mp4", ".webm")
EXTENSIONS = IMAGE_EXTENSIONS + VIDEO_EXTENSIONS

IGNORED = {"thumbs.db", "desktop.ini", "@eadir", "__macosx"}  # left by file managers; hidden names are ignored too
FIRST_SEEN = "first-seen"
OCR_SOURCE = "tesseract-ocr"  # what the library's own OCR sidecars are shown as
LEGACY_SIMPLE = {"llama3.2-vision", "llama-3.2-vision", "qwen2.5vl", "vision", "qwen3.5-9b"}
LEGACY_DETAILED = {"gemma3-27b-vision"}
MAX_SIDECAR_BYTES = 1_000_000


@dataclass(frozen=True)
class SidecarFile:
    """A text beside a meme: its path relative to the library, and the label between the meme's name and `.txt`."""

    path: str
    label: str
    size: int
    mtime_ns: int


@dataclass(frozen=True)
class Found:
    """A meme's file; `path` is relative to the library, with `/`, and `category` is its top-level folder."""

    path: str
    category: str
    file: Path
    size: int
    mtime_ns: int
    sidecars: tuple[SidecarFile, ...] = ()
    first_seen: SidecarFile | None = None


@dataclass(frozen=True)
class Unusable:
    """Something in the library that cannot be used, why, and what mends it; `path` can be shown as it is."""

    path: str
    reason: str
    hint: str


def library_root(path: Path) -> Path:
    """Return the folder that holds the categories: `path`, or `path/memes` where that is a folder beside `memes.json`.

    Raises LibraryError when there is no such folder or it cannot be read.
    """
    root = path / "memes" if (path / "memes").is_dir() and (path / "memes.json").is_file() else path
    if not root.exists():
        raise LibraryError(f"There is no folder {root}.", hint="Name the folder that holds the categories.")
    if not root.is_dir():
        raise LibraryError(f"{root} is a file.", hint="Name the folder that holds the categories.")
    if not os.access(root, os.R_OK | os.X_OK):
        raise LibraryError(f"The folder {root} cannot be read.", hint="Check its permissions.")
    return root


def scan(library: Path) -> Iterator[Found | Unusable]:
    """Yield every meme with its sidecars, folder by folder in order of name, and everything that cannot be used.

    Raises LibraryError when the library itself cannot be read.
    """
    yield from _scan_folder(library_root(library), "", seen=set())


def _scan_folder(folder: Path, relative: str, *, seen: set[tuple[int, int]]) -> Iterator[Found | Unusable]:
    try:
        status = folder.stat()
        with os.scandir(folder) as listing:
            entries = sorted(listing, key=lambda entry: os.fsencode(entry.name))
    except OSError as error:
        yield Unusable(_shown(relative), f"The folder cannot be read: {error.strerror}.", "Check its permissions.")
        return
    if (status.st_dev, status.st_ino) in seen:
        yield Unusable(_shown(relative), "The folder contains itself by a link.", "Remove the link.")
        return
    seen = seen | {(status.st_dev, status.st_ino)}
    folders: list[os.DirEntry[str]] = []
    files: dict[str, os.stat_result] = {}
    for entry in entries:
        if entry.name.startswith(".") or entry.name.lower() in IGNORED:
            continue
        path = relative + entry.name
        if _shown(path) != path:
            yield Unusable(_shown(path), "Its name is not valid Unicode.", "Rename it.")
            continue
        try:
            if entry.is_dir():
                folders.append(entry)
            elif entry.is_file() and entry.name.lower().endswith((".txt", *EXTENSIONS)):
                files[entry.name] = entry.stat()
            elif entry.is_symlink() and not Path(entry.path).exists():
                yield Unusable(path, "It is a link to nothing.", "Remove the link.")
        except OSError as error:
            yield Unusable(path, f"It cannot be read: {error.strerror}.", "Check its permissions.")
    yield from _pair(folder, relative, files)
    for entry in folders:
        yield from _scan_folder(folder / entry.name, f"{relative}{entry.name}/", seen=seen)


def _pair(folder: Path, relative: str, files: dict[str, os.stat_result]) -> Iterator[Found | Unusable]:
    """Yield the memes of one folder's files with the sidecars that are theirs."""
    memes = [name for name in files if name.lower().endswith(EXTENSIONS)]
    if memes and not relative:
        for name in memes:
            yield Unusable(name, "It lies in no category.", "Move it into a folder.")
        return
    known = set(memes)
    sidecars: dict[str, list[SidecarFile]] = {name: [] for name in memes}
    first_seen: dict[str, SidecarFile] = {}
    for name, status in files.items():
        if name in known:
            continue
        owner = _owner(name, known)
        if owner is None:
            if re.search(r"\.(?:" + "|".join(one[1:] for one in EXTENSIONS) + r")(?:\.[^/]*)?\.txt$", name, re.IGNORECASE):
                yield Unusable(relative + name, "The meme that it describes is not there.", "Put the meme back or remove it.")
            continue
        label = name[len(owner) : -len(".txt")].removeprefix(".")
        sidecar = SidecarFile(relative + name, label, status.st_size, status.st_mtime_ns)
        if label == FIRST_SEEN:
            first_seen[owner] = sidecar
        else:
            sidecars[owner].append(sidecar)
    category = relative.split("/", 1)[0]
    for name in memes:
        yield Found(
            path=relative + name,
            category=category,
            file=folder / name,
            size=files[name].st_size,
            mtime_ns=files[name].st_mtime_ns,
            sidecars=tuple(sidecars[name]),
            first_seen=first_seen.get(name),
        )


def _owner(sidecar: str, memes: set[str]) -> str | None:
    """Return the longest meme's name that a sidecar's name begins with, followed by a dot."""
    at = sidecar.rfind(".")
    while at > 0:
        if sidecar[:at] in memes:
            return sidecar[:at]
        at = sidecar.rfind(".", 0, at)
    return None


def _shown(path: str) -> str:
    """Return a path with what is no Unicode written as escapes."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def content_hash(file: Path) -> str:
    """Return the SHA-256 of a file's bytes, hexadecimal; raise UnreadableFile."""
    try:
        with file.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError as error:
        raise UnreadableFile(f"It cannot be read: {error.strerror}.", hint="Check its permissions.") from error


def read_sidecar(library: Path, sidecar: SidecarFile) -> Text:
    """Return a sidecar's text with its kind and source; raise UnreadableFile."""
    kind, source = kind_of(sidecar.label)
    return Text(
        kind=kind,
        source=source,
        body=_read(library / sidecar.path),
        sidecar=sidecar.path,
        made_at=datetime.fromtimestamp(sidecar.mtime_ns / 1e9, UTC),
    )


def kind_of(label: str) -> tuple[TextKind, str]:
    """Return what a sidecar's label says: the kind of its text, and the source that it is shown under."""
    if not label:
        return TextKind.OCR, OCR_SOURCE
    for kind in (TextKind.SIMPLE, TextKind.DETAILED):
        if label.endswith(f".{kind.value}"):
            return kind, label.removesuffix(f".{kind.value}")
    if label in LEGACY_SIMPLE:
        return TextKind.SIMPLE, label
    if label in LEGACY_DETAILED:
        return TextKind.DETAILED, label
    return TextKind.OTHER, label


def read_first_seen(library: Path, found: Found) -> tuple[datetime, str]:
    """Return when a meme was first seen, in UTC, and where that is from: `sidecar`, or `mtime` when none can be read."""
    if found.first_seen is not None:
        try:
            written = re.search(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d\S*)?", _read(library / found.first_seen.path))
            if written:
                time = datetime.fromisoformat(written[0])
                return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC), "sidecar"
        except (UnreadableFile, ValueError, OverflowError):
            pass  # the file's own time stands in, as the library's format says
    return datetime.fromtimestamp(found.mtime_ns / 1e9, UTC), "mtime"


def _read(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            raw = opened.read(MAX_SIDECAR_BYTES + 1)
    except OSError as error:
        raise UnreadableFile(f"It cannot be read: {error.strerror}.", hint="Check its permissions.") from error
    if len(raw) > MAX_SIDECAR_BYTES:
        raise UnreadableFile(f"It has more than {MAX_SIDECAR_BYTES:,} bytes.", hint="Shorten or remove it.")
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            return raw.decode(encoding).replace("\0", "")
        except UnicodeDecodeError:
            continue
    return raw.decode("latin-1").replace("\0", "")
