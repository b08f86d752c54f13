"""Error handlers: a page for people, and the same message as JSON for programs."""

from __future__ import annotations

from flask import Flask, Response, current_app, jsonify, render_template, request
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from search.errors import MemeticaError, NotFound
from web.schemas import error_row


def register(app: Flask) -> None:
    """Add a handler for every kind of error that a request can raise."""

    @app.errorhandler(MemeticaError)
    def memetica_error(error: MemeticaError) -> tuple[Response, int]:
        return _response(error)

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> Response | tuple[Response, int]:
        if error.code is None or error.code < 400:
            return error.get_response()  # type: ignore[return-value]
        return _response(_as_memetica_error(error))

    @app.errorhandler(Exception)
    def unexpected_error(error: Exception) -> tuple[Response, int]:
        current_app.logger.exception("a request failed")
        return _response(MemeticaError("Something went wrong. The server's log has the details.", hint="Try again."))


def _as_memetica_error(error: HTTPException) -> MemeticaError:
    if error.code == 404:
        return NotFound("This page does not exist.", hint="Search for it, or go to the home page.")
    if isinstance(error, RequestEntityTooLarge):
        limit = current_app.config["MAX_CONTENT_LENGTH"] // 1_000_000
        found = MemeticaError(f"The file is too large: the limit is {limit} MB.", hint="Send a smaller picture.")
        found.code = "too_large"
    else:
        found = MemeticaError(f"{error.description or error.name}")
        found.code = error.name.lower().replace(" ", "_")
    found.status = error.code or 500
    return found


def _response(error: MemeticaError) -> tuple[Response, int]:
    """Return an error as JSON under /api, as an HTML page elsewhere."""
    if request.path.startswith("/api/"):
        return jsonify(error_row(error)), error.status
    page = render_template("error.html", error=error, query=request.args.get("q", ""))
    return Response(page, mimetype="text/html"), error.status
