"""A site whose catalogue or index is damaged says so, and goes on by itself when they are mended."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from indexer.stages.build_index import build_index
from indexer.upkeep.restore import restore
from search.catalogue.copies import catalogue_copies, keep_daily_copy
from search.index.generations import live_folder
from search.settings import Settings
from search.workspace import Workspace
from tests.support.curating import sign_in
from tests.support.damage import PAGE
from tests.support.fakes import HashingTextEncoder
from tests.support.serving import open_app
from web.background.copies import DailyCopies

pytestmark = pytest.mark.slow

ENCODER = HashingTextEncoder()
ADDRESSES = (
    "/",
    "/?q=dog",
    "/api/search?q=dog",
    "/memes/Dogs/fine.png",
    "/feed.atom",
    "/api/status",
    "/about",
    "/metrics",
)


@pytest.fixture(autouse=True)
def _files_are_looked_at_for_each_search(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("search.index.checksums.LOOK_SECONDS", 0.0)


def overwrite(file: Path, start: int, end: int) -> None:
    """Overwrite a part of a file in place, as a bad disk does."""
    with file.open("r+b") as out:
        out.seek(start)
        out.write(bytes(end - start))


def answers(client: FlaskClient) -> dict[str, int]:
    return {address: client.get(address).status_code for address in ADDRESSES}


@pytest.fixture
def closed(workspace: Workspace) -> Settings:
    """Settings over an indexed library that no process has open, with a copy of its catalogue."""
    keep_daily_copy(workspace.data)
    workspace.close()
    return workspace.settings


def test_a_damaged_index_is_503_until_it_is_built_again(closed: Settings) -> None:
    with open_app(closed) as app:
        client = app.test_client()
        expected = client.get("/api/search?q=dog").json["hits"]
        file = live_folder(closed.data / "index") / "looks" / "rows.faiss"
        overwrite(file, file.stat().st_size // 2, file.stat().st_size)
        answer = client.get("/api/search?q=dog")
        assert answer.status_code == 503 and "memetica index" in answer.json["error"]["hint"]
        page = client.get("/?q=dog")
        assert page.status_code == 503 and "looks/rows.faiss" in page.text
        health = client.get("/healthz").json
        assert health["search"] is False and "damaged" in health["reason"]
        build_index(app.extensions["site"].workspace, text_encoder=ENCODER.name)
        assert client.get("/api/search?q=dog").json["hits"] == expected
        assert client.get("/healthz").json["search"] is True


@pytest.mark.parametrize("part", ["header", "all"])
def test_a_damaged_catalogue_is_a_sentence_until_it_is_restored(closed: Settings, part: str) -> None:
    with open_app(closed) as app:
        client = app.test_client()
        expected = client.get("/api/search?q=dog").json["hits"]
        sign_in(curator := app.test_client(), closed.data)
        app.extensions["site"].catalogue.close()  # nothing is held in memory
        file = closed.data / "catalogue.sqlite"
        overwrite(file, 0, PAGE if part == "header" else file.stat().st_size)
        found = answers(client)
        assert set(found.values()) <= {200, 503} and found["/api/search?q=dog"] == 503, found
        for address in ("/", "/about", "/categories", "/curator/inbox"):
            for answer in (client.get(address), curator.get(address)):
                assert str(closed.data) not in answer.text
                assert answer.status_code in (200, 303) or "The catalogue catalogue.sqlite" in answer.text, address
        assert "restore" in client.get("/api/search?q=dog").json["error"]["hint"]
        assert client.get("/healthz").json["search"] is False
        restore(closed, catalogue_copies(closed.data)[0].path, overwrite=True)
        assert client.get("/healthz").json == {"status": "ok", "search": True}
        assert [hit["path"] for hit in client.get("/api/search?q=dog").json["hits"]][:1] == [expected[0]["path"]]
        # A copy has no computed tables: files are sent again once they are decoded.
        assert answers(client) == {one: 404 if one.startswith("/memes/") else 200 for one in ADDRESSES}


def test_a_page_shows_the_thumbnail_of_a_file_that_cannot_be_reached_and_says_so(closed: Settings) -> None:
    with open_app(closed) as app:
        client = app.test_client()
        address = "/memes/Dogs/fine.png.html"
        assert "cannot be reached" not in client.get(address).text and "?download" in client.get(address).text
        closed.library.rename(closed.library.with_name("elsewhere"))
        page = client.get(address).text
        assert "The file cannot be reached now" in page and "?download" not in page
        assert re.search(
            r'<img src="/thumbnails/[0-9a-f]+\.webp" width="\d+" height="\d+" alt="[^"]*" data-zoom>', page
        )


def test_a_thumbnail_that_is_empty_is_not_served(closed: Settings) -> None:
    with open_app(closed) as app:
        address = app.test_client().get("/api/search?q=dog").json["hits"][0]["thumbnail"]
        file = next((closed.data / "thumbnails").rglob(Path(address).name))
        file.write_bytes(b"")
        answer = app.test_client().get(address)
        assert answer.status_code == 404 and not answer.cache_control.immutable


def test_a_site_copies_its_catalogue_once_a_day(workspace: Workspace) -> None:
    for copy in catalogue_copies(workspace.data):
        copy.path.unlink()
    with open_app(workspace.settings) as app:
        copies = DailyCopies(app.extensions["site"])
        copies.start()
        copies.close()
        assert [copy.reason for copy in catalogue_copies(workspace.data)] == ["daily"]
