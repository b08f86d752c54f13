"""Other sizes and formats of a thumbnail, made from the thumbnail itself, so that no file of the library is read."""

from __future__ import annotations

import io
from contextlib import suppress
from pathlib import Path

from PIL import Image

from indexer.media.decode import thumbnail
from indexer.media.thumbnails import is_whole, thumbnail_path
from search.errors import DataFolderError
from search.system.atomic_write import write_atomically

SMALL_SIDE = 240  # pixels


def small_thumbnail(data: Path, content_hash: str) -> bytes:
    """Return a content's thumbnail of at most SMALL_SIDE pixels as WebP, drawn at the first call and kept.

    Raises OSError when the content has no whole thumbnail. A small one that cannot be kept, as on a full disk, is
    returned all the same.
    """
    large = thumbnail_path(data, content_hash)
    small = data / "thumbnails" / str(SMALL_SIDE) / content_hash[:2] / large.name
    if is_whole(small):
        return small.read_bytes()
    with Image.open(large) as picture:
        raw = thumbnail(picture, SMALL_SIDE)
    with suppress(OSError, DataFolderError):
        write_atomically(small, raw, durable=False)
    return raw


def thumbnail_as_jpeg(data: Path, content_hash: str) -> bytes:
    """Return a content's thumbnail as JPEG, for programs that show no WebP; raise OSError when there is none."""
    out = io.BytesIO()
    with Image.open(thumbnail_path(data, content_hash)) as picture:
        picture.convert("RGB").save(out, "JPEG", quality=85)
    return out.getvalue()
