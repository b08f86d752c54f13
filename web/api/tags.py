"""Tags as JSON: every tag with its number of memes, and the tags of a meme given and taken by the curator."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify

from search.catalogue import checked_tag
from search.errors import WrongUse
from web.api.bodies import json_object
from web.context import site
from web.curator.auth import curator_only

blueprint = Blueprint("api_tags", __name__, url_prefix="/api")
MOST_TAGS = 100  # given or taken by one request


@blueprint.get("/tags")
def tags() -> Response:
    """Return every tag that a meme has, with its number of memes, the most frequent first."""
    rows = [{"tag": tag, "memes": memes} for tag, memes in site().catalogue.tags.counts().items()]
    return jsonify({"hits": rows, "total": len(rows)})


@blueprint.post("/memes/<int:id>/tags")
@curator_only
def change(id: int) -> Response:
    """Give a meme the tags of `add` and take those of `remove`; return the tags that it has then."""
    catalogue = site().catalogue
    meme = catalogue.memes.get(id)
    body = json_object(required={}, optional={"add": list, "remove": list})
    added, removed = _tags(body.get("add", [])), _tags(body.get("remove", []))
    own = set(catalogue.tags.of(meme.content_hash))
    with catalogue.transaction():
        for tag in added:
            if tag not in own:
                catalogue.tags.add([meme], tag)
        for tag in removed:
            if tag in own:
                catalogue.tags.remove([meme], tag)
    return jsonify({"id": meme.id, "tags": catalogue.tags.of(meme.content_hash)})


def _tags(values: list[object]) -> list[str]:
    """Return the tags of a list of a body, each once; raise WrongUse for anything else."""
    if len(values) > MOST_TAGS or not all(isinstance(one, str) for one in values):
        raise WrongUse(f"Send at most {MOST_TAGS} tags, each a text.")
    return list(dict.fromkeys(checked_tag(str(one)) for one in values))
