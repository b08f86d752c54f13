"""Texts written beside memes, in the library's own format: whole or not at all, and never over what is there."""

from __future__ import annotations

import os
import re
import secrets
from pathlib import Path

from indexer.library.format import EXTENSIONS
from search.errors import LibraryError, WrongUse
from search.meme import TextKind

_UNSAFE = re.compile(r"[^\w.+-]", re.ASCII)
# By a model called `a.png`, the text `cat.png.a.png.….txt` would be about a meme called `cat.png.a.png`.
_EXTENSION = re.compile(r"\.(?=(?:" + "|".join(one[1:] for one in EXTENSIONS) + r")(?:\.|$))", re.IGNORECASE)


def safe_name(model: str) -> str:
    """Return a model's name as it stands in a sidecar's: `qwen3.5:4b-q8_0` is `qwen3.5_4b-q8_0`; raise WrongUse."""
    safe = _EXTENSION.sub("_", _UNSAFE.sub("_", model.strip())).strip(".")
    if not any(map(str.isalnum, safe)):
        raise WrongUse(f"{model!r} is no name of a model.")
    return safe


def sidecar_path(meme: Path, source: str, kind: TextKind) -> Path:
    """Return where a source's text of a kind about a meme lies, whether or not it is there."""
    return meme.with_name(f"{meme.name}.{source}.{kind}.txt")


def write_sidecar(path: Path, text: str) -> bool:
    """Write a text whole and return True, or False when something is there already; raise LibraryError."""
    if os.path.lexists(path):
        return False
    # Hidden, so that a scan passes over it, and short, so that only the sidecar's own name can be too long.
    aside = path.with_name(f".memetica-{secrets.token_hex(8)}.part")
    try:
        try:
            with aside.open("x", encoding="utf-8", newline="\n") as out:
                out.write(text.rstrip() + "\n")
                out.flush()
                os.fsync(out.fileno())
            return link_free(aside, path)
        finally:
            aside.unlink(missing_ok=True)
    except OSError as error:
        raise LibraryError(
            f"{path} cannot be written: {error.strerror}.",
            hint="The text is kept in the catalogue. Check the folder's permissions and its disk.",
        ) from error


def link_free(aside: Path, path: Path) -> bool:
    """Give a finished file its name, unless another has it; return whether it was free."""
    try:
        path.hardlink_to(aside)
        return True
    except FileExistsError:
        return False
    except OSError:
        if not aside.exists():
            raise
    # A file system without hard links: the name is taken first, so that nothing can be overwritten, then filled.
    try:
        with path.open("x"):
            pass
    except FileExistsError:
        return False
    aside.replace(path)
    return True
