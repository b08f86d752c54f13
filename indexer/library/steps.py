"""The steps of an operation on files: each can be applied or reverted twice and has the effect of once."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from indexer.library.files import bytes_hash, move, write_free
from indexer.library.format import content_hash
from search.catalogue.journal import ExpectFile, MoveFile, Step, WriteFile
from search.errors import LibraryError, UnreadableFile

EMPTY = hashlib.sha256(b"").hexdigest()
Roots = Mapping[str, Path]  # where the first part of a step's path lies: `library`, `trash`, `inbox`


def resolve(roots: Roots, path: str) -> Path:
    """Return the file that a step's path names.

    >>> resolve({"library": folder}, "library/Cats/a.png").relative_to(folder).as_posix()
    'Cats/a.png'
    """
    root, _, relative = path.partition("/")
    return roots[root] / relative


def shown(step: Step) -> str:
    """Return a step in words, for progress: `move Cats/a.png`."""
    if isinstance(step, MoveFile):
        return f"move {step.source.partition('/')[2]}"
    verb = "write" if isinstance(step, WriteFile) else "check"
    return f"{verb} {step.target.partition('/')[2]}"


def apply(step: Step, roots: Roots, *, aside: str) -> None:
    """Carry out a step, or what is left of it after a kill; `aside` names unfinished copies.

    Raises LibraryError when a file is missing, has changed or is in the way; OSError when the disk refuses.
    """
    target = resolve(roots, step.target)
    if isinstance(step, ExpectFile):
        if not _has_content(target, step.sha256):
            raise LibraryError(f"{step.target.partition('/')[2]} has changed since.", hint="Run `memetica index`.")
        return
    target.with_name(aside).unlink(missing_ok=True)
    found = bytes_hash(target)
    if isinstance(step, WriteFile):
        if found != step.sha256:
            if found == EMPTY:  # a name taken without a hard link, by a process killed before it was filled
                target.unlink()
            target.parent.mkdir(parents=True, exist_ok=True)
            write_free(target, bytes.fromhex(step.body), aside=aside)
        return
    source, name = resolve(roots, step.source), step.source.partition("/")[2]
    left = bytes_hash(source)
    if left is None:
        if found != step.sha256:
            raise LibraryError(f"{name} is not there now.", hint="Run `memetica index`.")
    elif left == found:
        source.unlink()  # moved before a kill, all but its old name
    else:
        if found == EMPTY:
            target.unlink()
        move(source, target, aside=aside)
    if bytes_hash(target) != step.sha256:
        raise LibraryError(f"{name} changed while it was moved.", hint="Run `memetica index`.")


def revert(step: Step, roots: Roots, *, aside: str) -> None:
    """Reverse a step as far as it was applied; a file that somebody has changed or moved since stays as it is.

    Raises OSError when the disk refuses.
    """
    if isinstance(step, ExpectFile):
        return
    target = resolve(roots, step.target)
    target.with_name(aside).unlink(missing_ok=True)
    moved = bytes_hash(target)
    if isinstance(step, WriteFile):
        if moved == step.sha256:
            target.unlink()
        return
    source = resolve(roots, step.source)
    source.with_name(aside).unlink(missing_ok=True)
    if moved is None:
        return  # never moved, or back already
    found = bytes_hash(source)
    if found == moved:
        target.unlink()
    elif found is None:
        if not step.anchor or os.path.lexists(resolve(roots, step.anchor)):
            move(target, source, aside=aside)
    elif found == EMPTY:
        source.unlink()
        move(target, source, aside=aside)


def files_of(steps: Iterable[Step], roots: Roots) -> set[Path]:
    """Return every file that the steps may create or remove."""
    paths = {path for step in steps for path in (step.target, getattr(step, "source", step.target))}
    return {resolve(roots, path) for path in paths}


def remove_empty_categories(files: Iterable[Path], library: Path) -> None:
    """Remove the folders of the library that held these files and hold nothing any more."""
    for folder in {file.parent for file in files}:
        if folder != library and folder.is_relative_to(library):
            with suppress(OSError):
                folder.rmdir()


def _has_content(file: Path, sha256: str) -> bool:
    try:
        return content_hash(file) == sha256
    except UnreadableFile:
        return False
