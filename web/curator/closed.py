"""A closed site: with the setting `closed`, only the curator and programs with a key see anything."""

from __future__ import annotations

from flask import Flask, Response, current_app, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from search.settings import Settings
from web.access.key_requests import check_scope, current_key
from web.access.keys import Scope
from web.curator.auth import NotSignedIn, signed_in, to_sign_in
from web.errors import is_api

# What a visitor needs to sign in, and a supervisor to see that the server lives.
OPEN = frozenset({"static", "auth.sign_in_page", "auth.sign_in", "metrics.healthz"})


def register(app: Flask, settings: Settings) -> None:
    """Refuse every request of a visitor, whatever it asks for, when the settings say so."""
    if not settings.closed:
        return

    @app.before_request
    def keep_visitors_out() -> AnyResponse | None:
        if request.endpoint in OPEN or signed_in():
            return None
        key = current_key()
        if key is not None:
            view = current_app.view_functions.get(request.endpoint or "")
            if not hasattr(view, "key_scope"):  # a view with a scope checks it by itself
                check_scope(key, Scope.READ)
            return None
        if is_api(request.path) or request.method not in ("GET", "HEAD"):
            raise NotSignedIn("This site is closed to visitors.", hint="Sign in at /sign-in, or send an API key.")
        return redirect(to_sign_in(), code=303)

    @app.after_request
    def keep_out_of_shared_caches(response: Response) -> Response:
        if request.endpoint not in OPEN:
            response.cache_control.public = False
            response.cache_control.private = True
        return response
