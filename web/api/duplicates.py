"""Duplicates and verdicts as JSON, for the curator's programs: each answer's header has the token that posts need."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify, request

from indexer.curation.duplicates import Decision, decide, declare
from indexer.curation.undo import undo as undo_verdict
from search.catalogue import VerdictKind
from search.catalogue.ledger import verdict_row
from search.errors import WrongUse
from search.evidence import Tier
from search.meme import Meme
from web.context import site
from web.curator.auth import curator_only
from web.curator.duplicates import groups_of, proposals
from web.params import MAX_HITS, number
from web.schemas import proposal_row

blueprint = Blueprint("verdicts", __name__, url_prefix="/api")
DECLARED = {"distinct": VerdictKind.DISTINCT, "duplicate": VerdictKind.DUPLICATES, "keep-all": VerdictKind.KEEP_ALL}


@blueprint.get("/duplicates")
@curator_only
def duplicates() -> Response:
    """Return the groups to decide on, of one tier or of all that are duplicates, the surest first."""
    tier = request.args.get("tier")
    if tier and tier not in {one.value for one in Tier}:
        raise WrongUse(f"tier must be one of {', '.join(one.value for one in Tier)}, not {tier[:40]!r}.")
    found = groups_of(Tier(tier)) if tier else proposals().of()
    offset = number(request.args, "offset", 0, least=0, most=10_000_000)
    k = number(request.args, "k", 10, least=1, most=MAX_HITS)
    return jsonify({"groups": [proposal_row(one) for one in found[offset : offset + k]], "total": len(found)})


@blueprint.get("/verdicts")
@curator_only
def verdicts() -> Response:
    """Return the ledger, the newest line first."""
    found = site().catalogue.verdicts.all()[::-1]
    offset = number(request.args, "offset", 0, least=0, most=10_000_000)
    k = number(request.args, "k", 10, least=1, most=MAX_HITS)
    return jsonify({"verdicts": [verdict_row(one) for one in found[offset : offset + k]], "total": len(found)})


@blueprint.post("/verdicts")
@curator_only
def add() -> tuple[Response, int]:
    """Decide about memes and return the ledger's line; `merge` keeps the first, and moves the others to the trash."""
    asked = request.get_json(silent=True)
    if not isinstance(asked, dict) or not isinstance(asked.get("memes"), list):
        raise WrongUse("Send an object with `verdict` and `memes`, a list of ids or paths.")
    memes = [_meme(named) for named in asked["memes"]]
    wanted, note = asked.get("verdict"), str(asked.get("note") or "")
    if wanted == Decision.MERGE:
        if not memes:
            raise WrongUse("There is nothing to merge.")
        line = decide(site().workspace, Decision.MERGE, kept=memes[0], others=memes[1:], note=note)
    elif isinstance(wanted, str) and wanted in DECLARED:
        line = declare(site().catalogue, DECLARED[wanted], memes, note=note)
    else:
        raise WrongUse(f"`verdict` must be one of {', '.join((*DECLARED, Decision.MERGE))}.")
    return jsonify(verdict_row(line)), 201


def _meme(named: Any) -> Meme:
    if isinstance(named, int) and not isinstance(named, bool):
        return site().catalogue.memes.get(named)
    if isinstance(named, str):
        return site().catalogue.memes.at(named)
    raise WrongUse("A meme is named by its id or its path.")


@blueprint.post("/verdicts/<id>/undo")
@curator_only
def undo(id: str) -> tuple[Response, int]:
    """Take a verdict back and return the line that says so."""
    return jsonify(verdict_row(undo_verdict(site().workspace, id))), 201
