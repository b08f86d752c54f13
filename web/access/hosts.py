"""The names by which this site may be asked for, against DNS rebinding.

A page of another site can have its own name resolve to 127.0.0.1 or to a machine at home, and then read what that
machine serves: the browser takes it for the same site. It cannot have the browser send another name than its own.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Sequence

from flask import Flask, request

from search.errors import MemeticaError
from search.settings import Settings

_HOST = re.compile(r"(?P<name>[a-z0-9._-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?", re.IGNORECASE | re.ASCII)
# Names that nobody can register: of home networks, of containers, of the machine itself.
_LOCAL_ENDINGS = (".local", ".localhost", ".lan", ".home", ".home.arpa", ".internal", ".localdomain")


class WrongHost(MemeticaError):
    """The request names a host that is not this site."""

    code = "wrong_host"
    status = 400


def host_is_accepted(header: str, *, bound: str, trusted: Sequence[str]) -> bool:
    """Return whether a Host header names this site.

    `bound` is the address that the server binds, `trusted` are the names of the setting `trusted_hosts`; one with a dot
    in front stands for its subdomains. Names of the loopback address are always accepted. Without `trusted`, a site
    that is bound to the loopback address accepts no other, and a site that other machines reach accepts IP addresses
    and names that nobody can register: `nas`, `nas.local`, the machine's own.

    >>> host_is_accepted("localhost:8000", bound="127.0.0.1", trusted=())
    True
    >>> host_is_accepted("evil.example", bound="0.0.0.0", trusted=())
    False
    """
    found = _HOST.fullmatch(header)
    if found is None:
        return False
    name = found["name"].lower().strip("[]").rstrip(".")
    if is_loopback(name):
        return True
    if trusted:
        return any(name.endswith(one) if one.startswith(".") else name == one for one in trusted)
    if is_loopback(bound):
        return False
    own = {bound.lower().strip("[]"), socket.gethostname().lower()}
    return _is_ip_address(name) or "." not in name or name.endswith(_LOCAL_ENDINGS) or name in own


def is_loopback(name: str) -> bool:
    """Return whether a name or an address stands for the machine itself."""
    name = name.lower().strip("[]")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    return _is_ip_address(name) and ipaddress.ip_address(name).is_loopback


def _is_ip_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def register(app: Flask, settings: Settings) -> None:
    """Refuse every request that names another host."""

    @app.before_request
    def check_host() -> None:
        header = request.environ.get("HTTP_HOST")
        if header is None and request.environ.get("SERVER_PROTOCOL") == "HTTP/1.0":
            return  # a client without names, such as a load balancer's check
        if not host_is_accepted(header or "", bound=settings.host, trusted=settings.trusted_hosts):
            raise WrongHost(
                "This server does not serve a site of that name.",
                hint="If it is yours, add the name to the setting `trusted_hosts`.",
            )
