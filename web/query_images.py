"""Pictures that visitors search with, stored for a while so that the address of a search can name its picture."""

from __future__ import annotations

import hashlib
import io
import re
import tempfile
from contextlib import suppress
from pathlib import Path

from PIL import Image
from werkzeug.datastructures import FileStorage

from indexer.media.decode import REQUEST, decode
from indexer.media.raster import telling_picture
from search.errors import NotFound, WrongUse
from search.settings import Settings
from search.system.atomic_write import write_atomically

MAX_STORED = 500  # pictures; the oldest are deleted first
MAX_STORED_BYTES = 200_000_000  # of all stored pictures together
MAX_SIDE = 1024  # pixels: enough for every fingerprint and encoder
_NAME = re.compile(r"[0-9a-f]{32}")


def store_query_image(settings: Settings, upload: FileStorage | None) -> str:
    """Store the frame of an upload that tells most, scaled down, and return its name.

    Raises WrongUse without a picture, UnreadableFile when it cannot be decoded, TooBusy when too many others are.
    """
    if upload is None or not upload.filename:
        raise WrongUse("There is no picture in the request.", hint="Choose one, paste one, or drag one here.")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "upload"
        upload.save(file)
        name = hashlib.sha256(file.read_bytes()).hexdigest()[:32]
        decoded = decode(
            file, max_pixels=settings.max_pixels, max_bytes=settings.max_bytes, limits=REQUEST, side=MAX_SIDE
        )
    raw = io.BytesIO()
    telling_picture(decoded.pictures).save(raw, "PNG")
    stored = settings.data / "uploads"
    write_atomically(stored / f"{name}.png", raw.getvalue(), durable=False)
    _delete_oldest(stored)
    return name


def _delete_oldest(folder: Path) -> None:
    """Delete the oldest pictures until both limits are met; the newest one stays, whatever its size."""
    kept = []
    for file in folder.glob("*.png"):
        with suppress(FileNotFoundError):  # another request may delete it first
            facts = file.stat()
            kept.append((facts.st_mtime_ns, facts.st_size, file))
    total = 0
    for place, (_, size, file) in enumerate(sorted(kept, reverse=True)):
        total += size
        if place >= MAX_STORED or (place and total > MAX_STORED_BYTES):
            file.unlink(missing_ok=True)


def query_image_path(settings: Settings, name: str) -> Path:
    """Return the file of a stored picture; raise NotFound when it was deleted or the name is invalid."""
    path = settings.data / "uploads" / f"{name}.png"
    if not _NAME.fullmatch(name) or not path.is_file():
        raise NotFound("This picture is no longer stored.", hint="Choose it again.")
    return path


def open_query_image(settings: Settings, name: str) -> Image.Image:
    """Return a stored picture as RGB; raise NotFound."""
    with Image.open(query_image_path(settings, name)) as picture:
        return picture.convert("RGB")
