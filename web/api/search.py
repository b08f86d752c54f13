"""The JSON API: the same verbs as the command, with the same hits in the same order."""

from __future__ import annotations

import json
from functools import lru_cache
from importlib import resources
from typing import Any

from flask import Blueprint, Response, jsonify, render_template, request
from markupsafe import Markup

from search.encoders.hub import current_download
from search.errors import WrongUse
from search.meme import Likeness, Sort
from web.access.request_rates import Work, count
from web.addresses import local
from web.api.reference import reference_html
from web.background.counts import counted_categories, counted_status
from web.background.progress import background_work, work_row
from web.context import site
from web.curator.auth import signed_in
from web.params import (
    MAX_HITS,
    MAX_LIST_OFFSET,
    bool_param,
    category_param,
    enum_param,
    int_param,
    query_param,
    text_param,
)
from web.query_images import open_query_image, store_query_image
from web.schemas import answer_row, category_url, download_row, index_row, meme_row, status_rows

blueprint = Blueprint("api", __name__, url_prefix="/api")


@blueprint.route("/search", methods=("GET", "POST"))
def search() -> Response:
    """Return the memes that match a query, a picture sent by POST, or both."""
    count(Work.SEARCH)
    values = request.values
    text = query_param(values)
    picture = None
    if request.method == "POST" and "picture" in request.files:
        count(Work.UPLOAD)
        picture = open_query_image(site().settings, store_query_image(site().settings, request.files["picture"]))
    elif text_param(values, "picture"):
        picture = open_query_image(site().settings, text_param(values, "picture"))
    if not text and picture is None:
        raise WrongUse("There is nothing to search for.", hint="Give a query as q, or POST a picture.")
    answer = (
        site()
        .searcher()
        .search(
            text,
            k=int_param(values, "k", 10, minimum=1, maximum=MAX_HITS),
            offset=int_param(values, "offset", 0, minimum=0, maximum=MAX_LIST_OFFSET),
            image=picture,
            category=category_param(values),
            sort=enum_param(values, "sort", Sort.RELEVANCE),
            collapse=bool_param(values, "collapse", default=True),
            verbatim=bool_param(values, "verbatim", default=False),
        )
    )
    return jsonify(answer_row(answer))


@blueprint.get("/memes/<int:id>")
def meme(id: int) -> Response:
    """Return everything known about a meme."""
    found = site().catalogue.memes.get(id)
    catalogue = site().catalogue
    tags = catalogue.tags.of(found.content_hash)
    return jsonify(meme_row(found, catalogue.texts.of(found), tags=tags))


@blueprint.get("/memes/<int:id>/similar")
def similar(id: int) -> Response:
    """Return the memes that are similar to a meme."""
    count(Work.SEARCH)
    answer = (
        site()
        .searcher()
        .similar(
            id,
            by=enum_param(request.args, "by", Likeness.ALL),
            k=int_param(request.args, "k", 10, minimum=1, maximum=MAX_HITS),
            offset=int_param(request.args, "offset", 0, minimum=0, maximum=MAX_LIST_OFFSET),
        )
    )
    return jsonify(answer_row(answer))


@blueprint.get("/categories")
def categories() -> Response:
    """Return every category and its number of memes."""
    rows = [{"category": one.name, "memes": one.memes, "url": category_url(one.name)} for one in counted_categories()]
    return jsonify({"hits": rows, "total": len(rows)})


@blueprint.get("/status")
def status() -> Response:
    """Return the progress of each stage and the status of the index; failures are counted, not listed."""
    index = site().index_status()
    library = counted_status()
    rows = list(status_rows(library, index))
    stages = [row for row in rows if "stage" in row]
    download = download_row(current_download(site().workspace.models))
    # What the curator works on is nobody else's business.
    work = [work_row(one) for one in background_work() if not one.page or signed_in()]
    return jsonify(
        {"hits": stages, "total": len(stages), "index": index_row(index), "download": download, "work": work}
    )


@blueprint.get("/openapi.json")
def openapi() -> Response:
    """Return the description of this API."""
    return jsonify({**description(), "servers": [{"url": local("/").rstrip("/") or "/"}]})


@blueprint.get("/docs")
def docs() -> str:
    """Return the description as a page."""
    return render_template("api_docs.html", reference=Markup(_reference()))


@lru_cache(maxsize=1)
def _reference() -> str:
    return reference_html(description())


@lru_cache(maxsize=1)
def description() -> dict[str, Any]:
    """Return the OpenAPI description of the API, read once."""
    found: dict[str, Any] = json.loads((resources.files("web") / "openapi.json").read_text("utf-8"))
    return found
