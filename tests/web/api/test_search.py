"""The JSON API: its documented shapes, the same hits as the searcher, and errors of one shape."""

from __future__ import annotations

import io
import re
from urllib.parse import unquote

import pytest
from flask.testing import FlaskClient
from openapi_spec_validator import validate
from PIL import Image

from search.catalogue import Catalogue
from search.meme import Likeness, Sort
from search.searcher import Searcher
from search.settings import Settings
from search.workspace import Workspace
from tests.support.fakes import HashingTextEncoder
from tests.support.serving import app_over
from tests.support.tiny import TINY
from web.schemas import hit_row

HIT = {"id", "path", "url", "category", "first_seen", "type", "width", "height", "thumbnail", "score", "certain", "why"}
HIT |= {"reasons", "snippets", "variants", "variant_ids"}


def test_search_gives_the_hits_of_the_searcher_in_its_order(
    site: FlaskClient, served_settings: Settings, served: Catalogue
) -> None:
    searcher = Searcher(Workspace(served_settings, served), text_encoder=HashingTextEncoder())
    for query in ("dog in a burning room", "cat", "a robot repairs", "привет"):
        for sort in Sort:
            answer = site.get("/api/search", query_string={"q": query, "k": 5, "sort": sort.value}).json
            expected = searcher.search(query, k=5, sort=sort, collapse=True)
            assert answer["hits"] == [hit_row(hit) for hit in expected.hits]
            assert answer["total"] == expected.total


def test_similar_gives_the_hits_of_the_searcher_and_never_the_meme_itself(
    site: FlaskClient, served_settings: Settings, served: Catalogue
) -> None:
    searcher = Searcher(Workspace(served_settings, served), text_encoder=HashingTextEncoder())
    for meme in served.memes.everything():
        for by in Likeness:
            hits = site.get(f"/api/memes/{meme.id}/similar?by={by.value}").json["hits"]
            assert hits == [hit_row(hit) for hit in searcher.similar(meme.id, by=by, k=10).hits]
            assert meme.id not in [hit["id"] for hit in hits]


@pytest.mark.parametrize("letters", ["0", "٣", "𝟘", "1.", "a1-", "x7字", "0\\"])
def test_queries_of_any_length_up_to_the_limit_are_answered(site: FlaskClient, letters: str) -> None:
    for length in (5, 250, 256, 999, 1000):
        assert site.get("/api/search", query_string={"q": (letters * 1000)[:length]}).status_code == 200


def test_a_hit_has_the_documented_shape_and_its_shares_add_up(site: FlaskClient) -> None:
    answer = site.get("/api/search?q=dog+drinks+coffee").json
    assert set(answer) == {"hits", "total", "exact", "weaker", "took_ms", "query", "facets"}
    hit = answer["hits"][0]
    assert set(hit) == HIT
    assert hit["path"] == "Dogs/fine.png"
    assert sum(hit["why"].values()) == pytest.approx(1, abs=1e-3)
    assert any("<mark>" in snippet["html"] for snippet in hit["snippets"])


def test_pages_of_hits_join_without_gap_or_repeat(site: FlaskClient) -> None:
    whole = [hit["id"] for hit in site.get("/api/search?q=dog&k=9").json["hits"]]
    parts = [
        hit["id"] for start in range(0, 9, 2) for hit in site.get(f"/api/search?q=dog&k=2&offset={start}").json["hits"]
    ]
    assert parts == whole


def test_a_meme_comes_with_every_text_and_its_source(site: FlaskClient, served: Catalogue) -> None:
    id = served.memes.at("Robots/toaster.png").id
    row = site.get(f"/api/memes/{id}").json
    assert {(text["kind"], text["source"]) for text in row["texts"]} == {
        ("ocr", "tesseract-ocr"),
        ("simple-description", "tiny-artist"),
        ("detailed-analysis", "tiny-artist"),
    }
    assert row["first_seen"] == "2024-01-01T00:00:00Z"
    assert (row["width"], row["height"]) == (170, 90)


def test_every_address_in_a_row_leads_somewhere(site: FlaskClient, served: Catalogue) -> None:
    for meme in served.memes.everything():
        row = site.get(f"/api/memes/{meme.id}").json
        assert unquote(row["url"]) == f"/memes/{meme.path}.html"
        assert site.get(row["url"]).status_code == 200
        assert site.get(row["thumbnail"]).mimetype == "image/webp"
        with Image.open(io.BytesIO(site.get(row["file"]).data)) as picture:
            assert picture.size == (meme.width, meme.height)


def test_a_picture_finds_its_own_meme_first(site: FlaskClient, served_settings: Settings) -> None:
    for tiny in TINY:
        with Image.open(served_settings.library / tiny.path) as picture:
            raw = io.BytesIO()
            picture.convert("RGB").resize((picture.width * 2, picture.height * 2)).save(raw, "JPEG", quality=70)
        raw.seek(0)
        answer = site.post("/api/search", data={"picture": (raw, "upload.bin")})
        assert answer.json["hits"][0]["path"] == tiny.path


def test_categories_count_their_memes(site: FlaskClient) -> None:
    rows = {row["category"]: row["memes"] for row in site.get("/api/categories").json["hits"]}
    expected: dict[str, int] = {}
    for tiny in TINY:
        category = tiny.path.split("/")[0]
        expected[category] = expected.get(category, 0) + 1
    assert rows == expected


def test_a_parent_category_includes_those_below_it(site: FlaskClient) -> None:
    found = {hit["category"] for hit in site.get("/api/search?q=cat+kitten&category=Cats&k=9").json["hits"]}
    assert found == {"Cats", "Cats - Kittens"}


@pytest.mark.parametrize(
    ("address", "status", "code"),
    [
        ("/api/search", 400, "wrong_use"),
        ("/api/search?q=x&k=0", 400, "wrong_use"),
        ("/api/search?q=x&k=many", 400, "wrong_use"),
        ("/api/search?q=x&offset=-1", 400, "wrong_use"),
        ("/api/search?q=x&sort=best", 400, "wrong_use"),
        ("/api/search?q=" + "x" * 4001, 400, "wrong_use"),
        ("/api/search?q=x&category=None+such", 404, "not_found"),
        ("/api/search?picture=../../etc/passwd", 404, "not_found"),
        ("/api/memes/999999", 404, "not_found"),
        ("/api/memes/999999/similar", 404, "not_found"),
        ("/api/memes/1/similar?by=smell", 400, "wrong_use"),
        ("/api/nothing", 404, "not_found"),
    ],
)
def test_an_error_has_one_shape_and_the_right_status(site: FlaskClient, address: str, status: int, code: str) -> None:
    answer = site.get(address)
    assert answer.status_code == status
    assert set(answer.json) == {"error"}
    assert set(answer.json["error"]) == {"code", "message", "hint"}
    assert answer.json["error"]["code"] == code
    assert answer.json["error"]["message"].endswith(".")


@pytest.mark.parametrize("content", [b"", b"I am a text", b"\x89PNG\r\n\x1a\nbroken", b"<svg"])
def test_a_file_that_is_not_a_picture_is_refused_with_a_message(site: FlaskClient, content: bytes) -> None:
    answer = site.post("/api/search", data={"picture": (io.BytesIO(content), "cat.jpg")})
    assert answer.status_code == 422
    assert answer.json["error"]["code"] == "unreadable_file"


def test_a_file_that_is_too_large_is_refused_with_the_limit(site: FlaskClient) -> None:
    answer = site.post("/api/search", data={"picture": (io.BytesIO(bytes(21_000_000)), "cat.jpg")})
    assert answer.status_code == 413
    assert "20 MB" in answer.json["error"]["message"]


def test_a_missing_index_is_reported_with_a_hint(tiny_settings: Settings) -> None:
    client = app_over(tiny_settings).test_client()
    answer = client.get("/api/search?q=cat")
    assert answer.status_code == 503
    assert "memetica index" in answer.json["error"]["hint"]
    health = client.get("/healthz").json
    assert (health["status"], health["search"]) == ("ok", False) and "memetica index" in health["reason"]


def test_the_description_is_valid_and_names_exactly_the_routes_that_there_are(site: FlaskClient) -> None:
    description = site.get("/api/openapi.json").json
    validate(description)
    described = {(path, method.upper()) for path, operations in description["paths"].items() for method in operations}
    routes = {
        (re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule), method)
        for rule in site.application.url_map.iter_rules()
        if rule.rule.startswith("/api/") and rule.endpoint != "api.not_found"
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }
    assert described == routes


def test_metrics_count_requests(site: FlaskClient) -> None:
    name = 'memetica_requests_total{endpoint="api.categories",status="200"} '
    before = re.search(re.escape(name) + r"(\S+)", site.get("/metrics").text)
    for _ in range(3):
        site.get("/api/categories")
    metrics = site.get("/metrics").text
    assert f"{name}{3 + (float(before[1]) if before else 0)}" in metrics
    assert f"memetica_memes {float(len(TINY))}" in metrics
    generation = site.get("/api/status").json["index"]["generation"]
    assert f'memetica_index_info{{generation="{generation}"}} 1.0' in metrics


def test_nothing_outside_the_catalogue_can_be_had(tiny_settings: Settings, tiny_indexed: Catalogue) -> None:
    (tiny_settings.library / "Cats/secret.txt").write_text("secret")
    (tiny_settings.library.parent / "secret.png").write_bytes(b"secret")
    client = app_over(tiny_settings).test_client()
    for path in ("Cats/secret.txt", "../secret.png", "Cats/../../secret.png", "%2e%2e/secret.png", "/etc/passwd"):
        answer = client.get(f"/memes/{path}", follow_redirects=True)
        assert answer.status_code == 404
        assert answer.data != b"secret"
