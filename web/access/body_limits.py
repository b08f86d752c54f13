"""The maximum size of a request's body, by address."""

from __future__ import annotations

from flask import Flask, request

from search.settings import Settings
from web.context import site

FORM_BYTES = 1_000_000  # of a request, without its files
PICTURE_BYTES = 20_000_000  # of a request that searches with a picture
_PICTURES = ("/upload", "/api/search")
_UPLOADS = ("/curator/inbox", "/share", "/api/inbox", "/api/suggest")


def body_limit(path: str, settings: Settings) -> int:
    """Return the maximum size of the body of a request to an address, bytes.

    >>> from search.settings import Settings
    >>> body_limit("/api/search", Settings()), body_limit("/no/such/address", Settings())
    (20000000, 1000000)
    """
    if path in _PICTURES:
        return PICTURE_BYTES
    return settings.upload_bytes + FORM_BYTES if path in _UPLOADS else FORM_BYTES


def largest_body(settings: Settings) -> int:
    """Return the largest limit of all addresses, bytes."""
    return max(body_limit(path, settings) for path in (*_PICTURES, *_UPLOADS))


def register(app: Flask) -> None:
    """Limit the body of every request of an application, whatever server it runs in."""

    @app.before_request
    def set_limit() -> None:
        request.max_content_length = body_limit(request.path, site().settings)
