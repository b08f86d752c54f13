"""Sign-in: closed to visitors, safe from other sites, and limited in attempts without lasting lock-outs."""

from __future__ import annotations

import html
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlencode

import pytest
from flask import Flask, jsonify
from flask.testing import FlaskClient

from search.settings import Settings
from tests.support.curating import PASSWORD, QuickHasher, guess, sign_in, token_in
from tests.support.serving import app_over, close_app
from web.curator import passwords
from web.curator.auth import curator_only, safe_next
from web.curator.home import Card
from web.curator.passwords import set_password


@pytest.fixture(autouse=True)
def quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "PasswordHasher", QuickHasher)


def made(data: Path) -> Flask:
    app = app_over(Settings(library=data.parent, data=data))

    @app.route("/api/secret", methods=("GET", "POST"))
    @curator_only
    def secret() -> object:
        return jsonify({"secret": 42})

    app.extensions["curator_cards"] = [lambda: Card("Work", "/work", 1234, "Much of it.")]
    return app


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Flask]:
    found = made(tmp_path / "data")
    yield found
    close_app(found)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def test_without_a_password_nobody_signs_in_and_the_page_says_how_to_set_one(client: FlaskClient, data: Path) -> None:
    page = client.get("/sign-in").text
    assert "memetica password" in page and 'type="password"' not in page
    set_password(data, PASSWORD)
    token = token_in(client.get("/sign-in").text)
    (data / "curator.json").unlink()
    assert client.post("/sign-in", data={"csrf": token, "password": PASSWORD}).status_code == 409
    assert client.get("/curator").status_code == 303


def test_the_right_password_signs_in_and_redirects_back(client: FlaskClient, data: Path) -> None:
    set_password(data, PASSWORD)
    away = client.get("/curator?a=b")
    assert (away.status_code, away.location) == (303, "/sign-in?next=%2Fcurator%3Fa%3Db")
    assert 'name="next" value="/curator?a=b"' in client.get(away.location).text
    back = guess(client, PASSWORD, next="/curator?a=b")
    assert (back.status_code, back.location) == (303, "/curator?a=b")
    home = client.get("/curator")
    assert home.status_code == 200 and "1,234" in home.text and home.headers["Cache-Control"] == "no-store"
    assert client.get("/sign-in").location == "/curator"


def test_a_wrong_password_signs_nobody_in(client: FlaskClient, data: Path) -> None:
    set_password(data, PASSWORD)
    for wrong in ("", "x", PASSWORD + " ", PASSWORD.upper()):
        answer = guess(client, wrong)
        assert answer.status_code == 403 and "Wrong password" in answer.text
    assert client.get("/curator").status_code == 303


def test_visitors_see_nothing_get_no_cookie_and_the_api_says_401(client: FlaskClient, data: Path) -> None:
    set_password(data, PASSWORD)
    for address in ("/", "/about"):
        answer = client.get(address)
        assert "Set-Cookie" not in answer.headers and "csrf" not in answer.text
    for method in (client.get, client.post):
        answer = method("/api/secret")
        assert answer.status_code == 401
        assert answer.json["error"]["code"] == "not_signed_in"


@pytest.mark.parametrize(
    ("referrer", "following"),
    [
        ("http://localhost/memes/Cats/index.html?page=2", "/memes/Cats/index.html?page=2"),
        ("http://elsewhere.example/memes", "/curator"),
        ("http://localhost//elsewhere.example", "/curator"),
        ("http://[", "/curator"),
        ("", "/curator"),
    ],
)
def test_an_action_of_nobody_leads_to_sign_in_and_back_to_its_page(
    client: FlaskClient, data: Path, referrer: str, following: str
) -> None:
    set_password(data, PASSWORD)
    answer = client.post("/sign-out", headers={"Referer": referrer})
    assert answer.location == "/sign-in?" + urlencode({"next": following, "undone": 1})
    page = client.get(answer.location).text
    assert "nothing was changed" in page and f'value="{html.escape(following)}"' in page
    assert "nothing was changed" not in client.get("/sign-in?next=/curator").text


def test_what_changes_something_needs_the_token_in_a_field_or_a_header(client: FlaskClient, data: Path) -> None:
    token = sign_in(client, data)
    assert client.get("/api/secret").json == {"secret": 42}
    assert client.post("/api/secret").status_code == 403
    assert client.post("/api/secret", data={"csrf": "x"}).status_code == 403
    assert client.post("/api/secret", headers={"X-CSRF-Token": "\u00e4"}).status_code == 403
    assert client.post("/api/secret", data={"csrf": token}).status_code == 200
    assert client.post("/api/secret", headers={"X-CSRF-Token": token}, json={}).status_code == 200


def test_another_sites_form_cannot_sign_anybody_in(client: FlaskClient, data: Path) -> None:
    set_password(data, PASSWORD)
    assert client.post("/sign-in", data={"password": PASSWORD}).status_code == 403
    client.get("/sign-in")
    assert client.post("/sign-in", data={"password": PASSWORD, "csrf": "x"}).status_code == 403
    assert client.get("/curator").status_code == 303


def test_the_cookie_is_kept_from_scripts_and_other_sites_and_secure_behind_https(
    client: FlaskClient, data: Path
) -> None:
    set_password(data, PASSWORD)
    forged = {"X-Forwarded-Proto": "https"}  # of no trusted proxy
    for headers, address, secure in (
        ({}, "http://localhost", False),
        (forged, "http://localhost", False),
        ({}, "https://localhost", True),
    ):
        client.delete_cookie("memetica-known", path="/sign-in")
        token = token_in(client.get("/sign-in", headers=headers, base_url=address).text)
        form = {"csrf": token, "password": PASSWORD}
        answer = client.post("/sign-in", data=form, headers=headers, base_url=address)
        cookies = answer.headers.getlist("Set-Cookie")
        assert len(cookies) == 2
        for cookie in cookies:
            assert "HttpOnly" in cookie and "SameSite=Lax" in cookie and "Expires=" in cookie
            assert ("Secure" in cookie) is secure
        client = client.application.test_client()


def test_a_changed_password_ends_every_session(app: Flask, data: Path) -> None:
    phone, desk = app.test_client(), app.test_client()
    sign_in(phone, data)
    assert guess(desk, PASSWORD).status_code == 303
    assert phone.get("/curator").status_code == desk.get("/curator").status_code == 200
    set_password(data, PASSWORD)  # even to the same one
    assert phone.get("/curator").status_code == desk.get("/curator").status_code == 303


def test_signing_out_ends_this_session_and_everywhere_ends_all(app: Flask, data: Path) -> None:
    phone, desk = app.test_client(), app.test_client()
    token = sign_in(phone, data)
    assert guess(desk, PASSWORD).status_code == 303
    assert phone.post("/sign-out", data={"csrf": token}).status_code == 303
    assert (phone.get("/curator").status_code, desk.get("/curator").status_code) == (303, 200)
    token = token_in(desk.get("/curator").text)
    assert guess(phone, PASSWORD).status_code == 303
    desk.post("/sign-out", data={"csrf": token, "everywhere": "1"})
    assert phone.get("/curator").status_code == desk.get("/curator").status_code == 303


def test_a_session_ends_by_itself(app: Flask, client: FlaskClient, data: Path) -> None:
    sign_in(client, data)
    assert client.get("/curator").status_code == 200
    app.permanent_session_lifetime = timedelta(seconds=-1)
    assert client.get("/curator").status_code == 303


def test_sessions_survive_a_restart_and_no_other_data_folder_knows_them(app: Flask, data: Path, tmp_path: Path) -> None:
    client = app.test_client()
    sign_in(client, data)
    cookies = "; ".join(f"{cookie.key}={cookie.value}" for cookie in client._cookies.values())
    again, other = made(data), made(tmp_path / "other")
    set_password(tmp_path / "other", PASSWORD)
    assert again.test_client(use_cookies=False).get("/curator", headers={"Cookie": cookies}).status_code == 200
    assert other.test_client(use_cookies=False).get("/curator", headers={"Cookie": cookies}).status_code == 303
    for one in (again, other):
        close_app(one)


def test_attempts_run_out_even_for_the_right_password_and_not_for_other_clients(app: Flask, data: Path) -> None:
    set_password(data, PASSWORD)
    visitor, curator = app.test_client(), app.test_client()
    elsewhere = {"REMOTE_ADDR": "192.0.2.1"}
    for _ in range(5):
        assert guess(visitor, "wrong").status_code == 403
    answer = guess(visitor, PASSWORD)
    assert answer.status_code == 429 and int(answer.headers["Retry-After"]) == 10
    token = token_in(curator.get("/sign-in", environ_base=elsewhere).text)
    answer = curator.post("/sign-in", data={"csrf": token, "password": PASSWORD}, environ_base=elsewhere)
    assert answer.status_code == 303


def test_a_browser_that_signed_in_before_does_not_wait_for_others_at_its_address(app: Flask, data: Path) -> None:
    visitor, curator = app.test_client(), app.test_client()
    token = sign_in(curator, data)
    curator.post("/sign-out", data={"csrf": token})
    for _ in range(6):
        answer = guess(visitor, "wrong")
    assert answer.status_code == 429
    assert guess(curator, PASSWORD).status_code == 303
    forged = app.test_client()
    forged.set_cookie("memetica-known", "forged", path="/sign-in")
    assert guess(forged, PASSWORD).status_code == 429


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("/curator/duplicates?tier=same", "/curator/duplicates?tier=same"),
        ("/", "/"),
        ("", "/curator"),
        ("//evil.example/x", "/curator"),
        ("///evil.example", "/curator"),
        ("https://evil.example/", "/curator"),
        ("/\\evil.example", "/curator"),
        ("\\\\evil.example", "/curator"),
        ("javascript:alert(1)", "/curator"),
        ("/x\r\nSet-Cookie: a=b", "/curator"),
        ("/\t/evil.example", "/curator"),
        ("curator", "/curator"),
    ],
)
def test_sign_in_never_redirects_to_another_site(address: str, expected: str) -> None:
    assert safe_next(address) == expected
