"""How a site is exported."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from search.errors import WrongUse

COPY, LINK = "copy", "link"
AUTO, OFF = "auto", "off"


@dataclass(frozen=True)
class SiteOptions:
    """How a site is exported.

    `media` is `copy`, `link` or the address of a folder elsewhere that has the memes' files. `base_url` is the address
    that the site will be published at. `only_search` leaves out everything but the search page, for a site whose pages
    another program makes. With `exact_names` files have the library's names whatever hosts can hold. `meaning` is
    `auto`, for search by meaning where the text encoder can be exported, or `off`.
    """

    media: str = COPY
    base_url: str = ""
    only_search: bool = False
    exact_names: bool = False
    meaning: str = AUTO

    def checked(self) -> SiteOptions:
        """Return the options with whole addresses; raise WrongUse for an address that is none."""
        base, media = self.base_url, self.media
        if base:
            base = _checked_address(base, "--base-url").rstrip("/") + "/"
        if media not in (COPY, LINK):
            media = _checked_address(media, "--media").rstrip("/") + "/"
        if self.meaning not in (AUTO, OFF):
            raise WrongUse(f"--meaning must be `{AUTO}` or `{OFF}`, not {self.meaning!r}.")
        return SiteOptions(media, base, self.only_search, self.exact_names or self.only_search, self.meaning)


def _checked_address(address: str, option: str) -> str:
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.query or parts.fragment:
        raise WrongUse(
            f"{option} must be an address such as https://memes.example/, not {address!r}.",
            hint="`--media` also takes `copy` and `link`." if option == "--media" else "",
        )
    return address
