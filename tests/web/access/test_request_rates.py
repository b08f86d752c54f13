"""Limits on searches and pictures of one client."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from flask import Flask
from PIL import Image
from werkzeug.test import TestResponse

from search.catalogue import Catalogue
from search.errors import WrongUse
from search.settings import Settings, load_settings
from tests.support.serving import open_app
from web.access import request_rates
from web.access.rate_limit import RateLimit, client_network
from web.access.request_rates import Work

SEARCHES = ("/?q=dog", "/api/search?q=dog", "/feed.atom?q=dog", "/api/memes/1/similar", "/memes/Dogs/fine.png.html")
FREE = ("/", "/about", "/feed.atom", "/api/memes/1", "/memes/Dogs/fine.png", "/memes/Dogs/index.html", "/healthz")


@pytest.fixture
def serve(served_settings: Settings, served: Catalogue) -> Iterator[Callable[..., Flask]]:
    """Serve the library that no test changes by other settings; return the application."""
    opened = []

    def opened_with(**changes: object) -> Flask:
        context = open_app(replace(served_settings, **changes))  # type: ignore[arg-type]
        opened.append(context)
        return context.__enter__()

    yield opened_with
    for context in opened:
        context.__exit__(None, None, None)


def get(app: Flask, address: str, *, client: str) -> TestResponse:
    return app.test_client().get(address, environ_base={"REMOTE_ADDR": client})


def picture() -> dict[str, tuple[io.BytesIO, str]]:
    raw = io.BytesIO()
    Image.new("RGB", (20, 20), "red").save(raw, "PNG")
    raw.seek(0)
    return {"picture": (raw, "x.png")}


def test_each_kind_of_search_counts_and_other_pages_do_not(serve: Callable[..., Flask]) -> None:
    for address in SEARCHES:
        app = serve(search_rate="4")  # two at once
        for other in FREE:
            assert get(app, other, client="192.0.2.1").status_code == 200
        assert [get(app, address, client="192.0.2.1").status_code for _ in range(3)] == [200, 200, 429], address
        assert get(app, address, client="192.0.2.2").status_code == 200


def test_who_must_wait_is_told_how_long_in_the_form_of_the_address(serve: Callable[..., Flask]) -> None:
    app = serve(search_rate="2")  # one, and the next after 30 seconds
    assert get(app, "/?q=dog", client="192.0.2.1").status_code == 200
    page, answer = (get(app, one, client="192.0.2.1") for one in ("/?q=dog", "/api/search?q=dog"))
    for one in (page, answer):
        assert one.status_code == 429 and int(one.headers["Retry-After"]) == 30
    assert page.mimetype == "text/html" and "Too many searches" in page.text
    assert answer.json["error"]["code"] == "too_many_requests" and "seconds" in answer.json["error"]["hint"]


def test_pictures_have_a_limit_of_their_own(serve: Callable[..., Flask]) -> None:
    app = serve(upload_rate="4")
    for address, expected in (("/upload", 303), ("/api/search", 200), ("/upload", 429), ("/api/search", 429)):
        answer = app.test_client().post(address, data=picture(), environ_base={"REMOTE_ADDR": "192.0.2.1"})
        assert answer.status_code == expected
    assert get(app, "/?q=dog", client="192.0.2.1").status_code == 200


def test_by_default_others_are_limited_and_this_machine_is_not(
    serve: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(request_rates.AUTOMATIC, Work.SEARCH, 2)
    for setting, client, limited in (
        ("auto", "127.0.0.1", False),
        ("auto", "::1", False),
        ("auto", "192.0.2.1", True),
        ("off", "192.0.2.1", False),
        ("2", "127.0.0.1", True),
    ):
        app = serve(search_rate=setting)
        statuses = [get(app, "/api/search?q=dog", client=client).status_code for _ in range(3)]
        assert (statuses[-1] == 429) is limited, (setting, client)


def test_clients_of_ipv6_count_by_their_network_and_mapped_addresses_by_themselves() -> None:
    assert client_network("2001:db8::1") == client_network("2001:db8::ffff:1") != client_network("2001:db8:0:1::1")
    assert client_network("::ffff:192.0.2.1") == client_network("192.0.2.1") != client_network("::ffff:192.0.2.2")


def test_a_thousand_clients_are_counted_apart_and_waiting_refills_steadily() -> None:
    now = [0.0]
    rate = RateLimit(burst=2, refill_seconds=10, clock=lambda: now[0])
    clients = [client_network(f"2001:db8:0:{number:x}::1") for number in range(1000)]
    assert all(rate.acquire(client) == 0 for client in clients for _ in range(2))
    assert all(rate.acquire(client) == pytest.approx(10) for client in clients)
    now[0] = 10.0
    assert all(rate.acquire(client) == 0 for client in clients)


@pytest.mark.parametrize("wrong", ["0", "-3", "many", "1.5", ""])
def test_a_rate_is_a_number_or_off_or_auto(wrong: str) -> None:
    environ = {"MEMETICA_SEARCH_RATE": wrong, "MEMETICA_DATA": "/nonexistent"}
    with pytest.raises(WrongUse, match="search_rate"):
        load_settings(environ=environ)
