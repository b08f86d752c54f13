"""API keys: kept by hash, held to their scopes and rates, revoked at once, and the only way for pages elsewhere."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from search.catalogue import Catalogue
from search.errors import NotFound, WrongUse
from search.settings import Settings
from tests.support.curating import sign_in
from tests.support.serving import open_app
from tests.support.uploading import drawn
from web.access.keys import Scope, add_key, api_keys, find_key, revoke_key
from web.cli.main import main
from web.curator.closed import OPEN

ORIGIN = "https://elsewhere.example"


@pytest.fixture
def app(uploads_settings: Settings) -> Iterator[Flask]:
    """The site over a library of a test's own."""
    with open_app(uploads_settings) as opened:
        yield opened


def data_of(app: Flask) -> Path:
    return app.extensions["site"].settings.data


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def send(client: FlaskClient, key: str, seed: int = 1) -> TestResponse:
    return client.post("/api/inbox", data={"file": (io.BytesIO(drawn(seed)), "new.png")}, headers=bearer(key))


def test_the_file_holds_hashes_and_is_its_owners_alone(tmp_path: Path) -> None:
    key = add_key(tmp_path, "phone", [Scope.UPLOAD, Scope.READ], per_minute=7)
    assert key not in (tmp_path / "keys.json").read_text() and key[9:] not in (tmp_path / "keys.json").read_text()
    assert (tmp_path / "keys.json").stat().st_mode & 0o077 == 0
    found = find_key(tmp_path, key)
    assert found is not None and (found.name, found.scopes, found.per_minute) == ("phone", (Scope.READ, "upload"), 7)
    assert api_keys(tmp_path)[0].used is not None
    assert find_key(tmp_path, key[:-1]) is None and find_key(tmp_path, found.hash) is None


@pytest.mark.parametrize("name", ["", "  ", "phone", "a\nb", "x" * 65, "/etc"])
def test_a_name_is_plain_and_taken_once(tmp_path: Path, name: str) -> None:
    add_key(tmp_path, "phone", [Scope.READ])
    with pytest.raises(WrongUse):
        add_key(tmp_path, name, [Scope.READ])
    with pytest.raises(WrongUse):
        add_key(tmp_path, "other", [])
    assert [one.name for one in api_keys(tmp_path)] == ["phone"]


def test_a_key_uploads_without_a_session_and_sees_its_own_uploads_alone(app: Flask) -> None:
    key, other = (add_key(data_of(app), name, [Scope.UPLOAD]) for name in ("phone", "bot"))
    client = app.test_client()
    sent = send(client, key)
    assert sent.status_code == 201 and "Set-Cookie" not in sent.headers
    [row] = sent.json["uploads"]
    address = f"/api/inbox/{row['id']}"
    assert client.get(address, headers=bearer(key)).json["file"] == "new.png"
    assert client.get(address, headers=bearer(other)).status_code == 404
    assert client.get(address).status_code == 401
    assert app.extensions["site"].catalogue.uploads.get(row["id"]).received_by == "key:phone"
    revoke_key(data_of(app), "phone")
    refused = send(client, key, 2)
    assert refused.status_code == 401 and refused.json["error"]["code"] == "unknown_key"
    assert "Bearer" in refused.headers["WWW-Authenticate"]
    with pytest.raises(NotFound):
        revoke_key(data_of(app), "phone")


def test_a_key_may_what_its_scopes_say_and_never_what_is_the_curators(app: Flask) -> None:
    """Every address of the API, asked by a key of each scope, answers as the description says."""
    client = app.test_client()
    keys = {scope: add_key(data_of(app), scope, [scope], per_minute=1000) for scope in Scope}
    described = client.get("/api/openapi.json").json["paths"]
    tried = 0
    for rule in app.url_map.iter_rules():
        if not rule.rule.startswith("/api/"):
            continue
        address = re.sub(r"<(?:\w+:)?\w+>", "1", rule.rule)
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            operation = described[re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)][method.lower()]
            security = operation.get("security")
            allowed = [scope for way in security or () for scope in way.get("key", ())]
            visitor = client.open(address, method=method)
            assert (visitor.status_code == 401) == (security is not None), address
            if security is not None:  # what is said names the key that would do, if one does
                named = re.findall(r"API key that may (\w+)", visitor.json["error"]["hint"])
                assert named == allowed, (method, address)
            for scope, key in keys.items():
                status = client.open(address, method=method, headers=bearer(key)).status_code
                assert (status == 403) == (security is not None and scope not in allowed), (method, address, scope)
                tried += 1
    assert tried > 50
    assert client.get("/curator/inbox", headers=bearer(keys[Scope.UPLOAD])).status_code == 403


def test_a_key_is_held_to_its_rate_and_others_are_not(app: Flask) -> None:
    slow, quick = (add_key(data_of(app), str(n), [Scope.READ], per_minute=n) for n in (4, 400))
    client = app.test_client()
    statuses = [client.get("/api/categories", headers=bearer(slow)) for _ in range(3)]
    assert [one.status_code for one in statuses] == [200, 200, 429]
    assert int(statuses[-1].headers["Retry-After"]) == 15
    assert client.get("/api/categories", headers=bearer(quick)).status_code == 200
    assert client.get("/api/categories").status_code == 200


def test_pages_of_other_sites_may_call_the_api_with_a_key_alone(app: Flask) -> None:
    client = app.test_client()
    key = add_key(data_of(app), "page", [Scope.READ])
    ask = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}
    allowed = client.options("/api/inbox", headers=ask | {"Access-Control-Request-Headers": "authorization"})
    assert allowed.status_code == 204 and allowed.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert "Authorization" in allowed.headers["Access-Control-Allow-Headers"]
    assert "Access-Control-Allow-Credentials" not in allowed.headers
    for headers in (ask, ask | {"Access-Control-Request-Headers": "x-csrf-token"}):
        assert "Access-Control-Allow-Origin" not in client.options("/api/inbox", headers=headers).headers
    answer = client.get("/api/search?q=dog", headers={"Origin": ORIGIN, **bearer(key)})
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN and "Origin" in answer.headers["Vary"]
    assert answer.headers["Cache-Control"] == "no-store"
    for headers in ({}, {"Authorization": "Bearer of-a-proxy"}, {"Authorization": "Basic eDp5"}):
        answer = client.get("/api/search?q=dog", headers={"Origin": ORIGIN, **headers})
        assert answer.status_code == 200 and "Access-Control-Allow-Origin" not in answer.headers
    page = client.get("/about", headers={"Origin": ORIGIN, **bearer(key)})
    assert page.status_code == 200 and "Access-Control-Allow-Origin" not in page.headers


def test_a_closed_site_shows_visitors_nothing(served_settings: Settings, served: Catalogue, tmp_path: Path) -> None:
    with open_app(replace(served_settings, closed=True)) as app:
        client = app.test_client()
        meme = served.memes.at("Dogs/fine.png")
        values = {"path": "Dogs/fine.png", "content_hash": meme.content_hash, "filename": "site.css", "id": "1"}
        for rule in app.url_map.iter_rules():
            address = re.sub(r"<(?:\w+:)?(\w+)>", lambda found: values.get(found[1], "1"), rule.rule)
            for method in (rule.methods or set()) - {"OPTIONS"}:
                answer = client.open(address, method=method)
                if rule.endpoint in OPEN:
                    assert answer.status_code not in (401, 303), address
                else:
                    assert answer.status_code in (401, 303), (method, address, answer.status_code)
                    assert answer.status_code == 401 or "/sign-in?" in answer.headers["Location"]
        assert client.get("/no/such/page").status_code == 303 and client.get("/api/nothing").status_code == 401
        reader, uploader = (add_key(served_settings.data, scope, [scope]) for scope in (Scope.READ, Scope.UPLOAD))
        try:
            for address in ("/api/search?q=dog", "/memes/Dogs/fine.png", f"/thumbnails/{meme.content_hash}.webp", "/"):
                answer = client.get(address, headers=bearer(reader))
                assert answer.status_code == 200 and "public" not in answer.headers["Cache-Control"], address
                assert client.get(address, headers=bearer(uploader)).status_code == 403
            assert client.post("/api/inbox", headers=bearer(uploader)).status_code == 400
        finally:
            (served_settings.data / "keys.json").unlink()


def test_the_curator_sees_a_closed_site(uploads_settings: Settings) -> None:
    with open_app(replace(uploads_settings, closed=True)) as app:
        client = app.test_client()
        sign_in(client, uploads_settings.data)
        answer = client.get("/memes/Dogs/fine.png")
        assert answer.status_code == 200 and "private" in answer.headers["Cache-Control"]
        assert client.get("/api/search?q=dog").status_code == 200


def test_the_page_of_the_api_has_each_address_and_its_links_lead_somewhere(site: FlaskClient) -> None:
    page = site.get("/api/docs").text
    for path, operations in site.get("/api/openapi.json").json["paths"].items():
        for method in operations:
            assert f">{method.upper()} {path}</h3>" in page
    links = set(re.findall(r'href="#([^"]+)"', page)) - {"main"}
    assert len(links) > 5 and links <= set(re.findall(r'id="([^"]+)"', page))
    assert "With an API key that may <code>upload</code>" in page


def test_the_command_makes_lists_and_revokes(uploads_settings: Settings) -> None:
    def run(*words: str):
        return CliRunner().invoke(main, ["--data", str(uploads_settings.data), "keys", *words], env={"COLUMNS": "80"})

    made = run("add", "phone", "--may", "upload, read", "--rate", "9")
    assert made.exit_code == 0 and "not shown again" in made.stderr
    found = find_key(uploads_settings.data, made.stdout.strip())
    assert found is not None and found.per_minute == 9
    [row] = [json.loads(line) for line in run("--json").stdout.splitlines()]
    assert (row["name"], row["may"]) == ("phone", ["read", "upload"]) and "hash" not in row
    assert "phone" in run().stdout and all(len(line) <= 80 for line in run().stdout.splitlines())
    assert run("add", "x", "--may", "everything").exit_code == 2
    assert run("revoke", "phone").exit_code == 0 and run("revoke", "phone").exit_code == 1
    assert "There are no keys" in run().stderr
    elsewhere = CliRunner().invoke(
        main, ["--data", str(uploads_settings.data / "no"), "keys", "add", "x", "--may", "read"]
    )
    assert elsewhere.exit_code == 1 and not (uploads_settings.data / "no").exists()
