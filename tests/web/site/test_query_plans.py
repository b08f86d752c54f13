"""No request of a visitor reads whole tables: what SQLite says about every statement that the requests run."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from flask.testing import FlaskClient

from search.workspace import Workspace
from tests.support.query_plans import scans, traced_statements
from tests.support.serving import open_app
from web.background import counts

SEARCHES = (
    "/api/search?q=dog",
    "/api/search?q=dog&offset=1&sort=newest&collapse=false",
    '/api/search?q="burning room" -cat type:image after:2000',
    "/api/search?q=category:Dogs",
    "/api/search?q=like:{id} dog",
    "/api/search?q=variants:{id}",
    "/api/memes/{id}",
    "/api/memes/{id}/similar",
    "/?q=dog",
    "/?q=dog&category=Dogs",
    "/memes/{path}.html",
)
BROWSING = ("/", "/categories", "/random", "/memes/Dogs", "/api/categories", "/feed.atom", "/feed.atom?category=Dogs")
COUNTING = ("/about", "/api/status", "/healthz", "/metrics", *BROWSING)


@pytest.fixture
def asked(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], set[str]]]:
    """A function that requests a path of a site whose library has changed, and returns the statements it ran."""
    ran = traced_statements(monkeypatch)
    gone = workspace.catalogue.memes.at("Cats/monday.png")
    workspace.catalogue.memes.mark_vanished([gone.id])  # raises the revision, as an upload or a description does
    kept = workspace.catalogue.memes.at("Dogs/fine.png")
    with open_app(workspace.settings) as app:
        client: FlaskClient = app.test_client()

        def request(path: str) -> set[str]:
            ran.clear()
            answer = client.get(path.format(id=kept.id, path=kept.path), follow_redirects=True)
            assert answer.status_code == 200, (path, answer.status)
            return set(ran)

        yield request


def test_searches_read_no_whole_table_or_index_after_the_library_changed(
    workspace: Workspace, asked: Callable[[str], set[str]]
) -> None:
    for path in SEARCHES:
        ran = asked(path)
        assert any("memes" in statement for statement in ran), path
        assert scans(workspace, ran, through_indexes=True) == [], path


def test_pages_to_leaf_through_read_no_whole_table(workspace: Workspace, asked: Callable[[str], set[str]]) -> None:
    for path in BROWSING:
        assert scans(workspace, asked(path), through_indexes=False) == [], path


def test_no_page_counts_the_library_again_while_nothing_changes(
    workspace: Workspace, asked: Callable[[str], set[str]]
) -> None:
    for path in COUNTING:
        asked(path)
    for path in COUNTING:
        assert scans(workspace, asked(path), through_indexes=True) == [], path


def test_counts_that_take_long_are_not_made_again_for_each_request_while_the_library_changes(
    workspace: Workspace, asked: Callable[[str], set[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counts, "QUICK_SECONDS", 0.0)
    monkeypatch.setattr(counts, "SHARE", 1e-6)
    for path in COUNTING:
        asked(path)
    last = [meme.id for meme in workspace.catalogue.memes.freshest(10) if meme.category != "Dogs"][-1]
    workspace.catalogue.memes.mark_vanished([last])
    for path in COUNTING:
        assert scans(workspace, asked(path), through_indexes=True) == [], path


def test_a_scan_is_noticed(workspace: Workspace) -> None:
    [(step, _)] = scans(workspace, {"SELECT id FROM memes WHERE mtime_ns = 3"}, through_indexes=False)
    assert step == "SCAN memes"
