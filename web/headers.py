"""Headers that keep a hostile picture, text or page from doing harm."""

from __future__ import annotations

from flask import Flask, Response

# Styles in attributes carry sizes and stand-ins, so that nothing jumps. Nothing else is inline, nothing from elsewhere.
POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; media-src 'self'; "
    "style-src 'self'; style-src-attr 'unsafe-inline'; "
    "script-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


def register(app: Flask) -> None:
    """Give every answer the headers, unless it has stricter ones of its own."""

    @app.after_request
    def add_headers(response: Response) -> Response:
        response.headers.setdefault("Content-Security-Policy", POLICY)
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        response.headers.setdefault("Referrer-Policy", "same-origin")
        response.headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
        return response
