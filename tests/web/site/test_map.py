"""The map of the library and the favorites of a browser: what the server shows of them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from flask import Flask
from flask.testing import FlaskClient

from indexer.stages.draw_map import SCALE, read_map
from search.catalogue import Catalogue
from search.categories.projection import project
from search.settings import Settings
from search.workspace import Workspace
from tests.support.serving import open_app
from tests.support.waiting import PATIENCE


@pytest.fixture
def app(tiny_settings: Settings, tiny_indexed: Catalogue) -> Iterator[Flask]:
    with open_app(tiny_settings) as app:
        yield app


def test_rows_that_are_alike_lie_together_and_always_at_the_same_place() -> None:
    random = np.random.default_rng(7)
    centers = random.normal(size=(3, 16)) * 8
    rows = np.vstack([center + random.normal(size=(30, 16)) for center in centers]).astype(np.float32)
    points = project(rows)
    assert np.array_equal(points, project(rows))
    assert points.min() >= 0 and points.max() <= 1
    groups = points.reshape(3, 30, 2)
    within = max(float(np.linalg.norm(group - group.mean(axis=0), axis=1).mean()) for group in groups)
    middles = groups.mean(axis=1)
    apart = min(float(np.linalg.norm(middles[a] - middles[b])) for a, b in ((0, 1), (0, 2), (1, 2)))
    assert apart > 2 * within
    assert project(rows[:2]).shape == (2, 2)


def test_the_map_is_drawn_when_it_is_first_asked_for_and_kept(app: Flask, tiny_indexed: Catalogue) -> None:
    client = app.test_client()
    first = client.get("/map").text  # so few memes may be drawn before the page is
    assert "The map is being drawn." in first or first.count('fill="hsl(') == 9
    assert app.extensions["map"].wait_until_idle(PATIENCE)
    page = client.get("/map").text
    assert page.count('fill="hsl(') == 9 and 'href="/memes/Robots/index.html"' in page
    data = client.get("/map.json").json
    memes = {meme.id: meme for meme in tiny_indexed.memes.everything()}
    assert sorted(data["ids"]) == sorted(memes)
    assert (min(data["x"]), max(data["x"]), data["scale"]) == (0, SCALE, SCALE)
    hues = dict(zip(data["ids"], data["hues"], strict=True))
    by_root = {meme.category.partition(" - ")[0]: hues[id] for id, meme in memes.items()}
    assert all(hues[id] == by_root[meme.category.partition(" - ")[0]] for id, meme in memes.items())
    assert len(set(by_root.values())) == len(by_root)
    id = tiny_indexed.memes.at("Dogs/fine.png").id
    [(key, detail)] = client.get(f"/map.json?ids={id}.999999.x").json.items()
    assert (key, detail["page"], detail["title"]) == (str(id), "/memes/Dogs/fine.png.html", "“this is fine”")
    stored = read_map(Workspace(app.extensions["site"].settings, tiny_indexed))
    assert stored is not None and stored.fits(list(memes)) and not stored.fits(list(memes)[:6])


def test_favorites_are_the_memes_that_the_address_names(site: FlaskClient, served: Catalogue) -> None:
    own = site.get("/favorites").text
    assert 'data-favorites="own"' in own and "Favorites are kept in your browser" in own
    fine, monday = served.memes.at("Dogs/fine.png").id, served.memes.at("Cats/monday.png").id
    page = site.get(f"/favorites?ids={fine}.{monday}.{fine}.99999.x.²").text
    assert [int(part.partition('"')[0]) for part in page.split('data-id="')[1:]] == [fine, monday]
    assert "1 meme is no longer here." in page
    assert site.get("/favorites?ids=" + "1" * 30_000).status_code == 400
