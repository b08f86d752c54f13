"""Names by which the site may be asked for: loopback names at home, the setting's names in the world."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from search.catalogue import Catalogue
from search.errors import WrongUse
from search.settings import Settings, load_settings, parse_networks
from tests.support.serving import open_app
from web.access.hosts import host_is_accepted
from web.cli.serve import advice

PUBLIC = ("memes.example.org", ".example.net")


@pytest.mark.parametrize(
    ("header", "bound", "trusted", "accepted"),
    [
        ("localhost", "127.0.0.1", (), True),
        ("LOCALHOST:8000", "127.0.0.1", (), True),
        ("127.0.0.1:65535", "127.0.0.1", (), True),
        ("127.8.8.8", "127.0.0.1", (), True),
        ("[::1]:8000", "127.0.0.1", (), True),
        ("[::1]", "::1", (), True),
        ("memetica.localhost", "localhost", (), True),
        ("evil.example", "127.0.0.1", (), False),
        ("192.168.1.5", "127.0.0.1", (), False),
        ("nas", "127.0.0.1", (), False),
        ("localhost.evil.example", "127.0.0.1", (), False),
        ("127.0.0.1.evil.example", "127.0.0.1", (), False),
        ("192.168.1.5:8000", "0.0.0.0", (), True),
        ("[fd00::7]:8000", "::", (), True),
        ("nas", "0.0.0.0", (), True),
        ("nas.local", "0.0.0.0", (), True),
        ("host.docker.internal", "0.0.0.0", (), True),
        ("memes.example.org", "memes.example.org", (), True),
        ("evil.example", "0.0.0.0", (), False),
        ("evil.example", "192.168.1.5", (), False),
        ("memes.example.org", "127.0.0.1", PUBLIC, True),
        ("Memes.Example.Org.:443", "127.0.0.1", PUBLIC, True),
        ("a.b.example.net", "127.0.0.1", PUBLIC, True),
        ("example.net", "127.0.0.1", PUBLIC, False),
        ("evilexample.net", "127.0.0.1", PUBLIC, False),
        ("x.memes.example.org", "0.0.0.0", PUBLIC, False),
        ("192.168.1.5", "0.0.0.0", PUBLIC, False),
        ("localhost:8000", "0.0.0.0", PUBLIC, True),
        *(
            (broken, "0.0.0.0", (), False)
            for broken in ("", "a b", "a/b", "user@nas", "nas:", "nas:123456", "[::1", "a,b")
        ),
    ],
)
def test_a_host_is_accepted_when_nobody_else_can_have_it(
    header: str, bound: str, trusted: Sequence[str], accepted: bool
) -> None:
    assert host_is_accepted(header, bound=bound, trusted=trusted) is accepted


def test_a_request_for_another_host_is_refused_and_its_name_not_repeated(
    served_settings: Settings, served: Catalogue
) -> None:
    with open_app(served_settings) as app:
        client = app.test_client()
        for address in (
            "/",
            "/feed.atom",
            "/opensearch.xml",
            "/healthz",
            "/api/search?q=dog",
            "/nothing",
            "/static/x/site.js",
        ):
            answer = client.get(address, headers={"Host": "evil.example"})
            assert answer.status_code == 400 and "evil" not in answer.text
            assert "trusted_hosts" in answer.text
            assert client.get(address, headers={"Host": "127.0.0.1:8000"}).status_code in (200, 404)
    with open_app(replace(served_settings, trusted_hosts=PUBLIC)) as app:
        feed = app.test_client().get("/feed.atom", headers={"Host": "memes.example.org"})
        assert feed.status_code == 200 and "http://memes.example.org/memes/" in feed.text


def test_the_setting_takes_names_without_scheme_and_port() -> None:
    environ = {"MEMETICA_TRUSTED_HOSTS": "Memes.Example.org, .example.net", "MEMETICA_DATA": "/nonexistent"}
    assert load_settings(environ=environ).trusted_hosts == PUBLIC
    for wrong in ("https://memes.example.org", "memes.example.org:443", "*"):
        with pytest.raises(WrongUse, match="trusted_hosts"):
            load_settings(environ=environ | {"MEMETICA_TRUSTED_HOSTS": wrong})


def test_serve_says_who_can_reach_the_site_and_what_is_missing() -> None:
    assert advice(Settings()) == advice(Settings(host="0.0.0.0", trusted_hosts=PUBLIC)) == []
    (sentence,) = advice(Settings(host="0.0.0.0"))
    assert "0.0.0.0" in sentence and "trusted_hosts" in sentence
    (sentence,) = advice(Settings(trusted_proxies=parse_networks("127.0.0.1")))
    assert "refused" in sentence and "trusted_hosts" in sentence
