"""The inbox as JSON: uploads come in, are decided on and taken back; and what a picture is, without keeping it."""

from __future__ import annotations

import hashlib
import tempfile
import threading
from pathlib import Path

from flask import Blueprint, Flask, Response, after_this_request, current_app, jsonify, request

from indexer.inbox.accept import accept, alike, take_back
from indexer.inbox.examine import find_out
from indexer.inbox.receive import discard, inbox_path
from search.catalogue import Upload, UploadState
from search.errors import MemeticaError, WrongUse
from search.evidence import Evidence
from web.background.categories import suggestion_of
from web.context import site
from web.curator.auth import NotSignedIn, curator_only, signed_in
from web.curator.inbox import allow_uploads, receive_all, suggested_for, the_inbox
from web.curator.suggestions import Offers, suggested
from web.params import MAX_HITS, number
from web.schemas import Row, suggestion_row, upload_row

blueprint = Blueprint("inbox_api", __name__, url_prefix="/api")
SUGGESTED_AT_ONCE = 2  # a picture takes a second or more to read
NOT_LEARNT = "The categories are being learnt; ask again in some seconds."
WAIT_SECONDS = 5.0  # for one of those to be done


class Busy(MemeticaError):
    """Too many pictures are being looked at."""

    code = "busy"
    status = 503


def register(app: Flask) -> None:
    """Give the site the addresses."""
    app.extensions["suggesting"] = threading.BoundedSemaphore(SUGGESTED_AT_ONCE)
    app.register_blueprint(blueprint)


@blueprint.get("/inbox")
@curator_only
def uploads() -> Response:
    """Return a page of the uploads in a state, or of all that wait, as they came."""
    state = request.args.get("state")
    if state and state not in set(UploadState):
        raise WrongUse(f"state must be one of {', '.join(UploadState)}, not {state[:40]!r}.")
    states = [UploadState(state)] if state else [UploadState.WAITING, UploadState.EXAMINED, UploadState.FAILED]
    found = site().catalogue.uploads.in_state(*states)
    offset = number(request.args, "offset", 0, least=0, most=10_000_000)
    k = number(request.args, "k", 10, least=1, most=MAX_HITS)
    the_inbox().wake()
    return jsonify({"uploads": [_upload_row(one) for one in found[offset : offset + k]], "total": len(found)})


@blueprint.post("/inbox")
def put_in() -> tuple[Response, int]:
    """Keep the files of a request in the inbox; 201 when all are, and the reason for each that is not."""
    allow_uploads()
    return _put_in()


@curator_only
def _put_in() -> tuple[Response, int]:
    came, refused = receive_all(request.files.getlist("file"), came_by="api")
    if refused and not came:
        raise refused[0][1]
    rows = [
        {"file": name, "error": {"code": error.code, "message": error.message, "hint": error.hint}}
        for name, error in refused
    ]
    return jsonify({"uploads": [_upload_row(one) for one in came], "refused": rows}), 207 if refused else 201


@blueprint.get("/inbox/<int:id>")
@curator_only
def one_upload(id: int) -> Response:
    """Return all that is known of an upload."""
    the_inbox().wake()
    return jsonify(_upload_row(site().catalogue.uploads.get(id)))


@blueprint.post("/inbox/<int:id>/accept")
@curator_only
def accept_upload(id: int) -> Response:
    """Write an upload into a category; accepted twice, it is there once."""
    asked = request.get_json(silent=True)
    if not isinstance(asked, dict) or not isinstance(asked.get("category"), str):
        raise WrongUse("Send an object with `category`, and `anyway` where it looks like a duplicate.")
    found = accept(site().workspace, id, category=asked["category"], anyway=str(asked.get("anyway") or ""))
    the_inbox().wake()
    return jsonify(_upload_row(found))


@blueprint.post("/inbox/<int:id>/discard")
@curator_only
def discard_upload(id: int) -> Response:
    """Throw an upload away, with a way back."""
    return jsonify(_upload_row(discard(site().workspace, id)))


@blueprint.post("/inbox/<int:id>/undo")
@curator_only
def undo_upload(id: int) -> Response:
    """Take the decision about an upload back: what was accepted leaves the library for the trash."""
    found = take_back(site().workspace, id)
    the_inbox().wake()
    return jsonify(_upload_row(found))


@blueprint.post("/suggest")
def suggest() -> Response:
    """Say what a picture is, whether it is there and where it belongs; nothing is kept."""
    allow_uploads()
    if not site().settings.open_suggestions and not signed_in():
        raise NotSignedIn("This is for the curator, who is not signed in here.", hint="Sign in at /sign-in.")
    after_this_request(_not_stored)
    sent = next((one for one in request.files.values() if one.filename), None)
    if sent is None:
        raise WrongUse("There is no picture in the request.", hint="Send one as `picture`.")
    semaphore: threading.BoundedSemaphore = current_app.extensions["suggesting"]
    if not semaphore.acquire(timeout=WAIT_SECONDS):
        raise Busy("Too many pictures are being looked at.", hint="Try again in some seconds.")
    try:
        with tempfile.TemporaryDirectory(prefix="memetica-suggest-") as folder:
            file = Path(folder) / "picture"
            sent.save(file)
            content = hashlib.sha256(file.read_bytes()).hexdigest()
            findings, fingerprints = find_out(the_inbox().ready.examiner(), file, content_hash=content)
            the_inbox().examining.wake()  # so that what it holds ready is let go of in time
    finally:
        semaphore.release()
    matches = [
        (meme, Evidence.from_json(row["evidence"]))
        for row in findings["alike"]
        for meme in site().catalogue.memes.with_content(row["content_hash"])[:1]
    ]
    suggestion = suggestion_of(fingerprints, findings, content_hash=content)
    offers = Offers((), NOT_LEARNT) if suggestion is None else suggested(site().catalogue, suggestion)
    return jsonify(suggestion_row(sent.filename or "", findings, matches=matches, offers=offers))


def _not_stored(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    return response


def _upload_row(upload: Upload) -> Row:
    examined = upload.state is UploadState.EXAMINED
    return upload_row(
        upload,
        matches=alike(site().catalogue, upload) if examined else [],
        offers=suggested_for(upload) if examined else Offers((), ""),
        has_preview=upload.state is not UploadState.ACCEPTED
        and inbox_path(site().settings.data, upload.content_hash).exists(),
    )
