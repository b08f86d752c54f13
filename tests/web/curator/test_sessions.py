"""The curator's sessions: listed, ended one by one wherever their cookie was copied to, bounded in time and number."""

from __future__ import annotations

import json
import stat
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from search.errors import DataFolderError
from search.settings import Settings
from tests.support.curating import PASSWORD, guess, set_quick_password, sign_in, token_in
from tests.support.serving import open_app
from web.curator import sessions
from web.curator.passwords import load_password
from web.curator.sessions import (
    LIFETIME,
    LONGEST,
    MOST_SESSIONS,
    SEEN_EVERY,
    begin_session,
    browser_name,
    end_other_sessions,
    find_session,
    live_sessions,
)

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0"
CHROME = "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/128.0 Mobile Safari/537.36"
EDGE = "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/128.0 Safari/537.36 Edg/128.0"
SAFARI = "Mozilla/5.0 (Macintosh; Intel Mac OS X 14_6) AppleWebKit/605.1 (KHTML, like Gecko) Version/17.6 Safari/605.1"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def app(data: Path, tmp_path: Path) -> Iterator[Flask]:
    with open_app(Settings(library=tmp_path / "memes", data=data)) as app:
        yield app


@pytest.fixture
def generation(data: Path) -> str:
    """The generation of a password that is set."""
    set_quick_password(data, PASSWORD)
    record = load_password(data)
    assert record is not None
    return record.generation


def begun(data: Path, generation: str) -> str:
    return begin_session(data, generation=generation, user_agent=FIREFOX, address="192.0.2.1")


def copied(app: Flask, client: FlaskClient) -> dict[str, str]:
    """Return the header of a copy of a browser's cookies."""
    return {"Cookie": "; ".join(f"{one.key}={one.value}" for one in client._cookies.values())}


def status(app: Flask, cookie: dict[str, str]) -> int:
    return app.test_client(use_cookies=False).get("/api/inbox", headers=cookie).status_code


def test_a_sign_out_ends_the_copies_of_its_cookie_and_no_other_session(app: Flask, data: Path) -> None:
    phone, desk = app.test_client(), app.test_client()
    token = sign_in(phone, data)
    guess(desk, PASSWORD)
    stolen, others = copied(app, phone), copied(app, desk)
    assert (status(app, stolen), status(app, others)) == (200, 200)
    phone.post("/sign-out", data={"csrf": token})
    assert (status(app, stolen), status(app, others)) == (401, 200)


def test_signing_in_again_ends_the_session_before(app: Flask, data: Path) -> None:
    client = app.test_client()
    token = sign_in(client, data)
    before = copied(app, client)
    client.post("/sign-in", data={"csrf": token, "password": PASSWORD})
    assert (status(app, before), status(app, copied(app, client))) == (401, 200)
    assert len(live_sessions(data)) == 1


def test_each_session_is_listed_in_words_and_can_be_ended(app: Flask, data: Path) -> None:
    phone, desk = app.test_client(), app.test_client()
    phone.environ_base |= {"HTTP_USER_AGENT": CHROME, "REMOTE_ADDR": "192.0.2.7"}
    desk.environ_base |= {"HTTP_USER_AGENT": FIREFOX}
    sign_in(phone, data)
    guess(desk, PASSWORD)
    page = desk.get("/curator/sessions").text
    assert "Chrome on Android" in page and "192.0.2.7" in page and "Firefox on Linux" in page
    assert page.count("this browser") == 1
    assert "/curator/sessions" in desk.get("/curator").text
    key = next(one.key for one in live_sessions(data) if one.browser == "Chrome on Android")
    assert desk.post("/curator/sessions", data={"key": key}).status_code == 403  # without the token
    answer = desk.post("/curator/sessions", data={"csrf": token_in(page), "key": key})
    assert answer.status_code == 303
    assert (status(app, copied(app, phone)), status(app, copied(app, desk))) == (401, 200)


def test_all_others_are_ended_at_once(app: Flask, data: Path) -> None:
    clients = [app.test_client() for _ in range(3)]
    sign_in(clients[0], data)
    for client in clients[1:]:
        guess(client, PASSWORD)
    token = token_in(clients[0].get("/curator/sessions").text)
    clients[0].post("/curator/sessions", data={"csrf": token})
    assert [status(app, copied(app, client)) for client in clients] == [200, 401, 401]


def test_visitors_see_no_session(app: Flask, data: Path) -> None:
    sign_in(app.test_client(), data)
    assert app.test_client().get("/curator/sessions").status_code == 303


def test_the_data_folder_keeps_only_a_hash_that_its_owner_alone_reads(data: Path, generation: str) -> None:
    id = begun(data, generation)
    file = data / "sessions.json"
    assert id not in file.read_text()
    assert find_session(data, id) is not None
    assert find_session(data, json.loads(file.read_text())[0]["key"]) is None  # the hash is no id
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("ago_seen", "ago_begun", "live"),
    [
        (LIFETIME - timedelta(hours=1), LIFETIME, True),
        (LIFETIME + timedelta(seconds=1), LIFETIME + timedelta(days=1), False),
        (timedelta(0), LONGEST - timedelta(hours=1), True),
        (timedelta(0), LONGEST + timedelta(seconds=1), False),
    ],
)
def test_a_session_ends_some_time_after_its_last_visit_and_after_it_began(
    data: Path, generation: str, ago_seen: timedelta, ago_begun: timedelta, live: bool
) -> None:
    id = begun(data, generation)
    now = datetime.now(UTC)
    sessions._write(data, [replace(one, seen=now - ago_seen, begun=now - ago_begun) for one in live_sessions(data)])
    assert (find_session(data, id) is not None) is live


def test_a_visit_is_written_down_now_and_then(data: Path, generation: str) -> None:
    id = begun(data, generation)
    [first] = live_sessions(data)
    find_session(data, id)
    assert live_sessions(data) == [first]
    earlier = replace(first, seen=first.seen - 2 * SEEN_EVERY)
    sessions._write(data, [earlier])
    find_session(data, id)
    assert live_sessions(data)[0].seen >= first.seen


def test_a_changed_password_and_a_removed_one_end_all(data: Path, generation: str) -> None:
    id = begun(data, generation)
    set_quick_password(data, PASSWORD)
    assert find_session(data, id) is None and live_sessions(data) == []


def test_their_number_is_bounded_and_the_one_seen_longest_ago_ends(data: Path, generation: str) -> None:
    now = datetime.now(UTC)
    ids = [begun(data, generation)]
    [one] = live_sessions(data)
    old = [replace(one, key=str(at), seen=now - timedelta(hours=at)) for at in range(MOST_SESSIONS)]
    sessions._write(data, old)
    ids.append(begun(data, generation))
    kept = {one.key for one in live_sessions(data)}
    assert len(kept) == MOST_SESSIONS and str(MOST_SESSIONS - 1) not in kept and "0" in kept


def test_sessions_begun_at_once_are_all_kept(data: Path, generation: str) -> None:
    ids: list[str] = []
    threads = [threading.Thread(target=lambda: ids.append(begun(data, generation))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(find_session(data, id) is not None for id in ids) and len(ids) == 8
    assert end_other_sessions(data, live_sessions(data)[0].key) == 7


@pytest.mark.parametrize("body", ["", "{", "[1]", '[{"key": "x"}]', "null"])
def test_a_damaged_file_is_told(data: Path, generation: str, body: str) -> None:
    (data / "sessions.json").write_text(body)
    with pytest.raises(DataFolderError, match="cannot be read"):
        live_sessions(data)


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        (FIREFOX, "Firefox on Linux"),
        (CHROME, "Chrome on Android"),
        (EDGE, "Edge on Windows"),
        (SAFARI, "Safari on macOS"),
        ("curl/8.5.0", "curl"),
        ("", "An unknown browser"),
        ("<script>", "An unknown browser"),
    ],
)
def test_a_browser_is_named_in_plain_words(agent: str, words: str) -> None:
    assert browser_name(agent) == words
