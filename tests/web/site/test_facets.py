"""Operators of a query on the results page and in the API: chips, facets, notices."""

from __future__ import annotations

import html
import re

import pytest
from flask.testing import FlaskClient


def ids(site: FlaskClient, address: str) -> list[str]:
    return re.findall(r'data-id="(\d+)"', site.get(address).text)


def test_a_chip_removes_its_operator_and_keeps_the_rest(site: FlaskClient) -> None:
    page = html.unescape(site.get("/?q=robot+category:robots+-wrench").text)
    chips = dict(re.findall(r'<span class="chip">(.*?) <a href="(.*?)"', page))
    assert chips == {"category Robots": "/?q=robot+-wrench", "without “wrench”": "/?q=robot+category%3Arobots"}


def test_a_facet_leads_to_as_many_memes_as_it_says(site: FlaskClient) -> None:
    closed = html.unescape(site.get("/?q=type:image").text)
    [opened] = re.findall(r'<a class="pill" href="(/\?[^"]*open=category[^"]*)"', closed)
    page = html.unescape(site.get(opened).text)
    links = re.findall(r'<a class="pill" href="(/\?q=[^"]*category%3A[^"]*)"[^>]*>[^<]*<span[^>]*>(\d+)</span>', page)
    assert links and 'id="facet"' not in closed
    assert all("open=category" in address for address, _ in links), "the filter stays open"
    for address, memes in links:
        assert len(ids(site, address)) == int(memes)


@pytest.mark.parametrize("wrong", ["type:jpeg", "category:Katz", "categry:cats", "before:soon"])
def test_page_and_api_give_the_same_notice_about_a_wrong_operator(site: FlaskClient, wrong: str) -> None:
    (notice,) = site.get("/api/search", query_string={"q": f"dog {wrong}"}).json["query"]["notices"]
    page = site.get("/", query_string={"q": f"dog {wrong}"})
    assert page.status_code == 200 and notice in html.unescape(page.text)


def test_a_spelling_correction_is_shown_with_a_link_to_the_query_as_typed(site: FlaskClient) -> None:
    page = html.unescape(site.get("/?q=burnin+room").text)
    assert "Showing results for <b>burning room</b>" in page
    back = re.search(r'<a href="([^"]*)">Search for burnin room instead', page)
    assert back and "Showing results" not in site.get(back[1]).text


def test_explanations_and_snippets_are_right_with_filters(site: FlaskClient) -> None:
    hit = site.get("/api/search?q=burning+room+category:dogs+-medal").json["hits"][0]
    assert hit["path"] == "Dogs/fine.png" and sum(hit["why"].values()) == pytest.approx(1, abs=0.001)
    assert "<mark>burning</mark>" in hit["snippets"][0]["html"] and hit["snippets"][0]["source"] == "tiny-artist"


def test_a_boolean_parameter_with_another_value_is_refused(site: FlaskClient) -> None:
    assert site.get("/api/search?q=dog&collapse=perhaps").status_code == 400
    assert site.get("/api/search?q=dog&collapse=false").status_code == 200
