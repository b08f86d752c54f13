"""Leafing through the library: more pages, categories with covers, any meme, colors and sizes, names of memes."""

from __future__ import annotations

import html
import re

import pytest
from flask.testing import FlaskClient

from search.catalogue import Catalogue
from tests.support.tiny import TINY
from web.site import listing

CATEGORIES = {tiny.path.split("/")[0] for tiny in TINY}


def cards(page: str) -> list[str]:
    return re.findall(r'data-id="(\d+)"', page)


def test_home_leads_to_every_meme_page_by_page(site: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "PAGE_SIZE", 4)
    seen: list[str] = []
    address = "/"
    while address:
        page = html.unescape(site.get(address).text)
        seen += cards(page)
        following = re.findall(r'<a data-next href="([^"]+)"', page)
        address = following[0] if following else ""
    assert len(seen) == len(set(seen)) == len(TINY)
    assert listing.END_OF_ALL in page
    assert "The memes end before this page." in site.get("/?page=99").text


def test_every_category_has_a_cover_of_its_newest_meme(site: FlaskClient, served: Catalogue) -> None:
    page = html.unescape(site.get("/categories").text)
    assert set(re.findall(r'<li data-name="([^"]+)"', page)) == CATEGORIES
    for category in CATEGORIES:
        [newest] = served.memes.freshest(1, category=category)
        [item] = re.findall(rf'<li data-name="{re.escape(category)}">(.*?)</li>', page, re.DOTALL)
        assert f"/thumbnails/{newest.content_hash}-240.webp" in item


def test_categories_are_filtered_by_a_part_of_the_name(site: FlaskClient) -> None:
    found = site.get("/categories?find=ROB").text
    assert re.findall(r'<li data-name="([^"]+)"', found) == ["Robots"]
    assert '<section class="empty" data-none>' in site.get("/categories?find=zzz").text


@pytest.mark.parametrize("address", ["/memes/Robots/", "/memes/Robots", "/memes/robots/"])
def test_the_folder_of_a_category_redirects_to_its_page(site: FlaskClient, address: str) -> None:
    answer = site.get(address)
    assert (answer.status_code, answer.location.lower()) == (301, "/memes/robots/index.html")
    assert site.get(address, base_url="http://localhost", follow_redirects=True).status_code == 200


def test_a_random_meme_is_any_of_the_library_and_is_not_cached(site: FlaskClient, served: Catalogue) -> None:
    found = {site.get("/random").location for _ in range(60)}
    pages = {
        link for meme in served.memes.everything() for link in re.findall(r"/memes/[^\"]+", f"/memes/{meme.path}.html")
    }
    assert len(found) > 3 and all(
        html.unescape(site.get(one).text).count('class="meme"') == 1 for one in list(found)[:3]
    )
    assert len(found) <= len(pages)
    assert site.get("/random").headers["Cache-Control"] == "no-store"


def test_colors_and_sizes_are_kept_in_cookies_and_other_values_are_not_taken(site: FlaskClient) -> None:
    client = site.application.test_client()
    answer = client.get("/appearance?theme=dark&size=large&next=/about?x=1")
    assert (answer.status_code, answer.location) == (303, "/about?x=1")
    assert '<html lang="en" data-base="" data-theme="dark" data-size="large">' in client.get("/").text
    assert client.get("/appearance?theme=pink").status_code == 400
    client.set_cookie("theme", '"><script>')
    assert 'data-theme="auto" data-size="large"' in client.get("/").text


@pytest.mark.parametrize("next", ["https://evil.example/", "//evil.example", "/\\evil.example", "evil", ""])
def test_a_choice_returns_to_this_site_only(site: FlaskClient, next: str) -> None:
    assert site.application.test_client().get("/appearance", query_string={"next": next}).location == "/"


def test_no_card_and_no_heading_is_named_by_its_file(site: FlaskClient, served: Catalogue) -> None:
    names = {meme.name for meme in served.memes.everything()}
    page = html.unescape(site.get("/").text)
    spoken = re.findall(r'<a class="picture"[^>]*>\s*<img [^>]*alt="([^"]*)"', page)
    assert len(spoken) == len(TINY) and not [alt for alt in spoken if alt in names or not alt]
    for meme in served.memes.everything():
        [heading] = re.findall(r"<h1>(.*?)</h1>", site.get(f"/memes/{meme.path}.html").text)
        assert heading and html.unescape(heading) not in names


def test_a_weaker_match_is_announced_within_its_row(site: FlaskClient) -> None:
    page = site.get("/?q=dog+in+a+burning+room").text
    assert page.count('<li class="tile less">') == 1
    assert page.index('<li class="tile less">') < page.rindex('<li class="card"')
