"""The map of the library: every meme a point, alike ones side by side, in the colour of its category."""

from __future__ import annotations

from dataclasses import dataclass, replace
from statistics import median

from flask import Blueprint, Response, jsonify, render_template, request

from indexer.stages.draw_map import SCALE, LibraryMap
from search.errors import NotFound
from search.meme import CATEGORY_SEPARATOR, Meme
from web.access.request_rates import Work, count
from web.background.library_map import map_worker
from web.context import site
from web.params import MAX_HITS, text_param
from web.schemas import page_url, thumbnail_url
from web.site.titles import titles_of

blueprint = Blueprint("library_map", __name__)
MAX_LABELS = 40  # categories that are named on the map: the largest
MAX_DOTS = 2500  # on the still map, which is there without scripts
WIDE, NARROW = (1200, 620, 8.0, 26.0), (360, 590, 7.0, 24.0)  # pixels: the map, a letter of a name, its height
GOLDEN_ANGLE = 137.508  # degrees between the hues of neighboring categories, so that no two of a few are alike


@dataclass(frozen=True)
class Place:
    """A category on the map: its name and the middle of its memes.

    `room` says where its name would cover that of a larger one: "minor" on every screen, "wide" on a phone's alone.
    """

    name: str
    x: int
    y: int
    room: str = ""


def _shown(found: LibraryMap) -> tuple[list[Meme], list[tuple[int, int]]]:
    """Return the present memes of a map and their points."""
    points = {int(id): (int(x), int(y)) for id, (x, y) in zip(found.ids, found.points, strict=True)}
    memes = [meme for meme in site().catalogue.memes.everything() if meme.id in points]
    return memes, [points[meme.id] for meme in memes]


def _root(category: str) -> str:
    return category.partition(CATEGORY_SEPARATOR)[0]


def _hues(memes: list[Meme]) -> dict[str, int]:
    """Return the hue of each category; those below one parent share that of the parent."""
    return {
        name: round(at * GOLDEN_ANGLE) % 360 for at, name in enumerate(sorted({_root(one.category) for one in memes}))
    }


def _with_room(places: list[Place]) -> list[Place]:
    """Return the places with what hides their names on the still map; a script decides it anew at each zoom."""
    wide, narrow = _free(places, *WIDE), _free(places, *NARROW)
    return [
        replace(one, room="" if one.name in narrow & wide else "wide" if one.name in wide else "minor")
        for one in places
    ]


def _free(places: list[Place], width: int, height: int, letter: float, line: float) -> set[str]:
    """Return the names that cover no earlier one on a map of this size."""
    taken: list[tuple[float, float, float]] = []
    free = set()
    for one in places:
        across, down, half = one.x / SCALE * width, one.y / SCALE * height, len(one.name) * letter / 2 + 8
        if all(abs(across - x) > half + other or abs(down - y) > line for x, y, other in taken):
            taken.append((across, down, half))
            free.add(one.name)
    return free


@blueprint.get("/map")
def page() -> str:
    """Show the map, or that it is being drawn."""
    found = map_worker().current()
    if found is None or not len(found.ids):
        empty, error = not site().catalogue.memes.count(), map_worker().error
        return render_template("map.html", places=[], dots=[], scale=SCALE, total=0, empty=empty, error=error)
    memes, points = _shown(found)
    hues = _hues(memes)
    by_category: dict[str, list[tuple[int, int]]] = {}
    for meme, point in zip(memes, points, strict=True):
        by_category.setdefault(meme.category, []).append(point)
    largest = sorted(by_category.items(), key=lambda one: (-len(one[1]), one[0]))[:MAX_LABELS]
    places = _with_room(
        [Place(name, round(median(x for x, _ in at)), round(median(y for _, y in at))) for name, at in largest]
    )
    step = max(1, -(-len(memes) // MAX_DOTS))
    dots = [(x, y, hues[_root(meme.category)]) for meme, (x, y) in list(zip(memes, points, strict=True))[::step]]
    return render_template("map.html", places=places, dots=dots, scale=SCALE, total=len(memes), empty=False, error=None)


@blueprint.get("/map.json")
def data() -> Response:
    """Return every meme's number, point and hue; with `ids`, the title, the page and the thumbnail of those memes."""
    count(Work.SEARCH)
    text = text_param(request.args, "ids", max_length=MAX_HITS * 20)
    if text:
        ids = [int(one) for one in text.split(".") if one.isascii() and one.isdigit() and len(one) < 19][:MAX_HITS]
        chosen = site().catalogue.memes.many(ids) if ids else []
        titles = titles_of(chosen)
        return jsonify(
            {
                str(meme.id): {"title": titles[meme.id].text, "page": page_url(meme), "thumbnail": thumbnail_url(meme)}
                for meme in chosen
            }
        )
    found = map_worker().current()
    if found is None:
        raise NotFound("The map is being drawn.", hint="Ask again in a minute.")
    memes, points = _shown(found)
    hues = _hues(memes)
    return jsonify(
        {
            "scale": SCALE,
            "ids": [meme.id for meme in memes],
            "x": [x for x, _ in points],
            "y": [y for _, y in points],
            "hues": [hues[_root(meme.category)] for meme in memes],
        }
    )
