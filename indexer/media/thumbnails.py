"""Thumbnails on disk: a cache by content, in the data folder."""

from __future__ import annotations

from pathlib import Path


def thumbnail_path(data: Path, content_hash: str) -> Path:
    """Return where the thumbnail of a content lies, whether or not it is there."""
    return data / "thumbnails" / content_hash[:2] / f"{content_hash}.webp"


def thumbnails_present(data: Path) -> set[str]:
    """Return the content hashes that have a thumbnail."""
    return {file.stem for file in (data / "thumbnails").glob("??/*.webp")}
