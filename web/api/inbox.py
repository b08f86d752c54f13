"""The inbox as JSON: upload, decide and undo; and suggestions for a picture that is not stored."""

from __future__ import annotations

import hashlib
import tempfile
import threading
from pathlib import Path

from flask import Blueprint, Flask, Response, after_this_request, current_app, jsonify, request

from indexer.inbox.acceptance import similar_memes
from indexer.inbox.examiner import inspect_file
from indexer.inbox.reception import discard, inbox_path
from indexer.media.decode import REQUEST
from search.catalogue import Upload, UploadState
from search.errors import MemeticaError, NotFound, WrongUse
from search.evidence import Evidence
from web.access.key_requests import check_scope, current_key
from web.access.keys import Scope
from web.access.request_rates import Work, count
from web.api.bodies import json_object, text_of
from web.background.categories import suggest_for
from web.background.inbox import inbox_workers
from web.context import site
from web.curator import actions
from web.curator.auth import curator_only, curator_or_key, not_signed_in, opened_by, signed_in
from web.params import MAX_CATEGORY, MAX_HITS, MAX_LIST_OFFSET, int_param, text_param
from web.schemas import Row, error_row, suggestion_row, upload_row
from web.suggestions import SuggestedCategories, from_suggestion

blueprint = Blueprint("api_inbox", __name__, url_prefix="/api")
MAX_EXAMINATIONS = 2  # at once, for /api/suggest; OCR of a picture takes a second or more
WAIT_SECONDS = 5.0  # for a running examination to end
NOT_READY = "Suggestions are being prepared; ask again in a few seconds."


class ExaminerBusy(MemeticaError):
    """Too many pictures are being examined."""

    code = "busy"
    status = 503
    retry_after = 5


def register(app: Flask) -> None:
    """Add the addresses to an application."""
    app.extensions["examinations"] = threading.BoundedSemaphore(MAX_EXAMINATIONS)
    app.register_blueprint(blueprint)


@blueprint.get("/inbox")
@curator_only
def uploads() -> Response:
    """Return a page of the uploads in a state, or of all undecided ones, oldest first."""
    state = text_param(request.args, "state")
    if state and state not in set(UploadState):
        raise WrongUse(f"state must be one of {', '.join(UploadState)}, not {state[:40]!r}.")
    states = [UploadState(state)] if state else [UploadState.WAITING, UploadState.EXAMINED, UploadState.FAILED]
    found = site().catalogue.uploads.in_state(*states)
    offset = int_param(request.args, "offset", 0, minimum=0, maximum=MAX_LIST_OFFSET)
    k = int_param(request.args, "k", 10, minimum=1, maximum=MAX_HITS)
    inbox_workers().wake()
    return jsonify({"uploads": [_upload_row(one) for one in found[offset : offset + k]], "total": len(found)})


@blueprint.post("/inbox")
@curator_or_key(Scope.UPLOAD)
def receive() -> tuple[Response, int]:
    """Put the files of a request into the inbox; 201 when all were received, else 207 with each refusal."""
    received, refused = actions.receive_files(request.files.getlist("file"), source=_source())
    if refused and not received:
        raise refused[0][1]
    rows = [{"file": name, **error_row(error)} for name, error in refused]
    return jsonify({"uploads": [_upload_row(one) for one in received], "refused": rows}), 207 if refused else 201


def _source() -> str:
    key = current_key()
    return "api" if key is None else f"key:{key.name}"


@blueprint.get("/inbox/<int:id>")
@curator_or_key(Scope.UPLOAD)
def upload(id: int) -> Response:
    """Return everything known about an upload; a key sees what was sent by it alone."""
    found = site().catalogue.uploads.get(id)
    if current_key() is not None and found.received_by != _source():
        raise NotFound(f"This key has sent no upload with the number {id}.")
    inbox_workers().wake()
    return jsonify(_upload_row(found))


@blueprint.post("/inbox/<int:id>/accept")
@curator_only
def accept(id: int) -> Response:
    """Write an upload into a category; accepting it again changes nothing."""
    body = json_object(required={"category": str}, optional={"anyway": str})
    category = text_of(body, "category", max_length=MAX_CATEGORY)
    found = actions.accept_upload(id, category=category, reason=text_of(body, "anyway"))
    return jsonify(_upload_row(found))


@blueprint.post("/inbox/<int:id>/discard")
@curator_only
def discard_upload(id: int) -> Response:
    """Discard an upload; it can be restored."""
    return jsonify(_upload_row(discard(site().workspace, id)))


@blueprint.post("/inbox/<int:id>/undo")
@curator_only
def undo(id: int) -> Response:
    """Undo the decision about an upload; an accepted file leaves the library for the trash."""
    return jsonify(_upload_row(actions.undo_upload(id)))


@blueprint.post("/suggest")
@opened_by(Scope.SUGGEST)
def suggest() -> Response:
    """Return a picture's text, the memes that it matches and categories for it; the picture is not stored."""
    key = current_key()
    if key is not None:
        check_scope(key, Scope.SUGGEST)
    elif not site().settings.open_suggestions and not signed_in():
        raise not_signed_in(Scope.SUGGEST)
    after_this_request(_not_stored)
    if not signed_in():
        count(Work.UPLOAD)
    sent = next((one for one in request.files.values() if one.filename), None)
    if sent is None:
        raise WrongUse("There is no picture in the request.", hint="Send one as `picture`.")
    semaphore: threading.BoundedSemaphore = current_app.extensions["examinations"]
    if not semaphore.acquire(timeout=WAIT_SECONDS):
        raise ExaminerBusy("Too many pictures are being examined.", hint="Try again in a few seconds.")
    try:
        with tempfile.TemporaryDirectory(prefix="memetica-suggest-") as folder:
            file = Path(folder) / "picture"
            sent.save(file)
            content = hashlib.sha256(file.read_bytes()).hexdigest()
            findings, fingerprints = inspect_file(
                inbox_workers().ready.examiner(), file, content_hash=content, limits=REQUEST
            )
            inbox_workers().examining.wake()  # so that the worker releases the examiner when it has been idle
    finally:
        semaphore.release()
    matches = [
        (meme, Evidence.from_json(row["evidence"]))
        for row in findings["alike"]
        for meme in site().catalogue.memes.with_content(row["content_hash"])[:1]
    ]
    suggestion = suggest_for(fingerprints, findings, content_hash=content)
    if suggestion is None:
        suggested = SuggestedCategories(sentence=NOT_READY)
    else:
        suggested = from_suggestion(site().catalogue, suggestion)
    return jsonify(suggestion_row(sent.filename or "", findings, matches=matches, suggested=suggested))


def _not_stored(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    return response


def _upload_row(upload: Upload) -> Row:
    is_examined = upload.state is UploadState.EXAMINED
    return upload_row(
        upload,
        matches=similar_memes(site().catalogue, upload) if is_examined else [],
        suggested=actions.suggestions_for(upload) if is_examined else SuggestedCategories(),
        has_preview=upload.state is not UploadState.ACCEPTED
        and inbox_path(site().settings.data, upload.content_hash).exists(),
    )
