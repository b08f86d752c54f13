"""Pictures that visitors search with: made small and kept for a while, so that an address holds the whole query."""

from __future__ import annotations

import hashlib
import io
import re
import tempfile
from contextlib import suppress
from pathlib import Path

from PIL import Image
from werkzeug.datastructures import FileStorage

from indexer.media.decode import decode
from indexer.media.thumbnails import write_atomically
from search.errors import NotFound, WrongUse
from search.settings import Settings

KEPT = 500  # the newest; older ones are forgotten
KEPT_BYTES = 200_000_000  # of all of them together
SIDE = 1024  # pixels: enough for every fingerprint and encoder
_NAME = re.compile(r"[0-9a-f]{32}")


def keep_upload(settings: Settings, upload: FileStorage | None) -> str:
    """Keep the first frame of an upload and return the name that it is found by; raise WrongUse or UnreadableFile."""
    if upload is None or not upload.filename:
        raise WrongUse("There is no picture in the request.", hint="Choose one, paste one, or drag one here.")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "upload"
        upload.save(file)
        name = hashlib.sha256(file.read_bytes()).hexdigest()[:32]
        picture = decode(file, max_pixels=settings.max_pixels, max_bytes=settings.max_bytes).pictures[0]
    picture.thumbnail((SIDE, SIDE))
    raw = io.BytesIO()
    picture.save(raw, "PNG")
    folder_of_uploads = settings.data / "uploads"
    write_atomically(folder_of_uploads / f"{name}.png", raw.getvalue())
    _forget_old(folder_of_uploads)
    return name


def _forget_old(folder: Path) -> None:
    """Remove all but the newest uploads, within both bounds; the newest stays, whatever its size."""
    kept = []
    for file in folder.glob("*.png"):
        with suppress(FileNotFoundError):  # another request may forget it first
            facts = file.stat()
            kept.append((facts.st_mtime_ns, facts.st_size, file))
    total = 0
    for place, (_, size, file) in enumerate(sorted(kept, reverse=True)):
        total += size
        if place >= KEPT or (place and total > KEPT_BYTES):
            file.unlink(missing_ok=True)


def upload_path(settings: Settings, name: str) -> Path:
    """Return where a kept upload lies; raise NotFound when it is forgotten or the name is none."""
    path = settings.data / "uploads" / f"{name}.png"
    if not _NAME.fullmatch(name) or not path.is_file():
        raise NotFound("That picture is no longer kept here.", hint="Choose it again.")
    return path


def open_upload(settings: Settings, name: str) -> Image.Image:
    """Return a kept upload; raise NotFound."""
    with Image.open(upload_path(settings, name)) as picture:
        return picture.convert("RGB")
