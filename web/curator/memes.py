"""What the curator does with memes, on a meme's page and with a selection of a grid: move, rename, tag, trash, texts.

Every action is a batch, so that one of a single meme and one of hundreds are carried out and undone alike.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from enum import StrEnum
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Flask, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from indexer.describe.prompts import KINDS
from search.catalogue import BatchItem, TextReview, listed_tags
from search.errors import MemeticaError, NotFound, WrongState, WrongUse
from search.meme import Likeness, Meme, Text, TextKind, name_key
from web.addresses import base
from web.context import site
from web.curator import batches
from web.curator.auth import curator_only, safe_next
from web.curator.text_actions import describe_model, descriptions_to_make, review_of
from web.params import MAX_CATEGORY, MAX_QUERY, enum_param, ids_param, text_param
from web.schemas import category_url, page_url

blueprint = Blueprint("memes", __name__, url_prefix="/curator/memes")
MAX_NEIGHBORS = 12  # of which the tags are suggested
MAX_SUGGESTED = 6
MAX_PAGE = 4000  # characters of the address to return to


class MemeAction(StrEnum):
    """What can be done with memes."""

    MOVE = "move"
    RENAME = "rename"
    TAG = "tag"
    UNTAG = "untag"
    TRASH = "trash"
    REREAD = "reread"
    DESCRIBE = "describe"
    WRONG = "wrong"


def register(app: Flask) -> None:
    """Add the pages, and what the templates ask about a meme."""
    app.register_blueprint(blueprint)
    app.jinja_env.globals.update(
        tags_of=tags_of,
        suggested_tags=suggested_tags,
        all_categories=all_categories,
        all_tags=lambda: list(site().catalogue.tags.counts()),
        is_marked_wrong=is_marked_wrong,
        describe_model=describe_model,
        batch_note=batches.batch_note,
        here_without_batch=here_without_batch,
    )


def here_without_batch() -> str:
    """Return this address, to come back to, without the note about an earlier batch."""
    values = {name: value for name, value in request.args.to_dict().items() if name not in ("batch", "part")}
    return request.path + (f"?{urlencode(values)}" if values else "")


def all_categories() -> list[str]:
    """Return the names of all categories."""
    return [name for name, _, _ in site().catalogue.memes.categories()]


def tags_of(meme: Meme) -> list[str]:
    """Return the tags of a meme."""
    return site().catalogue.tags.of(meme.content_hash)


def suggested_tags(meme: Meme) -> list[str]:
    """Return the tags that the most similar memes have and this one has not, the most frequent first."""
    catalogue = site().catalogue
    if not catalogue.tags.contents():
        return []
    try:
        hits = site().searcher().similar(meme.id, by=Likeness.ALL, k=MAX_NEIGHBORS).hits
    except MemeticaError:  # there is no index: the page has its other parts
        return []
    own = set(catalogue.tags.of(meme.content_hash))
    found = catalogue.tags.of_many([hit.meme for hit in hits])
    return [tag for tag in found if tag not in own][:MAX_SUGGESTED]


def is_marked_wrong(meme: Meme, text: Text) -> bool:
    """Return whether the curator said that a text about a meme is wrong."""
    return review_of(meme, text) is TextReview.WRONG


@blueprint.get("/<int:id>")
@curator_only
def show(id: int) -> AnyResponse:
    """Redirect to the page of a meme, wherever it is now, with the note about what was done."""
    meme = site().catalogue.memes.get(id)
    note = urlencode({name: request.args[name] for name in ("batch",) if name in request.args})
    return redirect(page_url(meme).removeprefix(base()) + (f"?{note}" if note else ""), code=303)


@blueprint.post("")
@curator_only
def act() -> AnyResponse | tuple[str, int]:
    """Carry out an action on the chosen memes and return to the page that they were chosen on.

    Before memes are moved to a category that does not exist yet, a page asks whether it is meant.
    """
    action = enum_param(request.form, "action", MemeAction.MOVE)
    memes = site().catalogue.memes.many(ids_param(request.form, "meme"))
    if not memes:
        raise WrongUse("Nothing is selected.", hint="Select at least one meme.")
    page = text_param(request.form, "page", max_length=MAX_PAGE) or f"/curator/memes/{memes[0].id}"
    if action is MemeAction.TRASH and page == f"/curator/memes/{memes[0].id}":
        page = category_url(memes[0].category).removeprefix(base())  # the meme's own page is gone
    if action is MemeAction.MOVE and (category := _typed_category()) and not (_known(category) or _is_new()):
        return render_template("new_category.html", category=category, memes=memes, page=safe_next(page)), 400
    title, items = _planned(action, memes)
    return batches.start(items, title=title, page=page)


def _planned(action: MemeAction, memes: Sequence[Meme]) -> tuple[str, list[BatchItem]]:
    """Return the title of a batch and its decisions, from the form."""
    if action is MemeAction.MOVE:
        category = _typed_category()
        if not category:
            raise WrongUse("Choose a category first.", hint="Nothing was moved.")
        category = _known(category) or category
        memes = [one for one in memes if one.category != category]
        if not memes:
            raise WrongState(f"What is selected is in {category} already.")
    noun = "meme" if len(memes) == 1 else "memes"
    if action is MemeAction.MOVE:
        return f"{noun} moved to {category}", [_item("move", one, category) for one in memes]
    if action is MemeAction.RENAME:
        name = text_param(request.form, "name", max_length=MAX_CATEGORY)
        return f"{noun} renamed", [_item("rename", memes[0], name)]
    if action in (MemeAction.TAG, MemeAction.UNTAG):
        tags = listed_tags(text_param(request.form, "tag", max_length=MAX_QUERY))
        if not tags:
            raise WrongUse("The tag is empty.", hint="Enter a word.")
        added = action is MemeAction.TAG
        have = {tag: site().catalogue.tags.contents().get(tag, frozenset()) for tag in tags}
        items = [
            _item(action.value, one, tag) for tag in tags for one in memes if (one.content_hash in have[tag]) != added
        ]
        if not items:
            raise WrongState("They have these tags already." if added else "They have none of these tags.")
        titles = ", ".join(f"“{tag}”" for tag in tags)
        return ("tag" if len(items) == 1 else "tags") + f" {'added' if added else 'removed'}: {titles}", items
    if action is MemeAction.DESCRIBE:
        return description_batch(memes, enum_param(request.form, "kind", TextKind.SIMPLE))
    if action is MemeAction.WRONG:
        return "text marked as wrong", [_item("wrong", memes[0], json.dumps(_named_text(memes[0])))]
    title = {MemeAction.TRASH: "moved to the trash", MemeAction.REREAD: "read again"}[action]
    return f"{noun} {title}", [_item(action.value, one) for one in memes]


def _typed_category() -> str:
    return " ".join(text_param(request.form, "category", max_length=MAX_CATEGORY).split())


def _known(category: str) -> str:
    """Return the category of this name as it is written; "" when there is none."""
    return next((name for name in all_categories() if name_key(name) == name_key(category)), "")


def _is_new() -> bool:
    return bool(request.form.get("new"))


def description_batch(memes: Sequence[Meme], kind: TextKind) -> tuple[str, list[BatchItem]]:
    """Return the title and the decisions of a batch in which the chosen model describes memes.

    Raises ModelUnavailable when none is chosen, WrongUse for a kind that no model writes, WrongState when there is
    nothing to describe.
    """
    if kind not in KINDS:
        raise WrongUse(f"{kind} is not a kind of description.", hint=f"Choose {' or '.join(KINDS)}.")
    items = descriptions_to_make(memes, kind)
    return ("meme" if len(items) == 1 else "memes") + f" described by {describe_model()}", items


def _item(action: str, meme: Meme, argument: str = "") -> BatchItem:
    return BatchItem(action, str(meme.id), argument, name=meme.path)


def _named_text(meme: Meme) -> list[Any]:
    """Return the kind and the source of the text that the form names; raise NotFound when the meme has it no more."""
    named = text_param(request.form, "text", max_length=MAX_QUERY)
    for text in site().catalogue.texts.of(meme):
        if f"{text.kind} {text.source}" == named and text.kind is not TextKind.OTHER:
            return [text.kind.value, text.source]
    raise NotFound("This text was replaced or removed.", hint="Load the page again.")
