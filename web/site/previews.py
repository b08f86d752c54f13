"""Previews of a meme on other sites: Open Graph and Twitter cards, and oEmbed (https://oembed.com)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlencode, urlsplit

from flask import Blueprint, Response, jsonify, request

from search.errors import MemeticaError, NotFound
from search.meme import MediaType, Meme
from web.addresses import absolute, base, local
from web.context import site
from web.params import int_param, text_param
from web.schemas import file_url, page_url, thumbnail_url
from web.site.titles import titles_of

blueprint = Blueprint("previews", __name__)
SHOWN_EVERYWHERE = ("image/jpeg", "image/png", "image/gif")
MAX_BYTES = 5_000_000  # of a picture that other sites load; their limits are 5 MB and more
_MAX_ADDRESS = 4000  # characters
_MAX_SIDE = 100_000  # pixels that a consumer may name


class NotOffered(MemeticaError):
    """oEmbed is not offered in the requested format."""

    code = "not_implemented"
    status = 501


@dataclass(frozen=True)
class Preview:
    """The absolute addresses of a meme's page, its file and its picture, with its size."""

    address: str
    file: str
    image: str = ""
    image_type: str = ""
    width: int = 0
    height: int = 0

    @property
    def oembed(self) -> str:
        """The address of the oEmbed description."""
        return absolute(local("/oembed?" + urlencode({"url": self.address})), host=request.host_url)


def shows_own_file(meme: Meme) -> bool:
    """Return whether other sites can show a meme's own file; a JPEG of its thumbnail stands in for it elsewhere."""
    return meme.type is not MediaType.VIDEO and meme.content_type in SHOWN_EVERYWHERE and meme.size <= MAX_BYTES


def preview_of(meme: Meme) -> Preview:
    """Return the preview of a meme: its own file where every site can show it, a JPEG of its thumbnail otherwise."""
    host = request.host_url
    address = absolute(page_url(meme), host=host)
    file = absolute(file_url(meme), host=host)
    if not meme.has_thumbnail or not meme.width or not meme.height:
        return Preview(address, file)
    if shows_own_file(meme):
        return Preview(address, file, file, meme.content_type, meme.width, meme.height)
    width, height = _thumbnail_size(meme)
    jpeg = absolute(local(f"/thumbnails/{meme.content_hash}.jpg"), host=host)
    return Preview(address, file, jpeg, "image/jpeg", width, height)


def _thumbnail_size(meme: Meme) -> tuple[int, int]:
    """Return the width and height of a meme's thumbnail in pixels."""
    width, height = meme.width or 1, meme.height or 1
    scale = min(1.0, site().settings.thumbnail_side / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


@blueprint.get("/oembed")
def oembed() -> Response:
    """Describe the meme at the address `url` for a site that embeds it, within `maxwidth` by `maxheight` pixels."""
    if text_param(request.args, "format") not in ("", "json"):
        raise NotOffered("oEmbed is offered as JSON only.", hint="Ask for format=json.")
    widest = int_param(request.args, "maxwidth", _MAX_SIDE, minimum=1, maximum=_MAX_SIDE)
    highest = int_param(request.args, "maxheight", _MAX_SIDE, minimum=1, maximum=_MAX_SIDE)
    meme = _meme_at(text_param(request.args, "url", max_length=_MAX_ADDRESS))
    preview, title = preview_of(meme), titles_of([meme])[meme.id]
    root = request.host_url.rstrip("/")
    row: dict[str, Any] = {
        "version": "1.0",
        "type": "link",
        "title": title.text,
        "provider_name": site().settings.site_name,
        "provider_url": root + local("/"),
        "cache_age": 86_400,
    }
    if preview.image:
        width, height = _thumbnail_size(meme)
        if width <= widest and height <= highest:
            row |= {
                "thumbnail_url": f"{root}{thumbnail_url(meme)}",
                "thumbnail_width": width,
                "thumbnail_height": height,
            }
            if meme.type is not MediaType.VIDEO:
                fits = preview.width <= widest and preview.height <= highest
                large = (preview.image, preview.width, preview.height)
                url, width, height = large if fits else (row["thumbnail_url"], width, height)
                row |= {"type": "photo", "url": url, "width": width, "height": height}
    return jsonify(row)


def _meme_at(address: str) -> Meme:
    """Return the meme whose page has an address of this site; raise NotFound for any other address."""
    parts = urlsplit(address)
    prefix = base() + "/memes/"
    if parts.netloc != request.host or not parts.path.startswith(prefix) or not parts.path.endswith(".html"):
        raise NotFound("This is not the address of a meme on this site.", hint="Give the address of its page as url.")
    return site().catalogue.memes.at(unquote(parts.path.removeprefix(prefix).removesuffix(".html")))
