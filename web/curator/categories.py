"""The curator's page about categories: what looks misfiled, confused, nearly empty or worth a category of its own."""

from __future__ import annotations

from collections import Counter
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Flask, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from indexer.curation.categories import file_right, memes_of, move_as_found, open_findings
from indexer.curation.undo import undo as undo_verdict
from search.catalogue import VerdictKind
from search.categories.issues import Ailment, Finding
from search.errors import MemeticaError, NotFound, WrongUse
from search.meme import Meme
from web.background.categories import the_categories
from web.context import site
from web.curator.auth import curator_only
from web.curator.home import Card
from web.params import choice

blueprint = Blueprint("health", __name__, url_prefix="/curator/health")
SHOWN = 12  # memes of a finding
LAST = 12  # verdicts shown
TITLES = {
    Ailment.MISFILED: "Misfiled",
    Ailment.CONFUSED: "Confused",
    Ailment.NEAR_EMPTY: "Nearly empty",
    Ailment.GROUP: "Groups",
}
EXPLAINED = {
    Ailment.MISFILED: "Memes that look as if they belonged in another category.",
    Ailment.CONFUSED: "Two categories whose memes are taken for each other's.",
    Ailment.NEAR_EMPTY: "Categories with hardly a meme in them.",
    Ailment.GROUP: "Memes of one category that are so much alike that they could be one of their own.",
}


def register(app: Flask) -> None:
    """Give the site the page and the curator's home its card."""
    app.extensions["curator_cards"].append(card)
    app.register_blueprint(blueprint)


def card() -> Card:
    """Return the curator's card of what looks wrong."""
    found = open_findings(site().workspace)
    return Card(
        "Categories",
        "/curator/health",
        None if found is None else len(found.open),
        "What looks misfiled or confused, and groups that could be a category.",
    )


@blueprint.get("")
@curator_only
def index() -> str:
    """Show a finding of a kind, the surest first or the one after those passed over, and what can be decided."""
    return _page()


def _page(*, error: MemeticaError | None = None, key: str = "") -> str:
    found = open_findings(site().workspace)
    open_ones = found.open if found else []
    counts = Counter(one.kind for one in open_ones)
    kind = choice(request.args, "kind", next((one for one in Ailment if counts[one]), Ailment.MISFILED))
    if key:
        kind = next((one.kind for one in open_ones if one.key == key), kind)
    own = [one for one in open_ones if one.kind is kind]
    after = key or request.args.get("at", "")
    place = next((at for at, one in enumerate(own) if one.key == after), 0)
    finding = own[place] if own else None
    categories = the_categories()
    return render_template(
        "health.html",
        found=found,
        kind=kind,
        counts=counts,
        titles=TITLES,
        explained=EXPLAINED,
        finding=finding,
        memes=memes_of(site().catalogue, finding)[:SHOWN] if finding else [],
        count=len(memes_of(site().catalogue, finding)) if finding else 0,
        there=_shown(finding) if finding else [],
        next=own[place + 1].key if place + 1 < len(own) else None,
        previous=own[place - 1].key if place else None,
        place=place,
        left=len(own),
        categories=[name for name, _, _ in site().catalogue.memes.categories()],
        busy=categories.busy,
        trouble=categories.trouble,
        error=error,
        lately=_lately(),
        done=_done(),
        newer=found.newer if found else 0,
    )


def _shown(finding: Finding) -> list[Meme]:
    """Return memes that speak for a finding and that it is not about."""
    found = [meme for content in finding.shown for meme in site().catalogue.memes.with_content(content)[:1]]
    return [meme for meme in found if meme.content_hash not in finding.memes]


@blueprint.post("/again")
@curator_only
def again() -> AnyResponse:
    """Look at all categories again, in the background."""
    the_categories().learn_anew()
    return redirect("/curator/health", code=303)


@blueprint.post("/<key>")
@curator_only
def decide(key: str) -> AnyResponse | tuple[str, int]:
    """Carry out a decision on a finding and go on to the next of its kind."""
    workspace = site().workspace
    found = open_findings(workspace)
    open_ones = found.open if found else []
    finding = next((one for one in open_ones if one.key == key), None)
    if finding is None:
        raise NotFound("This is not there to decide on any more.", hint="It was decided, or the library has changed.")
    own = [one.key for one in open_ones if one.kind is finding.kind]
    following = (own[own.index(key) + 1 :] or [""])[0]
    if request.form.get("decision") == "right":
        verdict = file_right(workspace.catalogue, finding)
    else:
        category = " ".join(request.form.get("other", "").split()) or request.form.get("category", "")
        try:
            if not category:
                raise WrongUse("Where to? The category has no name yet.", hint="Write one.")
            memes = memes_of(workspace.catalogue, finding)
            verdict = move_as_found(workspace, finding, category=category)
        except MemeticaError as error:
            return _page(error=error, key=key), error.status
        the_categories().changed(meme.id for meme in memes)
        the_categories().wake_indexing()
    return redirect(
        f"/curator/health?{urlencode({'kind': finding.kind, 'at': following, 'did': verdict.uid})}", code=303
    )


@blueprint.post("/undo/<uid>")
@curator_only
def undo(uid: str) -> AnyResponse:
    """Take a decision back; what was moved goes back where it was."""
    catalogue = site().catalogue
    verdict = undo_verdict(site().workspace, uid)
    the_categories().changed(meme.id for content in verdict.contents for meme in catalogue.memes.with_content(content))
    the_categories().wake_indexing()
    return redirect(f"/curator/health?{urlencode({'did': verdict.uid})}", code=303)


def _lately() -> list[dict[str, Any]]:
    verdicts = [
        one for one in site().catalogue.verdicts.standing() if one.kind in (VerdictKind.RIGHT, VerdictKind.MOVED)
    ]
    return [{"verdict": one, "said": _said(one.kind, one.paths, one.note)} for one in verdicts[::-1][:LAST]]


def _said(kind: VerdictKind, paths: tuple[str, ...], note: str) -> str:
    what = paths[0] if len(paths) == 1 else f"{len(paths)} memes"
    return f"Moved {note}: {what}" if kind is VerdictKind.MOVED else f"Right as it is: {note or what}"


def _done() -> dict[str, Any] | None:
    """Return what this page was reached by doing: a sentence, and what its undo is."""
    uid = request.args.get("did", "")
    if not uid:
        return None
    try:
        verdict = site().catalogue.verdicts.get(uid)
    except NotFound:
        return None
    if verdict.kind is VerdictKind.UNDONE:
        return {"said": "Undone.", "undo": None}
    if uid not in {one.uid for one in site().catalogue.verdicts.standing()}:
        return None
    return {"said": _said(verdict.kind, verdict.paths, verdict.note), "undo": f"/curator/health/undo/{uid}", "of": ""}
