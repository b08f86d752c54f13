"""What makes the site installable on a phone, and what browsers and crawlers ask for at fixed addresses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, jsonify, url_for
from werkzeug.wrappers import Response as AnyResponse

from web.addresses import base, local
from web.context import site
from web.site.assets import send_static

blueprint = Blueprint("install", __name__)
# By file, the sizes in pixels and whether it may be cut to any shape.
ICONS = (
    ("icon-192.png", "192x192", "any"),
    ("icon-512.png", "512x512", "any"),
    ("icon-maskable-512.png", "512x512", "maskable"),
)
_PRIVATE = (
    "/curator",
    "/sign-in",
    "/appearance",
    "/random",
    "/share",
    "/upload",
    "/api/",
    "/*?q=",
    "/*&q=",
    "/*?picture=",
)


def app_manifest(static: Callable[[str], str]) -> dict[str, Any]:
    """Return what the web app manifest always says; `static` returns the address of a static file."""
    name = site().settings.site_name
    return {
        "name": name,
        "short_name": name[:12],
        "description": "Search memes by what they show, say and mean.",
        "id": local("/"),
        "start_url": local("/"),
        "scope": local("/"),
        "display": "standalone",
        "background_color": "#141312",
        "theme_color": "#141312",
        "icons": [
            {"src": static(file), "sizes": sizes, "type": "image/png", "purpose": purpose}
            for file, sizes, purpose in ICONS
        ],
    }


@blueprint.get("/manifest.webmanifest")
def manifest() -> Response:
    """Return the web app manifest; as a share target the site takes pictures, videos and words."""
    found = app_manifest(lambda file: url_for("static", filename=file)) | {
        "shortcuts": [
            {"name": "Random meme", "url": local("/random")},
            {"name": "Categories", "url": local("/categories")},
        ],
        "share_target": {
            "action": local("/share"),
            "method": "POST",
            "enctype": "multipart/form-data",
            "params": {"title": "title", "text": "q", "files": [{"name": "picture", "accept": ["image/*", "video/*"]}]},
        },
    }
    answer = jsonify(found)
    answer.mimetype = "application/manifest+json"
    answer.cache_control.max_age = 3600
    return answer


@blueprint.get("/favicon.ico")
def favicon() -> AnyResponse:
    """Return the icon for browsers that read no links: a PNG, which all of them show."""
    return send_static("", "favicon-32.png")


@blueprint.get("/robots.txt")
def robots() -> Response:
    """Ask crawlers to read memes and categories, and to leave searches and the curator's pages alone."""
    lines = ["User-agent: *", *(f"Disallow: {base()}{path}" for path in _PRIVATE)]
    return Response("\n".join(lines) + "\n", mimetype="text/plain")
