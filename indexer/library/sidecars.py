"""Write sidecar texts in the library's format: whole or not at all, and never over an existing file."""

from __future__ import annotations

import os
import re
from pathlib import Path

from indexer.library.files import write_new
from indexer.library.format import EXTENSIONS
from search.errors import LibraryError, WrongUse
from search.meme import TextKind

_UNSAFE = re.compile(r"[^\w.+-]", re.ASCII)
# With a model named `a.png`, the sidecar `cat.png.a.png.….txt` would belong to a meme named `cat.png.a.png`.
_EXTENSION = re.compile(
    r"\.(?=(?:" + "|".join(extension[1:] for extension in EXTENSIONS) + r")(?:\.|$))", re.IGNORECASE
)


def safe_name(model: str) -> str:
    """Return a model's name as used in sidecars' file names; raise WrongUse for a name without letters or digits.

    >>> safe_name("qwen3.5:4b-q8_0")
    'qwen3.5_4b-q8_0'
    """
    safe = _EXTENSION.sub("_", _UNSAFE.sub("_", model.strip())).strip(".")
    if not any(map(str.isalnum, safe)):
        raise WrongUse(f"{model!r} is not a model's name: it has no letters or digits.")
    return safe


def sidecar_path(meme: Path, source: str, kind: TextKind) -> Path:
    """Return the path of a meme's sidecar by a source and kind, existing or not.

    >>> sidecar_path(Path("Cats/a.png"), "qwen", TextKind.SIMPLE).as_posix()
    'Cats/a.png.qwen.simple-description.txt'
    """
    return meme.with_name(f"{meme.name}.{source}.{kind}.txt")


def write_sidecar(path: Path, text: str) -> bool:
    """Write a sidecar whole and return True; return False when the path exists.

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
