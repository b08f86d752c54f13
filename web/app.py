"""The map of the site: `create_app`."""

from __future__ import annotations

from collections.abc import Callable

from flask import Flask
from werkzeug.routing import BaseConverter

from search.encoders.base import TextEncoder
from search.encoders.registry import load_text_encoder
from search.settings import Settings
from web import errors, metrics
from web import headers as safety
from web.api import duplicates as verdicts
from web.api import inbox as inbox_api
from web.api import search as api
from web.background import categories
from web.background import image_encoder as seeing
from web.context import Site
from web.curator import auth as signing_in
from web.curator import categories as health
from web.curator import duplicates, inbox
from web.curator import home as curator
from web.curator import texts as reading
from web.site import feeds, files, pages

MAX_UPLOAD_BYTES = 20_000_000


class LibraryPath(BaseConverter):
    """A path in the library: any characters at all, line breaks too."""

    regex = r"(?s:.+)"
    part_isolating = False


def _encoder(settings: Settings) -> TextEncoder:
    return load_text_encoder(settings, often=True)


def create_app(settings: Settings, *, load_encoder: Callable[[Settings], TextEncoder] = _encoder) -> Flask:
    """Return the site over a data folder; an index or a model that is missing is said on the pages that need it."""
    app = Flask("web", static_folder="static", template_folder="templates")
    app.config["MAX_CONTENT_LENGTH"] = MAX_UPLOAD_BYTES
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.url_map.converters["library"] = LibraryPath
    app.extensions["site"] = Site(settings, load_encoder=load_encoder)
    app.register_blueprint(pages.blueprint)  # /, /memes/…, /about
    app.register_blueprint(files.blueprint)  # the memes' files, thumbnails, uploads
    app.register_blueprint(feeds.blueprint)  # Atom, OpenSearch
    app.register_blueprint(api.blueprint)  # /api/…
    app.register_blueprint(metrics.blueprint)  # /healthz, /metrics
    signing_in.register(app, settings.data)  # /sign-in, /sign-out
    app.register_blueprint(curator.blueprint)  # /curator
    # What the curator's home shows: a maker of a card for each kind of work.
    app.extensions["curator_cards"] = []
    duplicates.register(app)  # /curator/duplicates
    categories.register(app, apart=load_encoder is _encoder)  # what suggestions need
    inbox.register(app)  # /curator/inbox
    inbox_api.register(app)  # /api/inbox, /api/suggest
    health.register(app)  # /curator/health
    reading.register(app)  # /curator/reading, /curator/contradictions
    app.register_blueprint(verdicts.blueprint)  # /api/duplicates, /api/verdicts
    seeing.register(app)  # another image encoder, in the background
    errors.register(app)
    safety.register(app)
    metrics.register(app)
    pages.register_filters(app)
    return app
