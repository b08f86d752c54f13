"""Duplicates and verdicts as JSON, for the curator's programs.

The header X-CSRF-Token of each response has the token that a POST needs.
"""

from __future__ import annotations

from flask import Blueprint, Response, jsonify, request

from indexer.curation.duplicates import Decision, decide, record_verdict
from search.catalogue import VerdictKind
from search.catalogue.ledger import verdict_row
from search.errors import WrongUse
from search.evidence import Tier
from web.api.bodies import MAX_ITEMS, json_object, named_meme, text_of
from web.context import site
from web.curator.actions import undo_verdict
from web.curator.auth import curator_only
from web.curator.duplicates import groups_of, proposals
from web.params import MAX_HITS, MAX_LIST_OFFSET, int_param, text_param
from web.schemas import proposal_row

blueprint = Blueprint("api_duplicates", __name__, url_prefix="/api")
VERDICTS = {"distinct": VerdictKind.DISTINCT, "duplicate": VerdictKind.DUPLICATES, "keep-all": VerdictKind.KEEP_ALL}


@blueprint.get("/duplicates")
@curator_only
def duplicates() -> Response:
    """Return the undecided groups of one tier, or of all tiers of duplicates, the surest first."""
    tier = text_param(request.args, "tier")
    if tier and tier not in {one.value for one in Tier}:
        raise WrongUse(f"tier must be one of {', '.join(one.value for one in Tier)}, not {tier[:40]!r}.")
    found = groups_of(Tier(tier)) if tier else proposals().of()
    offset, k = _page()
    return jsonify({"groups": [proposal_row(one) for one in found[offset : offset + k]], "total": len(found)})


@blueprint.get("/verdicts")
@curator_only
def verdicts() -> Response:
    """Return the ledger, newest line first."""
    found = site().catalogue.verdicts.all()[::-1]
    offset, k = _page()
    return jsonify({"verdicts": [verdict_row(one) for one in found[offset : offset + k]], "total": len(found)})


def _page() -> tuple[int, int]:
    return (
        int_param(request.args, "offset", 0, minimum=0, maximum=MAX_LIST_OFFSET),
        int_param(request.args, "k", 10, minimum=1, maximum=MAX_HITS),
    )


@blueprint.post("/verdicts")
@curator_only
def add() -> tuple[Response, int]:
    """Add a verdict and return its ledger line; `merge` keeps the first meme and moves the others to the trash."""
    body = json_object(required={"verdict": str, "memes": list}, optional={"note": str})
    if len(body["memes"]) > MAX_ITEMS:
        raise WrongUse(f"`memes` may have up to {MAX_ITEMS:,} items; this one has {len(body['memes']):,}.")
    memes = [named_meme(named) for named in body["memes"]]
    verdict, note = body["verdict"], text_of(body, "note")
    if verdict == Decision.MERGE:
        if not memes:
            raise WrongUse("There is nothing to merge.")
        line = decide(site().workspace, Decision.MERGE, kept=memes[0], others=memes[1:], note=note)
    elif verdict in VERDICTS:
        line = record_verdict(site().catalogue, VERDICTS[verdict], memes, note=note)
    else:
        raise WrongUse(f"`verdict` must be one of {', '.join((*VERDICTS, Decision.MERGE))}.")
    return jsonify(verdict_row(line)), 201


@blueprint.post("/verdicts/<id>/undo")
@curator_only
def undo(id: str) -> tuple[Response, int]:
    """Undo a verdict and return the ledger line that says so."""
    return jsonify(verdict_row(undo_verdict(id))), 201
