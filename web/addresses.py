"""The addresses of this site: below `/`, or below the path that a reverse proxy serves the site at.

Code and templates write addresses from the site's root on, `/about`. `local` and `base` put the base path before them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from urllib.parse import urljoin, urlsplit

_BASE: ContextVar[str] = ContextVar("base path", default="")
# Of an exported site: how its pages write an address, and the address that it will be published at.
_TRANSLATE: ContextVar[Callable[[str], str] | None] = ContextVar("translation of addresses", default=None)
_ROOT: ContextVar[str] = ContextVar("address of an exported site", default="")


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
    translate = _TRANSLATE.get()
    return base() + address if translate is None else translate(address)


def absolute(address: str, *, host: str) -> str:
    """Return an address that `local` returned with the host that it is at.

    >>> absolute(local("/about"), host="https://memes.example/")
    'https://memes.example/about'
    """
    return urljoin(_ROOT.get() or host, address)


@contextmanager
def translated(translate: Callable[[str], str], *, root: str = "") -> Iterator[None]:
    """Let `local` return what `translate` makes of an address, in a `with` block: pages are written into files.

    `root` is the address that the files will be published at, with a slash at its end.
    """
    before = _TRANSLATE.set(translate), _ROOT.set(root)
    try:
        yield
    finally:
        _TRANSLATE.reset(before[0])
        _ROOT.reset(before[1])


def referring_page(referrer: str | None, *, host: str) -> str:
    """Return the address, from the site's root on, of the page of ours that sent a request; "" for none.

    >>> referring_page("http://memes.example/?q=cat", host="memes.example")
    '/?q=cat'
    """
    try:
        sent = urlsplit(referrer or "")
    except ValueError:
        return ""
    below = base() + "/"
    if sent.netloc != host or not sent.path.startswith(below):
        return ""
    address = "/" + sent.path.removeprefix(below) + (f"?{sent.query}" if sent.query else "")
    return address if is_local(address) else ""


def is_local(address: str) -> bool:
    """Return whether an address, as another page may have sent it, is one of this site's.

    >>> is_local("/about?x=1"), is_local("//elsewhere.example"), is_local("https://elsewhere.example/")
    (True, False, False)
    """
    # Browsers read backslashes as slashes and ignore tabs and line breaks.
    plain = address.startswith("/") and not address.startswith("//") and address.isprintable() and "\\" not in address
    return plain and not urlsplit(address).netloc
