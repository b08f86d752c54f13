"""The category check: misfiled memes, categories that are confused or nearly empty, and groups worth a category."""

from __future__ import annotations

from collections import Counter
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Flask, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from indexer.curation.categories import dismiss_issue, find_open_issues, memes_of
from search.catalogue import VerdictKind
from search.categories.issues import Issue, IssueKind
from search.errors import MemeticaError, NotFound, WrongUse
from search.meme import Meme
from web.background.categories import category_workers
from web.context import site
from web.curator import actions
from web.curator.auth import curator_only
from web.curator.home import Card
from web.params import enum_param

blueprint = Blueprint("category_check", __name__, url_prefix="/curator/health")
MAX_MEMES = 12  # of an issue that are shown
RECENT = 12  # verdicts shown
TITLES = {
    IssueKind.MISFILED: "Misfiled",
    IssueKind.CONFUSED: "Confused",
    IssueKind.NEAR_EMPTY: "Nearly empty",
    IssueKind.GROUP: "Groups",
}
EXPLANATIONS = {
    IssueKind.MISFILED: "Memes that seem to belong in another category.",
    IssueKind.CONFUSED: "Pairs of categories whose memes are hard to tell apart.",
    IssueKind.NEAR_EMPTY: "Categories with very few memes.",
    IssueKind.GROUP: "Similar memes within one category that could become a category of their own.",
}


def register(app: Flask) -> None:
    """Add the pages, and a card to the curator's home."""
    app.extensions["curator_cards"].append(card)
    app.register_blueprint(blueprint)


def card() -> Card:
    """Return the card of open category issues."""
    found = find_open_issues(site().workspace)
    return Card(
        "Category check",
        "/curator/health",
        None if found is None else len(found.open),
        "Memes that look misfiled, and categories to merge or split.",
    )


@blueprint.get("")
@curator_only
def index() -> str:
    """Show one open issue of a kind, the surest first, and the possible decisions."""
    return _page()


def _page(*, error: MemeticaError | None = None, key: str = "") -> str:
    found = find_open_issues(site().workspace)
    issues = found.open if found else []
    counts = Counter(one.kind for one in issues)
    kind = enum_param(request.args, "kind", next((one for one in IssueKind if counts[one]), IssueKind.MISFILED))
    if key:
        kind = next((one.kind for one in issues if one.key == key), kind)
    of_kind = [one for one in issues if one.kind is kind]
    wanted = key or request.args.get("at", "")
    place = next((at for at, one in enumerate(of_kind) if one.key == wanted), 0)
    issue = of_kind[place] if of_kind else None
    memes = memes_of(site().catalogue, issue) if issue else []
    workers = category_workers()
    return render_template(
        "category_check.html",
        found=found,
        kind=kind,
        counts=counts,
        titles=TITLES,
        explanations=EXPLANATIONS,
        issue=issue,
        memes=memes[:MAX_MEMES],
        count=len(memes),
        examples=_examples(issue) if issue else [],
        next=of_kind[place + 1].key if place + 1 < len(of_kind) else None,
        previous=of_kind[place - 1].key if place else None,
        place=place,
        left=len(of_kind),
        categories=[name for name, _, _ in site().catalogue.memes.categories()],
        is_checking=workers.is_retraining,
        worker_error=workers.error,
        error=error,
        recent=_recent(),
        done=_done(),
        newer=found.newer if found else 0,
    )


def _examples(issue: Issue) -> list[Meme]:
    """Return memes of the target category that are similar to those of an issue."""
    found = [meme for content in issue.shown for meme in site().catalogue.memes.with_content(content)[:1]]
    return [meme for meme in found if meme.content_hash not in issue.memes]


@blueprint.post("/again")
@curator_only
def check_again() -> AnyResponse:
    """Check all categories again, in the background."""
    category_workers().retrain()
    return redirect("/curator/health", code=303)


@blueprint.post("/<key>")
@curator_only
def decide(key: str) -> AnyResponse | tuple[str, int]:
    """Carry out a decision about an issue and go on to the next one of its kind."""
    workspace = site().workspace
    found = find_open_issues(workspace)
    issues = found.open if found else []
    issue = next((one for one in issues if one.key == key), None)
    if issue is None:
        raise NotFound("This issue is closed.", hint="It was decided already, or the library has changed.")
    keys = [one.key for one in issues if one.kind is issue.kind]
    following = (keys[keys.index(key) + 1 :] or [""])[0]
    if request.form.get("decision") == "right":
        verdict = dismiss_issue(workspace.catalogue, issue)
    else:
        category = " ".join(request.form.get("other", "").split()) or request.form.get("category", "")
        try:
            if not category:
                raise WrongUse("The category has no name.", hint="Type one, or choose one from the list.")
            verdict = actions.move_memes(issue, category=category)
        except MemeticaError as error:
            return _page(error=error, key=key), error.status
    return redirect(f"/curator/health?{urlencode({'kind': issue.kind, 'at': following, 'did': verdict.uid})}", code=303)


@blueprint.post("/undo/<uid>")
@curator_only
def undo(uid: str) -> AnyResponse:
    """Undo a decision; moved memes return to their category."""
    return redirect(f"/curator/health?{urlencode({'did': actions.undo_verdict(uid).uid})}", code=303)


def _recent() -> list[dict[str, Any]]:
    verdicts = [
        one for one in site().catalogue.verdicts.standing() if one.kind in (VerdictKind.RIGHT, VerdictKind.MOVED)
    ]
    return [{"verdict": one, "message": _message(one.kind, one.paths, one.note)} for one in verdicts[::-1][:RECENT]]


def _message(kind: VerdictKind, paths: tuple[str, ...], note: str) -> str:
    memes = paths[0] if len(paths) == 1 else f"{len(paths)} memes"
    return f"Moved {note}: {memes}" if kind is VerdictKind.MOVED else f"Kept as it is: {note or memes}"


def _done() -> dict[str, Any] | None:
    """Return what the note about the last decision says, and the address that undoes it."""
    uid = request.args.get("did", "")
    if not uid:
        return None
    try:
        verdict = site().catalogue.verdicts.get(uid)
    except NotFound:
        return None
    if verdict.kind is VerdictKind.UNDONE:
        return {"message": "Undone.", "undo": None}
    if uid not in {one.uid for one in site().catalogue.verdicts.standing()}:
        return None
    message = _message(verdict.kind, verdict.paths, verdict.note)
    return {"message": message, "undo": f"/curator/health/undo/{uid}", "of": ""}
