"""The visitors' pages: the results of a search, a meme, about; `listing` has those to leaf through."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Flask, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from search.encoders.clip_models import display_name, spec_of
from search.errors import MemeticaError, NotFound
from search.evidence import percent
from search.index.status import IndexStatus
from search.meme import Failure, Likeness, Meme, Sort, Stage, Text, TextKind
from search.results import Answer
from web.access.request_rates import Work, count
from web.addresses import base, local
from web.background.counts import counted_status
from web.context import site
from web.formatting import format_age, format_commands, format_short_age, format_size, unbroken, without_folders
from web.params import (
    MAX_LIST_OFFSET,
    bool_param,
    category_param,
    enum_param,
    int_param,
    page_links,
    query_param,
    text_param,
)
from web.query_images import open_query_image, store_query_image
from web.schemas import category_url, file_url, page_url, picture_url, thumbnail_url
from web.site.appearance import appearance_url, size, theme
from web.site.cards import Card, cards_of
from web.site.facets import facet_values, operator_chips, tag_query, unquoted_query, variants_query
from web.site.files import send_meme, stills, wants_download
from web.site.images import small_thumbnail_url, srcset
from web.site.listing import END_OF_LIST, PAGE_SIZE, category_page, cover, home, page_address
from web.site.markdown import sections
from web.site.previews import preview_of
from web.site.titles import titles_of

blueprint = Blueprint("pages", __name__)
MAX_SIMILAR = 8
_LIKENESSES = {
    Likeness.TEMPLATE: "Same template",
    Likeness.LOOK: "Looks similar",
    Likeness.MEANING: "Similar subject",
    Likeness.WORDS: "Similar words",
}
MAX_WEAKER = 30  # weaker hits that are shown unasked


class PagePart(StrEnum):
    """The parts of a meme's page."""

    ALL = "all"
    MEME = "meme"
    ALIKE = "alike"


@blueprint.get("/")
def index() -> str:
    """Show the results when the address contains a query or a picture, the newest memes otherwise."""
    if query_param(request.args) or request.args.get("picture"):
        return results()
    return home()


def results() -> str:
    """Show the memes that match the words and the picture of the address."""
    count(Work.SEARCH)
    text, picture = query_param(request.args), text_param(request.args, "picture")
    page = int_param(request.args, "page", 1, minimum=1, maximum=math.ceil(MAX_LIST_OFFSET / PAGE_SIZE))
    offset = (page - 1) * PAGE_SIZE
    sort = enum_param(request.args, "sort", Sort.RELEVANCE)
    category = category_param(request.args)
    answer = (
        site()
        .searcher()
        .search(
            text,
            k=PAGE_SIZE,
            offset=offset,
            image=open_query_image(site().settings, picture) if picture else None,
            category=category,
            sort=sort,
            collapse=bool_param(request.args, "collapse", default=True),
            verbatim=bool_param(request.args, "verbatim", default=False),
        )
    )
    # Weaker hits follow the matches on their pages; beside quoted phrases that something says they are folded away.
    is_folded = bool(answer.understood.phrases and answer.total)
    has_tail = bool_param(request.args, "weaker", default=False)
    reachable = answer.total + (0 if is_folded else answer.weaker if has_tail else min(answer.weaker, MAX_WEAKER))
    cards = cards_of(answer.hits if is_folded else answer.hits[: max(0, reachable - offset)])
    matches = max(0, min(answer.total - offset, len(cards)))  # of this page
    return render_template(
        "results.html",
        query=text,
        picture=picture,
        category=category,
        sort=sort,
        answer=answer,
        cards=cards[:matches] if is_folded else cards,
        folded=cards[matches:] if is_folded else [],
        unquoted=unquoted_query(text),
        pages=page_links(min(reachable, MAX_LIST_OFFSET), page, size=PAGE_SIZE, address=page_address),
        tail=0 if is_folded else answer.total + answer.weaker - reachable,
        # The place on this page where the matches end; None on other pages.
        edge=matches if answer.total and answer.weaker and 0 <= answer.total - offset < len(cards) else None,
        address_without=_address_without,
        chips=_chips(answer),
        facets=_facets(answer, text),
        end=END_OF_LIST,
        address_of=_address_of,
    )


@dataclass(frozen=True)
class Facet:
    """A facet of the results: its values, whether they are shown, and the address that shows or hides them."""

    title: str
    values: list[dict[str, Any]]
    is_open: bool
    address: str


def _facets(answer: Answer, text: str) -> list[Facet]:
    """Return the facets; the one that the address opens stays open when one of its values is chosen."""
    opened = text_param(request.args, "open")
    return [
        Facet(
            title,
            [{"label": one.label, "memes": one.memes, "address": _address_of(one.query, open=name)} for one in values],
            name == opened,
            _address_of(text, open="" if name == opened else name),
        )
        for name, title, values in facet_values(answer, text)
    ]


def _chips(answer: Answer) -> list[tuple[str, str]]:
    """Return a label for each restriction of the search, with the address of the search without it."""
    chips = [(label, _address_of(rest)) for label, rest in operator_chips(answer, query_param(request.args))]
    if request.args.get("category"):
        chips.append((f"category: {request.args['category']}", _address_without("category")))
    if request.args.get("picture") and query_param(request.args):
        chips.append(("with a picture", _address_without("picture")))
    return chips


@blueprint.post("/upload")
def upload() -> AnyResponse:
    """Store a picture to search with, and redirect to the address that contains it and the query."""
    count(Work.UPLOAD)
    name = store_query_image(site().settings, request.files.get("picture"))
    values = {"q": query_param(request.form), "picture": name, "category": category_param(request.form) or ""}
    return redirect("/?" + urlencode({key: value for key, value in values.items() if value}), code=303)


@blueprint.get("/memes/<library:path>")
def library(path: str) -> AnyResponse | str:
    """Return what a path in the library names: a category's page, a meme's page, or a meme's file."""
    catalogue = site().catalogue
    folder, _, last = path.rpartition("/")
    if last in ("index.html", "") and folder and "/" not in folder:
        return category_page(folder) if last else redirect(_category_address(folder), code=301)
    try:
        meme = catalogue.memes.at(path)
    except NotFound:
        if "/" not in path and catalogue.memes.category_named(path) is not None:
            return redirect(_category_address(path), code=301)
        if not path.endswith(".html"):
            raise NotFound(
                f"There is no meme at {path}.", hint="It may have been moved or renamed: search for it."
            ) from None
    else:
        return send_meme(meme, download=wants_download())
    try:
        return meme_page(catalogue.memes.at(path.removesuffix(".html")))
    except NotFound:
        raise NotFound(
            f"There is no meme at {path.removesuffix('.html')}.",
            hint="It may have been moved or renamed: search for it.",
        ) from None


def _category_address(category: str) -> str:
    """Return the address of a category's page without the base path, which redirects get by themselves."""
    return category_url(category).removeprefix(base())


def meme_page(meme: Meme) -> str:
    """Show a meme, everything known about it, and similar memes; a `part` of the page for the viewer over a grid.

    The part `meme` is without similar memes, so that leafing through a grid does not search; `alike` has only them.
    """
    part = enum_param(request.args, "part", PagePart.ALL)
    catalogue = site().catalogue
    similar: list[tuple[str, list[Card]]] = []
    error: MemeticaError | None = None
    if part is not PagePart.MEME:
        count(Work.SEARCH)
        similar, error = _similar(meme)
    if part is PagePart.ALIKE:
        return render_template("_alike.html", similar=similar, error=error)
    texts = catalogue.texts.of(meme)
    return render_template(
        "_meme.html" if part is PagePart.MEME else "meme.html",
        meme=meme,
        title=titles_of([meme])[meme.id],
        preview=preview_of(meme),
        ocr=[text for text in texts if text.kind is TextKind.OCR],
        descriptions=[(text, sections(text.body)) for text in _ordered(texts)],
        boxes=_text_layer(meme),
        also_in=catalogue.journal.categories_merged_into(meme),
        similar=similar,
        error=error,
    )


def _failure_of(meme: Meme) -> Failure | None:
    """Return why a meme's file was not decoded, for the curator; None if that was not tried."""
    return next((one for one in site().catalogue.failures.of(meme.path) if one.stage is Stage.MEDIA), None)


def _ordered(texts: Sequence[Text]) -> list[Text]:
    """Return the descriptions, simple ones first."""
    order = {TextKind.SIMPLE: 0, TextKind.DETAILED: 1, TextKind.OTHER: 2}
    return sorted((text for text in texts if text.kind in order), key=lambda text: (order[text.kind], text.source))


def _similar(meme: Meme) -> tuple[list[tuple[str, list[Card]]], MemeticaError | None]:
    """Return a title and the cards for each likeness that finds something, and the error that ended the search.

    No meme, and of the memes that are variants of each other only one, stands in two sections.
    """
    try:
        relatives = site().searcher().relatives(meme.id, k=MAX_SIMILAR)
    except MemeticaError as error:
        return [], error
    return [(_LIKENESSES[by], cards_of(hits)) for by, hits in relatives.items()], None


def _text_layer(meme: Meme) -> list[dict[str, Any]]:
    """Return the lines that OCR read and their boxes in pixels, for text that can be selected on the picture."""
    if not meme.width or not meme.height:
        return []
    lines = []
    for text, _, corners in site().catalogue.texts.boxes_of(meme):
        across = [x * meme.width for x, _ in corners]
        down = [y * meme.height for _, y in corners]
        height = max(down) - min(down)
        lines.append(
            {
                "text": text,
                "x": min(across),
                "y": max(down) - height * 0.2,
                "width": max(across) - min(across),
                "height": height,
            }
        )
    return lines


@blueprint.get("/about")
def about() -> str:
    """Show how search works, what is indexed, by which models, and what is missing."""
    index = site().index_status()
    return render_template(
        "about.html",
        status=counted_status(),
        index=index if isinstance(index, IndexStatus) else None,
        error=index if isinstance(index, MemeticaError) else None,
    )


def _address_of(query: str, **changes: str) -> str:
    """Return this address with another query, at its first page."""
    values = {**request.args.to_dict(), "q": query, "page": "", "open": "", "batch": "", **changes}
    return local("/?" + urlencode({name: value for name, value in values.items() if value}))


def _address_without(*names: str) -> str:
    """Return this address without some of its parameters, at its first page."""
    values = {
        name: value for name, value in request.args.to_dict().items() if name not in (*names, "page", "open", "batch")
    }
    return local("/?" + urlencode(values))


def register_filters(app: Flask) -> None:
    """Give the templates the functions that they use."""
    app.jinja_env.filters["ago"] = format_age
    app.jinja_env.filters["short_age"] = format_short_age
    app.jinja_env.filters["size"] = format_size
    app.jinja_env.filters["percent"] = lambda share: unbroken(percent(share))
    app.jinja_env.filters["unbroken"] = unbroken
    app.jinja_env.filters["cover"] = cover
    app.jinja_env.filters["commands"] = lambda text: format_commands(without_folders(text))
    app.jinja_env.filters["encoder_title"] = lambda name: display_name(spec_of(name))
    app.jinja_env.globals.update(
        page_url=page_url,
        file_url=file_url,
        picture_url=picture_url,
        file_is_there=lambda meme: (site().settings.library / meme.path).exists(),
        failure_of=_failure_of,
        stills=stills,
        thumbnail_url=thumbnail_url,
        category_url=category_url,
        srcset=srcset,
        small_thumbnail_url=small_thumbnail_url,
        chosen_theme=theme,
        chosen_size=size,
        appearance_url=appearance_url,
        base=base,
        local=local,
        static_site=None,
        knows_host=lambda: True,
        variants_query=variants_query,
        tag_query=tag_query,
    )

    @app.context_processor
    def common() -> dict[str, Any]:
        return {"site_name": site().settings.site_name}
