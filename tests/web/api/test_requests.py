"""What a request may not be: ids beyond the catalogue's, bodies that are not what is documented, wrong methods."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient

from search.catalogue import BatchState, Catalogue, UploadState, VerdictKind
from search.errors import NotFound
from search.evidence import Tier
from search.meme import Likeness, MediaType, Sort
from search.results import Place, ReasonKind
from search.settings import Settings
from tests.support.curating import sign_in
from tests.support.serving import open_app

LARGE = (
    str(2**63 - 1),
    str(2**63),
    "9" * 25,
    "9" * 4999,
)  # beyond SQLite's integers, and beyond int()'s digits
SMALL = ("0", "9" * 18)  # within them, but no row's


@pytest.fixture(scope="module")
def curator(served_settings: Settings, served: Catalogue) -> Iterator[FlaskClient]:
    """A signed-in client of the library that no test changes; its requests carry the CSRF token."""
    with open_app(served_settings) as app:
        client = app.test_client()
        client.environ_base["HTTP_X_CSRF_TOKEN"] = sign_in(client, served_settings.data)
        yield client


def addresses_with_ids(app: Flask) -> Iterator[tuple[str, str]]:
    """Yield method and address, with `{}` for each id, of every route that has an id in its path."""
    for rule in app.url_map.iter_rules():
        if "<int:" in rule.rule:
            for method in rule.methods or ():
                yield method, re.sub(r"<int:\w+>", "{}", rule.rule)


@pytest.mark.parametrize("id", [*SMALL, *LARGE], ids=lambda id: f"{len(id)} digits")
def test_an_id_of_any_size_that_no_row_has_is_not_found(curator: FlaskClient, id: str) -> None:
    tried = 0
    for method, address in addresses_with_ids(curator.application):
        if method == "OPTIONS":
            continue
        answer = curator.open(address.replace("{}", id), method=method, json={"category": "x"})
        assert answer.status_code == 404, (method, address, answer.status_code, answer.text)
        tried += 1
    assert tried > 10
    for address in ("/curator/reading?did=", "/curator/reading?after=", "/curator/contradictions?did="):
        expected = 200 if id in SMALL and "after" in address else 404
        assert curator.get(address + id).status_code == expected
    assert curator.get("/curator/inbox?did=" + id).status_code == 200  # a note that has nothing to say
    for query in ("like", "variants"):
        assert curator.get(f"/api/search?q={query}:{id[:900]}").status_code in (200, 400, 404)
    if id not in SMALL:
        with_id = json.dumps({"verdict": "distinct", "memes": [1, 0]}).replace("0]", id + "]")
        answer = curator.post("/api/verdicts", data=with_id, content_type="application/json")
        assert answer.status_code in (400, 404), answer.text


def test_a_number_beyond_sqlites_is_not_found_in_the_catalogue_either(served: Catalogue) -> None:
    with pytest.raises(NotFound):
        served.memes.get(2**63)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("[" * 100_000, "nested too deeply"),
        ('{"verdict":' * 50_000, "nested too deeply"),
        ("{", "not valid JSON"),
        ("", "not valid JSON"),
        ("nonsense", "not valid JSON"),
        ('{"verdict": "distinct", "memes": [1, NaN]}', "not valid JSON"),
        ('{"verdict": "distinct", "memes": [1, ' + "9" * 5000 + "]}", "not valid JSON"),
        (b'{"verdict": "distinct\xff", "memes": [1, 2]}', "not valid JSON"),
        ("[1, 2]", "`verdict` and `memes`"),
        ("null", "`verdict` and `memes`"),
        ('{"memes": [1, 2]}', "`verdict` is missing"),
        ('{"verdict": "distinct"}', "`memes` is missing"),
        ('{"verdict": ["distinct"], "memes": [1, 2]}', "`verdict` must be a text"),
        ('{"verdict": "distinct", "memes": "1, 2"}', "`memes` must be a list"),
        ('{"verdict": "distinct", "memes": [1, 2], "note": {"a": 1}}', "`note` must be a text"),
        ('{"verdict": "distinct", "memes": [1, 2], "note": 7}', "`note` must be a text"),
        ('{"verdict": "merge", "memes": [1, 2], "keep": 2}', "no key 'keep'"),
        ('{"verdict": "merge", "verdict": "distinct", "memes": [1, 2]}', "twice"),
        ('{"verdict": "distinct", "memes": [1, 2], "note": "a\\u0000b"}', "NUL"),
        ('{"verdict": "distinct", "memes": ["\\ud800", 2]}', "half of a character"),
        ('{"verdict": "distinct", "memes": [1, {"id": 2}]}', "by its id or its path"),
        ('{"verdict": "distinct", "memes": [1, 2.5]}', "by its id or its path"),
        (json.dumps({"verdict": "distinct", "memes": [1, 2], "note": "x" * 1001}), "1,000 characters"),
        (json.dumps({"verdict": "distinct", "memes": [1, "x" * 4097]}), "4,096 characters"),
        (json.dumps({"verdict": "distinct", "memes": [1] * 1001}), "1,000 items"),
    ],
)
def test_a_json_body_that_is_not_the_documented_one_is_refused_with_the_reason(
    curator: FlaskClient, served: Catalogue, body: str | bytes, says: str
) -> None:
    answer = curator.post("/api/verdicts", data=body, content_type="application/json")
    assert answer.status_code == 400, answer.text
    assert says in answer.json["error"]["message"] + answer.json["error"]["hint"]
    assert served.verdicts.all() == []


def test_a_body_that_is_no_json_or_larger_than_json_needs_to_be_is_refused(curator: FlaskClient) -> None:
    answer = curator.post("/api/verdicts", data={"verdict": "distinct"})
    assert answer.status_code == 415 and "application/json" in answer.json["error"]["hint"]
    body = json.dumps({"verdict": "distinct", "memes": [1, 2], "note": "x" * 1_000_000})
    answer = curator.post("/api/verdicts", data=body, content_type="application/json")
    assert answer.status_code == 413 and "1 MB" in answer.json["error"]["message"]


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("/api/search", {"GET", "HEAD", "OPTIONS", "POST"}),
        ("/api/memes/1", {"GET", "HEAD", "OPTIONS"}),
        ("/api/openapi.json", {"GET", "HEAD", "OPTIONS"}),
        ("/about", {"GET", "HEAD", "OPTIONS"}),
        ("/upload", {"OPTIONS", "POST"}),
    ],
)
def test_a_wrong_method_is_405_and_says_which_are_allowed(site: FlaskClient, address: str, allowed: set[str]) -> None:
    for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "TRACE"} - allowed:
        answer = site.open(address, method=method)
        assert answer.status_code == 405
        assert set(answer.headers["Allow"].split(", ")) == allowed
        if address.startswith("/api/"):
            assert answer.json["error"]["code"] == "method_not_allowed"
        else:
            assert answer.mimetype == "text/html"


def test_an_unknown_address_of_the_api_is_not_found_by_any_method(site: FlaskClient) -> None:
    for method in ("GET", "POST", "PUT", "DELETE"):
        answer = site.open("/api/nothing/here", method=method)
        assert answer.status_code == 404 and answer.json["error"]["code"] == "not_found"


@pytest.mark.parametrize("address", ["/api/search", "/", "/feed.atom"])
def test_queries_and_categories_have_one_longest_length_everywhere(site: FlaskClient, address: str) -> None:
    assert site.get(address, query_string={"q": "x" * 1000}).status_code == 200
    for wrong in ({"q": "x" * 4001}, {"q": "dog", "category": "x" * 256}, {"q": "dog\0"}, {"q": ["dog", "cat"]}):
        answer = site.get(address, query_string=wrong)
        assert answer.status_code == 400, wrong
        assert len(answer.text) < 20_000
    assert site.get(address, query_string={"q": "dog", "category": "x" * 255}).status_code == 404


@pytest.mark.parametrize("number", ["1_0", "\u0663", "1e1", "0x10", "9" * 5000, "--1", "1\0"])
def test_a_number_is_written_in_plain_digits(site: FlaskClient, number: str) -> None:
    assert site.get("/api/search", query_string={"q": "dog", "k": number}).status_code == 400


@pytest.mark.parametrize(
    "raw", ["%00", "%ff", "%c0%80", "%ed%a0%80", "%f4%90%80%80", "%0a", "%e2%80%ae", "%F0%9F%98%82", "%", "%zz"]
)
def test_odd_bytes_in_any_parameter_are_never_an_error_of_the_server(curator: FlaskClient, raw: str) -> None:
    for address in (
        "/?q={}", "/?q=dog&category={}", "/?picture={}", "/?q=dog&sort={}", "/?q=dog&page={}", "/memes/{}",
        "/memes/{}/index.html", "/memes/{}.html", "/thumbnails/{}.webp", "/uploads/{}.png", "/feed.atom?q={}",
        "/feed.atom?category={}", "/api/search?q={}", "/api/search?q=dog&category={}", "/api/search?q=dog&collapse={}",
        "/api/search?picture={}", "/api/memes/{}", "/api/memes/1/similar?by={}", "/api/inbox?state={}",
        "/api/duplicates?tier={}", "/curator/inbox?did={}", "/curator/inbox?came={}", "/curator/duplicates?tier={}",
        "/curator/duplicates?undid={}", "/curator/duplicates?batch={}", "/curator/duplicates?failed={}",
        "/curator/duplicates/{}", "/curator/duplicates/all/{}", "/curator/health?kind={}", "/curator/health?at={}",
        "/curator/health?did={}", "/curator/reading?did={}", "/curator/reading?after={}", "/sign-in?next={}", "/{}",
    ):  # fmt: skip
        answer = curator.get(address.format(raw))
        assert answer.status_code < 500, (address, raw, answer.text[:300])


def test_the_document_names_the_bounds_that_requests_are_held_to(site: FlaskClient) -> None:
    paths = site.get("/api/openapi.json").json["paths"]
    numbers = 0
    for path, item in paths.items():
        for method, operation in item.items():
            for one in operation.get("parameters", []):
                schema = one["schema"]
                if schema["type"] == "integer" and one["in"] == "query":
                    numbers += 1
                    for wrong in (schema["minimum"] - 1, schema["maximum"] + 1):
                        query = {"q": "dog", one["name"]: wrong}
                        answer = site.open(path.replace("{id}", "1"), method=method, query_string=query)
                        assert answer.status_code in (400, 401), (path, one["name"], wrong)
                if schema["type"] == "integer" and one["in"] == "path":
                    assert site.get(path.replace("{id}", str(schema["maximum"] + 1))).status_code in (404, 405)
                if one["name"] in ("q", "category"):
                    query = {"q": "dog"} | {one["name"]: "x" * (schema["maxLength"] + 1)}
                    assert site.get(path, query_string=query).status_code == 400
            for kind, content in operation.get("requestBody", {}).get("content", {}).items():
                assert kind != "application/json" or content["schema"]["additionalProperties"] is False
    assert numbers == 10


# The documented values of an answer or a parameter, by the last two steps of their place in the document.
DOCUMENTED = {
    ("Batch", "state"): BatchState,
    ("Group", "tier"): Tier,
    ("Hit", "type"): MediaType,
    ("Meme", "type"): MediaType,
    ("Reason", "kind"): ReasonKind,
    ("Reason", "place"): Place,
    ("Upload", "state"): UploadState,
    ("Verdict", "verdict"): VerdictKind,
    ("/api/duplicates", "tier"): Tier,
    ("/api/inbox", "state"): UploadState,
    ("/api/memes/{id}/similar", "by"): Likeness,
    ("/api/search", "sort"): Sort,
}


def test_the_document_lists_every_value_that_an_answer_or_a_parameter_can_have(site: FlaskClient) -> None:
    document = site.get("/api/openapi.json").json
    found = {
        (schema, name): set(value["enum"])
        for schema, described in document["components"]["schemas"].items()
        for name, value in described.get("properties", {}).items()
        if "enum" in value
    }
    found |= {
        (path, one["name"]): set(one["schema"]["enum"])
        for path, operations in document["paths"].items()
        for one in operations.get("get", {}).get("parameters", [])
        if "enum" in one["schema"]
    }
    assert found == {place: set(map(str, values)) for place, values in DOCUMENTED.items()}
