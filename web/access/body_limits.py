"""How large the body of a request may be, by address."""

from __future__ import annotations

from flask import Flask, request

from search.settings import Settings

FORM_BYTES = 1_000_000  # of a request, beside its files
PICTURE_BYTES = 20_000_000  # of a request that searches with a picture
_PICTURES = ("/upload", "/api/search")
_UPLOADS = ("/curator/inbox", "/api/inbox", "/api/suggest")


def body_limit(path: str, settings: Settings) -> int:
    """Return how many bytes the body of a request to an address may have; the server refuses more by the header.

    >>> from search.settings import Settings
    >>> body_limit("/api/search", Settings()), body_limit("/no/such/address", Settings())
    (20000000, 1000000)
    """
    if path in _PICTURES:
        return PICTURE_BYTES
    return settings.upload_bytes + FORM_BYTES if path in _UPLOADS else FORM_BYTES


def register(app: Flask, settings: Settings) -> None:
    """Hold every request of an application to the limit of its address, behind any server."""

    @app.before_request
    def set_limit() -> None:
        request.max_content_length = body_limit(request.path, settings)
