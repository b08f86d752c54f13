"""Error handlers: a page for people, and the same message as JSON for programs."""

from __future__ import annotations

from http import HTTPStatus

from flask import Flask, Response, current_app, jsonify, render_template, request
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge, SecurityError

from search.errors import MemeticaError, NotFound
from web.addresses import referring_page
from web.schemas import error_row

# The key, in a request's WSGI environment, of the error that the server found when it could not read the request.
UNREADABLE = "memetica.unreadable_request"


class UnreadableRequest(MemeticaError):
    """The server could not parse a request, or refused it before its whole body was read."""

    def __init__(self, status: int, message: str, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.code = _code(HTTPStatus(status).phrase)


def register(app: Flask) -> None:
    """Add a handler for every kind of error that a request can raise."""

    @app.before_request
    def refuse_unreadable_request() -> None:
        error: MemeticaError | None = request.environ.get(UNREADABLE)
        if error is not None:
            raise error

    @app.errorhandler(MemeticaError)
    def memetica_error(error: MemeticaError) -> Response:
        return error_response(error)

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> Response:
        if error.code is None or error.code < 400:
            return error.get_response()  # type: ignore[return-value]
        response = error_response(_as_memetica_error(error))
        for name, value in error.get_headers():  # `Allow` of a 405
            if name not in ("Content-Type", "Content-Length"):
                response.headers[name] = value
        return response

    @app.errorhandler(Exception)
    def unexpected_error(error: Exception) -> Response:
        current_app.logger.exception("a request failed")
        return error_response(_something_went_wrong())


def _something_went_wrong() -> MemeticaError:
    return MemeticaError("Something went wrong. The server's log has the details.", hint="Try again.")


def _as_memetica_error(error: HTTPException) -> MemeticaError:
    if error.code == 404:
        if is_api(request.path):
            return NotFound("There is nothing at this address.", hint="/api/openapi.json lists the addresses.")
        return NotFound("This page does not exist.", hint="Search for it, or go to the home page.")
    found: MemeticaError
    if isinstance(error, RequestEntityTooLarge):
        found = too_large(request.max_content_length or 0)
    elif isinstance(error, SecurityError):  # its description repeats what was sent
        found = MemeticaError("The request is not addressed to this site.")
        found.code = "bad_request"
    elif error.code == 405:
        found = MemeticaError("This address is not a page.", hint="Use the form of the page that leads here.")
        if is_api(request.path):
            hint = "/api/openapi.json lists what each address takes."
            found = MemeticaError(f"This address does not take {request.method}.", hint=hint)
        found.code = _code(error.name)
    elif error.code is None or error.code >= 500:
        found = _something_went_wrong()
    else:
        found = MemeticaError(f"{error.description or error.name}")
        found.code = _code(error.name)
    found.status = error.code or 500
    return found


def too_large(limit: int) -> UnreadableRequest:
    """Return the error for a body that is larger than `limit` bytes."""
    found = UnreadableRequest(
        413, f"The request is too large: the limit here is {limit / 1_000_000:g} MB.", hint="Send a smaller file."
    )
    found.code = "too_large"
    return found


def _code(name: str) -> str:
    return name.lower().replace(" ", "_").replace("-", "_")


def is_api(path: str) -> bool:
    """Return whether an address belongs to the API, whose errors are JSON."""
    return path == "/api" or path.startswith("/api/")


def _error_page(error: MemeticaError) -> str:
    """Return the page about an error; a plain one when the parts around it fail themselves, as with a bad catalogue."""
    try:
        # A form leads back to its page, not to the home page.
        back = "" if request.method in ("GET", "HEAD") else referring_page(request.referrer, host=request.host)
        return render_template("error.html", error=error, query=request.args.get("q", "")[:1000], back=back)
    except MemeticaError:
        return render_template("error_alone.html", error=error)


def error_response(error: MemeticaError) -> Response:
    """Return an error as JSON under /api, as an HTML page elsewhere."""
    html = None if is_api(request.path) else _error_page(error)
    response = jsonify(error_row(error)) if html is None else Response(html, mimetype="text/html")
    response.status_code = error.status
    if error.retry_after is not None:
        response.headers["Retry-After"] = str(error.retry_after)
    return response
