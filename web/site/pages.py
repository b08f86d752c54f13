"""The pages that people read."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode

from flask import Blueprint, Flask, Response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from indexer.status import library_status
from search.encoders.clip import spec_of
from search.encoders.clip_models import display_name
from search.errors import MemeticaError, NotFound
from search.index.status import IndexStatus
from search.meme import Field, Likeness, Meme, Sort, Text, TextKind
from search.results import Answer, Hit
from web.context import site
from web.params import MAX_OFFSET, bool_param, enum_param, int_param, query_param
from web.query_images import keep_upload, open_upload
from web.schemas import category_url, file_url, page_url, thumbnail_url
from web.site.examples import examples
from web.site.facets import chips, facets, sentences, variants_query
from web.site.files import send_meme, wants_download
from web.site.markdown import sections

blueprint = Blueprint("pages", __name__)
PAGE = 30
NEW_DAYS = 14
RELATIVES = 8
HIERARCHY = " - "

# What each field says of why a meme is there, in a visitor's words.
REASONS = {
    Field.NAME: "its name",
    Field.OCR: "says it",
    Field.DESCRIPTION: "shows it",
    Field.VISUAL: "shows it",
    Field.ANALYSIS: "means it",
    Field.PICTURE: "seen in it",
    Field.LOOK: "looks alike",
}


@blueprint.get("/")
def home() -> str:
    """Show the search box and the freshest memes, or the answer when the address asks for something."""
    if query_param(request.args) or request.args.get("picture"):
        return results()
    catalogue = site().catalogue
    memes = catalogue.memes.freshest(PAGE)
    index = site().index_status()
    return render_template(
        "home.html",
        cards=_cards([Hit(meme, 0.0) for meme in memes]),
        categories=catalogue.memes.categories(since=datetime.now(UTC) - timedelta(days=NEW_DAYS)),
        total=catalogue.memes.count(),
        examples=examples(site().workspace) if isinstance(index, IndexStatus) else (),
        trouble=index if isinstance(index, MemeticaError) else None,
    )


def results() -> str:
    """Show the memes that answer the address's words and picture."""
    text, picture = query_param(request.args), request.args.get("picture", "")
    page = int_param(request.args, "page", 1, minimum=1, maximum=math.ceil(MAX_OFFSET / PAGE))
    offset = (page - 1) * PAGE
    sort = enum_param(request.args, "sort", Sort.RELEVANCE)
    category = request.args.get("category") or None
    answer = (
        site()
        .searcher()
        .search(
            text,
            k=PAGE,
            offset=offset,
            image=open_upload(site().settings, picture) if picture else None,
            category=category,
            sort=sort,
            collapse=bool_param(request.args, "collapse", default=True),
            verbatim=bool_param(request.args, "verbatim", default=False),
        )
    )
    certain = answer.total if answer.understood.certain is None else answer.understood.certain
    return render_template(
        "results.html",
        query=text,
        picture=picture,
        category=category,
        sort=sort,
        answer=answer,
        cards=_cards(answer.hits),
        pages=_pages(min(answer.total, MAX_OFFSET), page),
        certain=certain,
        # Where in this page the certain ones end; None when they end on another, or are not in order.
        edge=certain - offset if sort is Sort.RELEVANCE and offset <= certain < offset + len(answer.hits) else None,
        without=_without,
        understood=_understood(answer),
        facets=facets(answer, text),
        notices=sentences(answer),
        asking=_asking,
    )


def _understood(answer: Answer) -> list[tuple[str, str]]:
    """Return what was understood beside the words, each with the address that leaves it out."""
    parts = [(means, _asking(rest)) for means, rest in chips(answer, query_param(request.args))]
    if request.args.get("category"):
        parts.append((f"category: {request.args['category']}", _without("category")))
    if request.args.get("picture") and query_param(request.args):
        parts.append(("with a picture", _without("picture")))
    return parts


@blueprint.post("/upload")
def upload() -> AnyResponse:
    """Keep a picture to search with, and go to the address that holds it and the words."""
    name = keep_upload(site().settings, request.files.get("picture"))
    asked = {"q": query_param(request.form), "picture": name, "category": request.form.get("category", "")}
    return redirect("/?" + urlencode({key: value for key, value in asked.items() if value}), code=303)


@blueprint.get("/memes/<library:path>")
def library(path: str) -> Response | str:
    """Show what the library's own addresses name: a category, a meme's page, or a meme's file."""
    catalogue = site().catalogue
    folder, _, last = path.rpartition("/")
    if last == "index.html" and folder and "/" not in folder:
        return category_page(folder)
    try:
        return send_meme(catalogue.memes.at(path), download=wants_download())
    except NotFound:
        if not path.endswith(".html"):
            raise NotFound(
                f"There is no meme at {path}.", hint="It may have been moved or renamed: search for it."
            ) from None
    try:
        return meme_page(catalogue.memes.at(path.removesuffix(".html")))
    except NotFound:
        raise NotFound(
            f"There is no meme at {path.removesuffix('.html')}.",
            hint="It may have been moved or renamed: search for it.",
        ) from None


def meme_page(meme: Meme) -> str:
    """Show a meme with everything that is known of it, and its relatives."""
    catalogue = site().catalogue
    texts = catalogue.texts.of(meme)
    relatives, trouble = _relatives(meme)
    return render_template(
        "meme.html",
        meme=meme,
        alt=catalogue.texts.alt_texts([meme.id]).get(meme.id, ""),
        ocr=[text for text in texts if text.kind is TextKind.OCR],
        descriptions=[(text, sections(text.body)) for text in _in_order(texts)],
        boxes=_text_layer(meme),
        also_in=catalogue.journal.categories_merged_into(meme),
        relatives=relatives,
        trouble=trouble,
    )


def _in_order(texts: Sequence[Text]) -> list[Text]:
    """Return the descriptions, simple ones first."""
    order = {TextKind.SIMPLE: 0, TextKind.DETAILED: 1, TextKind.OTHER: 2}
    return sorted((text for text in texts if text.kind in order), key=lambda text: (order[text.kind], text.source))


def _relatives(meme: Meme) -> tuple[list[tuple[str, str, list[dict[str, Any]]]], MemeticaError | None]:
    """Return a title, an explanation and the cards for each way of being alike that finds something."""
    titles = (
        (Likeness.LOOK, "Looks like", "by fingerprints and layout"),
        (Likeness.MEANING, "Means the same", "by what is said of it"),
        (Likeness.WORDS, "Says the same", "by the words in the picture"),
    )
    found = []
    try:
        for by, title, how in titles:
            hits = site().searcher().similar(meme.id, by=by, k=RELATIVES).hits
            if hits:
                found.append((title, how, _cards(hits)))
    except MemeticaError as error:
        return found, error
    return found, None


def _text_layer(meme: Meme) -> list[dict[str, Any]]:
    """Return the lines that OCR read, where they stand in pixels, for text that can be selected on the picture."""
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


def category_page(category: str) -> str:
    """Show a category's memes, newest first."""
    catalogue = site().catalogue
    page = int_param(request.args, "page", 1, minimum=1, maximum=100_000)
    total = catalogue.memes.count(category=category)
    every = catalogue.memes.categories()
    children = [row for row in every if row[0].startswith(category + HIERARCHY)]
    if not total and not children:
        raise NotFound(f"There is no category {category}.", hint="The home page lists them all.")
    parts = category.split(HIERARCHY)
    names = {name for name, _, _ in every}
    parents = [HIERARCHY.join(parts[:end]) for end in range(1, len(parts))]
    return render_template(
        "category.html",
        category=category,
        total=total,
        cards=_cards(
            [Hit(meme, 0.0) for meme in catalogue.memes.freshest(PAGE, offset=(page - 1) * PAGE, category=category)]
        ),
        children=children,
        parents=[(parent, parent in names) for parent in parents],
        pages=_pages(total, page),
    )


@blueprint.get("/about")
def about() -> str:
    """Say what is indexed by which models, what is missing, and how search works."""
    index = site().index_status()
    return render_template(
        "about.html",
        status=library_status(site().workspace),
        index=index if isinstance(index, IndexStatus) else None,
        trouble=index if isinstance(index, MemeticaError) else None,
    )


def _cards(hits: Sequence[Hit]) -> list[dict[str, Any]]:
    """Return what a card shows of each hit."""
    alt = site().catalogue.texts.alt_texts([hit.meme.id for hit in hits])
    return [
        {
            "hit": hit,
            "meme": hit.meme,
            "alt": alt.get(hit.meme.id) or hit.meme.name,
            "reasons": _reasons(hit),
            "ratio": _ratio(hit.meme),
        }
        for hit in hits
    ]


def _reasons(hit: Hit) -> list[str]:
    """Return in a visitor's words what the most telling fields say."""
    words = [REASONS[field] for field, share in hit.explanation.items() if share >= 0.2]
    return list(dict.fromkeys(words))[:2]


def _ratio(meme: Meme) -> float:
    """Return width by height, within what a grid can show."""
    return min(2.4, max(0.72, meme.width / meme.height)) if meme.width and meme.height else 1.0


def _pages(total: int, page: int) -> dict[str, Any]:
    last = max(1, math.ceil(total / PAGE))
    return {
        "page": page,
        "last": last,
        "previous": _with(page=page - 1) if page > 1 else None,
        "next": _with(page=page + 1) if page < last else None,
    }


def _asking(text: str, **changes: str) -> str:
    """Return this address with another query, from the first page on."""
    values = {**request.args.to_dict(), "q": text, "page": "", **changes}
    return "/?" + urlencode({name: value for name, value in values.items() if value})


def _with(**changes: Any) -> str:
    """Return this address with parts changed."""
    values = {**request.args.to_dict(), **{name: str(value) for name, value in changes.items()}}
    return quote(request.path, safe="/") + "?" + urlencode({name: value for name, value in values.items() if value})


def _without(*names: str) -> str:
    """Return this address without some of its parts, from the first page on."""
    values = {name: value for name, value in request.args.to_dict().items() if name not in (*names, "page")}
    return "/?" + urlencode(values)


def ago(time: datetime) -> str:
    """Return how long ago a time was, as people say it."""
    days = (datetime.now(UTC) - time).days
    if days < 1:
        return "today"
    for name, length in (("year", 365), ("month", 30), ("week", 7), ("day", 1)):
        if days >= length:
            count = days // length
            return f"{count} {name}{'s' if count > 1 else ''} ago"
    return "today"


def register_filters(app: Flask) -> None:
    """Give the templates the addresses and words that they use."""
    app.jinja_env.filters["ago"] = ago
    app.jinja_env.filters["encoder_title"] = lambda name: display_name(spec_of(name))
    app.jinja_env.globals.update(
        page_url=page_url,
        file_url=file_url,
        thumbnail_url=thumbnail_url,
        category_url=category_url,
        url_for=url_for,
        variants_query=variants_query,
    )

    @app.context_processor
    def common() -> dict[str, Any]:
        return {"site_name": site().settings.site_name}
