"""Files: memes of the library, thumbnails, and pictures that visitors search with."""

from __future__ import annotations

import mimetypes
import re

from flask import Blueprint, Response, request, send_file

from indexer.media.svg import sanitize_svg
from indexer.media.thumbnails import is_whole, thumbnail_path
from search.errors import LibraryError, NotFound
from search.meme import Meme
from web.context import site
from web.query_images import query_image_path

blueprint = Blueprint("files", __name__)
# Whatever a file contains, the browser shows it as its declared type and runs no script in it.
LIBRARY_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; media-src 'self'; sandbox"
_HASH = re.compile(r"[0-9a-f]{64}")
_TYPES = {".avif": "image/avif", ".jfif": "image/jpeg", ".m4v": "video/mp4", ".mov": "video/mp4", ".webp": "image/webp"}
_YEAR = 31_536_000


def send_meme(meme: Meme, *, download: bool = False) -> Response:
    """Return a meme's file; scripts are removed from an SVG that is shown. Raise LibraryError when it is missing."""
    file = site().settings.library / meme.path
    suffix = file.suffix.lower()
    kind = _TYPES.get(suffix) or mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    try:
        if suffix == ".svg" and not download:
            answer = Response(sanitize_svg(file.read_bytes()), mimetype="image/svg+xml")
        else:
            answer = send_file(
                file,
                mimetype=kind,
                conditional=True,
                etag=meme.content_hash,
                as_attachment=download,
                download_name=meme.name.replace("\n", " ").replace("\r", " "),
                max_age=3600,
            )
    except OSError as error:
        raise LibraryError(
            f"The file of {meme.path} is no longer in the library.", hint="Run `memetica index`."
        ) from error
    answer.headers["Content-Security-Policy"] = LIBRARY_POLICY
    return answer


@blueprint.get("/thumbnails/<content_hash>.webp")
def thumbnail(content_hash: str) -> Response:
    """Return a thumbnail. Browsers may cache it forever, because its name is the hash of the content."""
    file = thumbnail_path(site().settings.data, content_hash)
    if not _HASH.fullmatch(content_hash) or not is_whole(file):
        raise NotFound("There is no such thumbnail.")
    answer = send_file(file, mimetype="image/webp", max_age=_YEAR, etag=content_hash, conditional=True)
    answer.cache_control.immutable = True
    return answer


@blueprint.get("/uploads/<name>.png")
def upload(name: str) -> Response:
    """Return a picture that a visitor searches with."""
    return send_file(query_image_path(site().settings, name), mimetype="image/png", max_age=3600)


def wants_download() -> bool:
    """Return whether the address asks for a download."""
    return "download" in request.args
