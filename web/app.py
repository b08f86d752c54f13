"""The application factory: `create_app` registers one blueprint for each subject."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from time import monotonic

from flask import Flask

from search.encoders.base import TextEncoder
from search.workspace import Workspace
from web import errors, headers, metrics
from web.access import body_limits, compression, hosts, key_requests, request_rates
from web.access.proxies import Proxies
from web.api import batches as api_batches
from web.api import duplicates as api_duplicates
from web.api import inbox as api_inbox
from web.api import search as api_search
from web.api import tags as api_tags
from web.background import categories as category_workers
from web.background import copies, counts, image_encoder, watch
from web.background import inbox as inbox_workers
from web.background import library_map as library_map_worker
from web.background import text_encoder as text_encoder_watcher
from web.context import Site
from web.curator import auth, batches, categories, closed, duplicates, home, inbox, memes, progress, shared, texts
from web.params import RowId
from web.site import appearance, assets, feeds, files, install, library_map, listing, pages, previews
from web.site.converters import LibraryPath


def create_app(
    workspace_or_data: Workspace | Path | str,
    *,
    text_encoder: TextEncoder | None = None,
    clock: Callable[[], float] = monotonic,
) -> Flask:
    """Return the Flask application that serves a workspace: the site, the curator's pages and the JSON API.

    Pass an open `Workspace`, which the caller closes, or the path of a data folder, which is opened here and created
    when missing. Without `text_encoder`, the encoder of the settings is loaded when a request first needs it. A missing
    index or model is not an error: the pages that need it say what to do. Rate limits count by the seconds of `clock`.
    `app.extensions["site"].close()` stops
    the background workers and closes what the application opened.

    Raises DataFolderError when the data folder cannot be used, WrongUse for a bad setting.

    >>> from web import create_app
    >>> app = create_app(workspace, text_encoder=encoder)
    >>> app.test_client().get("/api/search?q=dog&k=1").json["hits"][0]["category"]
    'Dogs'
    >>> app.extensions["site"].close()
    """
    if isinstance(workspace_or_data, Workspace):
        site = Site(workspace_or_data, text_encoder=text_encoder)
    else:
        workspace = Workspace.open(workspace_or_data, create=True, migrate=True)
        site = Site(workspace, text_encoder=text_encoder, owns_workspace=True)
    app = Flask("web", static_folder=None, template_folder="templates")
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.url_map.converters["library"] = LibraryPath
    app.url_map.converters["int"] = RowId
    app.extensions["site"] = site
    compression.register(app)  # first, so that it compresses last
    headers.register(app)
    errors.register(app)  # early: what the server could not read is answered before anything else is looked at
    hosts.register(app, site.settings)
    body_limits.register(app)
    request_rates.register(app, site.settings, clock=clock)
    key_requests.register(app, clock=clock)
    app.wsgi_app = Proxies(app.wsgi_app, site.settings.trusted_proxies)  # type: ignore[method-assign]
    counts.register(app)  # what pages show about the whole library
    assets.register(app)  # /static/…
    app.register_blueprint(pages.blueprint)  # /, /memes/…, /about
    app.register_blueprint(listing.blueprint)  # /categories, /random
    library_map_worker.register(app)  # draws the map in the background
    app.register_blueprint(library_map.blueprint)  # /map
    app.register_blueprint(previews.blueprint)  # /oembed
    app.register_blueprint(install.blueprint)  # /manifest.webmanifest, /favicon.ico, /robots.txt
    app.register_blueprint(appearance.blueprint)  # /appearance
    app.register_blueprint(files.blueprint)  # the memes' files, thumbnails, pictures to search with
    app.register_blueprint(feeds.blueprint)  # Atom, OpenSearch
    app.register_blueprint(api_search.blueprint)  # /api/…
    app.register_blueprint(metrics.blueprint)  # /healthz, /metrics
    auth.register(app, clock=clock)  # /sign-in, /sign-out
    closed.register(app, site.settings)
    app.register_blueprint(home.blueprint)  # /curator
    app.extensions["curator_cards"] = []  # functions that return a card for the curator's home page
    duplicates.register(app)  # /curator/duplicates
    category_workers.register(app)  # trains the suggester in the background
    inbox_workers.register(app)  # examines and indexes uploads in the background
    inbox.register(app)  # /curator/inbox
    memes.register(app)  # /curator/memes
    progress.register(app)  # /curator/progress
    batches.register(app)  # /curator/batches; last, because it goes on with what an earlier process left
    app.register_blueprint(api_batches.blueprint)  # /api/describe, /api/batches
    app.register_blueprint(shared.blueprint)  # /share
    api_inbox.register(app)  # /api/inbox, /api/suggest
    categories.register(app)  # /curator/health
    texts.register(app)  # /curator/reading, /curator/contradictions
    app.register_blueprint(api_tags.blueprint)  # /api/tags
    app.register_blueprint(api_duplicates.blueprint)  # /api/duplicates, /api/verdicts
    copies.register(app)  # copies the catalogue once a day
    watch.register(app)  # indexes the library when it changes, with the setting `watch`
    image_encoder.register(app)  # re-embeds pictures in the background when the image encoder changes
    text_encoder_watcher.register(app)  # and texts when the text encoder does
    metrics.register(app)
    pages.register_filters(app)
    return app
