"""Thumbnails on disk: a cache by content, in the data folder."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from search.errors import DataFolderError


def thumbnail_path(data: Path, content_hash: str) -> Path:
    """Return where the thumbnail of a content lies, whether or not it is there."""
    return data / "thumbnails" / content_hash[:2] / f"{content_hash}.webp"


def thumbnails_present(data: Path) -> set[str]:
    """Return the content hashes that have a thumbnail."""
    return {file.stem for file in (data / "thumbnails").glob("??/*.webp")}


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file of the data folder whole or not at all; raise DataFolderError when there is no room or no right."""
    aside = path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        aside.write_bytes(content)
        aside.replace(path)
    except OSError as error:
        aside.unlink(missing_ok=True)
        raise DataFolderError(
            f"{path} cannot be written: {error.strerror}.",
            hint="Make room or check the data folder's permissions, and run the same command again.",
        ) from error
