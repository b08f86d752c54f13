"""Read the library's folder format: find the memes and the files of their texts.

The layout is that of the public generator `biblioteca-memetica`: a folder for each category, memes at any depth in it,
and next to a meme `X.ext` its sidecars `X.ext.txt` (OCR), `X.ext.first-seen.txt` and `X.ext.<label>.txt`. Its optional
`memes.json` repeats the files' data under unstable positions and is not read. This module never writes.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from indexer.library.links import (
    OUTSIDE,
    OUTSIDE_HINT,
    is_ignored,
    leaves_library,
    open_file,
)
from indexer.media.signatures import SIGNATURE_BYTES, FileType, file_type
from search.errors import LibraryError, UnreadableFile

IMAGE_EXTENSIONS = (
    *(".avif", ".bmp", ".cur", ".gif", ".heic", ".heif", ".ico", ".jfif", ".jpeg", ".jpg", ".jxl", ".png", ".svg"),
    *(".tif", ".tiff", ".webp"),
)
# A file named .ts is one of these by its content only: most are programs in TypeScript.
VIDEO_EXTENSIONS = (
    *(".3g2", ".3gp", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".ogv"),
    *(".webm", ".wmv"),
)
EXTENSIONS = IMAGE_EXTENSIONS + VIDEO_EXTENSIONS
# Raw photographs of cameras, most of which begin like TIFF.
RAW_EXTENSIONS = (".arw", ".cr2", ".cr3", ".dng", ".nef", ".orf", ".pef", ".raf", ".rw2", ".srw")
# Unsupported pictures and videos: they are reported and counted, unless their first bytes are those of a supported one.
OTHER_MEDIA = (
    *(".exr", ".hdr", ".j2k", ".jp2", ".pcx", ".ppm", ".psd", ".rm", ".rmvb", ".swf", ".tga", ".xcf"),
    *RAW_EXTENSIONS,
)
UNSUPPORTED = "Its format is not supported."
DATA_FOLDER = "catalogue.sqlite"  # a folder with this file is a data folder, and no part of the library

FIRST_SEEN = "first-seen"

_MEME_NAME = re.compile(
    r".*\.(?:" + "|".join(extension[1:] for extension in EXTENSIONS) + r")(?=\.|$)", re.IGNORECASE | re.DOTALL
)


@dataclass(frozen=True)
class SidecarFile:
    """A sidecar: its path relative to the library, and the label between the meme's name and `.txt`."""

    path: str
    label: str
    size: int
    mtime_ns: int


@dataclass(frozen=True)
class MemeFile:
    """A meme's file; `path` is relative to the library, with `/`, and `category` is its top-level folder."""

    path: str
    category: str
    file: Path
    size: int
    mtime_ns: int
    sidecars: tuple[SidecarFile, ...] = ()
    first_seen: SidecarFile | None = None


@dataclass(frozen=True)
class UnusableFile:
    """Something in the library that cannot be used, the reason, and how to fix it; `path` can be printed as it is.

    `out_of_sight` is True when it is unknown whether its files still exist, because the folder or the disk cannot be
    read; `outside` when it is a link that leads out of the library.
    """

    path: str
    reason: str
    hint: str
    out_of_sight: bool = False
    outside: bool = False


def library_root(path: Path) -> Path:
    """Return the folder of the categories: `path`, or its folder `memes` if `path` is a whole site.

    `path` is a site if it contains `memes` and either `memes.json` or no other folder with memes. Raises LibraryError
    when the folder does not exist or cannot be read.

    >>> (folder / "memes" / "Cats").mkdir(parents=True)
    >>> library_root(folder).name
    'memes'
    """
    _listed(path)
    inner = path / "memes"
    if not inner.is_dir():
        return path
    if not (path / "memes.json").is_file():
        folders = [entry.path for entry in _listed(path) if not is_ignored(entry.name) and entry.is_dir()]
        if any(_contains_memes(Path(folder)) for folder in folders):
            return path
    _listed(inner)
    return inner


def _contains_memes(folder: Path) -> bool:
    try:
        with os.scandir(folder) as listing:
            return any(entry.name.lower().endswith(EXTENSIONS) and not is_ignored(entry.name) for entry in listing)
    except OSError:
        return False


def _listed(library: Path) -> list[os.DirEntry[str]]:
    """Return the entries of a folder; raise LibraryError when it cannot be read."""
    try:
        with os.scandir(library) as listing:
            return list(listing)
    except FileNotFoundError as error:
        raise LibraryError(
            f"There is no folder {library}.",
            hint="Give the folder of the categories, and check that its disk is mounted.",
        ) from error
    except NotADirectoryError as error:
        raise LibraryError(f"{library} is not a folder.", hint="Give the folder of the categories.") from error
    except OSError as error:
        raise LibraryError(
            f"The folder {library} cannot be read: {error.strerror}.", hint="Check its permissions and its disk."
        ) from error


def scan(library: Path, *, follow_links: bool = False) -> Iterator[MemeFile | UnusableFile]:
    """Return an iterator over all memes with their sidecars, sorted by folder and name, and over all unusable entries.

    A link that leads out of the library is unusable unless `follow_links` is set; a link to a folder already visited
    is reported. Raises LibraryError immediately when the library cannot be read.
    """
    _listed(library)
    return _walk(library, follow_links=follow_links)


def is_empty(library: Path) -> bool:
    """Return whether a folder has no entry but hidden ones and those that systems leave, as an unmounted disk's.

    Raises LibraryError when it is missing or cannot be read.

    >>> is_empty(folder), is_empty(workspace.library)
    (True, False)
    """
    return all(is_ignored(entry.name) for entry in _listed(library))


def find_meme_file(library: Path, path: str, *, follow_links: bool = False) -> MemeFile | None:
    """Return one meme with its sidecars as they are on the disk; None when it is missing or cannot be used.

    Raises UnreadableFile when its folder or disk cannot be read, so that this is unknown, LibraryError when the whole
    library is missing.

    >>> find_meme_file(workspace.library, "Cats/monday.png").category
    'Cats'
    >>> find_meme_file(workspace.library, "Cats/missing.png") is None
    True
    """
    prefix = path.rpartition("/")[0] + "/"
    folder = library / prefix
    try:
        with os.scandir(folder) as listing:
            entries = [entry for entry in listing if not is_ignored(entry.name)]
    except (FileNotFoundError, NotADirectoryError):
        # If the whole library is missing, its disk may not be mounted: the meme has not vanished.
        _listed(library)
        return None
    except OSError as error:
        raise UnreadableFile(
            f"Its folder cannot be read: {error.strerror}.", hint="Check its permissions and its disk."
        ) from error
    checked = {
        entry.name: _check_entry(library, entry, prefix + entry.name, follow_links=follow_links) for entry in entries
    }
    unusable = next((found for found in checked.values() if found and found.path == path), None)
    if unusable is not None and unusable.out_of_sight:
        raise UnreadableFile(unusable.reason, hint=unusable.hint)
    if not follow_links and leaves_library(library, prefix.rstrip("/")):
        return None
    usable = [entry for entry in entries if checked[entry.name] is None and entry.is_file()]
    files = {entry.name: entry.stat() for entry in usable if _is_meme_or_text(entry)}
    refused = {entry.name for entry in entries} - {entry.name for entry in usable}
    pairs = _pair(folder, prefix, files, refused)
    return next((found for found in pairs if isinstance(found, MemeFile) and found.path == path), None)


def _walk(library: Path, *, follow_links: bool) -> Iterator[MemeFile | UnusableFile]:
    root = library.resolve()
    visited: set[tuple[int, int]] = set()
    # A stack instead of recursion, because folders may be nested more deeply than Python's recursion limit.
    waiting: list[tuple[str, bool]] = [("", False)]
    while waiting:
        relative, linked = waiting.pop()
        folder = library / relative
        try:
            status = folder.stat()
            with os.scandir(folder) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError as error:
            yield UnusableFile(
                relative,
                f"The folder cannot be read: {error.strerror}.",
                "Check its permissions and its disk.",
                out_of_sight=not isinstance(error, FileNotFoundError),
            )
            continue
        again = (status.st_dev, status.st_ino) in visited
        visited.add((status.st_dev, status.st_ino))
        if linked and (again or _shares_files(folder.resolve(), root)):
            yield UnusableFile(relative, "It is a link to a folder that the scan reads anyway.", "Remove the link.")
            continue
        if relative and any(entry.name == DATA_FOLDER for entry in entries):
            continue
        prefix = relative + "/" if relative else ""
        folders: list[tuple[str, bool]] = []
        files: dict[str, os.stat_result] = {}
        refused: set[str] = set()
        for entry in entries:
            if is_ignored(entry.name):
                continue
            path = prefix + entry.name
            unusable = _check_entry(library, entry, path, follow_links=follow_links)
            if unusable is not None:
                refused.add(entry.name)
                yield unusable
            elif entry.is_dir():
                folders.append((path, linked or entry.is_symlink()))
            elif _is_meme_or_text(entry):
                files[entry.name] = entry.stat()
        yield from _pair(folder, prefix, files, refused)
        waiting.extend(reversed(folders))


def is_media(head: bytes, name: str) -> bool:
    """Return whether a file with these first bytes, at least SIGNATURE_BYTES, is a supported picture or video.

    The name counts for raw photographs alone, which begin as TIFF files do. Drawings (SVG) are text and not known here.

    >>> tiff = b"II*" + bytes(5)
    >>> is_media(b"GIF89a ...", "cat"), is_media(tiff, "photo.tif"), is_media(tiff, "photo.NEF")
    (True, True, False)
    """
    kind = file_type(head)
    return kind is not None and not (kind is FileType.TIFF and name.lower().endswith(RAW_EXTENSIONS))


def _begins_like_media(entry: os.DirEntry[str]) -> bool:
    """Return whether a file's first bytes are those of a supported picture or video, whatever its ending.

    Links are not followed: with such a name they are ignored, like other files.
    """
    if not entry.is_file(follow_symlinks=False):
        return False
    try:
        with open(entry.path, "rb") as opened:  # noqa: PTH123  # names need not be valid for a Path
            return is_media(opened.read(SIGNATURE_BYTES), entry.name)
    except OSError:
        return False


def _is_meme_or_text(entry: os.DirEntry[str]) -> bool:
    return entry.name.lower().endswith((".txt", *EXTENSIONS)) or _begins_like_media(entry)


def _shares_files(target: Path, root: Path) -> bool:
    """Return whether a link's target is inside the library, or contains it."""
    return target.is_relative_to(root) or root.is_relative_to(target)


def _check_entry(library: Path, entry: os.DirEntry[str], path: str, *, follow_links: bool) -> UnusableFile | None:
    """Return the reason why an entry cannot be used; None for a usable or ignored one."""
    shown = os.fsencode(path).decode("utf-8", "backslashreplace")
    if shown != path:
        return UnusableFile(shown, "Its name is not valid UTF-8.", "Rename it.")
    name = entry.name.lower()
    # Before the target is looked at, which may be anywhere. Other links are ignored, like other files of their names.
    if entry.is_symlink() and not follow_links and leaves_library(library, path):
        text = name.endswith(".txt") and _MEME_NAME.match(name[: -len(".txt")])
        if text or name.endswith(EXTENSIONS) or (library / path).is_dir():
            return UnusableFile(path, OUTSIDE, OUTSIDE_HINT, outside=True)
    try:
        mode = entry.stat().st_mode
    except FileNotFoundError:
        if entry.is_symlink():
            return UnusableFile(path, "It is a broken link.", "Remove the link.")
        return UnusableFile(path, "It vanished while the library was being read.", "Run `memetica index` again.")
    except OSError as error:
        return UnusableFile(
            path,
            f"It cannot be read: {error.strerror}.",
            "Check its permissions, its name and its disk.",
            out_of_sight=True,
        )
    if stat.S_ISDIR(mode):
        return None
    if name.endswith(OTHER_MEDIA) and not _begins_like_media(entry):
        return UnusableFile(path, UNSUPPORTED, "Save it as PNG, JPEG or MP4.")
    if name.endswith((".txt", *EXTENSIONS)) and not stat.S_ISREG(mode):
        # Opening a pipe would block.
        return UnusableFile(path, "It is not a regular file but a pipe, a socket or a device.", "Remove it.")
    if "/" not in path and (name.endswith(EXTENSIONS) or (not name.endswith(".txt") and _begins_like_media(entry))):
        return UnusableFile(path, "It is not in a category.", "Move it into a folder of the library.")
    return None


def _pair(
    folder: Path, prefix: str, files: dict[str, os.stat_result], refused: set[str]
) -> Iterator[MemeFile | UnusableFile]:
    """Yield the memes among one folder's files with their sidecars, and the sidecars without a meme."""
    sidecars: dict[str, list[SidecarFile]] = {
        name: [] for name in files if name.lower().endswith(EXTENSIONS) or not name.lower().endswith(".txt")
    }
    first_seen: dict[str, SidecarFile] = {}
    odd = [name for name in sidecars if not name.lower().endswith(EXTENSIONS)]
    for name, status in files.items():
        if name in sidecars:
            continue
        # A sidecar belongs to the longest possible meme name, even if that meme is missing: a text about `a.png.png`
        # must not become a text about `a.png`.
        written = _MEME_NAME.match(name[: -len(".txt")])
        # A meme whose ending is an unusual one is known by its content only.
        beside = [one for one in odd if name.startswith(f"{one}.")]
        owner = max([*beside, *([written[0]] if written else [])], key=len, default=None)
        if owner is None or owner in refused:
            continue
        label = name[len(owner) : -len(".txt")].removeprefix(".")
        sidecar = SidecarFile(prefix + name, label, status.st_size, status.st_mtime_ns)
        if owner not in sidecars:
            yield UnusableFile(sidecar.path, f"Its meme {owner} is missing.", "Restore the meme, or remove this text.")
        elif label == FIRST_SEEN:
            first_seen[owner] = sidecar
        else:
            sidecars[owner].append(sidecar)
    for name, texts in sidecars.items():
        yield MemeFile(
            path=prefix + name,
            category=prefix.split("/", 1)[0],
            file=folder / name,
            size=files[name].st_size,
            mtime_ns=files[name].st_mtime_ns,
            sidecars=tuple(texts),
            first_seen=first_seen.get(name),
        )


def content_hash(file: Path) -> str:
    """Return the hexadecimal SHA-256 of a file's bytes; raise UnreadableFile.

    >>> _ = (folder / "a.png").write_bytes(b"")
    >>> content_hash(folder / "a.png")[:8]
    'e3b0c442'
    """
    try:
        with file.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError as error:
        raise unreadable(error) from error


def meme_hash(library: Path, path: str, *, follow_links: bool = False) -> str:
    """Return the hexadecimal SHA-256 of a file of the library; raise UnreadableFile, LeavesLibrary for such a link.

    >>> meme_hash(workspace.library, "Cats/monday.png") == workspace.catalogue.memes.at("Cats/monday.png").content_hash
    True
    """
    try:
        with open_file(library, path, follow_links=follow_links) as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError as error:
        raise unreadable(error) from error


def unreadable(error: OSError) -> UnreadableFile:
    """Return the error that says so of a file that the system cannot read."""
    return UnreadableFile(f"It cannot be read: {error.strerror}.", hint="Check that it exists, and its permissions.")
