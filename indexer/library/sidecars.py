"""Texts written beside memes, in the library's format: whole or not at all, and never over an existing file."""

from __future__ import annotations

import os
import re
from pathlib import Path

from indexer.library.files import write_new
from indexer.library.format import EXTENSIONS
from search.errors import LibraryError, WrongUse
from search.meme import TextKind

_UNSAFE = re.compile(r"[^\w.+-]", re.ASCII)
# By a model called `a.png`, the text `cat.png.a.png.….txt` would be about a meme called `cat.png.a.png`.
_EXTENSION = re.compile(r"\.(?=(?:" + "|".join(one[1:] for one in EXTENSIONS) + r")(?:\.|$))", re.IGNORECASE)


def safe_name(model: str) -> str:
    """Return a model's name as it stands in the names of its sidecars; raise WrongUse for a name without letters.

    >>> safe_name("qwen3.5:4b-q8_0")
    'qwen3.5_4b-q8_0'
    """
    safe = _EXTENSION.sub("_", _UNSAFE.sub("_", model.strip())).strip(".")
    if not any(map(str.isalnum, safe)):
        raise WrongUse(f"{model!r} is no name of a model.")
    return safe


def sidecar_path(meme: Path, source: str, kind: TextKind) -> Path:
    """Return the path of a source's text of a kind beside a meme, whether or not it exists.

    >>> sidecar_path(Path("Cats/a.png"), "qwen", TextKind.SIMPLE).as_posix()
    'Cats/a.png.qwen.simple-description.txt'
    """
    return meme.with_name(f"{meme.name}.{source}.{kind}.txt")


def write_sidecar(path: Path, text: str) -> bool:
    """Write a text whole and return True, or False when something is there already.

    Raises LibraryError when the folder cannot be written.

    >>> write_sidecar(folder / "a.png.qwen.simple-description.txt", "A cat.")
    True
    >>> write_sidecar(folder / "a.png.qwen.simple-description.txt", "Another cat.")
    False
    """
    if os.path.lexists(path):
        return False
    try:
        return write_new(path, f"{text.rstrip()}\n".encode())
    except OSError as error:
        raise LibraryError(
            f"{path} cannot be written: {error.strerror}.",
            hint="The text is kept in the catalogue. Check the folder's permissions and its disk.",
        ) from error
