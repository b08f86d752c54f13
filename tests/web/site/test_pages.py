"""The visitors' pages: addresses, links, hostile texts, layout without jumps, and use without scripts."""

from __future__ import annotations

import ast
import io
import os
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote
from xml.etree import ElementTree

import pytest
from flask import abort
from flask.testing import FlaskClient
from PIL import Image

from indexer.pipeline import index_library
from indexer.work.progress import SILENT
from search.catalogue import Catalogue, open_catalogue
from search.settings import Settings
from search.workspace import Workspace
from tests.support.fakes import HashingTextEncoder
from tests.support.paths import ROOT
from tests.support.serving import app_over, open_app
from tests.support.tiny import TINY
from web import query_images
from web.app import create_app
from web.formatting import format_age
from web.site import pages
from web.site.markdown import sections
from web.site.pages import PAGE_SIZE

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>[x](javascript:alert(3))\"'&"


class Page(HTMLParser):
    """The parts of a page that tests ask for: its tags in order, and each link's address."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str, **having: str) -> list[dict[str, str | None]]:
        return [
            attributes
            for name, attributes in self.tags
            if name == tag and all(attributes.get(key.rstrip("_")) == value for key, value in having.items())
        ]

    def cards(self) -> list[str]:
        return [str(link["href"]) for link in self.all("a", class_="picture")]


def page(client: FlaskClient, address: str, status: int = 200) -> Page:
    answer = client.get(address)
    assert answer.status_code == status, answer.text[:500]
    return Page(answer.text)


def address_of(path: str) -> str:
    return f"/memes/{quote(path)}.html"


def test_home_shows_the_newest_first_and_every_category(site: FlaskClient) -> None:
    home = page(site, "/")
    newest_first = sorted(TINY, key=lambda tiny: tiny.first_seen, reverse=True)
    assert home.cards()[0] == address_of(newest_first[0].path)
    assert sorted(home.cards()) == sorted(address_of(tiny.path) for tiny in TINY)
    for category in {tiny.path.split("/")[0] for tiny in TINY}:
        assert category in home.text


def test_results_keep_the_query_and_mark_the_words_that_matched(site: FlaskClient) -> None:
    results = page(site, "/?q=dog+in+a+burning+room")
    assert results.all("input", name="q")[0]["value"] == "dog in a burning room"
    assert results.cards()[0] == address_of("Dogs/fine.png")
    assert results.all("mark")


def test_a_line_separates_the_matches_from_the_weaker_hits(site: FlaskClient) -> None:
    query = "dog in a burning room"
    answer = site.get("/api/search", query_string={"q": query, "k": 30}).json
    certain = answer["query"]["certain"]
    assert 0 < certain == answer["total"] and 0 < answer["weaker"] == len(answer["hits"]) - certain
    before, after = site.get("/", query_string={"q": query}).text.split("Weaker matches")
    assert len(Page(before).cards()) == certain
    assert Page(before + after).cards() == [hit["url"] for hit in answer["hits"]]
    assert f"{certain} match" in before and f"{answer['weaker']} weaker" in before
    before, _ = site.get("/", query_string={"q": query, "sort": "newest"}).text.split("Weaker matches")
    assert len(Page(before).cards()) == certain


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ('"this is fine"', "1 meme says this"),
        ('"i hate mondays" "hate"', "1 meme says all of this"),
        ('"fine this is"', "Nothing says this. Similar words:"),
        ('"zxqv blorf"', "Nothing says this."),  # and nothing has similar words
        ('type:video "this is fine"', "With these filters, nothing says this."),
        ("fine.png", "1 match"),
        ('type:image "a"', "memes say this"),
    ],
)
def test_page_command_and_api_count_what_says_a_phrase(site: FlaskClient, query: str, said: str) -> None:
    answer = site.get("/api/search", query_string={"q": query, "k": 30}).json
    text = " ".join(site.get("/", query_string={"q": query}).text.split())
    assert said in text
    assert "Similar words:" not in text or any(
        reason["kind"] == "says" for hit in answer["hits"] for reason in hit["reasons"]
    )
    assert answer["total"] == answer["query"]["certain"] == sum(hit["certain"] for hit in answer["hits"])
    assert answer["exact"] and answer["total"] + answer["weaker"] == len(answer["hits"])
    if answer["total"] and '"' in query:
        assert f"{answer['weaker']} memes have similar words" in text or answer["weaker"] < 2
        assert "Search without quotation marks" in text or not answer["weaker"]
        assert "Weaker matches" not in text


@pytest.mark.parametrize("query", ['""', "tag:none", "category:Nowhere like:999999"])
def test_where_nothing_is_left_to_search_for_no_meme_is_called_a_match(site: FlaskClient, query: str) -> None:
    text = " ".join(site.get("/", query_string={"q": query}).text.split())
    assert "Nothing to search for. All memes, newest first:" in text and " matches" not in text


def test_similar_words_are_folded_away_and_no_card_is_missing(site: FlaskClient) -> None:
    query = '"this is fine"'
    answer = site.get("/api/search", query_string={"q": query, "k": 30}).json
    before, folded = site.get("/", query_string={"q": query}).text.split('<details class="folded">')
    assert Page(before).cards() == [hit["url"] for hit in answer["hits"] if hit["certain"]]
    assert Page(folded).cards() == [hit["url"] for hit in answer["hits"] if not hit["certain"]]
    assert '/?q=this+is+fine"' in folded


def test_the_weaker_tail_is_cut_and_can_be_asked_for(site: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "MAX_WEAKER", 2)
    query = {"q": "dog in a burning room"}
    answer = site.get("/api/search", query_string=query).json
    left = answer["weaker"] - 2
    short = Page(site.get("/", query_string=query).text)
    assert len(short.cards()) == answer["total"] + 2
    [more] = [link for link in short.all("a") if "weaker=1" in str(link["href"])]
    assert f"Show {left} weaker memes" in short.text
    assert len(page(site, str(more["href"])).cards()) == answer["total"] + answer["weaker"]


def test_without_a_match_the_page_says_best_guesses_and_draws_no_line(site: FlaskClient) -> None:
    text = site.get("/", query_string={"q": "zzyzx qwrtp xvbn"}).text
    assert "Best guesses:" in text and "Weaker matches" not in text


def test_no_meme_stands_twice_on_a_memes_page(site: FlaskClient, served: Catalogue) -> None:
    for meme in served.memes.everything():
        html = site.get(address_of(meme.path)).text
        shown = Page(html).cards()
        assert len(shown) == len(set(shown)) and address_of(meme.path) not in shown
        alike = html.partition('<div id="alike">')[2]
        assert all("data-id" in section for section in alike.split("<section>")[1:]), "no section is empty"


def test_a_card_names_what_can_be_checked(site: FlaskClient) -> None:
    text = unescape(site.get("/", query_string={"q": "alarm clock"}).text)
    assert "description by tiny-artist says “alarm”, “clock”" in text


def test_a_page_past_the_last_says_so_and_links_to_the_first(site: FlaskClient) -> None:
    past = page(site, "/?q=dog&page=9")
    assert "The results end before this page." in past.text and "No memes found" not in past.text
    assert past.all("input", name="q")[0]["value"] == "dog"
    assert past.all("a", href="/?q=dog")


def test_a_refined_query_stays_in_its_category(site: FlaskClient) -> None:
    results = page(site, "/?q=dog&category=Dogs")
    assert [one["value"] for one in results.all("input", name="category")] == ["Dogs"]
    assert results.all("a", href="/?q=dog"), "and can leave it"


@pytest.mark.parametrize(
    ("setting", "shown"),
    [("", []), ("a dog waves | | the sea ", ["a dog waves", "the sea"]), ("1|2|3|4", ["1", "2", "3"])],
)
def test_the_home_page_shows_the_example_queries_of_the_setting_and_no_others(
    served_settings: Settings, served: Catalogue, setting: str, shown: list[str]
) -> None:
    with open_app(replace(served_settings, examples=setting)) as app:
        home = app.test_client().get("/").text
    found = re.search(r'<p class="examples">(.*?)</p>', home, re.S)
    assert re.findall(r">([^<]+)</a>", found[1] if found else "") == shown


def test_a_meme_has_its_breadcrumb_name_date_texts_and_relatives(site: FlaskClient) -> None:
    toaster = page(site, address_of("Robots/toaster.png"))
    for words in ("Robots", "This meme", "toaster.png", "Added", "tiny-artist", "tesseract-ocr", "skill issue"):
        assert words in toaster.text
    assert "A robot repairs a toaster." in toaster.text
    assert "Okay, let's break down" in toaster.text, "a description is shown as it was written"
    assert toaster.all("summary")
    assert address_of("Robots/toaster.png") not in toaster.cards()
    assert toaster.cards()


@pytest.mark.parametrize("tiny", TINY, ids=lambda tiny: tiny.path)
def test_any_name_has_a_page_a_file_and_a_place_in_its_category(site: FlaskClient, tiny) -> None:
    category = tiny.path.split("/")[0]
    listing = page(site, f"/memes/{quote(category)}/index.html")
    assert address_of(tiny.path) in listing.cards()
    shown = page(site, address_of(tiny.path))
    [picture] = [one for one in shown.all("img") if "data-zoom" in one]
    assert site.get(str(picture["src"])).mimetype == ("image/jpeg" if tiny.path.endswith("jpg") else "image/png")


def test_every_link_of_every_page_leads_somewhere(site: FlaskClient) -> None:
    seen: set[str] = set()
    waiting = ["/", "/about", "/?q=dog", "/?q=dog&sort=newest"]
    while waiting:
        address = waiting.pop().split("#")[0]
        if not address or address in seen:
            continue
        seen.add(address)
        answer = site.get(address, follow_redirects=True)
        assert answer.status_code == 200, address
        if answer.mimetype == "text/html":
            found = Page(answer.text)
            # Every page offers colors and sizes, and results offer filters: those of one page stand for all.
            waiting += [
                str(link["href"])
                for link in found.all("a")
                if link.get("href")
                and ("appearance?" not in str(link["href"]) or address == "/")
                and ("open=" not in str(link["href"]) or address == "/?q=dog")
            ]
            waiting += [str(one[key]) for tag, key in (("img", "src"), ("link", "href")) for one in found.all(tag)]
    assert len(seen) > 3 * len(TINY)


def test_pictures_have_their_size_before_they_load(site: FlaskClient) -> None:
    for address in ("/", "/?q=dog", address_of("Dogs/fine.png")):
        for picture in page(site, address).all("img"):
            assert int(str(picture["width"])) > 0 and int(str(picture["height"])) > 0
            is_decoration = str(picture["src"]).endswith(("/icon.svg", "-240.webp"))
            assert picture["alt"] or is_decoration, "only decoration goes unnamed"


def test_the_first_page_is_small_and_loads_nothing_from_other_hosts(site: FlaskClient) -> None:
    home = site.get("/")
    loaded = [str(one["href"]) for one in Page(home.text).all("link") if one["rel"] in ("stylesheet", "modulepreload")]
    loaded += [str(one["src"]) for one in Page(home.text).all("script")]
    assert len(loaded) >= 2
    compressed = [site.get(address, headers={"Accept-Encoding": "gzip"}) for address in loaded]
    assert all(answer.headers["Content-Encoding"] == "gzip" for answer in compressed)
    assert sum(len(answer.data) for answer in compressed) < 12_000
    for address in ("/", "/?q=dog", address_of("Dogs/fine.png")):
        assert len(site.get(address, headers={"Accept-Encoding": "gzip"}).data) < 12_000, address
    assert not re.search(rb"(?:src|href)=\"(?:https?:)?//", home.data)
    assert "default-src 'self'" in home.headers["Content-Security-Policy"]


def test_no_page_hides_a_function_that_its_frame_calls(site: FlaskClient) -> None:
    """A variable of a page with the name of a global of the templates would be called in its place: status 500."""
    ours = {
        name
        for name, value in site.application.jinja_env.globals.items()
        if "web." in str(getattr(value, "__module__", ""))
    }
    assert {"base", "signed_in", "chosen_size", "appearance_url"} <= ours
    given = {
        (file.name, keyword.arg)
        for file in (ROOT / "web").rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "render_template"
        for keyword in node.keywords
    }
    assert len(given) > 50 and not [one for one in given if one[1] in ours]


def test_an_error_has_the_same_message_on_the_page_and_in_the_api(site: FlaskClient) -> None:
    for asked in ("q=x&category=None", "q=x&sort=best", "q=" + "x" * 4001, "q=x&picture=gone"):
        expected, shown = site.get(f"/api/search?{asked}"), site.get(f"/?{asked}")
        assert shown.status_code == expected.status_code >= 400
        assert Page(shown.text).text.count(expected.json["error"]["message"])
    assert "This page does not exist." in page(site, "/no/such/page", 404).text


def test_a_fault_of_ours_is_a_sentence_however_it_is_raised(tiny_settings: Settings) -> None:
    with open_app(tiny_settings) as app:
        for code in (500, 502):
            app.add_url_rule(f"/fails/{code}", str(code), partial(abort, code))
        for code in (500, 502):
            answer = app.test_client().get(f"/fails/{code}")
            assert answer.status_code == code and "Something went wrong." in answer.text


def test_an_unknown_category_or_meme_is_reported(site: FlaskClient) -> None:
    assert "There is no category Nope." in page(site, "/memes/Nope/index.html", 404).text
    assert "There is no meme at" in page(site, "/memes/Cats/nope.png.html", 404).text


def test_an_empty_library_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "memes").mkdir()
    settings = Settings(library=tmp_path / "memes", data=tmp_path / "data")
    with open_app(settings) as app:
        home = page(app.test_client(), "/")
    assert "memetica index" in home.text and "memetica demo" in home.text


def test_without_an_index_memes_are_shown_and_search_says_what_to_run(tiny_settings: Settings) -> None:
    client = app_over(tiny_settings).test_client()
    assert "memetica index" in page(client, "/?q=dog", 503).text
    assert "<code>memetica index</code>" in client.get("/?q=dog").get_data(as_text=True)


def test_a_missing_index_is_reported_without_loading_a_model(
    tiny_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object, **__: object) -> HashingTextEncoder:
        raise AssertionError("a model was loaded")

    monkeypatch.setattr("web.context.load_text_encoder", never)
    with Workspace(tiny_settings, open_catalogue(tiny_settings)) as workspace:
        app = create_app(workspace)
        assert "memetica index" in page(app.test_client(), "/?q=dog", 503).text
        app.extensions["site"].close()


def test_awkward_names_survive_every_address(tmp_path: Path) -> None:
    category = '50% #1? "a" & b;=+ %2F'
    names = [
        "two\nlines.png",
        "مرحبا‏ \u202eabc.png",
        "bell\a.png",
        "a%20b?c#d&e.png",
        " spaced  out .png",
        "x.jpg.html.png",
    ]
    names += [f"{number}.png" for number in range(PAGE_SIZE + 1 - len(names))]
    (tmp_path / "memes" / category).mkdir(parents=True)
    for number, name in enumerate(names):
        file = tmp_path / "memes" / category / name
        Image.new("RGB", (30 + number, 20), (number * 8, 99, 50)).save(file)
        os.utime(file, (10**9 - number, 10**9 - number))
    settings = Settings(
        library=tmp_path / "memes", data=tmp_path / "data", ocr_engine="none", text_encoder=HashingTextEncoder.name
    )
    with open_catalogue(settings) as catalogue:
        index_library(Workspace(settings, catalogue), progress=SILENT, load_encoder=lambda _: HashingTextEncoder())
    client = app_over(settings).test_client()
    first = page(client, f"/memes/{quote(category)}/index.html")
    [following] = first.all("a", rel="next")
    second = page(client, str(following["href"]))
    expected = [f"/memes/{quote(category, safe='')}/{quote(name, safe='')}.html" for name in names]
    assert first.cards() + second.cards() == expected
    for number, address in enumerate(expected):
        assert page(client, address).all("nav", class_="crumbs")
        with Image.open(io.BytesIO(client.get(address.removesuffix(".html")).data)) as picture:
            assert picture.width == 30 + number
        assert client.get(address.removesuffix(".html") + "?download").status_code == 200
    atom = "{http://www.w3.org/2005/Atom}"
    entries = ElementTree.fromstring(client.get("/feed.atom", query_string={"category": category}).data)
    assert [
        one.attrib["href"].removeprefix("http://localhost") for one in entries.findall(f"{atom}entry/{atom}link")
    ] == (expected[:PAGE_SIZE])


def test_stored_query_images_stay_within_their_limits_and_the_newest_stays(
    site: FlaskClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(query_images, "MAX_STORED", 3)
    settings = Settings(library=tmp_path, data=tmp_path / "data")
    client = app_over(settings).test_client()

    def send(shade: int) -> str:
        raw = io.BytesIO()
        Image.new("RGB", (50, 50), (shade, 0, 0)).save(raw, "PNG")
        raw.seek(0)
        return client.post("/upload", data={"picture": (raw, "x")}).headers["Location"].split("picture=")[1]

    kept = [send(shade) for shade in range(5)]
    assert {file.stem for file in (tmp_path / "data" / "uploads").iterdir()} == set(kept[2:])
    monkeypatch.setattr(query_images, "MAX_STORED_BYTES", 1)
    newest = send(9)
    assert [file.stem for file in (tmp_path / "data" / "uploads").iterdir()] == [newest]
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(send, [9] * 40)) == {newest}, "eight visitors may send the same picture at once"


def test_hostile_texts_and_names_run_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "memes" / "<b>Category"
    folder.mkdir(parents=True)
    name = "<img src=x onerror=alert(9)>.png"
    Image.new("RGB", (40, 30), "red").save(folder / name)
    for suffix in (".txt", ".evil<script>.simple-description.txt", ".evil.detailed-analysis.txt"):
        (folder / (name + suffix)).write_text(f"# Heading {HOSTILE}\n\n{HOSTILE}\n\n![p](javascript:alert(4))")
    (folder / "run.svg").write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9" onload="alert(5)"><script>alert(6)</script></svg>'
    )
    settings = Settings(
        library=tmp_path / "memes", data=tmp_path / "data", ocr_engine="none", text_encoder=HashingTextEncoder.name
    )
    with open_catalogue(settings) as catalogue:
        index_library(Workspace(settings, catalogue), progress=SILENT, load_encoder=lambda _: HashingTextEncoder())
        paths = [meme.path for meme in catalogue.memes.everything()]
    client = app_over(settings).test_client()
    assert len(paths) == 2
    for address in (
        "/",
        f"/?q={quote(HOSTILE)}",
        *(address_of(path) for path in paths),
        "/memes/%3Cb%3ECategory/index.html",
    ):
        shown = page(client, address)
        assert not [
            one for one in shown.all("script") if not re.fullmatch("/static/[0-9a-f]{12}/site.js", str(one.get("src")))
        ]
        for _, attributes in shown.tags:
            assert not [key for key in attributes if key.startswith("on")]
            assert not str(attributes.get("href", "")).startswith("javascript")
    vector = client.get(f"/memes/{quote('<b>Category/run.svg')}")
    assert b"alert" not in vector.data
    assert "sandbox" in vector.headers["Content-Security-Policy"]


def test_a_file_is_served_in_ranges_and_cached_while_it_is_unchanged(site: FlaskClient) -> None:
    whole = site.get("/memes/Dogs/fine.png")
    part = site.get("/memes/Dogs/fine.png", headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.data) == (206, whole.data[10:20])
    again = site.get("/memes/Dogs/fine.png", headers={"If-None-Match": whole.headers["ETag"]})
    assert again.status_code == 304


def test_feeds_are_atom_with_one_entry_per_meme(site: FlaskClient) -> None:
    atom = "{http://www.w3.org/2005/Atom}"
    for address, expected in (("/feed.atom", len(TINY)), ("/feed.atom?category=Dogs", 2)):
        feed = ElementTree.fromstring(site.get(address).data)
        assert feed.tag == f"{atom}feed"
        assert len(feed.findall(f"{atom}entry")) == expected
        assert all(entry.find(f"{atom}updated") is not None for entry in feed.findall(f"{atom}entry"))
    dogs = site.get("/api/search?q=dog&collapse=0").json["total"]
    assert 0 < len(ElementTree.fromstring(site.get("/feed.atom?q=dog").data).findall(f"{atom}entry")) == dogs
    assert b"{searchTerms}" in site.get("/opensearch.xml").data


def test_markdown_keeps_its_structure_and_loses_scripts_and_links() -> None:
    [first, second] = sections(
        f"Before **bold** {HOSTILE}\n\n## Heading\n\n* one\n* two\n\n| a | b |\n|---|---|\n| 1 | 2 |"
    )
    assert (first.heading, second.heading) == ("", "Heading")
    assert "<strong>bold</strong>" in first.html and "<script" not in first.html and "href" not in first.html
    assert "<li>one</li>" in second.html and "<td>1</td>" in second.html


def test_an_age_is_formatted_in_its_largest_unit() -> None:
    now = datetime.now(UTC)
    said = {days: format_age(now - timedelta(days=days, minutes=1)) for days in (0, 1, 8, 45, 800)}
    assert said == {0: "today", 1: "1 day ago", 8: "1 week ago", 45: "1 month ago", 800: "2 years ago"}
