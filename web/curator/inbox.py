"""The curator's inbox: pictures come in, one screen for each says what it is, one key decides."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, cast
from urllib.parse import urlencode

from flask import Blueprint, Flask, Response, current_app, redirect, render_template, request, send_file
from werkzeug.datastructures import FileStorage
from werkzeug.wrappers import Response as AnyResponse

from indexer.inbox.accept import accept, alike, take_back
from indexer.inbox.receive import discard, preview_path, receive
from indexer.inbox.workers import Ready, examining, indexing
from indexer.work.worker import Worker
from search.catalogue import Catalogue, Upload, UploadState
from search.errors import MemeticaError, NotFound, SuspectedDuplicate, WrongUse
from search.evidence import Evidence
from web.background.categories import Categories, suggestion_of, the_categories
from web.context import Site, site
from web.curator.auth import Refused, curator_only
from web.curator.duplicates import size_in_words
from web.curator.home import Card
from web.curator.suggestions import Offers, offers_of
from web.params import number

blueprint = Blueprint("inbox", __name__, url_prefix="/curator/inbox")
SHOWN = 60  # uploads on the first page
LAST = 12  # decisions shown
FORM_BYTES = 1_000_000  # of a request beside its files
FILES_A_REQUEST = 50
DECIDED = {UploadState.ACCEPTED: "Accepted", UploadState.DISCARDED: "Discarded"}


class Inbox:
    """The workers of a site's inbox, and what they hold ready."""

    def __init__(self, found: Site, categories: Categories) -> None:
        self._catalogue = found.catalogue
        self.ready = Ready(found.workspace)
        self.examining: Worker = examining(found.workspace, ready=self.ready)
        self.indexing: Worker = indexing(
            found.workspace,
            load_encoder=found.encoder,
            learned=lambda uploads: categories.changed(one.meme_id for one in uploads if one.meme_id is not None),
        )

    def wake(self) -> None:
        """Let the workers begin where there is something to do."""
        inbox = self._catalogue.uploads
        if inbox.count(UploadState.WAITING):
            self.examining.wake()
        if inbox.unindexed() or inbox.count(UploadState.ACCEPTING, UploadState.UNDOING):
            self.indexing.wake()

    def close(self) -> None:
        """Let the workers end."""
        self.examining.close()
        self.indexing.close()

    def rest(self, seconds: float) -> bool:
        """Wait until there is nothing left to do; return whether that was within so many seconds."""
        return self.examining.rest(seconds) and self.indexing.rest(seconds)

    @property
    def troubles(self) -> list[MemeticaError]:
        """What the workers could not do and try again."""
        return [one.trouble for one in (self.examining, self.indexing) if one.trouble is not None]


def register(app: Flask) -> None:
    """Give the site the pages and the curator's home their card; what was left undone is gone on with."""
    found = app.extensions["site"]
    app.extensions["inbox"] = Inbox(found, app.extensions["categories"])
    found.on_close(app.extensions["inbox"].close)
    if not found.catalogue.read_only:
        app.extensions["inbox"].wake()
    app.extensions["curator_cards"].insert(0, card)
    app.register_blueprint(blueprint)


def the_inbox() -> Inbox:
    """Return the workers of this site's inbox."""
    return cast(Inbox, current_app.extensions["inbox"])


def card() -> Card:
    """Return the curator's card of uploads that wait."""
    left = site().catalogue.uploads.count(UploadState.WAITING, UploadState.EXAMINED, UploadState.FAILED)
    return Card("Inbox", "/curator/inbox", left, "New pictures: have we got them, and where do they go?")


def allow_uploads() -> None:
    """Let this request be as large as an upload may be; called before its body is read."""
    request.max_content_length = site().settings.upload_bytes + FORM_BYTES


@blueprint.get("")
@curator_only
def index() -> str:
    """Show what waits, what was decided last, and where to put more."""
    return _index()


def _index(refused: list[tuple[str, MemeticaError]] | None = None) -> str:
    inbox = site().catalogue.uploads
    the_inbox().wake()
    the_categories().suggester()  # so that it is ready when the first upload is looked at
    waiting = inbox.in_state(UploadState.WAITING, UploadState.EXAMINED, UploadState.FAILED)
    return render_template(
        "inbox.html",
        uploads=waiting[:SHOWN],
        left=len(waiting),
        unexamined=sum(one.state is UploadState.WAITING for one in waiting),
        first=inbox.next(),
        lately=[(one, DECIDED[one.state]) for one in inbox.decided(LAST)],
        largest=size_in_words(site().settings.upload_bytes),
        refused=refused or [],
        came=number(request.args, "came", 0, least=0, most=1_000_000),
        troubles=_troubles(),
        done=_done(),
    )


@blueprint.post("")
def receive_form() -> AnyResponse | tuple[str, int]:
    """Take in the files of a form; what is refused is said, and the others wait."""
    allow_uploads()
    return _receive_form()


@curator_only
def _receive_form() -> AnyResponse | tuple[str, int]:
    came, refused = receive_all(request.files.getlist("file"), came_by="page")
    if refused:
        return _index(refused), refused[0][1].status
    return redirect(f"/curator/inbox?{urlencode({'came': len(came)})}", code=303)


def receive_all(files: list[FileStorage], *, came_by: str) -> tuple[list[Upload], list[tuple[str, MemeticaError]]]:
    """Keep each file that can be kept; return the uploads, and what was refused and why. Raise WrongUse without any."""
    chosen = [one for one in files if one.filename]
    if not chosen:
        raise WrongUse("There is no picture in the request.", hint="Choose one, paste one, or drag one here.")
    if len(chosen) > FILES_A_REQUEST:
        raise WrongUse(f"At most {FILES_A_REQUEST} files can be sent at once.", hint="Send them in several parts.")
    came: list[Upload] = []
    refused: list[tuple[str, MemeticaError]] = []
    for one in chosen:
        try:
            came.append(receive(site().workspace, one.stream, name=one.filename or "", came_by=came_by))
        except MemeticaError as error:
            refused.append((one.filename or "", error))
    the_inbox().wake()
    return came, refused


@blueprint.get("/<int:id>")
@curator_only
def upload(id: int) -> str | AnyResponse:
    """Show an upload: what it is like, where it may belong, what it says, and what can be decided."""
    found = site().catalogue.uploads.get(id)
    if found.state in DECIDED:
        return redirect(f"/curator/inbox?{urlencode({'did': id})}", code=303)
    the_inbox().wake()
    return _page(found)


def _page(found: Upload, *, unknown: str = "", error: MemeticaError | None = None) -> str:
    catalogue = site().catalogue
    likes = alike(catalogue, found)
    inbox = catalogue.uploads
    following, before = inbox.next(after=found.id), inbox.previous(found.id)
    return render_template(
        "inbox_upload.html",
        upload=found,
        findings=found.findings or {},
        size=size_in_words(found.size),
        duplicates=[one for one in likes if one[1].tier is not None and one[1].tier.is_duplicate],
        variants=[one for one in likes if one[1].tier is None or not one[1].tier.is_duplicate],
        beside=_beside(catalogue, found),
        offers=_offers(found),
        categories=[name for name, _, _ in catalogue.memes.categories()],
        learning=the_categories().suggester() is None and the_categories().trouble is None,
        left=inbox.count(UploadState.WAITING, UploadState.EXAMINED, UploadState.FAILED),
        next=following,
        previous=before,
        unknown=unknown,
        error=error,
        anyway=request.form.get("anyway", ""),
        troubles=_troubles(),
        done=_done(),
    )


def _troubles() -> list[MemeticaError]:
    trouble = the_categories().trouble
    return [*the_inbox().troubles, *([trouble] if trouble else [])]


def _offers(found: Upload) -> Offers:
    if found.state is not UploadState.EXAMINED:
        return Offers((), "")
    return suggested_for(found)


def suggested_for(upload: Upload) -> Offers:
    """Return what is offered for an upload that was examined."""
    catalogue = site().catalogue
    fingerprints = catalogue.uploads.fingerprints_of(upload.content_hash)
    suggestion = suggestion_of(fingerprints, dict(upload.findings or {}), content_hash=upload.content_hash)
    return offers_of(catalogue, upload, suggestion)


def _beside(catalogue: Catalogue, found: Upload) -> list[tuple[Upload, Evidence]]:
    """Return the uploads that wait and that one is like."""
    beside = []
    for row in (found.findings or {}).get("beside", ()):
        with suppress(NotFound):
            other = catalogue.uploads.get(row["id"])
            if other.state is UploadState.EXAMINED:
                beside.append((other, Evidence.from_json(row["evidence"])))
    return beside


@blueprint.post("/<int:id>")
@curator_only
def decide(id: int) -> AnyResponse | tuple[str, int]:
    """Carry out a decision and go on to the next upload."""
    workspace = site().workspace
    found = workspace.catalogue.uploads.get(id)
    if request.form.get("seen") != found.content_hash:
        raise Refused("That is not the upload that the page showed; nothing was done.", hint="Look at it again.")
    if request.form.get("decision") == "discard":
        discard(workspace, id)
    elif request.form.get("decision") == "again":
        workspace.catalogue.uploads.wait_again(id)
        the_inbox().wake()
        return redirect(f"/curator/inbox/{id}", code=303)
    else:
        typed = " ".join(request.form.get("other", "").split())
        category = request.form.get("category") or typed
        known = {name.casefold() for name, _, _ in workspace.catalogue.memes.categories()}
        if category and category.casefold() not in known and request.form.get("make") != category:
            return _page(found, unknown=category), 409
        try:
            accept(workspace, id, category=category, anyway=request.form.get("anyway", ""))
        except (SuspectedDuplicate, WrongUse) as error:
            if workspace.catalogue.uploads.get(id).state is not UploadState.EXAMINED:
                raise
            return _page(found, error=error), error.status
        the_inbox().wake()
    following = workspace.catalogue.uploads.next(after=id) or workspace.catalogue.uploads.next()
    address = f"/curator/inbox/{following.id}" if following is not None else "/curator/inbox"
    return redirect(f"{address}?{urlencode({'did': id})}", code=303)


@blueprint.post("/<int:id>/undo")
@curator_only
def undo(id: int) -> AnyResponse:
    """Take a decision back and show the upload that it was about."""
    take_back(site().workspace, id)
    the_inbox().wake()
    return redirect(f"/curator/inbox/{id}?{urlencode({'undid': 1})}", code=303)


@blueprint.get("/<int:id>/preview.webp")
@curator_only
def preview(id: int) -> Response:
    """Return an upload as it can be looked at: drawn anew, without what its file may hold beside the picture."""
    file = preview_path(site().settings.data, site().catalogue.uploads.get(id).content_hash)
    if not file.is_file():
        raise NotFound("There is no preview of it here any more.")
    return send_file(file, mimetype="image/webp")


def _done() -> dict[str, Any] | None:
    """Return what this page was reached by doing: a sentence, and what its undo is."""
    if "undid" in request.args:
        return {"said": "Undone: it waits for a decision again.", "undo": None}
    id = request.args.get("did", type=int)
    if id is None:
        return None
    try:
        found = site().catalogue.uploads.get(id)
    except NotFound:
        return None
    if found.state not in DECIDED:
        return None
    where = f" as {found.path}" if found.state is UploadState.ACCEPTED else ""
    return {"said": f"{DECIDED[found.state]}: {found.name}{where}", "undo": f"/curator/inbox/{id}/undo", "of": ""}
