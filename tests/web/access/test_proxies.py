"""Reverse proxies: believed when they are trusted, and the whole site works behind one, at any base path."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from search.catalogue import Catalogue
from search.settings import Settings, parse_networks
from tests.support.browsing import serving
from tests.support.curating import PASSWORD, set_quick_password, token_in
from tests.support.waiting import PATIENCE, until
from web.access.proxies import Proxies

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
TRUSTED = parse_networks("127.0.0.1, 10.0.0.0/8, fd00::/8")


def seen(peer: str, **headers: str) -> dict[str, str]:
    """Return what an application behind `Proxies` sees of a request."""
    found: dict[str, str] = {}

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        found.update({name: value for name, value in environ.items() if isinstance(value, str)})
        return []

    environ = {"REMOTE_ADDR": peer, "HTTP_HOST": "inner:8000", "wsgi.url_scheme": "http", "SCRIPT_NAME": ""}
    environ |= {f"HTTP_X_FORWARDED_{name.upper()}": value for name, value in headers.items()}
    list(Proxies(application, TRUSTED)(environ, lambda *given: None))
    return found


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("127.0.0.1", "192.0.2.7", "192.0.2.7"),
        ("127.0.0.1", "6.6.6.6, 192.0.2.7", "192.0.2.7"),  # the client wrote 6.6.6.6 itself
        ("127.0.0.1", "6.6.6.6, 192.0.2.7, 10.1.1.1", "192.0.2.7"),  # two proxies
        ("127.0.0.1", "10.2.2.2, 10.1.1.1", "10.2.2.2"),  # a client within the proxies' network
        ("127.0.0.1", "192.0.2.7:51234", "192.0.2.7"),
        ("127.0.0.1", "[2001:db8::7]:51234", "2001:db8::7"),
        ("fd00::1", "2001:db8::7", "2001:db8::7"),
        ("127.0.0.1", "", "127.0.0.1"),
        ("192.0.2.66", "10.0.0.1", "192.0.2.66"),
        ("", "10.0.0.1", ""),
    ],
)
def test_the_client_is_the_last_address_that_is_no_trusted_proxy(peer: str, forwarded: str, client: str) -> None:
    assert seen(peer, **({"for": forwarded} if forwarded else {}))["REMOTE_ADDR"] == client


def test_scheme_host_and_base_path_come_from_trusted_proxies_alone() -> None:
    said = {"for": "192.0.2.7", "proto": "https", "host": "memes.example.org", "prefix": "/memes/"}
    found = seen("10.9.9.9", **said)
    assert (found["wsgi.url_scheme"], found["HTTP_HOST"], found["SCRIPT_NAME"]) == (
        "https",
        "memes.example.org",
        "/memes",
    )
    found = seen("192.0.2.66", **said)
    assert (found["wsgi.url_scheme"], found["HTTP_HOST"], found["SCRIPT_NAME"]) == ("http", "inner:8000", "")
    assert not [name for name in found if "FORWARDED" in name]


@pytest.mark.parametrize("prefix", ["//evil.example", "/a b", "/<script>", "/a/../..", "memes", "/a?b"])
def test_a_base_path_that_is_none_is_dropped(prefix: str) -> None:
    assert seen("127.0.0.1", prefix=prefix)["SCRIPT_NAME"] in ("", "/a/../..")
    assert seen("127.0.0.1", proto="javascript")["wsgi.url_scheme"] == "http"


def test_every_address_in_templates_and_scripts_is_below_the_base_path() -> None:
    for file in (ROOT / "web" / "templates").iterdir():
        assert re.findall(r'(?:href|action|src)="/[^"]*', file.read_text("utf-8")) == [], file.name
    for file in (ROOT / "web" / "static").glob("*.js"):
        assert (
            re.findall(
                r"""(?:fetch|assign|replace)\(["'`]/[^)]*|location(?:\.href)? = ["'`]/""", file.read_text("utf-8")
            )
            == []
        )


# Behind a real nginx


NGINX = """
daemon off; master_process off; error_log stderr; pid {folder}/nginx.pid;
events {{}}
http {{
  access_log off; client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder}; client_max_body_size 60m;
  server {{
    listen 127.0.0.1:{port};
    location {path}/ {{
      proxy_pass {inner}/;
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto https;
      proxy_set_header X-Forwarded-Host $http_host;
      proxy_set_header X-Forwarded-Port "";
      proxy_set_header X-Forwarded-Prefix {prefix};
    }}
  }}
}}
"""


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=PATIENCE).close()
    except OSError:
        return False
    return True


@contextmanager
def nginx(inner: str, folder: Path, *, path: str) -> Iterator[str]:
    """Yield the address of an nginx before a server, which serves it below a path as if by https; skip without one."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/opt/homebrew/bin")
    if program is None:
        pytest.skip("there is no nginx on this machine: install the package `nginx`")
    config = folder / "nginx.conf"
    while True:  # until no other test has taken the port meanwhile
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        config.write_text(NGINX.format(folder=folder, port=port, inner=inner, path=path, prefix=path or '""'), "utf-8")
        process = subprocess.Popen([program, "-c", str(config), "-p", str(folder)], stderr=subprocess.PIPE, text=True)
        until(lambda process=process, port=port: process.poll() is not None or answers(port))
        if process.poll() is None:
            break
        _, said = process.communicate()
        assert "Address already in use" in said, said
    with process:
        try:
            yield f"http://127.0.0.1:{port}{path}"
        finally:
            process.terminate()


@pytest.fixture(params=["", "/my/memes"], ids=["at the root", "at a base path"])
def proxied(
    request: pytest.FixtureRequest, tiny_indexed: Catalogue, tiny_settings: Settings, tmp_path: Path
) -> Iterator[tuple[str, str]]:
    """The address of the site behind nginx, and its base path."""
    folder = tmp_path / "nginx"
    folder.mkdir()
    settings = replace(tiny_settings, trusted_proxies=parse_networks("127.0.0.1"), trusted_hosts=("memes.example.org",))
    set_quick_password(settings.data, PASSWORD)
    with serving(settings) as inner, nginx(inner, folder, path=request.param) as address:
        yield address, request.param


def links(page: str) -> set[str]:
    """Return every address on this site that a page leads to, loads or sends forms to."""
    return {one.partition("#")[0] for one in re.findall(r'(?:href|src|action)="(/[^"]*)"', page)}


def test_the_whole_site_works_behind_nginx(proxied: tuple[str, str]) -> None:
    address, base = proxied
    origin = address.removesuffix(base)
    world = {"Host": "memes.example.org"}
    # Each request without the cookies of another; over plain HTTP, for which certificates need not be loaded each time.
    ask = partial(httpx.get, headers=world, timeout=PATIENCE, verify=False)
    with httpx.Client(base_url=address, headers=world, timeout=PATIENCE) as client:
        assert client.get("/healthz").json()["search"] is True
        pages = ["/", "/?q=dog", "/about", "/sign-in", "/memes/Dogs/fine.png.html", "/memes/Dogs/index.html", "/none"]
        followed = set()
        for page in pages:
            found = links(client.get(page).text)
            assert found and all(one.startswith(base + "/") for one in found), (page, found)
            followed |= found
        followed = {one for one in followed if not one.endswith(("/sign-in", "/upload"))}
        assert len(followed) > 20
        for one in followed:
            answer = ask(origin + one.replace("&amp;", "&"))
            if answer.is_redirect:  # a choice of looks, or any meme; the page that is missing is missing again
                assert answer.headers["Location"].startswith(base + "/"), one
                answer = ask(origin + answer.headers["Location"])
                assert answer.status_code == (404 if one.endswith("next=%2Fnone") else 200), one
            else:
                assert answer.status_code == 200, one
        row = client.get("/api/search?q=dog").json()["hits"][0]
        assert row["url"].startswith(base + "/memes/") and row["thumbnail"].startswith(base + "/thumbnails/")
        feed = client.get("/feed.atom").text
        assert f"https://memes.example.org{base}/memes/" in feed and "http://127" not in feed
        assert f"https://memes.example.org{base}/?q=" in client.get("/opensearch.xml").text
        assert client.get("/api/openapi.json").json()["servers"] == [{"url": base or "/"}]
        # Signing in: redirects, cookies, forms.
        went = client.get("/curator")
        assert went.status_code == 303 and went.headers["Location"] == f"{base}/sign-in?next=%2Fcurator"
        form = client.get("/sign-in")
        token = token_in(form.text)
        cookies = {one.partition("=")[0]: one for one in form.headers.get_list("Set-Cookie")}
        signed = client.post(
            "/sign-in",
            data={"csrf": token, "password": PASSWORD, "next": "/curator"},
            headers={"Cookie": "; ".join(one.partition(";")[0] for one in cookies.values())},
        )
        assert signed.status_code == 303 and signed.headers["Location"] == f"{base}/curator"
        made = signed.headers.get_list("Set-Cookie")
        assert len(made) == 2
        for cookie in made:
            assert "Secure" in cookie and f"Path={base or '/'}" in cookie
        session = "; ".join(one.partition(";")[0] for one in made)
        for page in ("/curator", "/curator/inbox", "/curator/duplicates", "/curator/health", "/curator/reading"):
            shown = client.get(page, headers={"Cookie": session})
            assert shown.status_code == 200
            assert all(one.startswith(base + "/") for one in links(shown.text)), page
        # Another site's name is refused, whoever forwards it.
        assert client.get("/", headers={"Host": "evil.example"}).status_code == 400


def test_password_attempts_count_for_the_client_behind_the_proxy(proxied: tuple[str, str]) -> None:
    address, _ = proxied

    def attempt(client: str) -> int:
        with httpx.Client(base_url=address, timeout=PATIENCE) as browser:
            said = {"Host": "memes.example.org", "X-Forwarded-For": client}
            form = browser.get("/sign-in", headers=said)
            said["Cookie"] = form.headers["Set-Cookie"].partition(";")[0]
            return browser.post(
                "/sign-in", data={"csrf": token_in(form.text), "password": "x"}, headers=said
            ).status_code

    # nginx sees 127.0.0.1, which is trusted like a proxy, so that the address before it is the client.
    assert [attempt(f"192.0.2.{number}") for number in range(6)] == [403] * 6
    assert [attempt("192.0.2.9") for _ in range(7)][-1] == 429
