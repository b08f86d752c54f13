"""Thumbnails in the data folder, a cache by content hash."""

from __future__ import annotations

from pathlib import Path

_HEAD = 12  # bytes: `RIFF`, the length of the rest, `WEBP`


def thumbnail_path(data: Path, content_hash: str) -> Path:
    """Return the path of a content's thumbnail, whether or not the file exists."""
    return data / "thumbnails" / content_hash[:2] / f"{content_hash}.webp"


def still_path(data: Path, content_hash: str, number: int) -> Path:
    """Return the path of a still, of a content that not all browsers show: a picture, or a frame of a video from 0 on.

    >>> still_path(Path("data"), "c0ffee", 2).as_posix()
    'data/thumbnails/c0/c0ffee.2.webp'
    """
    return thumbnail_path(data, content_hash).with_suffix(f".{number}.webp")


def is_whole(file: Path) -> bool:
    """Return whether a file is a WebP picture of the length that it says; False for a missing or empty one.

    Thumbnails are not synchronized to the disk one by one, because that would cost more than to draw them again: a
    power failure can leave empty ones, or ones of zeroes.

    >>> _ = (folder / "a.webp").write_bytes(b"")
    >>> is_whole(folder / "a.webp")
    False
    """
    try:
        with file.open("rb") as opened:
            head = opened.read(_HEAD)
            size = opened.seek(0, 2)
    except OSError:
        return False
    length = int.from_bytes(head[4:8], "little") + 8
    return len(head) == _HEAD and head[:4] == b"RIFF" and head[8:] == b"WEBP" and length == size


def thumbnails_present(data: Path) -> set[str]:
    """Return the content hashes that have a whole thumbnail, and `HASH.NUMBER` of each whole still."""
    return {file.stem for file in (data / "thumbnails").glob("??/*.webp") if is_whole(file)}
