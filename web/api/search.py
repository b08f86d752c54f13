"""The JSON API: the verbs of the command, with the same hits in the same order."""

from __future__ import annotations

import json
from functools import lru_cache
from importlib import resources
from typing import Any

from flask import Blueprint, Response, jsonify, request

from indexer.status import library_status
from search.errors import NotFound, WrongUse
from search.meme import Likeness, Sort
from web.context import site
from web.params import MAX_HITS, MAX_OFFSET, choice, flag, number, query
from web.query_images import keep_upload, open_upload
from web.schemas import answer_row, category_url, index_row, meme_row, status_rows

blueprint = Blueprint("api", __name__, url_prefix="/api")


@blueprint.route("/search", methods=("GET", "POST"))
def search() -> Response:
    """Return the memes that answer words, a picture sent by POST, or both."""
    values = request.values
    text = query(values)
    picture = None
    if request.method == "POST" and "picture" in request.files:
        picture = open_upload(site().settings, keep_upload(site().settings, request.files["picture"]))
    elif values.get("picture"):
        picture = open_upload(site().settings, values["picture"])
    if not text and picture is None:
        raise WrongUse("There is nothing to search for.", hint="Give words as q, or POST a picture.")
    answer = (
        site()
        .searcher()
        .search(
            text,
            k=number(values, "k", 10, least=1, most=MAX_HITS),
            offset=number(values, "offset", 0, least=0, most=MAX_OFFSET),
            image=picture,
            category=values.get("category") or None,
            sort=choice(values, "sort", Sort.RELEVANCE),
            collapse=flag(values, "collapse", default=True),
            verbatim=flag(values, "verbatim", default=False),
        )
    )
    return jsonify(answer_row(answer))


@blueprint.get("/memes/<int:id>")
def meme(id: int) -> Response:
    """Return everything known about a meme."""
    found = site().catalogue.memes.get(id)
    return jsonify(meme_row(found, site().catalogue.texts.of(found)))


@blueprint.get("/memes/<int:id>/similar")
def similar(id: int) -> Response:
    """Return a meme's relatives."""
    answer = (
        site()
        .searcher()
        .similar(
            id,
            by=choice(request.args, "by", Likeness.ALL),
            k=number(request.args, "k", 10, least=1, most=MAX_HITS),
            offset=number(request.args, "offset", 0, least=0, most=MAX_OFFSET),
        )
    )
    return jsonify(answer_row(answer))


@blueprint.get("/categories")
def categories() -> Response:
    """Return every category with its count."""
    rows = [
        {"category": name, "memes": memes, "url": category_url(name)}
        for name, memes, _ in site().catalogue.memes.categories()
    ]
    return jsonify({"hits": rows, "total": len(rows)})


@blueprint.get("/status")
def status() -> Response:
    """Return how far each stage is, and the state of the index; failures are the curator's and only counted."""
    index = site().index_status()
    rows = list(status_rows(library_status(site().workspace), index))
    stages = [row for row in rows if "stage" in row]
    return jsonify({"hits": stages, "total": len(stages), "index": index_row(index)})


@blueprint.get("/openapi.json")
def openapi() -> Response:
    """Return the description of this API."""
    return jsonify(description())


@blueprint.route("/<path:rest>", methods=("GET", "POST", "PUT", "PATCH", "DELETE"))
def nothing(rest: str) -> Response:
    """Say that there is no such address, as JSON."""
    raise NotFound(f"There is nothing at /api/{rest}.", hint="/api/openapi.json lists what there is.")


@lru_cache(maxsize=1)
def description() -> dict[str, Any]:
    """Return the OpenAPI description."""
    found: dict[str, Any] = json.loads((resources.files("web") / "openapi.json").read_text("utf-8"))
    return found
