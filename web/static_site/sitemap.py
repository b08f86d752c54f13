"""The sitemap of an exported site: the addresses of its pages, for search engines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from urllib.parse import quote
from xml.sax.saxutils import escape

from search.meme import Meme
from web.static_site.addresses import SiteAddresses

MOST = 50_000  # addresses of one sitemap, by its specification


def sitemaps(
    memes: Sequence[Meme], categories: Sequence[str], addresses: SiteAddresses, root: str
) -> Iterator[tuple[str, bytes]]:
    """Yield the name and the content of the sitemap of some memes; beyond 50,000 addresses several, and their table.

    `root` is the address of the site, with a slash at its end.

    >>> memes = workspace.catalogue.memes.everything()
    >>> addresses = SiteAddresses(memes, ["Cats", "Cats - Kittens", "Dogs", "Robots", "Собаки"])
    >>> [name for name, _ in sitemaps(memes, [], addresses, "https://memes.example/")]
    ['sitemap.xml']
    """
    newest = {meme.category: meme.first_seen for meme in sorted(memes, key=lambda meme: meme.first_seen)}
    latest = max(meme.first_seen for meme in memes)
    rows = [(root, latest), (root + "categories/index.html", latest)]
    rows += [
        (root + quote(addresses.file_of(f"/memes/{quote(name, safe='')}/index.html")), newest.get(name, latest))
        for name in categories
    ]
    rows += [(root + quote(addresses.pages[meme.path]), meme.first_seen) for meme in memes]
    parts = [rows[at : at + MOST] for at in range(0, len(rows), MOST)]
    for number, part in enumerate(parts, 1):
        name = "sitemap.xml" if len(parts) == 1 else f"sitemap-{number}.xml"
        yield name, _sitemap("urlset", "url", part)
    if len(parts) > 1:
        table = [(f"{root}sitemap-{number}.xml", latest) for number in range(1, len(parts) + 1)]
        yield "sitemap.xml", _sitemap("sitemapindex", "sitemap", table)


def _sitemap(root: str, row: str, rows: list[tuple[str, datetime]]) -> bytes:
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', f'<{root} xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">']
    for address, time in rows:
        lines.append(f"<{row}><loc>{escape(address)}</loc><lastmod>{time.astimezone(UTC):%Y-%m-%d}</lastmod></{row}>")
    return "\n".join([*lines, f"</{root}>", ""]).encode()
