"""Files: memes of the library, thumbnails, and pictures that visitors search with."""

from __future__ import annotations

import hashlib
import itertools
import mimetypes
import os
import re
import threading
from collections import OrderedDict
from collections.abc import Callable
from io import BufferedReader
from pathlib import Path, PurePosixPath

from flask import Blueprint, Response, request, send_file
from werkzeug.exceptions import RequestedRangeNotSatisfiable

from indexer.library.format import is_empty
from indexer.library.links import open_file
from indexer.media.decode import sanitized_svg
from indexer.media.thumbnail_sizes import SMALL_SIDE, small_thumbnail, thumbnail_as_jpeg
from indexer.media.thumbnails import is_whole, still_path, thumbnail_path
from search.errors import LibraryError, NotFound, UnreadableFile
from search.meme import Meme
from web.context import site
from web.query_images import query_image_path
from web.schemas import still_url

blueprint = Blueprint("files", __name__)
# Whatever a file contains, the browser shows it as its declared type and runs no script in it.
LIBRARY_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; media-src 'self'; sandbox"
_HASH = re.compile(r"[0-9a-f]{64}")
_TYPES = {".avif": "image/avif", ".jfif": "image/jpeg", ".m4v": "video/mp4", ".mov": "video/mp4", ".webp": "image/webp"}
_YEAR = 31_536_000
REMEMBERED = 20_000  # files whose content is known without reading them again


def send_meme(meme: Meme, *, download: bool = False) -> Response:
    """Return a meme's file; scripts are removed from an SVG that is shown.

    Only what was decoded is sent: a file that failed, or whose content is another than the one that was indexed, is
    not, and no link out of the library is followed. Raises NotFound for these and for a missing file, LibraryError when
    the whole library is missing or empty, because its disk is not mounted.
    """
    opened = open_decoded(meme)
    status = os.fstat(opened.fileno())
    suffix = PurePosixPath(meme.path).suffix.lower()
    # By the content that was decoded: a name may say another type than browsers need to show it.
    kind = meme.content_type or _TYPES.get(suffix) or mimetypes.guess_type(meme.name)[0] or "application/octet-stream"
    if "svg" in kind and not download:
        with opened:
            answer = Response(sanitized_svg(opened.read()), mimetype="image/svg+xml")
    else:
        answer = send_file(
            opened,
            mimetype=kind,
            conditional=False,
            etag=meme.content_hash,
            last_modified=status.st_mtime,
            as_attachment=download,
            download_name=meme.name.replace("\n", " ").replace("\r", " "),
            max_age=3600,
        )
        answer.content_length = status.st_size
        try:
            answer.make_conditional(request.environ, accept_ranges=True, complete_length=status.st_size)
        except RequestedRangeNotSatisfiable:
            opened.close()
            raise
        answer.call_on_close(opened.close)
    answer.headers["Content-Security-Policy"] = LIBRARY_POLICY
    return answer


def open_decoded(meme: Meme) -> BufferedReader:
    """Return a meme's file, opened; raise NotFound unless it was decoded and has the content that was decoded."""
    settings = site().settings
    if not meme.has_thumbnail:
        raise NotFound(
            f"{meme.path} is not shown, because it was not decoded.",
            hint="Run `memetica index`; `memetica status` says what failed and why.",
        )
    try:
        opened = open_file(settings.library, meme.path, follow_links=settings.follow_links)
    except UnreadableFile as error:  # also a link out of the library
        raise NotFound(f"{meme.path} is not shown. {error.message}", hint=error.hint) from error
    except OSError as error:
        if is_empty(settings.library):
            raise LibraryError(
                f"The file of {meme.path} cannot be shown now: the library's folder is empty.",
                hint="Check that its disk is mounted.",
            ) from error
        raise NotFound(f"The file of {meme.path} is no longer in the library.", hint="Run `memetica index`.") from error
    if not _has_content(opened, meme.content_hash):
        opened.close()
        raise NotFound(f"The file of {meme.path} has changed since it was indexed.", hint="Run `memetica index`.")
    return opened


# The contents of files that were read before, by what changes whenever a file does: nobody can set the time of change.
_contents: OrderedDict[tuple[int, ...], str] = OrderedDict()
_contents_lock = threading.Lock()


def _has_content(opened: BufferedReader, expected: str) -> bool:
    """Return whether an open file has a content; each state of a file is read once, at most REMEMBERED of them.

    A hash takes about a second per gigabyte, and the file is read for the answer anyway.
    """
    status = os.fstat(opened.fileno())
    state = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    with _contents_lock:
        found = _contents.get(state)
    if found is None:
        found = hashlib.file_digest(opened, "sha256").hexdigest()
        opened.seek(0)
        with _contents_lock:
            _contents[state] = found
            while len(_contents) > REMEMBERED:
                _contents.popitem(last=False)
    return found == expected


@blueprint.get("/thumbnails/<name>.webp")
def thumbnail(name: str) -> Response:
    """Return a thumbnail or a still. Browsers may cache it forever, because its name has the hash of the content."""
    content_hash, _, number = name.partition(".")
    known = _HASH.fullmatch(content_hash) and re.fullmatch(r"[0-9]?", number)
    data = site().settings.data
    file = still_path(data, content_hash, int(number)) if known and number else thumbnail_path(data, content_hash)
    if not known or not is_whole(file):
        raise NotFound("There is no such thumbnail.")
    answer = send_file(file, mimetype="image/webp", max_age=_YEAR, etag=name, conditional=True)
    answer.cache_control.immutable = True
    return answer


def stills(meme: Meme) -> list[str]:
    """Return the addresses of a meme's stills in the order of time; none where all browsers show its file."""
    if meme.plays_in_browsers:
        return []
    numbers = itertools.takewhile(
        lambda number: still_path(site().settings.data, meme.content_hash, number).is_file(), itertools.count()
    )
    return [still_url(meme, number) for number in numbers]


@blueprint.get(f"/thumbnails/<content_hash>-{SMALL_SIDE}.webp")
def small(content_hash: str) -> Response:
    """Return the small form of a thumbnail."""
    return _made_of_thumbnail(content_hash, small_thumbnail, "image/webp")


@blueprint.get("/thumbnails/<content_hash>.jpg")
def jpeg(content_hash: str) -> Response:
    """Return a thumbnail as JPEG, for previews on other sites."""
    return _made_of_thumbnail(content_hash, thumbnail_as_jpeg, "image/jpeg")


def _made_of_thumbnail(content_hash: str, make: Callable[[Path, str], bytes], content_type: str) -> Response:
    if not _HASH.fullmatch(content_hash):
        raise NotFound("There is no such thumbnail.")
    try:
        raw = make(site().settings.data, content_hash)
    except (OSError, ValueError, SyntaxError) as error:  # Pillow, of a damaged file
        raise NotFound("There is no such thumbnail.") from error
    answer = Response(raw, mimetype=content_type)
    answer.set_etag(content_hash)
    answer.cache_control.max_age = _YEAR
    answer.cache_control.immutable = True
    answer.make_conditional(request.environ)
    return answer


@blueprint.get("/uploads/<name>.png")
def upload(name: str) -> Response:
    """Return a picture that a visitor searches with."""
    return send_file(query_image_path(site().settings, name), mimetype="image/png", max_age=3600)


def wants_download() -> bool:
    """Return whether the address asks for a download."""
    return "download" in request.args
