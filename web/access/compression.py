"""Compression of pages, feeds and JSON; pictures and videos are compressed already, static files once at the start."""

from __future__ import annotations

from flask import Flask, Response, g
from flask_compress import Compress

TYPES = ["text/html", "application/json", "application/atom+xml", "application/manifest+json", "text/xml"]
MIN_SIZE = 500  # bytes; below, the headers outweigh the gain


def keep_uncompressed() -> None:
    """Leave the answer to the current request uncompressed, because it holds a secret.

    Where a secret and what a stranger chose stand in one compressed page, its length tells something of the secret
    (BREACH, https://breachattack.com).
    """
    g.holds_secret = True


class _Compression(Compress):
    def after_request(self, response: Response | None) -> Response:
        if response is not None and g.get("holds_secret"):
            return response
        return super().after_request(response)


def register(app: Flask) -> None:
    """Compress what a browser accepts compressed. Register it first: the last to register is the first to answer."""
    app.config.update(
        COMPRESS_MIMETYPES=TYPES, COMPRESS_ALGORITHM=["br", "gzip"], COMPRESS_MIN_SIZE=MIN_SIZE, COMPRESS_STREAMS=False
    )
    _Compression(app)
