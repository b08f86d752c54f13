"""Signing in and out, views that only the curator may call, and CSRF tokens.

Visitors get no cookie and cannot open the curator's pages. A browser in which the curator has signed in gets a second
cookie, so that password attempts by others behind the same address do not make the curator wait.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import secrets
import threading
from collections.abc import Callable
from typing import Any, TypeVar, cast
from urllib.parse import urlencode

from flask import (
    Blueprint,
    Flask,
    Response,
    after_this_request,
    current_app,
    g,
    redirect,
    render_template,
    request,
    session,
)
from flask.sessions import SecureCookieSessionInterface
from itsdangerous import BadSignature, URLSafeTimedSerializer
from markupsafe import Markup
from werkzeug.wrappers import Response as AnyResponse

from search.errors import MemeticaError
from web.access.compression import keep_uncompressed
from web.access.key_requests import NotAllowed, check_scope, current_key
from web.access.keys import Scope
from web.access.rate_limit import RateLimit, client_network
from web.addresses import base, is_local, local, referring_page
from web.context import site
from web.curator.passwords import end_sessions, load_or_create_secret, load_password, verify_password
from web.curator.sessions import (
    LIFETIME,
    SessionRecord,
    begin_session,
    end_other_sessions,
    end_session,
    find_session,
    live_sessions,
)

blueprint = Blueprint("auth", __name__)
KNOWN_BROWSER_DAYS = 365
MAX_HASHES = 2  # at once; each takes 64 MiB
CSRF_HEADER = "X-CSRF-Token"
_KNOWN_COOKIE = "memetica-known"
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")

View = TypeVar("View", bound=Callable[..., Any])


class NotSignedIn(MemeticaError):
    """The request needs the curator to be signed in."""

    code = "not_signed_in"
    status = 401


class Refused(MemeticaError):
    """The form was not sent from one of this site's pages, or shows an outdated state."""

    code = "refused"
    status = 403


class TooManyAttempts(MemeticaError):
    """Too many passwords were tried."""

    code = "too_many_guesses"
    status = 429


class _Sessions(SecureCookieSessionInterface):
    def get_cookie_secure(self, app: Flask) -> bool:
        """Return whether the browser uses HTTPS, maybe through a trusted proxy."""
        return request.is_secure

    def get_cookie_path(self, app: Flask) -> str:
        """Return the path of the site, so that others on the same host do not get its cookie."""
        return base() or "/"


def register(app: Flask, *, clock: Callable[[], float]) -> None:
    """Add sessions and the sign-in pages, and give the templates their CSRF and sign-in functions."""
    secret = load_or_create_secret(app.extensions["site"].workspace.data)
    app.secret_key = secret
    app.permanent_session_lifetime = LIFETIME
    app.session_interface = _Sessions()
    # Browsers do not tell cookies apart by port: two sites on one machine need different names.
    app.config["SESSION_COOKIE_NAME"] = f"memetica-{hashlib.sha256(b'name' + secret).hexdigest()[:8]}"
    app.config["SESSION_COOKIE_HTTPONLY"] = True
    app.config["SESSION_COOKIE_SAMESITE"] = "Lax"
    app.extensions["rate_limit"] = RateLimit(clock=clock)
    app.extensions["hashing"] = threading.BoundedSemaphore(MAX_HASHES)
    app.register_blueprint(blueprint)
    app.jinja_env.globals.update(csrf_token=csrf_token, csrf_field=csrf_field, signed_in=signed_in)


def current_session() -> SessionRecord | None:
    """Return the curator's session that this request belongs to, None for a visitor or an ended session."""
    id = session.get("id")
    if not id:
        return None
    if "curator_session" not in g:
        g.curator_session = find_session(site().settings.data, str(id))
    found: SessionRecord | None = g.curator_session
    return found


def signed_in() -> bool:
    """Return whether this request comes from the curator."""
    return current_session() is not None


def csrf_token() -> str:
    """Return the CSRF token of this browser's session, created at the first call."""
    keep_uncompressed()
    if "csrf" not in session:
        session["csrf"] = secrets.token_urlsafe(24)
    return str(session["csrf"])


def csrf_field() -> Markup:
    """Return the hidden field with the CSRF token, which every form of the curator contains."""
    return Markup('<input type="hidden" name="csrf" value="{}">').format(csrf_token())


def check_csrf() -> None:
    """Raise Refused unless the request carries this session's CSRF token, in a form field or a header."""
    sent = request.headers.get(CSRF_HEADER) or request.form.get("csrf", "")
    expected = session.get("csrf")
    if not expected or not hmac.compare_digest(sent.encode(), str(expected).encode()):
        raise Refused(
            "This form was not sent from this site, or its page is too old.",
            hint="Go back, load the page again and repeat it.",
        )


def curator_only(view: View) -> View:
    """Return a view that only the curator can call; a request that changes something must carry the CSRF token.

    Other visitors are redirected to the sign-in page and back; under /api they get status 401. Put it below `route`.
    """

    @functools.wraps(view)
    def guarded(*arguments: Any, **named: Any) -> Any:
        after_this_request(_keep_private)
        if not signed_in():
            if current_key() is not None:
                raise NotAllowed("No API key may do this: it is for the signed-in curator.")
            if request.path.startswith("/api/"):
                raise not_signed_in(getattr(view, "key_scope", None))
            return redirect(to_sign_in(), code=303)
        if request.method not in _SAFE_METHODS:
            check_csrf()
        return view(*arguments, **named)

    return cast(View, guarded)


def not_signed_in(scope: Scope | None = None) -> NotSignedIn:
    """Return the error for a visitor of what is the curator's, and that of programs with a key that has the scope."""
    hint = "Sign in at /sign-in"
    if scope is not None:
        hint += f", or send an API key that may {scope}: `Authorization: Bearer KEY`"
    return NotSignedIn("Only the curator can do this, and you are not signed in.", hint=f"{hint}.")


def opened_by(scope: Scope) -> Callable[[View], View]:
    """Return a decorator that notes which API keys open a view, for the API's description and the tests."""

    def note(view: View) -> View:
        view.key_scope = scope  # type: ignore[attr-defined]
        return view

    return note


def curator_or_key(scope: Scope) -> Callable[[View], View]:
    """Return a decorator for views that the curator can call, and programs by an API key with a scope.

    A request with a key needs no CSRF token: browsers never add a key by themselves. Put it below `route`.
    """

    def guard(view: View) -> View:
        for_curator = curator_only(opened_by(scope)(view))

        @functools.wraps(view)
        def guarded(*arguments: Any, **named: Any) -> Any:
            key = current_key()
            if key is None:
                return for_curator(*arguments, **named)
            check_scope(key, scope)
            return view(*arguments, **named)

        return cast(View, guarded)  # `wraps` has taken over what opens it

    return guard


def _keep_private(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    if request.path.startswith("/api/") and signed_in():
        response.headers[CSRF_HEADER] = csrf_token()  # scripts of other sites cannot read it
    return response


def to_sign_in() -> str:
    """Return the address of the sign-in page that leads back here; it says so when an action was not carried out."""
    if request.method in _SAFE_METHODS:
        return "/sign-in?" + urlencode({"next": request.full_path.rstrip("?")})
    page = referring_page(request.referrer, host=request.host) or "/curator"
    return "/sign-in?" + urlencode({"next": page, "undone": 1})


def safe_next(address: str) -> str:
    """Return the address when it is on this site, the curator's home otherwise."""
    return address if is_local(address) else "/curator"


@blueprint.get("/sign-in")
def sign_in_page() -> AnyResponse | str:
    """Show the sign-in form, or redirect when the curator is signed in already."""
    after_this_request(_keep_private)
    target = safe_next(request.args.get("next", "/curator"))
    if signed_in():
        return redirect(target, code=303)
    return _form(target)


def _form(target: str, *, error: MemeticaError | None = None) -> str:
    return render_template(
        "sign_in.html", target=target, error=error, settable=load_password(site().settings.data) is None
    )


@blueprint.post("/sign-in")
def sign_in() -> AnyResponse | tuple[str, int, dict[str, str]]:
    """Sign the curator in when the password is right; over the rate limit the password is not checked at all."""
    after_this_request(_keep_private)
    target = safe_next(request.form.get("next", "/curator"))
    check_csrf()
    record = load_password(site().settings.data)
    if record is None:
        return _form(target), 409, {}
    rate_limit: RateLimit = current_app.extensions["rate_limit"]
    client = _client()
    wait = rate_limit.acquire(client)
    hashing: threading.BoundedSemaphore = current_app.extensions["hashing"]
    if wait or not hashing.acquire(timeout=2):
        seconds = max(1, round(wait + 0.5))
        error = TooManyAttempts(
            f"Too many attempts: try again in {seconds} second{'s' if seconds > 1 else ''}.",
            hint="To replace a forgotten password, run `memetica password`.",
        )
        return _form(target, error=error), error.status, {"Retry-After": str(seconds)}
    try:
        right = verify_password(record, request.form.get("password", ""))
    finally:
        hashing.release()
    if not right:
        wrong = NotSignedIn("Wrong password.", hint="If you forgot it, set a new one: `memetica password`.")
        return _form(target, error=wrong), 403, {}
    rate_limit.reset(client)
    if (before := current_session()) is not None:
        end_session(site().settings.data, before.key)
    id = begin_session(
        site().settings.data,
        generation=record.generation,
        user_agent=request.user_agent.string,
        address=request.remote_addr or "",
    )
    session.clear()
    session.permanent = True
    session["id"] = id
    g.pop("curator_session", None)
    return _mark_known(redirect(target, code=303))


def _client() -> str:
    """Return the key of the rate limit: the browser when the curator has used it before, else the network."""
    try:
        return "known " + str(
            _known_browsers().loads(request.cookies.get(_KNOWN_COOKIE, ""), max_age=KNOWN_BROWSER_DAYS * 86_400)
        )
    except BadSignature:
        return client_network(request.remote_addr)


def _known_browsers() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(cast(bytes, current_app.secret_key), salt="known browser")


def _mark_known(response: AnyResponse) -> AnyResponse:
    """Mark this browser as one that the curator used; the cookie alone does not sign in."""
    response.set_cookie(
        _KNOWN_COOKIE,
        str(_known_browsers().dumps(secrets.token_hex(16))),
        max_age=KNOWN_BROWSER_DAYS * 86_400,
        path=local("/sign-in"),
        httponly=True,
        samesite="Lax",
        secure=current_app.session_interface.get_cookie_secure(current_app),
    )
    return response


@blueprint.post("/sign-out")
@curator_only
def sign_out() -> AnyResponse:
    """End this browser's session, or all sessions with `everywhere`."""
    here = current_session()
    if request.form.get("everywhere"):
        end_sessions(site().settings.data)
    elif here is not None:
        end_session(site().settings.data, here.key)
    session.clear()
    g.pop("curator_session", None)
    return redirect("/", code=303)


@blueprint.get("/curator/sessions")
@curator_only
def sessions_page() -> str:
    """Show where the curator is signed in."""
    return render_template("sessions.html", sessions=live_sessions(site().settings.data), here=current_session())


@blueprint.post("/curator/sessions")
@curator_only
def end_sessions_of_others() -> AnyResponse:
    """End the session of the form's key, or all but this one."""
    data, here = site().settings.data, current_session()
    assert here is not None
    key = request.form.get("key")
    if key == here.key:
        return sign_out()
    if key:
        end_session(data, key)
    else:
        end_other_sessions(data, here.key)
    return redirect("/curator/sessions", code=303)
