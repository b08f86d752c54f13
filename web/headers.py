"""Security headers: scripts in pictures, in texts and on other sites' pages cannot run here."""

from __future__ import annotations

from flask import Flask, Response, request

from web.addresses import local, set_base

# Style attributes hold sizes and placeholders, so that the layout does not shift while pictures load. All other
# styles and all scripts come from files of this site.
POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; media-src 'self'; "
    "style-src 'self'; style-src-attr 'unsafe-inline'; "
    "script-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


def register(app: Flask) -> None:
    """Add the headers to every response that does not set its own, and the base path to redirects.

    `Strict-Transport-Security` is the reverse proxy's to send: it holds for every service of a host, at every port.
    """

    @app.before_request
    def note_base_path() -> None:
        set_base(request.root_path.rstrip("/"))

    @app.teardown_request
    def forget_base_path(error: BaseException | None) -> None:
        set_base("")

    @app.after_request
    def redirect_below_base_path(response: Response) -> Response:
        location = response.headers.get("Location", "")
        if location.startswith("/") and not location.startswith("//"):
            response.headers["Location"] = local(location)
        return response

    @app.after_request
    def add_headers(response: Response) -> Response:
        response.headers.setdefault("Content-Security-Policy", POLICY)
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        response.headers.setdefault("Referrer-Policy", "same-origin")
        response.headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
        return response
