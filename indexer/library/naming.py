"""Choose names for files added to the library: any alphabet, one folder deep, never the name of an existing file."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path

from indexer.library.links import IGNORED, leaves_library
from search.catalogue import Catalogue
from search.errors import LibraryError, WrongUse
from search.meme import name_key

STEM_BYTES = 120  # of a name, so that the longest sidecar's name still fits a file system
CATEGORY_BYTES = 120
_MARK_JOINER = "\u200d"  # joins emoji; other invisible characters could disguise a name
OUTSIDE_CATEGORY = "Choose another category, or follow such links with the setting `follow_links`."
_NOT_IN_NAMES = re.compile(r'[/\\:*?"<>|]')
# Windows reserves these names for devices, with any extension.
_DEVICES = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)", re.IGNORECASE)


def safe_stem(name: str) -> str:
    """Return a file's name without its extension, made safe for any file system.

    >>> safe_stem("../../what is: this?.png")
    'what is this'
    """
    name = name.replace("\\", "/").rpartition("/")[2]
    stem = name.rpartition(".")[0] if "." in name.strip(".") else name
    stem = _NOT_IN_NAMES.sub(" ", _plain(stem))
    stem = " ".join(stem.split()).strip(". ")
    while len(stem.encode()) > STEM_BYTES:
        stem = stem[:-1].rstrip(". ")
    if not any(map(str.isalnum, stem)) and not any(unicodedata.category(one) == "So" for one in stem):
        stem = "meme"
    return f"{stem}_" if _DEVICES.match(stem) else stem


def _plain(text: str) -> str:
    """Return a text in NFC, without invisible characters and without those that change the writing direction."""
    composed = unicodedata.normalize("NFC", text.encode("utf-8", "replace").decode("utf-8"))
    return "".join(one if one.isprintable() or one == _MARK_JOINER else " " for one in composed)


def _why_no_category(name: str) -> tuple[str, str]:
    """Return why a name cannot be that of a new category's folder, and what to do; two empty texts if it can."""
    if name.startswith(".") or name.endswith("."):
        return "it begins or ends with a dot, which hides a folder or is lost on Windows", "Remove dots at both ends."
    if _NOT_IN_NAMES.search(name):
        return "it has a character that not every disk keeps", 'Remove / \\ : * ? " < > |.'
    if _plain(name) != name:
        return "it has a character that cannot be seen", "Type the name anew."
    if _DEVICES.match(name):
        return "Windows names a device so", "Add a word to it."
    if name.casefold() in IGNORED | {"memes"}:
        return "folders of that name are not read as categories", "Choose another name."
    return "", ""


def checked_category(requested: str, *, known: Iterable[str]) -> str:
    """Return the known category that people read as this name, or a new one; raise WrongUse for an invalid name.

    >>> checked_category("cats", known=["Cats", "Dogs"])
    'Cats'
    """
    by_name = {name_key(name): name for name in known}
    name = unicodedata.normalize("NFC", " ".join(requested.split()))
    if requested in by_name.values():
        return requested
    if name_key(requested) in by_name:
        return by_name[name_key(requested)]
    if name_key(name) in by_name:
        return by_name[name_key(name)]
    if not name:
        raise WrongUse("The category has no name.", hint="Choose a category, or enter a new name.")
    reason, hint = _why_no_category(name)
    if reason:
        raise WrongUse(f"{name[:60]!r} cannot be a category's name: {reason}.", hint=hint)
    if len(name.encode()) > CATEGORY_BYTES:
        raise WrongUse("The category's name is too long.", hint=f"Use at most {CATEGORY_BYTES} bytes.")
    return name


def folder_of(library: Path, category: str) -> str:
    """Return the name of a category's folder as the disk spells it; the category's own name for a new one.

    >>> folder_of(workspace.library, "cats")
    'Cats'
    """
    if os.path.lexists(library / category):
        return category
    try:
        names = sorted(entry.name for entry in os.scandir(library) if entry.is_dir())
    except OSError:
        return category
    return next((name for name in names if name_key(name) == name_key(category)), category)


def free_path(
    library: Path, catalogue: Catalogue, *, category: str, name: str, suffix: str, follow_links: bool = False
) -> str:
    """Return a path relative to the library that no file, sidecar or earlier meme uses; raise LibraryError.

    So is a category that is a link out of the library, unless `follow_links` is set.

    >>> free_path(workspace.library, workspace.catalogue, category="Cats", name="monday.png", suffix=".png")
    'Cats/monday 2.png'
    """
    category = folder_of(library, category)
    folder = library / category
    if not follow_links and leaves_library(library, category):
        raise LibraryError(f"{folder} is a link that leads out of the library.", hint=OUTSIDE_CATEGORY)
    taken = taken_names(folder)
    for stem in stems(safe_stem(name)):
        path = f"{category}/{stem}{suffix}"
        if f"{stem}{suffix}".lower() not in taken and catalogue.memes.known_at(path) is None:
            return path
    raise LibraryError(f"There are too many files named {name} in {category}.", hint="Rename the file.")


def taken_names(folder: Path) -> set[str]:
    """Return the names, in lower case, that no new meme of a folder may have; raise LibraryError.

    An orphaned sidecar takes the name of its meme too: it would otherwise be attached to the new one.

    >>> _ = (folder / "A.png.txt").write_text("")
    >>> sorted(taken_names(folder))
    ['a', 'a.png', 'a.png.txt']
    """
    try:
        # Lower case, because file systems may ignore case.
        there = [entry.name.lower() for entry in os.scandir(folder)] if os.path.lexists(folder) else []
    except OSError as error:
        raise LibraryError(
            f"The folder {folder} cannot be read: {error.strerror}.", hint="Check its permissions."
        ) from error
    return {one[:end] for one in there for end in (len(one), *(at for at, dot in enumerate(one) if dot == "."))}


def stems(stem: str) -> Iterator[str]:
    """Yield a stem, then the same with a number, from 2 on."""
    yield stem
    for number in range(2, 100_000):
        yield f"{stem} {number}"
