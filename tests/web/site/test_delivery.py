"""How pages reach other programs: compression, addresses kept forever, thumbnails, previews, the manifest."""

from __future__ import annotations

import gzip
import html
import io
import json
import re
from pathlib import Path
from urllib.parse import urlencode

import pytest
from flask import Flask, g
from flask.testing import FlaskClient
from PIL import Image

import web
from search.catalogue import Catalogue
from tests.support.uploading import drawn
from web.access import compression
from web.curator.auth import csrf_token
from web.site.assets import assets
from web.static_site.app import site_assets

FINE = "/memes/Dogs/fine.png.html"


def test_pages_and_json_are_compressed_where_the_browser_accepts_it(site: FlaskClient) -> None:
    for address in ("/", "/api/categories?x=1", "/feed.atom"):
        plain = site.get(address, headers={"Accept-Encoding": "identity"})
        packed = site.get(address, headers={"Accept-Encoding": "gzip"})
        if len(plain.data) < 500:
            continue
        assert packed.headers["Content-Encoding"] == "gzip" and "Accept-Encoding" in packed.headers["Vary"]
        assert len(gzip.decompress(packed.data)) == len(plain.data) > len(packed.data)
    assert site.get("/", headers={"Accept-Encoding": "br"}).headers["Content-Encoding"] == "br"


def test_a_page_that_holds_a_secret_is_not_compressed(site: FlaskClient) -> None:
    app = Flask("secrets")
    compression.register(app)
    app.add_url_rule("/secret", "secret", view_func=lambda: (compression.keep_uncompressed(), "x" * 5000)[1])
    app.add_url_rule("/plain", "plain", view_func=lambda: "x" * 5000)
    found = {path: app.test_client().get(path, headers={"Accept-Encoding": "gzip"}) for path in ("/secret", "/plain")}
    assert "Content-Encoding" not in found["/secret"].headers and found["/secret"].text == "x" * 5000
    assert found["/plain"].headers["Content-Encoding"] == "gzip"
    with site.application.test_request_context():
        assert csrf_token() and g.holds_secret, "forms of the curator hold one"


def test_static_files_are_kept_forever_under_an_address_of_their_content(site: FlaskClient) -> None:
    version, files = assets()
    for name in re.findall(rf"/static/{version}/([^\"]+)", site.get("/").text):
        answer = site.get(f"/static/{version}/{name}")
        assert answer.data == files[name].raw
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert site.get("/static/0123456789ab/site.js").headers["Cache-Control"] == "no-cache"
    assert site.get(f"/static/{version}/nothing.js").status_code == 404


def test_comments_are_not_sent_and_stand_in_no_string() -> None:
    _, files = assets()
    assert b"/*" not in files["site.css"].raw and b"\n//" not in files["site.js"].raw
    for source in (Path(web.__file__).parent / "static").glob("*.js"):
        quotes = 0
        for line in source.read_text().split("\n"):
            if line.strip().startswith("//"):
                assert quotes % 2 == 0, f"{source.name}: {line}"
            else:
                quotes += line.count("`")


def test_modules_import_each_other_by_relative_addresses_that_exist() -> None:
    _, files = assets()
    known = {*files, *site_assets()[1]}  # some are of the exported site alone
    for name, asset in files.items():
        if name.endswith(".js"):
            imported = re.findall(r"""(?:from|import\()\s*"([^"]+)\"""", asset.raw.decode())
            assert all(one.startswith("./") and one[2:] in known for one in imported), name


def test_a_small_thumbnail_is_drawn_once_and_fits_its_side(site: FlaskClient, served: Catalogue) -> None:
    meme = served.memes.at("Dogs/fine.png")
    address = f"/thumbnails/{meme.content_hash}-240.webp"
    first = site.get(address)
    with Image.open(io.BytesIO(first.data)) as small:
        assert small.format == "WEBP" and max(small.size) <= 240
    assert site.get(address).data == first.data and "immutable" in first.headers["Cache-Control"]
    with Image.open(io.BytesIO(site.get(f"/thumbnails/{meme.content_hash}.jpg").data)) as jpeg:
        assert jpeg.format == "JPEG"
    for wrong in ("0" * 64, "x", "..%2f" + meme.content_hash):
        assert site.get(f"/thumbnails/{wrong}-240.webp").status_code == 404
        assert site.get(f"/thumbnails/{wrong}.jpg").status_code == 404


def properties(page: str) -> dict[str, str]:
    return {
        name: html.unescape(value)
        for name, value in re.findall(r'<meta (?:property|name)="([^"]+)" content="([^"]*)"', page)
    }


def test_a_chat_shows_a_link_with_what_the_meme_says_and_its_picture(site: FlaskClient) -> None:
    page = site.get(FINE, base_url="https://memes.localhost").text
    found = properties(page)
    assert found["og:title"] == found["twitter:title"] == "“this is fine”"
    assert found["og:url"] == f"https://memes.localhost{FINE}"
    assert f'<link rel="canonical" href="https://memes.localhost{FINE}">' in page
    assert found["og:image"] == "https://memes.localhost/memes/Dogs/fine.png" and found["og:image:type"] == "image/png"
    with Image.open(io.BytesIO(site.get("/memes/Dogs/fine.png").data)) as picture:
        assert (found["og:image:width"], found["og:image:height"]) == tuple(map(str, picture.size))
    assert found["twitter:card"] == "summary_large_image" and "fine.png" not in found["description"]


def test_oembed_describes_the_page_of_a_meme_and_no_other_address(site: FlaskClient) -> None:
    [link] = re.findall(r'type="application/json\+oembed" href="([^"]+)"', site.get(FINE).text)
    row = site.get(html.unescape(link)).json
    assert (row["version"], row["type"], row["title"]) == ("1.0", "photo", "“this is fine”")
    assert row["url"] == "http://localhost/memes/Dogs/fine.png"
    small = site.get("/oembed?" + urlencode({"url": "http://localhost" + FINE, "maxwidth": 1})).json
    assert small["type"] == "link" and "thumbnail_url" not in small
    for wrong in (
        "",
        "http://elsewhere.example" + FINE,
        "http://localhost/about",
        "http://localhost/memes/Dogs/no.png.html",
    ):
        assert site.get("/oembed", query_string={"url": wrong}).status_code == 404
    assert site.get("/oembed?format=xml").status_code == 501


def test_the_manifest_names_icons_of_the_size_that_it_says(site: FlaskClient) -> None:
    answer = site.get("/manifest.webmanifest")
    found = json.loads(answer.data)
    assert answer.mimetype == "application/manifest+json" and found["share_target"]["action"] == "/share"
    for icon in found["icons"]:
        with Image.open(io.BytesIO(site.get(icon["src"]).data)) as picture:
            assert f"{picture.width}x{picture.height}" == icon["sizes"]
    assert site.get("/favicon.ico").mimetype == "image/png"
    assert "Disallow: /curator\n" in site.get("/robots.txt").text


def test_what_a_phone_shares_is_searched_with(site: FlaskClient) -> None:
    assert site.post("/share", data={"q": "this is\nfine"}).location == "/?q=this+is+fine"
    assert site.post("/share", data={"title": "a dog"}).location == "/?q=a+dog"
    shared = site.post("/share", data={"picture": (io.BytesIO(drawn(3)), "x.png")})
    assert shared.status_code == 303 and site.get(shared.location).status_code == 200
    assert "picture=" in shared.location


@pytest.mark.parametrize("address", ["/", "/categories", "/?q=dog", FINE])
def test_no_page_sets_a_cookie_for_a_visitor(site: FlaskClient, address: str) -> None:
    assert "Set-Cookie" not in site.application.test_client().get(address).headers
