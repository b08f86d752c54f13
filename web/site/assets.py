"""Style sheets, scripts and icons: compressed once, at an address that changes whenever one of them does.

The version is a folder of the address, `/static/<version>/site.js`, and not a part of each name: a module imports its
neighbors by relative addresses, so they have the same version without any build step.
"""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from flask import Flask, Response, request

from search.errors import NotFound

_FOLDER = Path(__file__).parent.parent / "static"
_YEAR = 31_536_000
_TYPES = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}


# Comments, a tenth of what a browser would load. Ours stand in lines of their own, and in no string.
_COMMENTS = {".css": re.compile(rb"/\*.*?\*/\n?", re.DOTALL), ".js": re.compile(rb"^\s*//.*\n", re.MULTILINE)}


@dataclass(frozen=True)
class Asset:
    """A static file without comments, the same compressed by gzip or None where that is not smaller, and its type."""

    raw: bytes
    compressed: bytes | None
    content_type: str


@lru_cache(maxsize=1)
def assets() -> tuple[str, Mapping[str, Asset]]:
    """Return the version of all static files, and each of them by name; read once.

    >>> version, found = assets()
    >>> found["site.css"].content_type, len(found["site.css"].compressed) < len(found["site.css"].raw) / 2
    ('text/css; charset=utf-8', True)
    """
    digest = hashlib.sha256()
    found = {}
    for file in sorted(_FOLDER.iterdir()):
        raw = without_comments(file)
        digest.update(file.name.encode() + b"\0" + hashlib.sha256(raw).digest())
        compressed = gzip.compress(raw, 9, mtime=0)
        content_type = _TYPES.get(file.suffix) or mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        found[file.name] = Asset(raw, compressed if len(compressed) < 0.9 * len(raw) else None, content_type)
    return digest.hexdigest()[:12], found


def without_comments(file: Path) -> bytes:
    """Return the content of a style sheet or a script without its comments; that of other files as it is.

    >>> b"/*" in without_comments(_FOLDER / "site.css")
    False
    """
    raw = file.read_bytes()
    return _COMMENTS[file.suffix].sub(b"", raw) if file.suffix in _COMMENTS else raw


def send_static(version: str, filename: str) -> Response:
    """Return a static file; browsers may keep that of the current version forever."""
    current, found = assets()
    asset = found.get(filename)
    if asset is None:
        raise NotFound("There is no such file.")
    answer = Response(asset.raw, content_type=asset.content_type)
    answer.set_etag(current)
    if version == current:
        answer.cache_control.public = True
        answer.cache_control.max_age = _YEAR
        answer.cache_control.immutable = True
    else:  # for a page that was loaded before an update
        answer.cache_control.no_cache = True
    if asset.compressed is not None:
        answer.vary.add("Accept-Encoding")
        if request.accept_encodings["gzip"] > 0:
            answer.data = asset.compressed
            answer.content_encoding = "gzip"
    answer.make_conditional(request.environ)
    return answer


def register(app: Flask) -> None:
    """Serve the static files; `url_for("static", filename=…)` gives the address of one at the current version."""
    app.add_url_rule("/static/<version>/<filename>", endpoint="static", view_func=send_static)

    @app.url_defaults
    def add_version(endpoint: str, values: dict[str, Any]) -> None:
        if endpoint == "static":
            values["version"] = assets()[0]

    assets()  # compressed now, not while the first visitor waits
