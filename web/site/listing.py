"""Pages to leaf through: home, the categories with their covers, one category, any meme."""

from __future__ import annotations

import unicodedata
from urllib.parse import quote, urlencode

from flask import Blueprint, redirect, render_template, request
from markupsafe import Markup
from werkzeug.wrappers import Response as AnyResponse

from search.errors import MemeticaError, NotFound
from search.index.status import IndexStatus
from search.meme import CATEGORY_SEPARATOR, name_key
from web.addresses import base, local
from web.background.counts import CategoryCount, counted_categories
from web.context import site
from web.params import int_param, page_links, text_param
from web.schemas import page_url
from web.site.cards import cards_of_memes
from web.site.images import small_thumbnail_url

blueprint = Blueprint("listing", __name__)
PAGE_SIZE = 30
MAX_EXAMPLES = 3
MAX_COVERS = 12
MAX_FAVORITES = 500  # of a list
_LAST_PAGE = 100_000
END_OF_ALL = "That was all of them. You have seen things."
END_OF_LIST = "That is all."


def cover(category: CategoryCount) -> Markup:
    """Return the cover of a category as HTML; it is decoration, because the name stands beside it."""
    meme = category.newest
    if meme is None:
        return Markup('<span class="missing"></span>')
    return Markup('<img src="{}" alt="" width="{}" height="{}" loading="lazy" decoding="async">').format(
        small_thumbnail_url(meme), meme.width, meme.height
    )


def home() -> str:
    """Show example queries, the largest categories and the newest memes, page by page."""
    memes, settings = site().catalogue.memes, site().settings
    page = int_param(request.args, "page", 1, minimum=1, maximum=_LAST_PAGE)
    covers = counted_categories()
    total = sum(one.memes for one in covers)
    index = site().index_status()
    pages = page_links(total, page, size=PAGE_SIZE, address=page_address)
    return render_template(
        "home.html",
        cards=cards_of_memes(memes.freshest(PAGE_SIZE, offset=(page - 1) * PAGE_SIZE)),
        covers=sorted(covers, key=lambda one: -one.memes)[:MAX_COVERS],
        categories=len(covers),
        total=total,
        pages=pages,
        end=END_OF_ALL if total > PAGE_SIZE else END_OF_LIST,
        examples=_examples(settings.examples) if isinstance(index, IndexStatus) else [],
        eyes=index.eyes if isinstance(index, IndexStatus) else "",
        error=index if isinstance(index, MemeticaError) else None,
    )


def _examples(setting: str) -> list[str]:
    """Return the example queries of the setting `examples`, which separates them by `|`."""
    return [one.strip() for one in setting.split("|") if one.strip()][:MAX_EXAMPLES]


@blueprint.get("/categories")
def categories() -> str:
    """Show every category with its cover, or those whose names contain the text `find`."""
    wanted = text_param(request.args, "find").strip()
    every = counted_categories()
    found = [one for one in every if name_key(wanted) in name_key(one.name)]
    return render_template("categories.html", categories=found, total=len(every), wanted=wanted)


@blueprint.get("/favorites")
def favorites() -> str:
    """Show the memes of the numbers in `ids`, which a browser keeps as its favorites; the server keeps nothing."""
    text = text_param(request.args, "ids", max_length=MAX_FAVORITES * 20)
    ids = list(dict.fromkeys(int(one) for one in text.split(".") if one.isascii() and one.isdigit() and len(one) < 19))
    found = site().catalogue.memes.many(ids[:MAX_FAVORITES]) if ids else []
    return render_template(
        "favorites.html",
        ids=".".join(map(str, ids[:MAX_FAVORITES])),
        cards=cards_of_memes(found),
        missing=len(ids[:MAX_FAVORITES]) - len(found),
    )


@blueprint.get("/random")
def random() -> AnyResponse:
    """Redirect to the page of any meme that has a picture."""
    meme = site().catalogue.memes.random()
    if meme is None:
        raise NotFound("There are no memes yet.", hint="Run `memetica index FOLDER`.")
    answer = redirect(page_url(meme).removeprefix(base()), code=302)  # redirects get the base path by themselves
    answer.headers["Cache-Control"] = "no-store"
    return answer


def category_page(category: str) -> str:
    """Show a category's memes, newest first."""
    memes = site().catalogue.memes
    category = memes.category_named(category) or unicodedata.normalize("NFC", category)
    page = int_param(request.args, "page", 1, minimum=1, maximum=_LAST_PAGE)
    every = counted_categories()
    total = next((one.memes for one in every if one.name == category), 0)
    children = [one for one in every if one.name.startswith(category + CATEGORY_SEPARATOR)]
    if not total and not children:
        raise NotFound(f"There is no category {category}.", hint="The page `/categories` lists all of them.")
    parts = category.split(CATEGORY_SEPARATOR)
    names = {one.name for one in every}
    parents = [CATEGORY_SEPARATOR.join(parts[:end]) for end in range(1, len(parts))]
    return render_template(
        "category.html",
        category=category,
        total=total,
        cards=cards_of_memes(memes.freshest(PAGE_SIZE, offset=(page - 1) * PAGE_SIZE, category=category)),
        children=children,
        parents=[(parent, parent in names) for parent in parents],
        pages=page_links(total, page, size=PAGE_SIZE, address=page_address),
        end=END_OF_LIST,
    )


def page_address(page: int) -> str:
    """Return the address of another page of the list at the current address."""
    values = {**request.args.to_dict(), "page": str(page), "batch": ""}
    query = urlencode({name: value for name, value in values.items() if value})
    return local(f"{quote(request.path, safe='/')}?{query}")
