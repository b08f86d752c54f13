"""Batches as JSON, for the curator's programs: begun, looked at while they are carried out, and undone."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify

from search.catalogue import Batch
from search.errors import WrongUse
from search.meme import TextKind
from web.api.bodies import MAX_ITEMS, json_object, named_meme, text_of
from web.background.batches import batch_worker
from web.context import site
from web.curator.auth import curator_only
from web.curator.batches import add, sentence_of
from web.curator.memes import description_batch

blueprint = Blueprint("api_batches", __name__, url_prefix="/api")
MAX_FAILED = 100  # shown


@blueprint.post("/describe")
@curator_only
def describe() -> tuple[Response, int]:
    """Let the vision model of the settings describe memes in the background; return the batch."""
    body = json_object(required={"memes": list}, optional={"kind": str})
    if not 1 <= len(body["memes"]) <= MAX_ITEMS:
        raise WrongUse(f"`memes` must have 1 to {MAX_ITEMS:,} items; this one has {len(body['memes']):,}.")
    kind = text_of(body, "kind") or TextKind.SIMPLE
    if kind not in {one.value for one in TextKind}:
        raise WrongUse(f"{kind[:40]!r} is not a kind of description.", hint="Choose simple-description.")
    title, items = description_batch([named_meme(named) for named in body["memes"]], TextKind(kind))
    return jsonify(_row(add(items, title=title, page="/curator/progress"))), 202


@blueprint.get("/batches/<uid>")
@curator_only
def show(uid: str) -> Response:
    """Return how far a batch is, and why a part of it failed."""
    return jsonify(_row(site().catalogue.batches.get(uid)))


@blueprint.post("/batches/<uid>/undo")
@curator_only
def undo(uid: str) -> tuple[Response, int]:
    """Undo everything that a batch did, in the background; return the batch."""
    batch = site().catalogue.batches.begin_undo(uid)
    batch_worker().wake()
    return jsonify(_row(batch)), 202


def _row(batch: Batch) -> dict[str, object]:
    failed = [one for one in site().catalogue.batches.items(batch.uid) if one.reason][:MAX_FAILED]
    return {
        "batch": batch.uid,
        "state": batch.state.value,
        "title": sentence_of(batch),
        "total": batch.total,
        "done": batch.done,
        "waiting": batch.waiting,
        "failed": [{"name": one.name, "reason": one.reason} for one in failed],
    }
