"""The application that renders the pages of an exported site: the views and templates of the served one."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from flask import Flask, Response, g, url_for

from indexer.stages.draw_map import LibraryMap
from search.encoders.base import TextEncoder
from search.errors import MemeticaError
from search.workspace import Workspace
from web.addresses import local, translated
from web.background import counts
from web.context import Site
from web.site import feeds, files, install, library_map, listing, pages, previews
from web.site.assets import assets, without_comments
from web.site.converters import LibraryPath
from web.static_site.addresses import SiteAddresses
from web.static_site.options import COPY, LINK, SiteOptions
from web.static_site.search_index import CARDS_PER_FILE

_BROWSER = Path(__file__).parent / "browser"
# Of the served site's static files: what visitors' pages use without a server.
_SHARED = (
    "site.css",
    "pages.css",
    "viewer.css",
    "site.js",
    "grid.js",
    "viewer.js",
    "meme.js",
    "favorites.js",
    "map.css",
    "map.js",
    "keys.js",
    "icon.svg",
    "empty.svg",
    "apple-touch-icon.png",
    "favicon-32.png",
    "icon-192.png",
    "icon-512.png",
    "icon-maskable-512.png",
)


@cache
def site_assets() -> tuple[str, Mapping[str, bytes]]:
    """Return the version of an exported site's scripts, style sheets and icons, and each of them by name."""
    found = {name: assets()[1][name].raw for name in _SHARED}
    found |= {
        file.name: without_comments(file) for file in sorted(_BROWSER.iterdir()) if file.suffix in (".js", ".css")
    }
    digest = hashlib.sha256(b"".join(name.encode() + b"\0" + raw for name, raw in found.items()))
    return digest.hexdigest()[:12], found


@dataclass(frozen=True)
class DrawnMap:
    """Stands for the map worker: a map that is there already."""

    found: LibraryMap | None
    error: MemeticaError | None = None

    def current(self) -> LibraryMap | None:
        """Return the map."""
        return self.found


class SiteRenderer:
    """Renders pages of a workspace for an exported site; templates know it as `static_site`.

    Without the address that the site will be published at, feeds, previews in chats and the
    sitemap, which need whole addresses, are left out, and without a map its page.
    """

    def __init__(
        self,
        workspace: Workspace,
        addresses: SiteAddresses,
        *,
        options: SiteOptions,
        text_encoder: TextEncoder | None = None,
        library_map: LibraryMap | None = None,
    ) -> None:
        self.cards_per_file = CARDS_PER_FILE
        self.has_map = library_map is not None
        self._map = DrawnMap(library_map)
        self.addresses = addresses
        self.options = options
        self.base_url = options.base_url
        self.only_search = options.only_search
        media = options.media if options.media not in (COPY, LINK) else ""
        origin = "{0.scheme}://{0.netloc}".format(urlsplit(media)) if media else ""
        self.policy = (
            f"default-src 'self'; img-src 'self' data: {origin}; media-src 'self' {origin}; "
            f"connect-src 'self' {origin}; style-src 'self'; style-src-attr 'unsafe-inline'; script-src 'self'; "
            "object-src 'none'; base-uri 'self'; form-action 'self'"
        ).replace(" ;", ";")
        self.site = Site(workspace, text_encoder=text_encoder)
        self.app = self._new_app()

    def _new_app(self) -> Flask:
        app = Flask("web", static_folder=None, template_folder="templates")
        app.url_map.converters["library"] = LibraryPath
        app.extensions.update(site=self.site, request_rates={}, map=self._map)
        counts.register(app)
        app.add_url_rule("/static/<version>/<filename>", endpoint="static")

        @app.url_defaults
        def add_version(endpoint: str, values: dict[str, Any]) -> None:
            if endpoint == "static":
                values["version"] = site_assets()[0]

        for part in (pages, listing, previews, install, files, feeds, library_map):
            app.register_blueprint(part.blueprint)
        pages.register_filters(app)
        app.jinja_env.filters.update(ago=format_date, short_age=format_month)
        app.jinja_env.globals.update(
            static_site=self,
            knows_host=lambda: bool(self.base_url),
            signed_in=lambda: False,
            tags_of=lambda meme: self.site.catalogue.tags.of(meme.content_hash),
            url_for=lambda endpoint, **values: local(url_for(endpoint, **values)),
            appearance_url=lambda name, value: self.here(),
        )
        return app

    def render(self, address: str, view: Callable[[], str | Response], *, at: str = "") -> bytes:
        """Return what a view answers at an address of the served site, with the addresses of the exported one.

        `at` is the path of the file that it is written into; by default that of the address.
        """
        with self.app.test_request_context(address), translated(self.addresses, root=self.base_url):
            g.file = at or self.addresses.file_of(address)
            found = view()
            return found.get_data() if isinstance(found, Response) else found.encode("utf-8", "replace")

    def here(self) -> str:
        """Return the address of the page that is rendered."""
        return quote(g.file, safe="/")

    def site_path(self) -> str:
        """Return the path of the site on its host, with slashes at both ends."""
        return urlsplit(self.base_url).path or "/"

    def base_href(self) -> str:
        """Return the address of the site's root, relative to the page that is rendered."""
        return "../" * g.file.count("/") or "./"


def format_date(time: datetime) -> str:
    """Return a day: a page that stays for years must not say how long ago something was.

    >>> format_date(datetime(2024, 3, 1))
    '1 March 2024'
    """
    return f"{time.day} {time:%B %Y}"


def format_month(time: datetime) -> str:
    """Return a month, where there is little room.

    >>> format_month(datetime(2024, 3, 1))
    'Mar 2024'
    """
    return f"{time:%b %Y}"
