"""Addresses of a meme's thumbnails: two sizes for pages, JPEG for other sites' previews."""

from __future__ import annotations

from markupsafe import Markup

from indexer.media.thumbnail_sizes import SMALL_SIDE
from search.meme import Meme
from web.addresses import local
from web.context import site
from web.schemas import thumbnail_url
from web.site.appearance import Size, size
from web.site.cards import card_ratio

# The height of a row of a grid in CSS pixels, as in the style sheet; rows are stretched by some percent.
ROWS = {Size.SMALL: 110, Size.MEDIUM: 150, Size.LARGE: 250}
_COLUMNS = {Size.SMALL: 3, Size.MEDIUM: 2, Size.LARGE: 1}  # of a phone
_STRETCH = 1.15


def small_thumbnail_url(meme: Meme) -> str | None:
    """Return the address of a meme's small thumbnail, or None without a thumbnail."""
    return local(f"/thumbnails/{meme.content_hash}-{SMALL_SIDE}.webp") if meme.has_thumbnail else None


def srcset(meme: Meme) -> Markup:
    """Return the attributes `srcset` and `sizes` of a card's picture, from which the browser chooses a thumbnail.

    Nothing for a meme whose thumbnail is no larger than the small one.
    """
    if not meme.has_thumbnail or not meme.width or not meme.height:
        return Markup("")
    side = min(site().settings.thumbnail_side, max(meme.width, meme.height))
    if side <= SMALL_SIDE:
        return Markup("")
    shape = min(1.0, meme.width / meme.height)  # the longest side of a thumbnail is given, its width follows
    shown = round(card_ratio(meme) * ROWS[size()] * _STRETCH)
    return Markup(' srcset="{} {}w, {} {}w" sizes="(max-width:760px) {}vw, {}px"').format(
        small_thumbnail_url(meme),
        max(1, round(SMALL_SIDE * shape)),
        thumbnail_url(meme),
        max(1, round(side * shape)),
        round(94 / _COLUMNS[size()]),
        shown,
    )
