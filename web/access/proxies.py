"""Reverse proxies: what they say about a request is believed from trusted addresses, and dropped from all others."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from werkzeug.middleware.proxy_fix import ProxyFix

from search.settings import Network

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
HEADERS = ("FOR", "PROTO", "HOST", "PORT", "PREFIX", "SERVER", "SSL", "BY")
_PREFIX = re.compile(r"(/[\w.~-]+)*", re.ASCII)
_WITH_PORT = re.compile(r"\[([0-9a-fA-F:.]+)\](?::\d+)?|(\d+\.\d+\.\d+\.\d+):\d+", re.ASCII)


def is_trusted(address: str | None, networks: Sequence[Network]) -> bool:
    """Return whether an address belongs to a trusted proxy.

    >>> from search.settings import parse_networks
    >>> is_trusted("10.1.2.3", parse_networks("127.0.0.1, 10.0.0.0/8")), is_trusted("192.0.2.1", ())
    (True, False)
    """
    try:
        found = ipaddress.ip_address(address or "")
    except ValueError:
        return False
    if found.version == 6 and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return any(found in network for network in networks)


class Proxies:
    """A WSGI application around another: it takes client address, scheme, host and base path from trusted proxies.

    Of `X-Forwarded-For` the last address that is not a trusted proxy's counts, so that a client cannot invent one; of
    `X-Forwarded-Proto`, `-Host`, `-Port` and `-Prefix` what the nearest proxy says.
    """

    def __init__(self, application: Application, networks: Sequence[Network]) -> None:
        self._application = application
        self._networks = networks

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer a request."""
        if not is_trusted(environ.get("REMOTE_ADDR"), self._networks):
            for name in HEADERS:
                environ.pop(f"HTTP_X_FORWARDED_{name}", None)
            environ.pop("HTTP_FORWARDED", None)
            environ.pop("HTTP_X_REAL_IP", None)
            return self._application(environ, start_response)
        clients = [_without_port(one) for one in environ.get("HTTP_X_FORWARDED_FOR", "").split(",") if one.strip()]
        hops = next(
            (hop for hop, one in enumerate(reversed(clients), 1) if not is_trusted(one, self._networks)), len(clients)
        )
        environ["HTTP_X_FORWARDED_FOR"] = ", ".join(clients)
        prefix = environ.get("HTTP_X_FORWARDED_PREFIX", "").rstrip("/")
        environ["HTTP_X_FORWARDED_PREFIX"] = prefix if _PREFIX.fullmatch(prefix) else ""
        if environ.get("HTTP_X_FORWARDED_PROTO", "").rpartition(",")[2].strip().lower() not in ("http", "https"):
            environ.pop("HTTP_X_FORWARDED_PROTO", None)
        fixed = ProxyFix(self._application, x_for=hops, x_proto=1, x_host=1, x_port=1, x_prefix=1)  # type: ignore[arg-type]
        return fixed(environ, start_response)  # type: ignore[arg-type]


def _without_port(address: str) -> str:
    """Return an address without the port that some proxies add to it."""
    address = address.strip()
    found = _WITH_PORT.fullmatch(address)
    return address if found is None else found[1] or found[2]
