"""How the model hub is asked, and what its errors and those of the network mean."""

from __future__ import annotations

import os
import time
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from search.errors import ModelUnavailable

if TYPE_CHECKING:
    import httpx2

BUSY = frozenset({408, 429, 500, 502, 503, 504})
NOT_FOUND, PROXY_WANTS_SIGN_IN = 404, 407
GOES_ON = "run the command again; the download goes on where it was."
CERTIFICATE = (
    "A network whose proxy signs the connections itself has a certificate of its own: name its file in SSL_CERT_FILE."
)


def hub_address() -> str:
    """Return the model hub's address."""
    return (os.environ.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/")


def session() -> httpx2.Client:
    """Return the client that huggingface_hub asks with; raise ModelUnavailable when it rejects the network's settings.

    It follows HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY, SSL_CERT_FILE and SSL_CERT_DIR.
    """
    from huggingface_hub.utils import get_session

    try:
        return get_session()
    except ImportError as error:
        raise ModelUnavailable(
            "ALL_PROXY, HTTPS_PROXY or HTTP_PROXY names a SOCKS proxy, which needs the package socksio.",
            hint="Run `pip install socksio` in Memetica's environment, or name an HTTP proxy.",
        ) from error
    except (OSError, ValueError) as error:
        raise ModelUnavailable(
            f"The network's settings in the environment cannot be used: {error}.",
            hint="Check HTTPS_PROXY, HTTP_PROXY and ALL_PROXY, such as http://proxy:3128, and SSL_CERT_FILE.",
        ) from error


def request_headers() -> dict[str, str]:
    """Return the headers of a request to the hub, with its token; raise ModelUnavailable for what cannot be a token."""
    from huggingface_hub.utils import build_hf_headers

    found = build_hf_headers(library_name="memetica")
    if not all(value.isascii() and value.isprintable() for value in found.values()):
        raise ModelUnavailable("HF_TOKEN holds characters that no token has.", hint="Copy the token again.")
    return found


def no_hub() -> ModelUnavailable:
    """Return the error for an answer that is not a model hub's."""
    return ModelUnavailable(
        f"{hub_address()} does not answer as a model hub does.",
        hint="Check HF_ENDPOINT and your proxy; a network that wants a sign-in answers like this too.",
    )


def proxy_refuses(reason: str) -> ModelUnavailable:
    """Return the error for a proxy that does not let a request through."""
    return ModelUnavailable(
        f"The proxy between here and the model hub {hub_address()} does not let the request through: {reason}.",
        hint="Check HTTPS_PROXY and HTTP_PROXY, with the proxy's user name and password if it wants them.",
    )


def named_error(error: Exception, what: str) -> ModelUnavailable:
    """Return the error that says what happened, and what to do, for an error of the hub's client.

    `what` is the repository or address that was asked for.
    """
    import httpx2

    hub, status = hub_address(), status_of(error)
    if status == 401:
        return ModelUnavailable(
            f"The model hub does not know who asks for {what} (401).",
            hint="Set HF_TOKEN to a token of your account at the hub, or check the one that is set.",
        )
    if status == 403:
        return ModelUnavailable(
            f"The model hub does not let you have {what} (403).",
            hint=f"Agree to its terms at {hub}/{what}, with the account of your HF_TOKEN.",
        )
    if status == NOT_FOUND:
        return ModelUnavailable(
            f"The model hub has no {what} (404).", hint="Check the model's name with `memetica models`."
        )
    if status == PROXY_WANTS_SIGN_IN:
        return proxy_refuses("it wants a user name and a password")
    if status in BUSY:
        until = datetime.fromtimestamp(time.time() + min(seconds_to_wait(error), 86_400))
        later = f"It asks to wait until {until:%H:%M:%S}; then" if seconds_to_wait(error) else "Later,"
        return ModelUnavailable(f"The model hub {hub} is busy or broken ({status}).", hint=f"{later} {GOES_ON}")
    if status:
        return ModelUnavailable(f"The model hub {hub} refuses the request ({status}).", hint=f"Later, {GOES_ON}")
    if isinstance(error, httpx2.ProxyError):
        return proxy_refuses(str(error))
    reason = (str(error) or type(error).__name__).rstrip(".")
    if "CERTIFICATE_VERIFY_FAILED" in reason:
        return ModelUnavailable(f"The connection to the model hub {hub} cannot be trusted: {reason}.", hint=CERTIFICATE)
    proxy = _proxy()
    places = ["the network", *([f"the proxy {proxy} (HTTPS_PROXY, HTTP_PROXY or ALL_PROXY)"] if proxy else [])]
    return ModelUnavailable(
        f"The model hub {hub} does not answer: {reason}.",
        hint=f"Check {', '.join(places)} and HF_ENDPOINT, and {GOES_ON}",
    )


def _proxy() -> str:
    """Return host and port of the proxy that requests to the hub go through, without a password; "" for none."""
    known = getproxies()
    try:
        hub = urlsplit(hub_address())
        named = known.get(hub.scheme) or known.get("all") or ""
        if not named or (hub.hostname and proxy_bypass(hub.hostname)):
            return ""
        return urlsplit(named if "://" in named else f"//{named}").netloc.rpartition("@")[2]
    except ValueError:  # it is no address
        return ""


def status_of(error: BaseException) -> int:
    """Return the HTTP status that an error is about, 0 for none."""
    return int(getattr(getattr(error, "response", None), "status_code", 0) or 0)


def seconds_to_wait(error: BaseException) -> float:
    """Return the seconds that the hub asks to wait, 0 when it does not say."""
    from huggingface_hub.utils import parse_ratelimit_headers

    answer = getattr(error, "response", None)
    if answer is None:
        return 0.0
    text = answer.headers.get("Retry-After", "")
    if text.isdecimal():
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except ValueError:
        limits = parse_ratelimit_headers(answer.headers)
        return float(limits.reset_in_seconds) if limits is not None and not limits.remaining else 0.0
