"""The exported site in a browser, from a plain server of files below a path: words, filters, keys, offline."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Route, expect

from search.catalogue import Catalogue
from search.index.local import LocalIndex
from search.pipeline import QueryPipeline
from search.settings import Settings
from search.workspace import Workspace
from tests.support.browsing import serving_files
from tests.support.fakes import HashingTextEncoder
from web.static_site.export import export_site
from web.static_site.options import SiteOptions

pytestmark = pytest.mark.browser
HTML = {"status": 200, "content_type": "text/html", "body": "<!doctype html><title>Not found</title>"}


@pytest.fixture(scope="module")
def root(served_settings: Settings, served: Catalogue, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server like `python -m http.server`, of a folder with the site below `/some/path/`."""
    folder = tmp_path_factory.mktemp("host")
    workspace, encoder = Workspace(served_settings, served), HashingTextEncoder()
    export_site(workspace, folder / "some" / "path", text_encoder=encoder)
    export_site(workspace, folder / "other", SiteOptions(only_search=True), text_encoder=encoder)
    with serving_files(folder) as address:
        yield address


@pytest.fixture
def page(browser: Browser, root: str) -> Iterator[Page]:
    """A page on which complaints, and requests to another host, are failures."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, base_url=f"{root}/some/path/")
    found = context.new_page()
    complaints: list[str] = []
    found.complaints = complaints  # type: ignore[attr-defined]
    found.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    found.on("pageerror", lambda error: complaints.append(str(error)))
    found.on(
        "request", lambda request: request.url.startswith((root, "data:", "blob:")) or complaints.append(request.url)
    )
    yield found
    context.close()
    assert complaints == []


def cards(page: Page) -> list[str]:
    """Return where the cards of the results lead, from the category on, once they are there."""
    page.locator("#results .card a.picture").first.wait_for()
    links = page.locator("#results .card a.picture").evaluate_all("all => all.map(one => decodeURI(one.href))")
    return [str(link).split("/memes/")[1].removesuffix(".html") for link in links]


def test_words_typed_on_the_first_page_find_a_meme_and_lead_to_it(page: Page) -> None:
    page.goto("index.html")
    page.keyboard.press("/")
    page.keyboard.type("dog burning room")
    page.keyboard.press("Enter")
    page.wait_for_url("**/search.html?q=dog+burning+room")
    expect(page.locator("[data-counted]")).to_contain_text("1 match")
    assert cards(page)[0] == "Dogs/fine.png"
    expect(page.locator("#results .reason").first).to_have_text("has “dog”, “burning”, “room”")
    page.keyboard.press("Escape")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    viewer = page.get_by_role("dialog")
    expect(viewer.get_by_role("heading", level=1)).to_have_text("“this is fine”")
    page.keyboard.press("s")
    expect(viewer.locator("#alike a.picture").first).to_be_focused()
    page.keyboard.press("Escape")
    expect(viewer).not_to_be_visible()
    page.wait_for_url("**/search.html?q=dog+burning+room")


def test_spelling_is_forgiven_beginnings_are_found_and_words_are_left_out(page: Page) -> None:
    page.goto("search.html?q=toastr")
    expect(page.locator("[data-showing]")).to_contain_text("“toaster”")
    assert cards(page)[0] == "Robots/toaster.png"
    page.locator("#q").fill("resig")
    expect(page.locator("#results .reason")).to_have_text("has “resignation”")
    assert cards(page) == ["Cats/keyboard cat.jpg"]
    page.locator("#q").fill("robot -toaster")
    expect(page.locator("[data-counted]")).to_contain_text("2 matches")
    assert "Robots/toaster.png" not in cards(page)
    page.locator("#q").fill("привет")
    expect(page.locator("#results .reason").first).to_have_text("has “привет”")
    assert cards(page) == ["Собаки/пёс.png"]
    page.locator("#q").fill("xylophone zebra")
    expect(page.locator("[data-nothing]")).to_be_visible()


def test_only_what_says_a_quoted_phrase_matches_it(page: Page) -> None:
    counted, others = page.locator("[data-counted]"), page.locator("[data-folded]")
    page.goto("search.html?q=%E2%80%9CThis+IS+fine%E2%80%9D")
    expect(counted).to_have_text("1 meme says this")
    assert cards(page) == ["Dogs/fine.png"]
    expect(page.locator("#results .reason")).to_have_text("says “This IS fine”")
    page.goto("search.html?q=%22a+dog%22")
    expect(counted).to_have_text("1 meme says this")
    assert cards(page) == ["Dogs/fine.png"]
    others.locator("summary").click()
    expect(others.locator(".card").first).to_be_visible()
    found = others.locator("a.picture").evaluate_all("all => all.map(one => decodeURI(one.href))")
    assert any("Собаки/" in link for link in found)
    page.locator("#q").fill('"fine this"')
    expect(counted).to_have_text("Nothing says this. Similar words:")
    expect(others).to_be_hidden()
    assert cards(page) == ["Dogs/fine.png"]
    page.goto("search.html?q=%22this+is+fine%22&category=Cats+-+Kittens")
    expect(counted).to_contain_text("With these filters, nothing says this.")
    page.goto("search.html?q=dog")
    page.locator("#q").fill('dog -"burning room"')
    expect(counted).to_contain_text("2 matches")
    assert "Dogs/fine.png" not in cards(page)
    page.locator("#q").fill('"a dog" coffee')
    expect(counted).to_have_text("1 match that says this")
    page.goto("search.html?q=%22a+dog%22")
    expect(counted).to_have_text("1 meme says this")
    others.locator("summary").click()
    others.get_by_role("link", name="Search without quotation marks").click()
    page.wait_for_url("**/search.html?q=a+dog")
    expect(counted).to_contain_text("matches")


# Every operator, each form of it, and what looks like one, three spaces apart.
OPERATORS = re.split(
    r"\s{3,}",
    """dog category:dogs   category:cats   category:Cats -category:"Cats - Kittens"   category:kittens   -category:cats
    category:nowhere   category:dgos   category:Cats category:Dogs   robot type:image   type:gif|video   type:gif
    -type:gif   type:pdf   after:2024-02-01   dog before:2024-02-01 -waves   after:2024 before:2024-03
    after:2024/03/01   after:soon   -after:2024   before:0000   after:2024-02-30   has:ocr   -has:ocr
    has:description -has:ocr   has:ocr|description   has:wings   tag:work   tag:Work|funny   -tag:work   tag:wrok
    tag:nothing dog   variants:4   -variants:4   variants:4|5   variants:99   like:99   -like:4 dog   like:fine
    2:dog   0.5:dog coffee   3:"a dog" coffee   dog 2:robot 0.5:toaster   0:dog   11:dog   2:category:dogs dog
    2:30 dog   -dog   robot -toaster   dog -"burning room"   "a dog" type:image   -"this is fine" category:dogs
    “Keyboard cat.jpg”   robot -“a toaster”   since:2024 dog   catgory:dogs dog   folder:Dogs
    https://memes.example dog   tag: dog   re:dog dog   dog OR robot   dog NOT robot   DOG OR ROBOT   (dog) “robot”
    'it''s' dog   "!!!" dog   -   --dog   2:   category:dogs category:robots type:image after:2023
    type:gif category:dogs   "no such words" dog   “a dgo” coffee""",
)
LEFT_OUT = "like:4 was left out: a site of files cannot compare memes. What is like a meme is on its page."


def test_operators_are_those_of_the_served_site(page: Page, served_settings: Settings, served: Catalogue) -> None:
    page.goto("search.html")
    index = LocalIndex.open(Workspace(served_settings, served).index)
    pipeline = QueryPipeline(served, index, HashingTextEncoder(), served_settings.weights)
    found = page.evaluate(
        """async (queries) => {
          const script = document.querySelector("script[data-index]");
          const [{ SearchIndex }, { fetching }, { parse }] = await Promise.all(
            ["search.js", "files.js", "query.js"].map((name) => import(new URL(name, script.src)))
          );
          const index = await new SearchIndex(fetching(new URL(script.dataset.index, document.baseURI))).open();
          return Promise.all(queries.map(async (query) => {
            const { hits, notices, wordless } = await index.search(query);
            const parts = parse(query).parts.map((one) => [one.kind, one.value, one.excluded, one.weight]);
            const ids = hits.filter((hit) => hit.matches).map((hit) => hit.id);
            return { parts, ids, notices: [...notices, ...wordless.map((one) => `“${one}” has no word to look for.`)] };
          }));
        }""",
        [*OPERATORS, "like:4 dog"],
    )
    for query, own in zip(OPERATORS, found, strict=False):
        plan = pipeline.plan(query)
        parts = [[part.kind.value, part.value, part.excluded, part.weight] for part in plan.query.parts]
        assert (own["parts"], sorted(own["notices"])) == (parts, sorted(plan.filters.notices)), query
        exact = pipeline.exact_matches(plan) if plan.listing is None else plan.listing
        passing = index.select(plan.where) if plan.where is not None else index.columns.ids
        assert set(own["ids"]) == set(exact.tolist()) & set(passing.tolist()), query
    assert found[-1]["notices"] == [LEFT_OUT]
    page.locator("#q").fill("dog category:nowhere")
    expect(page.locator("[data-showing]")).to_contain_text("category:nowhere was left out: there is no such category.")


def test_filters_narrow_and_the_address_holds_them(page: Page) -> None:
    page.goto("search.html?q=cat")
    expect(page.locator("#results .card").first).to_be_visible()
    page.get_by_text("Filter", exact=True).click()
    expect(page.get_by_label("Category")).to_contain_text("Cats - Kittens (1)")
    page.get_by_label("Category").select_option("Cats - Kittens")
    expect(page.locator("#results .card")).to_have_count(1)
    page.wait_for_url("**/search.html?q=cat&category=Cats+-+Kittens")
    page.reload()
    expect(page.locator("#results .card")).to_have_count(1)
    assert cards(page) == ["Cats - Kittens/small.png"]
    page.goto("memes/Dogs/index.html")
    page.locator("#q").fill("dog")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Category")).to_have_value("Dogs")
    expect(page.locator("#results .card").first).to_be_visible()
    assert {link.split("/")[0] for link in cards(page)} == {"Dogs"}


def test_what_was_seen_and_searched_is_there_without_a_network(page: Page) -> None:
    page.goto("search.html?q=dog")
    expect(page.locator("#results .card").first).to_be_visible()
    page.evaluate("navigator.serviceWorker.ready")
    page.reload()  # now through the service worker
    expect(page.locator("#results .card").first).to_be_visible()
    found = cards(page)
    page.goto("memes/Dogs/fine.png.html")
    page.context.set_offline(True)
    page.goto("search.html?q=dog")
    expect(page.locator("#results .card").first).to_be_visible()
    assert cards(page) == found
    page.goto("memes/Dogs/fine.png.html")
    expect(page.get_by_role("heading", level=1)).to_have_text("“this is fine”")
    page.context.set_offline(False)


def test_facts_about_all_memes_are_fetched_once_filters_are_opened(page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url.rpartition("/")[2]))
    page.goto("search.html?q=cat")
    expect(page.locator("#results .card").first).to_be_visible()
    facts = page.evaluate("fetch('search/index.json').then(one => one.json()).then(one => one.facts)")
    assert facts not in asked
    page.get_by_text("Filter", exact=True).click()
    expect(page.get_by_label("Year")).to_contain_text("2024")
    assert facts in asked


def test_a_page_that_was_loaded_before_the_site_was_updated_searches_the_new_index(page: Page) -> None:
    gone: list[str] = []

    def answer(route: Route) -> None:
        if gone or "-" not in route.request.url:
            route.continue_()
        else:
            gone.append(route.request.url)
            route.fulfill(status=404)

    page.route("**/search/*-*.dat", answer)
    page.goto("search.html?q=dog")
    expect(page.locator("#results .card").first).to_be_visible()
    assert len(gone) == 1
    page.evaluate("0")  # so that the browser's own line about the missing file is there
    page.complaints.clear()  # type: ignore[attr-defined]


def test_a_search_that_cannot_be_loaded_says_so(page: Page) -> None:
    page.route("**/search/index.json", lambda route: route.abort())
    page.goto("search.html?q=dog")
    expect(page.locator("[data-counted]")).to_have_text("Search failed")
    expect(page.locator("[data-showing]")).to_have_text("This site cannot be reached. The search goes on when it can.")
    page.unroute("**/search/index.json")
    page.evaluate("dispatchEvent(new Event('online'))")
    expect(page.locator("#results .card").first).to_be_visible()
    page.complaints.clear()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("files", "answer", "said"),
    [
        ("index.json", {"status": 500}, "host has an error"),
        ("index.json", {"status": 404}, "is missing on this site"),
        ("index.json", HTML, "is damaged on this site"),
        ("index.json", {"status": 200, "body": '{"version": 1}'}, "updated since the page was loaded"),
        ("*-*.dat", {"status": 404}, "is missing on this site"),
        ("*-*.dat", {"status": 503}, "host has an error"),
        ("*-*.dat", HTML, "is damaged on this site"),
        ("*-*.dat", {"status": 200, "body": b"\x1f\x8b\x08\x00"}, "is damaged on this site"),
        ("cards/*.dat", {"status": 500}, "1 meme says this"),
        ("cards/*.dat", HTML, "1 meme says this"),
        ("cards/*.dat", {"status": 404}, "1 meme says this"),
        ("../static/*/search.js", {"status": 404}, "The search could not be loaded. Load the page again."),
        ("../static/*/phrases.js", {"status": 404}, "updated since the page was loaded"),
    ],
)
def test_whatever_a_host_answers_in_place_of_a_file_is_told(
    browser: Browser, root: str, files: str, answer: dict[str, Any], said: str
) -> None:
    context = browser.new_context(base_url=f"{root}/some/path/", service_workers="block")
    found = context.new_page()
    found.route(f"{root}/some/path/search/{files}".replace("search/../", ""), lambda route: route.fulfill(**answer))
    found.goto("search.html?q=%22burning+room%22")
    if files.startswith("cards"):
        expect(found.locator("[data-counted]")).to_have_text(said)
        is_said = answer["status"] != 404
        expect(found.get_by_text("A meme could not be loaded.")).to_have_count(int(is_said))
    else:
        expect(found.locator("[data-counted]")).to_have_text("Search failed")
        expect(found.locator("[data-showing]")).to_contain_text(said)
    context.close()


def test_a_page_in_the_place_of_a_file_is_not_kept_for_later(page: Page) -> None:
    page.goto("search.html")
    page.evaluate("navigator.serviceWorker.ready")
    page.reload()
    page.context.route("**/search/*-*.dat", lambda route: route.fulfill(**HTML))
    page.goto("search.html?q=dog")
    expect(page.locator("[data-showing]")).to_contain_text("is damaged on this site")
    page.context.unroute("**/search/*-*.dat")
    page.reload()
    expect(page.locator("#results .card").first).to_be_visible()


def test_an_old_browser_is_told(page: Page) -> None:
    page.add_init_script("delete globalThis.DecompressionStream")
    page.goto("search.html?q=dog")
    expect(page.locator("[data-showing]")).to_contain_text("too old to search here")


def test_favorites_are_kept_in_the_browser_and_can_be_sent(page: Page, browser: Browser, root: str) -> None:
    page.goto("index.html")
    page.get_by_role("link", name="Favorites").click()
    expect(page.get_by_text("No favorites yet.")).to_be_visible()
    page.goto("memes/Dogs/fine.png.html")
    page.get_by_role("button", name="Favorite").click()
    expect(page.get_by_role("button", name="Favorite")).to_have_attribute("aria-pressed", "true")
    page.goto("index.html")
    page.locator("#results .card a.picture").first.focus()
    page.keyboard.press("f")
    expect(page.get_by_text("Added to your favorites")).to_be_visible()
    page.get_by_role("link", name="Favorites").click()
    expect(page.locator("#results .card")).to_have_count(2)
    assert cards(page)[1] == "Dogs/fine.png"
    address = page.url
    assert "?ids=" in address
    other = browser.new_page()
    other.goto(f"{address}.999999")
    expect(other.locator("#results .card")).to_have_count(2)
    expect(other.get_by_text("1 meme is no longer here.")).to_be_visible()
    other.get_by_role("button", name="Add these").click()
    other.goto(f"{root}/some/path/favorites/index.html")
    expect(other.locator("#results .card")).to_have_count(2)
    assert other.evaluate("Object.keys(localStorage)") == ["favorites /some/path/"]
    other.close()


def test_the_map_shows_every_meme_and_leads_to_it(page: Page, browser: Browser, root: str) -> None:
    page.goto("index.html")
    page.get_by_role("link", name="Map").click()
    page.locator('[data-map="ready"]').focus()
    expect(page.locator("[data-tip]")).not_to_have_text("…")
    page.keyboard.press("+")
    page.keyboard.press("Enter")
    page.wait_for_url("**/some/path/memes/*/*.html")
    expect(page.locator(".meme [data-zoom]")).to_be_visible()
    other = browser.new_page(service_workers="block")
    other.route("**/map.json", lambda route: route.fulfill(**HTML))
    other.goto(f"{root}/some/path/map/index.html")
    expect(other.get_by_text("its points could not be loaded")).to_be_visible()
    assert other.locator("[data-map] circle").count() == 9
    other.close()
    context = browser.new_context(java_script_enabled=False)
    still = context.new_page()
    still.goto(f"{root}/some/path/map/index.html")
    assert still.locator("[data-map] circle").count() == 9
    still.get_by_role("link", name="Dogs").first.click()
    still.wait_for_url("**/some/path/memes/Dogs/index.html")
    context.close()


def test_choices_are_kept_and_a_random_meme_is_found(page: Page) -> None:
    page.goto("about/index.html")
    page.get_by_role("link", name="Dark").click()
    page.goto("categories/index.html")
    assert page.locator("html").get_attribute("data-theme") == "dark"
    page.get_by_role("searchbox", name="Filter the categories").fill("kit")
    expect(page.locator("[data-filtered] > li:visible")).to_have_count(1)
    page.get_by_role("link", name="Random").click()
    page.wait_for_url("**/memes/*/*.html")


def test_without_scripts_there_are_pages_categories_and_similar_memes(browser: Browser, root: str) -> None:
    context = browser.new_context(java_script_enabled=False, base_url=f"{root}/some/path/")
    found = context.new_page()
    found.goto("search.html")
    expect(found.get_by_text("Search needs JavaScript.")).to_be_visible()
    found.get_by_role("main").get_by_role("link", name="The categories").click()
    found.get_by_role("link", name="Dogs").first.click()
    found.locator("#results a.picture").first.click()
    found.locator("#alike a.picture").first.click()
    expect(found.locator(".meme [data-zoom]")).to_be_visible()
    assert found.locator("[data-scripted]:visible").count() == 0
    context.close()


def test_the_search_beside_another_generators_pages_leads_to_its_addresses(browser: Browser, root: str) -> None:
    context = browser.new_context(base_url=f"{root}/other/")
    found = context.new_page()
    found.goto("memetica/search.html?q=dog+burning")
    expect(found.locator("#results .card").first).to_be_visible()
    link = found.locator("#results a.picture").first.evaluate("one => one.href")
    assert link == f"{root}/other/memes/Dogs/fine.png.html"
    assert found.locator("#results img").first.evaluate("one => one.decode().then(() => one.naturalWidth)") > 0
    # Its pages are not ours, so that nothing of them is shown over the results: a click and a key lead there.
    own = {"status": 200, "content_type": "text/html", "body": "<!doctype html><title>Theirs</title><h1>A meme</h1>"}
    found.route("**/other/memes/**", lambda route: route.fulfill(**own))
    found.locator("#results a.picture").first.click()
    expect(found.get_by_role("heading", name="A meme")).to_be_visible()
    assert found.url == link
    found.go_back()
    expect(found.locator("[data-counted]")).to_contain_text("match")
    first = found.locator("#results a.picture").first
    first.focus()
    expect(first).to_be_focused()
    found.keyboard.press("Enter")
    expect(found).to_have_title("Theirs")
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_have_no_barriers(browser: Browser, root: str, scheme: str) -> None:
    context = browser.new_context(
        viewport={"width": 390, "height": 844}, color_scheme=scheme, base_url=f"{root}/some/path/"
    )
    found = context.new_page()
    for address in (
        "search.html?q=dog",
        "search.html?q=%22a+dog%22&category=Dogs",
        "index.html",
        "memes/Dogs/fine.png.html",
        "about/index.html",
        "favorites/index.html?ids=1.2",
        "map/index.html",
    ):
        found.goto(address)
        expect(found.locator("main")).to_be_visible()
        if "search" in address:
            expect(found.locator("#results .card").first).to_be_visible()
        assert found.evaluate("document.documentElement.scrollWidth <= innerWidth"), address
        violations = Axe().run(found).response["violations"]
        assert [(one["id"], one["nodes"][0]["html"][:120]) for one in violations] == [], address
    context.close()
