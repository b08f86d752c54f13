"""Thumbnails in the data folder, a cache by content hash."""

from __future__ import annotations

from pathlib import Path


def thumbnail_path(data: Path, content_hash: str) -> Path:
    """Return the path of a content's thumbnail, whether or not the file exists."""
    return data / "thumbnails" / content_hash[:2] / f"{content_hash}.webp"


def thumbnails_present(data: Path) -> set[str]:
    """Return the content hashes that have a thumbnail."""
    return {file.stem for file in (data / "thumbnails").glob("??/*.webp")}
