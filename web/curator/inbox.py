"""The curator's inbox: it receives files and shows each with its findings on a page where one key decides."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Flask, Response, redirect, render_template, request, send_file
from werkzeug.wrappers import Response as AnyResponse

from indexer.inbox.acceptance import similar_memes
from indexer.inbox.reception import discard, ensure_preview
from search.catalogue import BatchItem, Catalogue, Upload, UploadState
from search.errors import MemeticaError, NotFound, SuspectedDuplicate, WrongUse
from search.evidence import Evidence
from search.meme import name_key
from web.background.categories import category_workers
from web.background.inbox import inbox_workers
from web.context import site
from web.curator import actions, batches
from web.curator.auth import Refused, curator_only
from web.curator.heaps import Heap, sort_uploads
from web.curator.home import Card
from web.formatting import format_size
from web.params import MAX_CATEGORY, id_param, ids_param, int_param, text_param
from web.suggestions import SuggestedCategories

blueprint = Blueprint("inbox", __name__, url_prefix="/curator/inbox")
MAX_SHOWN = 500  # uploads on the list
RECENT = 12  # decisions shown
UNDECIDED = (UploadState.WAITING, UploadState.EXAMINED, UploadState.FAILED)
DECIDED = {UploadState.ACCEPTED: "Accepted", UploadState.DISCARDED: "Discarded"}


def register(app: Flask) -> None:
    """Add the pages, and a card to the curator's home."""
    app.extensions["curator_cards"].insert(0, card)
    app.jinja_env.globals["waiting_uploads"] = waiting_uploads  # beside the link to the curator's pages
    app.register_blueprint(blueprint)


def card() -> Card:
    """Return the card of uploads that wait for a decision."""
    return Card(
        "Inbox", "/curator/inbox", waiting_uploads(), "New pictures: accept each into a category, or discard it."
    )


def waiting_uploads() -> int:
    """Return how many uploads wait for a decision; 0 with a catalogue that cannot be read, which the page says."""
    try:
        return site().catalogue.uploads.count(*UNDECIDED)
    except MemeticaError:
        return 0


@blueprint.get("")
@curator_only
def index() -> str:
    """Show the form to add files, the uploads that wait, and the last decisions."""
    return _index()


def _index(
    refused: list[tuple[str, MemeticaError]] | None = None,
    *,
    new_category: str = "",
    chosen: Sequence[int] = (),
    error: MemeticaError | None = None,
) -> str:
    uploads = site().catalogue.uploads
    inbox_workers().wake()
    category_workers().suggester()  # starts to prepare it, so that it is ready for the first upload
    waiting = uploads.in_state(*UNDECIDED)
    unexamined = sum(one.state is UploadState.WAITING for one in waiting)
    shown = [one for one in waiting if one.state is not UploadState.WAITING][:MAX_SHOWN]
    heaps = sort_uploads(site().catalogue, shown)
    to_review = heaps[Heap.LOOK] or heaps[Heap.SURE] or heaps[Heap.KNOWN]
    return render_template(
        "inbox.html",
        heaps=heaps,
        left=len(waiting),
        more=len(waiting) - unexamined - len(shown),
        unexamined=unexamined,
        first=to_review[0].upload if to_review else uploads.next(),
        is_preparing=category_workers().suggester() is None and category_workers().error is None,
        categories=[name for name, _, _ in site().catalogue.memes.categories()],
        new_category=new_category,
        chosen=set(chosen),
        error=error,
        recent=[(one, DECIDED[one.state]) for one in uploads.decided(RECENT)],
        max_size=format_size(site().settings.upload_bytes),
        refused=refused or [],
        received=int_param(request.args, "came", 0, minimum=0, maximum=1_000_000),
        errors=_errors(),
        done=_done(),
    )


@blueprint.post("")
@curator_only
def receive() -> AnyResponse | tuple[str, int]:
    """Put the files of a form into the inbox; those that were refused are listed with the reason."""
    received, refused = actions.receive_files(request.files.getlist("file"), source="page")
    if refused:
        return _index(refused), refused[0][1].status
    return redirect(f"/curator/inbox?{urlencode({'came': len(received)})}", code=303)


@blueprint.post("/heap")
@curator_only
def decide_heap() -> AnyResponse | tuple[str, int]:
    """Discard the chosen uploads, or accept each into the category that the list shows or into the one of the form."""
    uploads = site().catalogue.uploads
    chosen = [uploads.get(id) for id in ids_param(request.form, "upload")]
    if request.form.get("decision") == "discard":
        return batches.start([_item("discard", one) for one in chosen], title="discarded", page="/curator/inbox")
    typed = " ".join(text_param(request.form, "category", max_length=MAX_CATEGORY).split())
    known = {name_key(name) for name, _, _ in site().catalogue.memes.categories()}
    if typed and name_key(typed) not in known and request.form.get("make") != typed:
        return _index(new_category=typed, chosen=[one.id for one in chosen]), 409
    items = []
    for one in chosen:
        shown = text_param(request.form, f"category-{one.id}", max_length=MAX_CATEGORY)
        if not (typed or shown):
            error = WrongUse("Choose a category first.", hint="Nothing was accepted.")
            return _index(chosen=[one.id for one in chosen], error=error), error.status
        items.append(_item("accept", one, typed or shown))
    return batches.start(items, title=f"accepted into {typed}" if typed else "accepted", page="/curator/inbox")


def _item(action: str, upload: Upload, category: str = "") -> BatchItem:
    return BatchItem(action, str(upload.id), category, name=upload.name)


@blueprint.get("/<int:id>")
@curator_only
def upload(id: int) -> str | AnyResponse:
    """Show an upload: the memes that it matches, the suggested categories, its text, and the possible decisions."""
    found = site().catalogue.uploads.get(id)
    if found.state in DECIDED:
        return redirect(f"/curator/inbox?{urlencode({'did': id})}", code=303)
    inbox_workers().wake()
    return _page(found)


def _page(found: Upload, *, new_category: str = "", error: MemeticaError | None = None) -> str:
    catalogue = site().catalogue
    matches = similar_memes(catalogue, found)
    is_examined = found.state is UploadState.EXAMINED
    return render_template(
        "inbox_upload.html",
        upload=found,
        findings=found.findings or {},
        size=format_size(found.size),
        duplicates=[one for one in matches if one[1].tier is not None and one[1].tier.is_duplicate],
        variants=[one for one in matches if one[1].tier is None or not one[1].tier.is_duplicate],
        similar_uploads=_similar_uploads(catalogue, found),
        suggested=actions.suggestions_for(found) if is_examined else SuggestedCategories(),
        categories=[name for name, _, _ in catalogue.memes.categories()],
        is_preparing=category_workers().suggester() is None and category_workers().error is None,
        left=catalogue.uploads.count(*UNDECIDED),
        next=catalogue.uploads.next(after=found.id),
        previous=catalogue.uploads.previous(found.id),
        new_category=new_category,
        error=error,
        reason=request.form.get("anyway", ""),
        errors=_errors(),
        done=_done(),
    )


def _errors() -> list[MemeticaError]:
    error = category_workers().error
    return [*inbox_workers().errors, *([error] if error else [])]


def _similar_uploads(catalogue: Catalogue, found: Upload) -> list[tuple[Upload, Evidence]]:
    """Return the undecided uploads that are similar to an upload."""
    similar = []
    for row in (found.findings or {}).get("beside", ()):
        with suppress(NotFound):
            other = catalogue.uploads.get(row["id"])
            if other.state is UploadState.EXAMINED:
                similar.append((other, Evidence.from_json(row["evidence"])))
    return similar


@blueprint.post("/<int:id>")
@curator_only
def decide(id: int) -> AnyResponse | tuple[str, int]:
    """Carry out a decision and go on to the next upload."""
    workspace = site().workspace
    found = workspace.catalogue.uploads.get(id)
    if request.form.get("seen") != found.content_hash:
        raise Refused("The page showed another upload; nothing was done.", hint="Load the page again.")
    decision = request.form.get("decision")
    if decision == "discard":
        discard(workspace, id)
    elif decision == "again":
        actions.retry_upload(id)
        return redirect(f"/curator/inbox/{id}", code=303)
    else:
        typed = " ".join(request.form.get("other", "").split())
        category = request.form.get("category") or typed
        known = {name_key(name) for name, _, _ in workspace.catalogue.memes.categories()}
        if category and name_key(category) not in known and request.form.get("make") != category:
            return _page(found, new_category=category), 409
        try:
            actions.accept_upload(id, category=category, reason=request.form.get("anyway", ""))
        except (SuspectedDuplicate, WrongUse) as error:
            if workspace.catalogue.uploads.get(id).state is not UploadState.EXAMINED:
                raise
            return _page(found, error=error), error.status
    following = workspace.catalogue.uploads.next(after=id) or workspace.catalogue.uploads.next()
    address = f"/curator/inbox/{following.id}" if following is not None else "/curator/inbox"
    return redirect(f"{address}?{urlencode({'did': id})}", code=303)


@blueprint.post("/<int:id>/undo")
@curator_only
def undo(id: int) -> AnyResponse:
    """Undo a decision and show the upload again."""
    actions.undo_upload(id)
    return redirect(f"/curator/inbox/{id}?{urlencode({'undid': 1})}", code=303)


@blueprint.get("/<int:id>/preview.webp")
@curator_only
def preview(id: int) -> Response:
    """Return an upload's picture, encoded again, so that no other content of the file is served."""
    settings = site().settings
    return send_file(ensure_preview(settings, site().catalogue.uploads.get(id).content_hash), mimetype="image/webp")


def _done() -> dict[str, Any] | None:
    """Return what the note about the last decision says, and the address that undoes it."""
    if (note := batches.batch_note()) is not None:
        return note
    if "undid" in request.args:
        return {"message": "Undone. The upload waits for a decision again.", "undo": None}
    try:
        id = id_param(request.args, "did")
        if id is None:
            return None
        found = site().catalogue.uploads.get(id)
    except NotFound:
        return None
    if found.state not in DECIDED:
        return None
    place = f" as {found.path}" if found.state is UploadState.ACCEPTED else ""
    return {"message": f"{DECIDED[found.state]}: {found.name}{place}", "undo": f"/curator/inbox/{id}/undo", "of": ""}
