"""The curator's door: signing in and out, who may pass, and that a form comes from our own pages.

Visitors get no cookie and see no curator's page; a browser that the curator has signed in with is known by a cookie of
its own, so that the guesses of others behind the same address never keep it waiting.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import secrets
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar, cast
from urllib.parse import urlencode, urlsplit

from flask import (
    Blueprint,
    Flask,
    Response,
    after_this_request,
    current_app,
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
from web.context import site
from web.curator.passwords import end_sessions, is_password, load_credentials, server_secret
from web.curator.rate_limit import Guesses, network

blueprint = Blueprint("signing_in", __name__)
LIFETIME = timedelta(days=14)  # from the curator's last visit
KNOWN_DAYS = 365
HASHES_AT_ONCE = 2  # each takes 64 MiB while it runs
CSRF_HEADER = "X-CSRF-Token"
_KNOWN = "memetica-known"
_SAFE = ("GET", "HEAD", "OPTIONS")

View = TypeVar("View", bound=Callable[..., Any])


class NotSignedIn(MemeticaError):
    """This is for the curator, who is not signed in here."""

    code = "not_signed_in"
    status = 401


class Refused(MemeticaError):
    """What was sent does not come from one of our pages, or comes too late."""

    code = "refused"
    status = 403


class TooManyGuesses(MemeticaError):
    """A password was guessed too often."""

    code = "too_many_guesses"
    status = 429


class _Sessions(SecureCookieSessionInterface):
    def get_cookie_secure(self, app: Flask) -> bool:
        """Return whether the visitor's side is https; a proxy before us may say so, and lying gains nobody anything."""
        return request.is_secure or request.headers.get("X-Forwarded-Proto", "").lower() == "https"


def register(app: Flask) -> None:
    """Give the site its sessions and the templates what they need to know of the curator."""
    secret = server_secret(app.extensions["site"].workspace.data)
    app.secret_key = secret
    app.permanent_session_lifetime = LIFETIME
    app.session_interface = _Sessions()
    # Cookies know no ports: two sites on one machine must not sign each other's curators out.
    app.config["SESSION_COOKIE_NAME"] = f"memetica-{hashlib.sha256(b'name' + secret).hexdigest()[:8]}"
    app.config["SESSION_COOKIE_HTTPONLY"] = True
    app.config["SESSION_COOKIE_SAMESITE"] = "Lax"
    app.extensions["guesses"] = Guesses()
    app.extensions["hashing"] = threading.BoundedSemaphore(HASHES_AT_ONCE)
    app.register_blueprint(blueprint)
    app.jinja_env.globals.update(csrf_token=csrf_token, csrf_field=csrf_field, signed_in=signed_in)


def signed_in() -> bool:
    """Return whether this request comes from the curator."""
    generation = session.get("generation")
    if not generation:
        return False
    credentials = load_credentials(site().settings.data)
    return credentials is not None and hmac.compare_digest(str(generation), credentials.generation)


def csrf_token() -> str:
    """Return what this browser's forms carry, so that no other site can send them; made at first."""
    if "csrf" not in session:
        session["csrf"] = secrets.token_urlsafe(24)
    return str(session["csrf"])


def csrf_field() -> Markup:
    """Return the hidden field that every form of the curator holds."""
    return Markup('<input type="hidden" name="csrf" value="{}">').format(csrf_token())


def check_csrf() -> None:
    """Raise Refused unless a request that changes something carries this browser's token, in a field or a header."""
    sent = request.headers.get(CSRF_HEADER) or request.form.get("csrf", "")
    expected = session.get("csrf")
    if not expected or not hmac.compare_digest(sent.encode(), str(expected).encode()):
        raise Refused("That did not come from a page of this site, or the page is too old.", hint="Load it again.")


def curator_only(view: View) -> View:
    """Return a view that the curator alone can reach; what changes something must carry the CSRF token.

    Others are led to the sign-in page and back, or, under /api, told so with status 401. Goes below `route`.
    """

    @functools.wraps(view)
    def guarded(*arguments: Any, **named: Any) -> Any:
        after_this_request(_keep_private)
        if not signed_in():
            if request.path.startswith("/api/"):
                raise NotSignedIn("This is for the curator, who is not signed in here.", hint="Sign in at /sign-in.")
            return redirect("/sign-in?" + urlencode({"next": _here()}), code=303)
        if request.method not in _SAFE:
            check_csrf()
        return view(*arguments, **named)

    return cast(View, guarded)


def _keep_private(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    if request.path.startswith("/api/") and signed_in():
        response.headers[CSRF_HEADER] = csrf_token()  # another site's scripts cannot read it
    return response


def _here() -> str:
    """Return where to come back to: this page, or the curator's home when the request was to change something."""
    return request.full_path.rstrip("?") if request.method in _SAFE else "/curator"


def safe_next(address: str) -> str:
    """Return an address of this site to go on to; the curator's home in place of any other."""
    # Browsers read backslashes as slashes and pass over tabs and line breaks.
    plain = address.startswith("/") and not address.startswith("//") and address.isprintable() and "\\" not in address
    return address if plain and not urlsplit(address).netloc else "/curator"


@blueprint.get("/sign-in")
def sign_in_page() -> AnyResponse | str:
    """Show the form, or go on when the curator is signed in already."""
    after_this_request(_keep_private)
    target = safe_next(request.args.get("next", "/curator"))
    if signed_in():
        return redirect(target, code=303)
    return _form(target)


def _form(target: str, *, error: MemeticaError | None = None) -> str:
    return render_template(
        "sign_in.html", target=target, error=error, settable=load_credentials(site().settings.data) is None
    )


@blueprint.post("/sign-in")
def sign_in() -> AnyResponse | tuple[str, int, dict[str, str]]:
    """Sign the curator in when the password is right; a guess too many waits its turn unread."""
    after_this_request(_keep_private)
    target = safe_next(request.form.get("next", "/curator"))
    check_csrf()
    credentials = load_credentials(site().settings.data)
    if credentials is None:
        return _form(target), 409, {}
    guesses: Guesses = current_app.extensions["guesses"]
    guesser = _guesser()
    wait = guesses.take(guesser)
    hashing: threading.BoundedSemaphore = current_app.extensions["hashing"]
    if wait or not hashing.acquire(timeout=2):
        seconds = max(1, round(wait + 0.5))
        error = TooManyGuesses(
            f"Too many guesses: the next one is read in {seconds} second{'s' if seconds > 1 else ''}.",
            hint="A forgotten password is replaced with `memetica password`.",
        )
        return _form(target, error=error), error.status, {"Retry-After": str(seconds)}
    try:
        right = is_password(credentials, request.form.get("password", ""))
    finally:
        hashing.release()
    if not right:
        wrong = NotSignedIn("That is not the password.", hint="It is set with `memetica password`.")
        return _form(target, error=wrong), 403, {}
    guesses.forgive(guesser)
    session.clear()
    session.permanent = True
    session["generation"] = credentials.generation
    return _remember(redirect(target, code=303))


def _guesser() -> str:
    """Return who guesses: a browser that the curator has signed in with before, or else the address."""
    try:
        return "known " + str(_known_browsers().loads(request.cookies.get(_KNOWN, ""), max_age=KNOWN_DAYS * 86_400))
    except BadSignature:
        return network(request.remote_addr)


def _known_browsers() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(cast(bytes, current_app.secret_key), salt="known browser")


def _remember(response: AnyResponse) -> AnyResponse:
    """Let this browser be known when it guesses again; the cookie alone opens nothing."""
    response.set_cookie(
        _KNOWN,
        str(_known_browsers().dumps(secrets.token_hex(16))),
        max_age=KNOWN_DAYS * 86_400,
        path="/sign-in",
        httponly=True,
        samesite="Lax",
        secure=current_app.session_interface.get_cookie_secure(current_app),
    )
    return response


@blueprint.post("/sign-out")
@curator_only
def sign_out() -> AnyResponse:
    """End this browser's session, or with `everywhere` all of them."""
    if request.form.get("everywhere"):
        end_sessions(site().settings.data)
    session.clear()
    return redirect("/", code=303)
