"""Atom feeds of the library, a category or a query, and the OpenSearch description."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import partial

from flask import Blueprint, Response, render_template, request

from search.errors import NotFound
from search.meme import Sort
from web.access.request_rates import Work, count
from web.addresses import absolute
from web.context import site
from web.params import category_param, query_param
from web.site.titles import titles_of

blueprint = Blueprint("feeds", __name__)
LENGTH = 30  # entries
# Characters that XML 1.0 forbids, even escaped: a feed with one of them in a name or a text cannot be read.
_NO_XML = re.compile("[^\\t\\n\\r\\x20-\\ud7ff\\ue000-\\ufffd\\U00010000-\\U0010ffff]")


@blueprint.get("/feed.atom")
def feed() -> Response:
    """Return a feed of the newest memes: in the library, in a category, or among those that match a query."""
    query, category = query_param(request.args), category_param(request.args)
    catalogue = site().catalogue
    if category is not None:
        category = catalogue.memes.category_named(category) or category
    if category is not None and not catalogue.memes.has_category(category):
        raise NotFound(f"There is no category {category}.")
    if query:
        count(Work.SEARCH)
        answer = site().searcher().search(query, k=LENGTH, category=category, sort=Sort.NEWEST)
        memes = [hit.meme for hit in answer.hits if hit.certain]
    else:
        memes = catalogue.memes.freshest(LENGTH, category=category)
    page = render_template(
        "feed.xml",
        memes=memes,
        titles=titles_of(memes),
        title=query or category or "Newest memes",
        category=category,
        updated=max((meme.first_seen for meme in memes), default=datetime(1970, 1, 1, tzinfo=UTC)),
        here=request.url,
        absolute=partial(absolute, host=request.host_url),
    )
    return Response(_NO_XML.sub("\ufffd", page), mimetype="application/atom+xml")


@blueprint.get("/opensearch.xml")
def opensearch() -> Response:
    """Return the OpenSearch description, with which a browser offers this site as a search engine."""
    page = render_template("opensearch.xml", root=request.host_url.rstrip("/"))
    return Response(page, mimetype="application/opensearchdescription+xml")
