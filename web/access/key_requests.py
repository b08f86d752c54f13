"""Requests with an API key: `Authorization: Bearer KEY` names it; its rate is held, and pages elsewhere may send it.

A page of another site may call the API only with a key (CORS): without one, a page could read what a site serves to
its own network. A cookie does not count for it, because browsers send none with these requests.
"""

from __future__ import annotations

from collections.abc import Callable

from flask import Flask, Response, current_app, g, request

from search.errors import MemeticaError
from web.access.keys import PREFIX, ApiKey, Scope, find_key
from web.access.rate_limit import KeyRates
from web.access.request_rates import TooManyRequests
from web.context import site

_METHODS = "GET, HEAD, POST, OPTIONS"
_HEADERS = "Authorization, Content-Type"
PREFLIGHT_SECONDS = 600


class UnknownKey(MemeticaError):
    """The request carries a key that is not stored: mistyped, or revoked."""

    code = "unknown_key"
    status = 401


class NotAllowed(MemeticaError):
    """The request carries a key that may not do this."""

    code = "not_allowed"
    status = 403


def register(app: Flask, *, clock: Callable[[], float]) -> None:
    """Recognize the key of every request of an application, and answer pages of other sites that send one."""
    app.extensions["key_rates"] = KeyRates(clock=clock)

    @app.before_request
    def answer_preflight() -> Response | None:
        if request.method != "OPTIONS" or not _is_api() or "Access-Control-Request-Method" not in request.headers:
            return None
        asked = request.headers.get("Access-Control-Request-Headers", "").lower()
        if "authorization" not in [one.strip() for one in asked.split(",")]:
            return None  # without a key, the browser is not told that it may ask
        response = Response(status=204)
        response.headers["Access-Control-Allow-Methods"] = _METHODS
        response.headers["Access-Control-Allow-Headers"] = _HEADERS
        response.headers["Access-Control-Max-Age"] = str(PREFLIGHT_SECONDS)
        return _open_to_pages(response)

    @app.before_request
    def recognize_key() -> None:
        sent = _sent_key()
        if sent is None:
            return
        key = find_key(site().settings.data, sent)
        if key is None:
            raise UnknownKey(
                "This API key is unknown or was revoked.", hint="`memetica keys add NAME` makes a new one."
            )
        rates: KeyRates = current_app.extensions["key_rates"]
        wait = rates.acquire(key.hash, per_minute=key.per_minute)
        if wait:
            raise TooManyRequests.until(
                f"Too many requests by the key {key.name!r}: it may send {key.per_minute:,} a minute.", seconds=wait
            )
        g.api_key = key

    @app.after_request
    def let_pages_read(response: Response) -> Response:
        if _sent_key() is None:
            return response
        response.headers["Cache-Control"] = "no-store"  # a cache must not give it to somebody without the key
        if response.status_code == 401:
            response.headers["WWW-Authenticate"] = 'Bearer realm="Memetica"'
        return _open_to_pages(response) if _is_api() else response


def current_key() -> ApiKey | None:
    """Return the key of the current request, None without one."""
    key: ApiKey | None = g.get("api_key")
    return key


def check_scope(key: ApiKey, scope: Scope) -> None:
    """Raise NotAllowed unless a key has a scope."""
    if scope not in key.scopes:
        raise NotAllowed(
            f"The key {key.name!r} may not do this; it may {', '.join(key.scopes)}.",
            hint=f"Make another: memetica keys add NAME --may {scope}",
        )


def _sent_key() -> str | None:
    """Return the key in the header, None for another token: a proxy may pass on its own."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    token = token.strip()
    return token if scheme.lower() == "bearer" and token.startswith(PREFIX) else None


def _is_api() -> bool:
    return request.path.startswith("/api/")


def _open_to_pages(response: Response) -> Response:
    origin = request.headers.get("Origin")
    if origin:
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Expose-Headers"] = "Retry-After"
        response.headers.add("Vary", "Origin")
    return response
