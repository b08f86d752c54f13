"""Many decisions at once: started by a page, carried out in the background, shown with a bar, undone together."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Flask, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from indexer.curation.merges import merge
from indexer.curation.move import move_memes, rename_meme
from indexer.curation.trash import trash_memes
from indexer.inbox.reception import discard
from search.catalogue import Batch, BatchItem, BatchState, UploadState
from search.catalogue.verdicts import new_uid
from search.errors import LibraryError, NotFound, WrongState, WrongUse
from search.meme import Meme
from web.background import batches as background
from web.background.batches import Action, batch_worker
from web.background.categories import category_workers
from web.context import site
from web.curator import actions
from web.curator.auth import curator_only, safe_next
from web.curator.text_actions import text_actions
from web.params import text_param

blueprint = Blueprint("batches", __name__, url_prefix="/curator/batches")
WAIT_SECONDS = 1.5  # a request waits so long for a batch: a short one needs no page of its own
MAX_ITEMS = 2000  # in a batch
MAX_FAILED = 100  # shown


def register(app: Flask) -> None:
    """Add the pages and the worker."""
    background.register(app, ACTIONS | text_actions())
    app.register_blueprint(blueprint)


def start(items: Sequence[BatchItem], *, title: str, page: str) -> AnyResponse:
    """Store and begin a batch; redirect to the page that it came from, or to the batch's own while it takes longer.

    `title` follows the number of what was done: "accepted", "moved to Cats". Raises WrongUse for none or too many.
    """
    return _follow(add(items, title=title, page=safe_next(page)))


def add(items: Sequence[BatchItem], *, title: str, page: str) -> Batch:
    """Store a batch, begin it and return it; raise WrongUse for none or too many."""
    if not items:
        raise WrongUse("Nothing is selected.", hint="Select at least one.")
    if len(items) > MAX_ITEMS:
        raise WrongUse(f"At most {MAX_ITEMS:,} can be chosen at once.", hint="Do it in several parts.")
    batch = site().catalogue.batches.add(new_uid(), items, title=title, page=page)
    batch_worker().wake()
    return batch


def _follow(batch: Batch) -> AnyResponse:
    batches = site().catalogue.batches
    batch_worker().wait_for(batches.items(batch.uid)[0].action, WAIT_SECONDS)
    batch = batches.get(batch.uid)
    if batch.is_active:
        return redirect(f"/curator/batches/{batch.uid}?follow=1", code=303)
    return _back(batch)


def _back(batch: Batch) -> AnyResponse:
    """Return to the page that a batch was started from, which says what was done and offers to undo it."""
    joint = "&" if "?" in batch.page else "?"
    return redirect(f"{batch.page}{joint}{urlencode({'batch': batch.uid})}", code=303)


@blueprint.get("/<uid>")
@curator_only
def show(uid: str) -> str | AnyResponse:
    """Show how far a batch is, what failed and why, and the button that undoes all of it.

    With `follow`, which who started it comes with, a finished batch leads back to where it was started.
    """
    batches = site().catalogue.batches
    batch = batches.get(uid)
    if batch.is_active:
        batch_worker().wake()
    elif request.args.get("follow"):
        return _back(batch)
    failed = [one for one in batches.items(uid) if one.reason]
    return render_template(
        "batch.html",
        batch=batch,
        sentence=sentence_of(batch),
        failed=failed[:MAX_FAILED],
        more=max(0, len(failed) - MAX_FAILED),
        error=batch_worker().error,
    )


@blueprint.post("/<uid>/undo")
@curator_only
def undo(uid: str) -> AnyResponse:
    """Undo everything that a batch did, the last first; what was not done yet is left."""
    batch = site().catalogue.batches.begin_undo(uid)
    batch_worker().wake()
    return _follow(batch)


def sentence_of(batch: Batch) -> str:
    """Return how far a batch is, in words."""
    failed = f" {batch.failed:,} could not be." if batch.failed else ""
    if batch.state is BatchState.RUNNING:
        return f"{batch.finished:,} of {batch.total:,} {batch.title}…"
    if batch.state is BatchState.UNDOING:
        return f"Undoing: {batch.waiting:,} left…"
    if batch.state is BatchState.UNDONE:
        return f"Undone: {batch.total:,} {batch.title}.{failed}"
    return f"{batch.done:,} {batch.title}.{failed}"


def batch_note() -> dict[str, Any] | None:
    """Return the note about the batch that this address names, and the address that undoes it; None without one."""
    uid = text_param(request.args, "batch")
    if not uid:
        return None
    try:
        batch = site().catalogue.batches.get(uid)
    except NotFound:
        return None
    undoable = batch.state is BatchState.DONE and batch.done
    return {
        "message": sentence_of(batch),
        "undo": f"/curator/batches/{uid}/undo" if undoable else None,
        "of": "",
        "why": f"/curator/batches/{uid}" if batch.failed else "",
        "reason": next((one.reason for one in site().catalogue.batches.items(uid) if one.reason), ""),
    }


# --- what the decisions of a batch do ---


def _accept(item: BatchItem, uid: str) -> str:
    actions.accept_upload(int(item.subject), category=item.argument)
    return item.subject


def _discard(item: BatchItem, uid: str) -> str:
    discard(site().workspace, int(item.subject))
    return item.subject


def _undo_upload(result: str) -> None:
    actions.undo_upload(int(result))


def _decided(*states: UploadState) -> Any:
    def done_by(item: BatchItem) -> str:
        return item.subject if site().catalogue.uploads.get(int(item.subject)).state in states else ""

    return done_by


def _merge(item: BatchItem, uid: str) -> str:
    memes = []
    for id, content in json.loads(item.argument):
        meme = site().catalogue.memes.get(id)
        if meme.content_hash != content:
            raise LibraryError(f"{meme.path} has changed since it was compared.", hint="Run `memetica index`.")
        memes.append(meme)
    return merge(site().workspace, keep=memes[0], remove=memes[1:], uid=uid).uid


def _undo_verdict(result: str) -> None:
    actions.undo_verdict(result)


def _in_ledger(item: BatchItem) -> str:
    try:
        return site().catalogue.verdicts.get(item.result).uid
    except NotFound:
        return ""


def _meme(item: BatchItem) -> Meme:
    return site().catalogue.memes.get(int(item.subject))


def _move(item: BatchItem, uid: str) -> str:
    verdict = move_memes(site().workspace, [_meme(item)], category=item.argument, uid=uid)
    _wake([int(item.subject)])
    return verdict.uid


def _rename(item: BatchItem, uid: str) -> str:
    verdict = rename_meme(site().workspace, _meme(item), name=item.argument, uid=uid)
    _wake([int(item.subject)])
    return verdict.uid


def _trash(item: BatchItem, uid: str) -> str:
    verdict = trash_memes(site().workspace, [_meme(item)], uid=uid)
    _wake([int(item.subject)])
    return verdict.uid


def _wake(ids: Sequence[int]) -> None:
    category_workers().mark_changed(ids)
    category_workers().wake_indexing()


def _tag(item: BatchItem, uid: str) -> str:
    meme, tags = _meme(item), site().catalogue.tags
    if item.argument in tags.of(meme.content_hash):
        raise WrongState(f"{meme.path} has the tag {item.argument} already.")
    return tags.add([meme], item.argument, uid=uid).uid


def _untag(item: BatchItem, uid: str) -> str:
    meme, tags = _meme(item), site().catalogue.tags
    if item.argument not in tags.of(meme.content_hash):
        raise WrongState(f"{meme.path} has no tag {item.argument}.")
    return tags.remove([meme], item.argument, uid=uid).uid


ACTIONS = {
    "move": Action(_move, _undo_verdict, _in_ledger),
    "rename": Action(_rename, _undo_verdict, _in_ledger),
    "trash": Action(_trash, _undo_verdict, _in_ledger),
    "tag": Action(_tag, _undo_verdict, _in_ledger),
    "untag": Action(_untag, _undo_verdict, _in_ledger),
    "merge": Action(_merge, _undo_verdict, _in_ledger),
    "accept": Action(_accept, _undo_upload, _decided(UploadState.ACCEPTED)),
    "discard": Action(_discard, _undo_upload, _decided(UploadState.DISCARDED)),
}
