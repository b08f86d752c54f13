"""The addresses of an exported site: relative to its root, which each page names in its `<base>` element.

So a page does not depend on the path that the site is served below, and its links stay right when a script changes the
address, as the viewer over a grid does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from urllib.parse import parse_qs, quote, unquote, urlsplit

from search.meme import Meme
from web.site.listing import PAGE_SIZE
from web.static_site.names import Names

SEARCH_PAGE = "search.html"
_FIXED = {
    "/": "index.html",
    "/about": "about/index.html",
    "/categories": "categories/index.html",
    "/random": "categories/index.html",  # a script chooses a meme; without one there are the categories
    "/favorites": "favorites/index.html",
    "/map": "map/index.html",
    "/map.json": "map.json",
    "/feed.atom": "feed.atom",
    "/manifest.webmanifest": "manifest.webmanifest",
    "/robots.txt": "robots.txt",
    "/search.html": SEARCH_PAGE,
}


class SiteAddresses:
    """Translates the addresses that the served site writes into paths of exported files.

    `media` is the address of a folder elsewhere that has the memes' files, or empty where they are exported. `exact`
    keeps the library's names. `own` is the folder, with a slash at its end, for what is no page or file of a meme;
    where it is given, another program makes the pages.
    """

    def __init__(
        self, memes: Iterable[Meme], categories: Iterable[str], *, media: str = "", exact: bool = False, own: str = ""
    ) -> None:
        self._media = media.rstrip("/")
        self.own = own
        names = Names(exact=exact)
        for path in (*_FIXED.values(), "sitemap.xml", "404.html", "sw.js"):
            names.take(path)
        # Categories before memes and memes by id: what is added later takes no name from what is there.
        self._folders = {name: names.take_folder(f"memes/{name}") for name in categories}
        memes = sorted(memes, key=lambda meme: meme.id)
        counts = Counter(meme.path.split("/")[0] for meme in memes)
        for name, folder in self._folders.items():
            for number in range(1, counts[name] // PAGE_SIZE + 3):  # and the next one that there will be
                names.take(f"{folder}/pages/{number}/index.html")
            names.take(f"{folder}/feed.atom")
        self.pages: dict[str, str] = {}
        self.files: dict[str, str] = {}
        for meme in memes:
            self.files[meme.path] = names.take(f"memes/{meme.path}")
            self.pages[meme.path] = names.take(f"{self.files[meme.path]}.html")

    def file_of(self, address: str) -> str:
        """Return the path in the site's folder of the file at an address of the served site.

        Raises ValueError for an address that only a server answers.
        """
        parts = urlsplit(address)
        path, query = unquote(parts.path), parse_qs(parts.query)
        number = int(query.get("page", ["1"])[0])
        if path == "/" and number > 1:
            return f"pages/{number}/index.html"
        if path == "/feed.atom" and "category" in query:
            return f"{self._folders[query['category'][0]]}/feed.atom"
        if path == "/search.html":
            return self.own + SEARCH_PAGE
        if path in _FIXED:
            return _FIXED["/"] if self.own else _FIXED[path]
        if path.startswith(("/static/", "/thumbnails/")):
            return self.own + path[1:]
        if path.startswith("/memes/"):
            inside = path.removeprefix("/memes/")
            folder = self._folders.get(inside.removesuffix("/index.html"))
            if folder is not None and inside.endswith("/index.html"):
                return f"{folder}/pages/{number}/index.html" if number > 1 else f"{folder}/index.html"
            # A picture may be called `a.png.html`, as the page of `a.png` is: the page has the address.
            found = self.pages.get(inside.removesuffix(".html")) if inside.endswith(".html") else None
            found = found or self.files.get(inside)
            if found is not None:
                return found
        raise ValueError(f"a site of files has nothing at {address}")

    def __call__(self, address: str) -> str:
        """Return an address of the served site as a page of the exported site must write it."""
        parts = urlsplit(address)
        fragment = f"#{parts.fragment}" if parts.fragment else ""
        if parts.path == "/" and "q=" in parts.query:
            return f"{self.own}{SEARCH_PAGE}?{parts.query}{fragment}"
        if self._media and unquote(parts.path).removeprefix("/memes/") in self.files:
            return f"{self._media}/{quote(unquote(parts.path).removeprefix('/memes/'), safe='/')}"
        return quote(self.file_of(address), safe="/") + fragment
