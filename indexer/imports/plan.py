"""Plan an import, and carry it out: files and texts are written to free paths, and nothing is overwritten."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from indexer.imports.records import Found, ImportedMeme, NotImported
from indexer.library.files import link_free, write_new
from indexer.library.format import FIRST_SEEN, content_hash, is_media, scan
from indexer.library.format import MemeFile as LibraryFile
from indexer.library.naming import checked_category, folder_of, safe_stem, stems, taken_names
from indexer.media.signatures import fitting_suffix
from indexer.media.svg import HEAD_BYTES, is_svg
from search.errors import LibraryError, MemeticaError, WrongUse


@dataclass(frozen=True)
class PlannedMeme:
    """A meme to bring: its path in the library, and the texts that are written beside it by the label of each.

    `is_known` says that the library has the same bytes at `path` already: only missing texts are added.
    """

    meme: ImportedMeme
    path: str
    is_known: bool = False
    texts: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ImportPlan:
    """What an import would write, and what it leaves out."""

    planned: list[PlannedMeme]
    left_out: list[NotImported]


def plan_import(library: Path, found: Iterable[Found]) -> ImportPlan:
    """Return what an import into a library would write; nothing is changed. The library need not exist yet.

    A category is spelled as the library spells it. The same bytes come once; bytes that the library has get the texts
    that are missing beside them, and a text that differs from the one that is there is left out. Raises LibraryError
    when the library cannot be read.

    >>> meme = ImportedMeme(workspace.library / "Dogs/fine.png", "cats", "what: is this?")
    >>> plan_import(folder / "memes", [meme]).planned[0].path
    'cats/what is this.png'
    >>> plan_import(workspace.library, [meme]).planned[0].path  # it is there
    'Dogs/fine.png'
    """
    plan = ImportPlan([], [])
    known = _Known(library)
    taken: dict[str, set[str]] = {}
    written: dict[tuple[str, str], str] = {}  # texts of this import by path and label
    for one in found:
        if isinstance(one, NotImported):
            plan.left_out.append(one)
            continue
        try:
            suffix = _suffix(one.file)
            hashed = content_hash(one.file)
        except (MemeticaError, OSError) as error:
            plan.left_out.append(NotImported(str(one.file), str(error)))
            continue
        texts = dict(one.texts)
        if one.first_seen is not None:
            texts[FIRST_SEEN] = one.first_seen.isoformat(timespec="seconds").replace("+00:00", "Z")
        there = known.path_of(one.file, hashed)
        if there is not None:
            missing = {}
            for label, body in texts.items():
                kept = written.get((there, label)) or _text_of(_sidecar(library / there, label))
                if kept is None:
                    missing[label] = written[there, label] = body
                elif label != FIRST_SEEN and kept.split() != body.split():
                    plan.left_out.append(NotImported(f"{one.file}, its {label or 'text'}", f"{there} has another one."))
            plan.planned.append(PlannedMeme(one, there, is_known=True, texts=missing))
            continue
        category = folder_of(library, _category(one.category, known.categories))
        names = taken.setdefault(category, taken_names(library / category))
        title = _without_slashes(one.name)  # a title such as AC/DC is no path
        candidates = (f"{stem}{suffix}" for stem in stems(safe_stem(f"{title}{suffix}")))
        name = next(candidate for candidate in candidates if candidate.lower() not in names)
        names.add(name.lower())
        known.add(hashed, one.file, f"{category}/{name}")
        written |= {(f"{category}/{name}", label): body for label, body in texts.items()}
        plan.planned.append(PlannedMeme(one, f"{category}/{name}", texts=texts))
    return plan


class _Known:
    """The library's files by size and content; only files as large as an imported one are read."""

    def __init__(self, library: Path) -> None:
        self._library = library
        self._by_size: dict[int, list[str]] = {}
        self._hashes: dict[str, str] = {}  # by path
        self._planned: dict[str, str] = {}  # by hash
        self.categories: set[str] = set()
        if library.exists():
            for entry in scan(library):
                if isinstance(entry, LibraryFile):
                    self._by_size.setdefault(entry.size, []).append(entry.path)
                    self.categories.add(entry.category)

    def path_of(self, file: Path, hashed: str) -> str | None:
        """Return where the library has, or will have, the bytes of a file."""
        for path in self._by_size.get(file.stat().st_size, ()):
            if path not in self._hashes:
                self._hashes[path] = content_hash(self._library / path)
            if self._hashes[path] == hashed:
                return path
        return self._planned.get(hashed)

    def add(self, hashed: str, file: Path, path: str) -> None:
        """Note a file that will be written."""
        self._planned[hashed] = path
        self.categories.add(path.partition("/")[0])


def _suffix(file: Path) -> str:
    """Return the ending that fits a file's content; raise WrongUse for a file that is no meme."""
    with file.open("rb") as opened:
        head = opened.read(HEAD_BYTES)
    if not is_svg(head) and not is_media(head, file.name):
        raise WrongUse("Its format is not supported.")
    return fitting_suffix(head, file.name)


def _without_slashes(name: str) -> str:
    return name.replace("/", " ").replace("\\", " ")


def _category(wanted: str, known: Iterable[str]) -> str:
    """Return a category's name that every file system takes, as the library spells it."""
    plain = safe_stem(f"{_without_slashes(wanted)}.x")
    for name in (wanted, plain):
        try:
            return checked_category(name, known=known)
        except WrongUse:
            continue
    return checked_category(f"{plain} imported", known=known)  # a name that the format keeps for itself


def _sidecar(meme: Path, label: str) -> Path:
    return meme.with_name(f"{meme.name}.{label}.txt" if label else f"{meme.name}.txt")


def _text_of(sidecar: Path) -> str | None:
    """Return the text of a sidecar, unread bytes replaced; None where there is no file."""
    try:
        return sidecar.read_text("utf-8", "replace")
    except FileNotFoundError:
        return None


def carry_out(
    library: Path, plan: ImportPlan, *, on_meme: Callable[[PlannedMeme], None] = lambda meme: None
) -> list[NotImported]:
    """Write what a plan says and return what could not be written; what became occupied meanwhile is left alone.

    Each file is copied whole, with its times, before its texts. After a kill, the same import again adds what is
    missing. Raises LibraryError when the library cannot be written.

    >>> meme = ImportedMeme(workspace.library / "Dogs/fine.png", "Dogs", "fine", texts={"tags": "dog, fire"})
    >>> carry_out(folder / "memes", plan_import(folder / "memes", [meme]))
    []
    >>> sorted(file.name for file in (folder / "memes" / "Dogs").iterdir())
    ['fine.png', 'fine.png.tags.txt']
    """
    failed: list[NotImported] = []
    for one in plan.planned:
        target = library / one.path
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            if not one.is_known and not _copy(one.meme.file, target):
                failed.append(NotImported(str(one.meme.file), f"{one.path} exists by now: run the same import again."))
                continue
            for label, body in one.texts.items():
                write_new(_sidecar(target, label), f"{body.rstrip()}\n".encode())
        except OSError as error:
            if error.filename is not None and Path(error.filename) == one.meme.file:
                failed.append(NotImported(str(one.meme.file), f"It cannot be read: {error.strerror}."))
                continue
            raise LibraryError(
                f"{target} cannot be written: {error.strerror or error}.",
                hint="What was brought before stays. Mend it and run the same import again: it goes on.",
            ) from error
        on_meme(one)
    return failed


def _copy(source: Path, target: Path) -> bool:
    """Copy a file with its times to a free path; return False when the path is taken."""
    if os.path.lexists(target):
        return False
    aside = target.with_name(f".memetica-{secrets.token_hex(8)}.part")
    try:
        shutil.copy2(source, aside)
        aside.chmod(0o644)
        return link_free(aside, target)
    finally:
        aside.unlink(missing_ok=True)
