"""The addresses of this site: below `/`, or below the path that a reverse proxy serves the site at.

Code and templates write addresses from the site's root on, `/about`. `local` and `base` put the base path before them.
"""

from __future__ import annotations

from contextvars import ContextVar
from urllib.parse import urlsplit

_BASE: ContextVar[str] = ContextVar("base path", default="")


def base() -> str:
    """Return the path below which the site is served, without a slash at its end; empty for the root of a host."""
    return _BASE.get()


def set_base(path: str) -> None:
    """Serve the current request below a path."""
    _BASE.set(path)


def local(address: str) -> str:
    """Return an address of this site as a browser must write it.

    >>> local("/about")
    '/about'
    """
    return base() + address


def is_local(address: str) -> bool:
    """Return whether an address, as another page may have sent it, is one of this site's.

    >>> is_local("/about?x=1"), is_local("//elsewhere.example"), is_local("https://elsewhere.example/")
    (True, False, False)
    """
    # Browsers read backslashes as slashes and ignore tabs and line breaks.
    plain = address.startswith("/") and not address.startswith("//") and address.isprintable() and "\\" not in address
    return plain and not urlsplit(address).netloc
