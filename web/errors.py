"""Every error as one sentence: a page for people, the same sentence as JSON for programs."""

from __future__ import annotations

from flask import Flask, Response, current_app, jsonify, render_template, request
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from search.errors import MemeticaError, NotFound
from web.schemas import error_row


def register(app: Flask) -> None:
    """Handle every kind of error that a request can end in."""

    @app.errorhandler(MemeticaError)
    def ours(error: MemeticaError) -> tuple[Response, int]:
        return answer(error)

    @app.errorhandler(HTTPException)
    def http(error: HTTPException) -> Response | tuple[Response, int]:
        if error.code is None or error.code < 400:
            return error.get_response()  # type: ignore[return-value]
        return answer(_as_ours(error))

    @app.errorhandler(Exception)
    def unforeseen(error: Exception) -> tuple[Response, int]:
        current_app.logger.exception("a request failed")
        return answer(MemeticaError("Something went wrong here; it has been written to the log.", hint="Try again."))


def _as_ours(error: HTTPException) -> MemeticaError:
    if error.code == 404:
        return NotFound("There is nothing at this address.", hint="Search for it, or start at the home page.")
    if isinstance(error, RequestEntityTooLarge):
        limit = current_app.config["MAX_CONTENT_LENGTH"] // 1_000_000
        found = MemeticaError(f"That is too large: at most {limit} MB can be sent.", hint="Send a smaller picture.")
        found.code = "too_large"
    else:
        found = MemeticaError(f"{error.description or error.name}")
        found.code = error.name.lower().replace(" ", "_")
    found.status = error.code or 500
    return found


def answer(error: MemeticaError) -> tuple[Response, int]:
    """Return an error as JSON under /api, as a page elsewhere."""
    if request.path.startswith("/api/"):
        return jsonify(error_row(error)), error.status
    page = render_template("error.html", error=error, query=request.args.get("q", ""))
    return Response(page, mimetype="text/html"), error.status
