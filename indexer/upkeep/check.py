"""Check a data folder: whether everything that was stored is there and as it was written.

Nothing is changed, so that it can be run beside a server and in a folder that is read-only.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from PIL import Image

from indexer.library.files import bytes_hash
from indexer.library.format import MemeFile, content_hash, scan
from indexer.library.leftovers import find_leftovers
from indexer.library.transaction import trash_path
from indexer.media.thumbnails import is_whole, thumbnail_path
from search.catalogue import PENDING, Catalogue, OperationState, UploadState, inspect_catalogue
from search.catalogue.copies import problems_of
from search.catalogue.journal import MoveFile
from search.catalogue.replacement import PLAN
from search.errors import IndexUnusable, MemeticaError, UnreadableFile
from search.index.checksums import damaged_files
from search.index.generations import CHECKED_SINCE, FORMAT, read_live
from search.settings import Settings, stored_setting

_INDEX = "memetica index"
_RESTORE = "memetica restore --list"


class Area(StrEnum):
    """What a finding is about."""

    SETTINGS = "settings"
    CATALOGUE = "catalogue"
    INDEX = "index"
    THUMBNAILS = "thumbnails"
    LIBRARY = "library"
    INBOX = "inbox"
    TRASH = "trash"
    FILES = "files"


@dataclass(frozen=True)
class Finding:
    """Something that is not as it should be: a sentence, and the command that mends it."""

    area: Area
    message: str
    command: str


def check(
    settings: Settings, *, read_data: bool = False, settings_error: MemeticaError | None = None
) -> Iterator[Finding]:
    """Yield what is wrong in a data folder.

    With `read_data`, every thumbnail is decoded, and every file of the library, the inbox and the trash is compared
    with its SHA-256; without, files are compared by size and time. `settings_error` is why the data folder's settings
    could not be read.

    >>> list(check(workspace.settings))
    []
    """
    yield from _settings(settings.data, settings_error)
    problems = problems_of(settings.data / "catalogue.sqlite")
    yield from (Finding(Area.CATALOGUE, problem, _RESTORE) for problem in problems)
    if (settings.data / PLAN).exists():
        yield Finding(Area.CATALOGUE, "A restore was interrupted; the next command finishes it.", "memetica status")
    yield from _index(settings.data / "index")
    yield from _leftovers(settings)
    if problems:
        return
    try:
        with inspect_catalogue(settings) as catalogue:
            yield from _thumbnails(settings, catalogue, read_data)
            yield from _library(settings.library, catalogue, read_data)
            yield from _inbox(settings, catalogue, read_data)
            yield from _trash(settings, catalogue, read_data)
    except MemeticaError as error:
        yield Finding(Area.CATALOGUE, error.message, _INDEX)


def _settings(data: Path, error: MemeticaError | None) -> Iterator[Finding]:
    has_key = False
    try:
        has_key = bool(stored_setting(data, "endpoint_key"))
    except MemeticaError as own:
        error = error or own
    if error is not None:
        yield Finding(Area.SETTINGS, error.message, f"mv {data / 'settings.json'} {data / 'settings.json.bad'}")
    for name in ("curator.json", "keys.json", "server-secret", *(("settings.json",) if has_key else ())):
        with suppress(OSError):
            if (data / name).stat().st_mode & 0o077:
                yield Finding(
                    Area.SETTINGS, f"{name} can be read by others on this machine.", f"chmod 600 {data / name}"
                )


def _index(index: Path) -> Iterator[Finding]:
    try:
        folder, manifest = read_live(index)
    except IndexUnusable as error:
        yield Finding(Area.INDEX, error.message, _INDEX)
        return
    for path in damaged_files(folder, manifest.files):
        yield Finding(Area.INDEX, f"{folder.name}/{path} is missing or damaged.", _INDEX)
    if manifest.format != FORMAT:
        lacks = "without checksums" if manifest.format < CHECKED_SINCE else "which is searched until it is built again"
        yield Finding(Area.INDEX, f"The index has an earlier format, {lacks}.", _INDEX)


def _thumbnails(settings: Settings, catalogue: Catalogue, read_data: bool) -> Iterator[Finding]:
    contents = {meme.content_hash for meme in catalogue.memes.everything() if meme.has_thumbnail}
    missing = [one for one in contents if not is_whole(thumbnail_path(settings.data, one))]
    if missing:
        yield Finding(Area.THUMBNAILS, f"{_files(len(missing), 'thumbnail')} missing or cut short.", _INDEX)
    for content in sorted(contents - set(missing)) if read_data else ():
        file = thumbnail_path(settings.data, content)
        try:
            with Image.open(file) as picture:
                picture.load()
        except (OSError, ValueError, SyntaxError):
            yield Finding(Area.THUMBNAILS, f"{file} cannot be decoded.", f"rm {file} && {_INDEX}")


def _library(library: Path, catalogue: Catalogue, read_data: bool) -> Iterator[Finding]:
    try:
        found = {entry.path: entry for entry in scan(library) if isinstance(entry, MemeFile)}
    except MemeticaError as error:
        yield Finding(Area.LIBRARY, f"{error.message} {error.hint}".strip(), "memetica check --library FOLDER")
        return
    known = {meme.path: meme for meme in catalogue.memes.everything()}
    stored = catalogue.memes.known()
    rows = (
        ("in the catalogue and not in the library", sorted(known.keys() - found.keys())),
        ("in the library and not in the catalogue", sorted(found.keys() - known.keys())),
        (
            "changed since the last scan",
            sorted(
                path
                for path in known.keys() & found.keys()
                if stored[path][2:4] != (found[path].size, found[path].mtime_ns)
            ),
        ),
    )
    for what, paths in rows:
        if paths:
            yield Finding(Area.LIBRARY, f"{_files(len(paths), 'file')} {what}: {_example(paths)}.", _INDEX)
    for path in sorted(known.keys() & found.keys()) if read_data else ():
        try:
            same = content_hash(found[path].file) == known[path].content_hash
        except UnreadableFile as error:
            yield Finding(Area.LIBRARY, f"{path} cannot be read: {error.message}", "memetica retry")
            continue
        if not same and path not in rows[2][1]:
            yield Finding(
                Area.LIBRARY, f"{path} has other bytes under the same size and date.", "restore it from your backup"
            )


def _inbox(settings: Settings, catalogue: Catalogue, read_data: bool) -> Iterator[Finding]:
    held = catalogue.uploads.in_state(*(set(UploadState) - {UploadState.ACCEPTED}))
    for upload in held:
        file = settings.data / "inbox" / upload.content_hash
        moving = upload.state in (UploadState.ACCEPTING, UploadState.UNDOING)
        if not file.is_file():
            wrong = "" if moving else "missing"
        else:
            wrong = "damaged" if read_data and bytes_hash(file) != upload.content_hash else ""
        if wrong:
            said = f"The file of upload {upload.id}, {upload.name}, is {wrong}."
            yield Finding(Area.INBOX, said, f"memetica inbox discard {upload.id}")


def _trash(settings: Settings, catalogue: Catalogue, read_data: bool) -> Iterator[Finding]:
    known = set()
    for operation in catalogue.journal.in_state(*OperationState):
        known.add(operation.uid)
        if operation.state in PENDING:
            yield Finding(
                Area.TRASH,
                f"A {operation.kind} was interrupted ({operation.uid}).",
                f"{_INDEX}, or give it up: memetica undo {operation.uid}",
            )
        if operation.state is not OperationState.DONE:
            continue
        folder = trash_path(settings.data, operation.uid)
        for step in operation.steps:
            if not isinstance(step, MoveFile) or not step.target.startswith("trash/"):
                continue
            file = folder / step.target.partition("/")[2]
            lost = not os.path.lexists(file) or (read_data and bytes_hash(file) != step.sha256)
            if lost:
                yield Finding(
                    Area.TRASH,
                    f"{step.source.partition('/')[2]} of the {operation.kind} {operation.uid} is missing or damaged.",
                    "memetica restore FILE, of a backup that has it",
                )
    for folder in sorted(settings.data.glob("trash/*")):
        if folder.name not in known and any(file.is_file() for file in folder.rglob("*")):
            yield Finding(
                Area.TRASH, f"{folder} belongs to no decision in the catalogue.", f"mv {folder} to a folder of yours"
            )


def _leftovers(settings: Settings) -> Iterator[Finding]:
    found = find_leftovers(settings.data, settings.library)
    if found:
        yield Finding(
            Area.FILES, f"{_files(len(found), 'unfinished file')} left by a killed process: {found[0]}.", _INDEX
        )


def _files(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'} {'is' if count == 1 else 'are'}"


def _example(paths: list[str]) -> str:
    return f"{paths[0]!r}" if len(paths) == 1 else f"{paths[0]!r} and {len(paths) - 1:,} more"
