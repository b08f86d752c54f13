"""Apply and revert the steps of an operation on files; both are idempotent."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from indexer.library.files import bytes_hash, move, remove_file, write_free
from indexer.library.format import content_hash
from search.catalogue.journal import ExpectFile, MoveFile, Step, WriteFile
from search.errors import LibraryError, UnreadableFile

EMPTY = hashlib.sha256(b"").hexdigest()
Roots = Mapping[str, Path]  # the folder for each first part of a step's path: `library`, `trash`, `inbox`


def resolve(roots: Roots, path: str) -> Path:
    """Return the file of a step's path.

    >>> resolve({"library": folder}, "library/Cats/a.png").relative_to(folder).as_posix()
    'Cats/a.png'
    """
    root, _, relative = path.partition("/")
    return roots[root] / relative


def describe_step(step: Step) -> str:
    """Return a description of a step, for progress: `move Cats/a.png`."""
    if isinstance(step, MoveFile):
        return f"move {step.source.partition('/')[2]}"
    verb = "write" if isinstance(step, WriteFile) else "check"
    return f"{verb} {step.target.partition('/')[2]}"


def apply(step: Step, roots: Roots, *, aside: str) -> None:
    """Apply a step, or complete it after a kill; `aside` is the name of unfinished copies.

    Raises LibraryError when a file is missing, has changed or is in the way; OSError when it cannot be moved.
    """
    target = resolve(roots, step.target)
    if isinstance(step, ExpectFile):
        if not _has_content(target, step.sha256):
            raise LibraryError(f"{step.target.partition('/')[2]} has changed since.", hint="Run `memetica index`.")
        return
    remove_file(target.with_name(aside))
    found = bytes_hash(target)
    if isinstance(step, WriteFile):
        if found != step.sha256:
            if found == EMPTY:  # created by a process that was killed before it wrote the content
                target.unlink()
            target.parent.mkdir(parents=True, exist_ok=True)
            write_free(target, bytes.fromhex(step.body), aside=aside)
        return
    source, name = resolve(roots, step.source), step.source.partition("/")[2]
    remaining = bytes_hash(source)
    if remaining is None:
        if found != step.sha256:
            raise LibraryError(f"{name} is missing.", hint="Run `memetica index`.")
    elif remaining == found:
        source.unlink()  # linked to its new path before a kill
    else:
        if found == EMPTY:
            target.unlink()
        move(source, target, aside=aside)
    if bytes_hash(target) != step.sha256:
        raise LibraryError(f"{name} changed while it was moved.", hint="Run `memetica index`.")


def revert(step: Step, roots: Roots, *, aside: str) -> None:
    """Revert a step if it was applied; a file that was changed or moved since is left unchanged.

    Raises OSError when a file cannot be moved.
    """
    if isinstance(step, ExpectFile):
        return
    target = resolve(roots, step.target)
    remove_file(target.with_name(aside))
    moved = bytes_hash(target)
    if isinstance(step, WriteFile):
        if moved == step.sha256:
            target.unlink()
        return
    source = resolve(roots, step.source)
    remove_file(source.with_name(aside))
    if moved is None:
        return  # never moved, or already moved back
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
    return {resolve(roots, path) for step in steps for path in paths_of(step)}


def paths_of(step: Step) -> set[str]:
    """Return the paths that a step names: its target and, of a move, its source."""
    return {step.target, step.source} if isinstance(step, MoveFile) else {step.target}


def remove_empty_categories(files: Iterable[Path], library: Path) -> None:
    """Remove these files' folders in the library that are empty now."""
    for folder in {file.parent for file in files}:
        if folder != library and folder.is_relative_to(library):
            with suppress(OSError):
                folder.rmdir()


def _has_content(file: Path, sha256: str) -> bool:
    try:
        return content_hash(file) == sha256
    except UnreadableFile:
        return False
