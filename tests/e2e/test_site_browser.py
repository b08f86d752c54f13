"""The site in a browser: on a phone, by keyboard, with a picture, without scripts, in dark mode."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from pathlib import Path
from random import Random
from urllib.parse import quote

import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from indexer.pipeline import index_library
from indexer.work.progress import SILENT
from search.catalogue import Catalogue, ReadingRecord, open_catalogue
from search.meme import TextKind
from search.settings import Settings
from search.workspace import Workspace
from tests.support.browsing import serving
from tests.support.fakes import HashingTextEncoder
from tests.support.waiting import until

pytestmark = pytest.mark.browser
PHONE, DESKTOP = {"width": 390, "height": 844}, {"width": 1280, "height": 900}


@pytest.fixture(scope="module")
def address(served_settings: Settings, served: Catalogue) -> Iterator[str]:
    with serving(served_settings) as found:
        yield found


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """A page on which every complaint of the browser is a failure."""
    context = browser.new_context(viewport=DESKTOP, base_url=address)
    found = context.new_page()
    complaints: list[str] = []
    found.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    found.on("pageerror", lambda error: complaints.append(str(error)))
    yield found
    context.close()
    assert complaints == []


def test_a_search_leads_to_a_meme_and_to_similar_memes(page: Page) -> None:
    page.goto("/")
    page.get_by_label("Search query").fill("dog in a burning room")
    page.keyboard.press("Enter")
    first = page.locator("#results .card").first
    first.hover()
    expect(first.locator("mark").first).to_be_visible()
    page.goto(str(first.locator("a.picture").get_attribute("href")))
    expect(page.get_by_role("heading", level=1)).to_have_text("“this is fine”")
    expect(page.get_by_text("Added")).to_be_visible()
    page.get_by_role("link", name="Similar").click()
    page.locator("#alike .card a.picture").first.click()
    expect(page.get_by_role("dialog").get_by_role("heading", level=1)).not_to_have_text("“this is fine”")


def test_the_viewer_leads_through_the_grid_and_back_to_the_card(page: Page) -> None:
    page.goto("/?q=dog")
    cards = page.locator("#results .card a.picture")
    first, second = (str(cards.nth(at).get_attribute("href")) for at in (0, 1))
    cards.first.click()
    viewer = page.get_by_role("dialog")
    expect(viewer.locator("[data-zoom]")).to_be_visible()
    assert page.url.endswith(first)
    page.keyboard.press("ArrowRight")
    expect(viewer.locator(f"[data-page='{second}']")).to_be_visible()
    assert page.url.endswith(second)
    page.keyboard.press("s")
    expect(viewer.locator("#alike a.picture").first).to_be_focused()
    page.keyboard.press("z")
    expect(viewer.locator(".zoomed")).to_be_visible()
    page.keyboard.press("Escape")
    expect(viewer.locator(".zoomed")).not_to_be_visible()
    page.keyboard.press("Escape")
    expect(viewer).not_to_be_visible()
    page.wait_for_url("**/?q=dog")
    expect(cards.nth(1)).to_be_focused()


def test_results_come_while_typing_and_a_category_is_completed(page: Page) -> None:
    page.goto("/")
    page.locator("#q").click()
    page.keyboard.type("category:rob", delay=20)
    page.get_by_role("option", name="Robots").wait_for()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator("#q")).to_have_value("category:Robots ")
    expect(page.locator("#results .card").first).to_be_visible()
    page.wait_for_url("**/?q=category%3ARobots*")
    expect(page.locator("#q")).to_be_focused()
    page.go_back()
    expect(page.get_by_role("heading", name="Newest memes")).to_be_visible()


def test_a_tag_is_completed(page: Page) -> None:
    rows = [{"tag": "reaction image", "memes": 2}, {"tag": "work", "memes": 1}]
    page.route("**/api/tags", lambda route: route.fulfill(json={"hits": rows, "total": 2}))
    page.goto("/")
    page.locator("#q").click()
    page.keyboard.type("tag:rea", delay=20)
    expect(page.get_by_role("option")).to_have_text(["reaction image2 memes"])
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator("#q")).to_have_value('tag:"reaction image" ')


def test_colors_and_sizes_are_kept_and_keys_are_listed(page: Page) -> None:
    page.goto("/")
    page.get_by_role("link", name="Dark").click()
    page.get_by_role("link", name="Large pictures").click()
    page.reload()
    assert page.locator("html").evaluate("html => [html.dataset.theme, html.dataset.size]") == ["dark", "large"]
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()


def whole_pictures(page: Page) -> int:
    """Return how many pictures of the results are wholly on the first screen, above the bar of a phone."""
    return int(
        page.evaluate(
            """() => {
                const bar = document.querySelector(".places").getBoundingClientRect();
                const bottom = bar.top > 100 ? bar.top : innerHeight;
                return [...document.querySelectorAll("#results .picture")]
                    .filter((one) => one.getBoundingClientRect().bottom <= bottom).length;
            }"""
        )
    )


def test_keys_search_move_open_and_go_back(page: Page) -> None:
    page.goto("/?q=dog")
    page.keyboard.press("/")
    expect(page.locator("#q")).to_be_focused()
    page.keyboard.press("Escape")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    second = page.locator("#results .card a.picture").nth(1)
    expect(second).to_be_focused()
    target = str(second.get_attribute("href"))
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{target}")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    page.wait_for_url("**/?q=dog")
    expect(second).to_be_focused()
    page.locator("#results .card a.picture").first.focus()
    page.keyboard.press("s")
    page.wait_for_url("**#alike")


def test_a_picture_is_searched_with_by_choosing_it(page: Page, served_settings: Settings) -> None:
    page.goto("/")
    with page.expect_file_chooser() as chooser:
        page.get_by_label("Search with a picture").click()
    chooser.value.set_files(served_settings.library / "Robots/toaster.png")
    page.wait_for_url("**picture=**")
    expect(page.get_by_alt_text("Your picture")).to_be_visible()
    assert "toaster.png" in str(page.locator("#results .card a.picture").first.get_attribute("href"))
    page.get_by_label("Remove the picture").click()
    page.wait_for_url(lambda url: "picture" not in url)


@pytest.mark.parametrize("how", ["paste", "drop"])
def test_a_picture_is_searched_with_by_pasting_or_dropping_it(page: Page, served_settings: Settings, how: str) -> None:
    page.goto("/")
    content = base64.b64encode((served_settings.library / "Dogs/fine.png").read_bytes()).decode()
    page.evaluate(
        """async ([how, content]) => {
            const raw = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
            const data = new DataTransfer();
            data.items.add(new File([raw], "x.png", { type: "image/png" }));
            const event = how === "paste"
                ? new ClipboardEvent("paste", { clipboardData: data, bubbles: true })
                : new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true });
            document.body.dispatchEvent(event);
        }""",
        [how, content],
    )
    page.wait_for_url("**picture=**")
    assert "fine.png" in str(page.locator("#results .card a.picture").first.get_attribute("href"))


def test_a_file_that_is_not_a_picture_is_refused_with_a_message(browser: Browser, address: str) -> None:
    page = browser.new_page(base_url=address)
    page.goto("/")
    with page.expect_file_chooser() as chooser:
        page.get_by_label("Search with a picture").click()
    chooser.value.set_files({"name": "x.png", "mimeType": "image/png", "buffer": b"I am a text, really."})
    expect(page.get_by_role("status")).to_contain_text("not a supported picture")
    page.close()


def test_everything_works_without_scripts(browser: Browser, address: str, served_settings: Settings) -> None:
    context = browser.new_context(java_script_enabled=False, base_url=address)
    page = context.new_page()
    page.goto("/")
    page.locator("#q").fill("robot")
    page.get_by_role("button", name="Search").click()
    page.locator("#results .card a.picture").first.click()
    expect(page.get_by_text("This meme", exact=True)).to_be_visible()
    page.get_by_label("Search with a picture").click()
    page.get_by_label("Picture", exact=True).set_input_files(served_settings.library / "Dogs/fine.png")
    page.locator("form.plain").get_by_role("button", name="Search").click()
    assert "fine.png" in str(page.locator("#results .card a.picture").first.get_attribute("href"))
    context.close()


@pytest.fixture
def moving(tiny_settings: Settings) -> Settings:
    """Settings over the tiny library with a GIF of two frames, on which OCR read one line."""
    frames = [Image.new("RGB", (200, 100), color) for color in ("navy", "gold")]
    frames[0].save(
        tiny_settings.library / "Cats/blink.gif", save_all=True, append_images=frames[1:], duration=200, loop=0
    )
    with open_catalogue(tiny_settings) as catalogue:
        index_library(Workspace(tiny_settings, catalogue), progress=SILENT, load_encoder=lambda _: HashingTextEncoder())
        line = ["BLINKING AGAIN", 0.9, [[0.1, 0.4], [0.9, 0.4], [0.9, 0.6], [0.1, 0.6]]]
        content = catalogue.memes.at("Cats/blink.gif").content_hash
        catalogue.readings.put(ReadingRecord(content, TextKind.OCR, "reader", "BLINKING AGAIN", boxes=[line]))
    return tiny_settings


def test_words_on_a_picture_can_be_selected_and_the_rest_of_it_zooms(browser: Browser, moving: Settings) -> None:
    with serving(moving) as address:
        page = browser.new_page(base_url=address, viewport=DESKTOP)
        page.goto("/memes/Cats/blink.gif.html")
        words = page.locator("svg.words text")
        expect(words).to_have_text("BLINKING AGAIN")
        frame, line = page.locator(".frame").bounding_box(), words.bounding_box()
        assert frame and line
        assert frame["width"] * 0.75 < line["width"] < frame["width"] * 0.85, "as wide as OCR found it"
        words.dblclick()
        assert page.evaluate("getSelection().toString().trim()") in ("BLINKING", "AGAIN")
        page.locator("[data-zoom]").click(position={"x": 5, "y": 5})
        expect(page.locator(".zoomable.zoomed")).to_be_visible()
        assert page.locator(".frame").bounding_box()["width"] >= 2 * frame["width"]
        page.close()


@pytest.mark.parametrize("motion", ["reduce", "no-preference"])
def test_a_gif_stands_still_where_motion_is_not_wanted(browser: Browser, moving: Settings, motion: str) -> None:
    with serving(moving) as address:
        context = browser.new_context(base_url=address, reduced_motion=motion)
        page = context.new_page()
        page.goto("/memes/Cats/blink.gif.html", wait_until="networkidle")
        shown = page.locator("[data-zoom]")
        stands = "shown => shown.currentSrc.includes('/thumbnails/')"
        button = page.get_by_role("button", name="Play" if motion == "reduce" else "Pause")
        until(lambda: shown.evaluate(stands) is (motion == "reduce"))
        button.click()
        until(lambda: shown.evaluate(stands) is (motion != "reduce"))
        context.close()


def test_scrolling_brings_every_meme_and_back_returns_to_the_same_place(browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "memes/Many").mkdir(parents=True)
    names = [f"{number}.png" for number in range(70)]
    for number, name in enumerate(names):
        blocks = Image.frombytes("RGB", (6, 6), Random(number).randbytes(108))  # variants of no other
        blocks.resize((60 + number % 7 * 9, 60), Image.Resampling.NEAREST).save(tmp_path / "memes/Many" / name)
        os.utime(tmp_path / "memes/Many" / name, (10**9 - number, 10**9 - number))
    settings = Settings(
        library=tmp_path / "memes", data=tmp_path / "data", ocr_engine="none", text_encoder=HashingTextEncoder.name
    )
    with open_catalogue(settings) as catalogue:
        index_library(Workspace(settings, catalogue), progress=SILENT, load_encoder=lambda _: HashingTextEncoder())
    with serving(settings) as address:
        page = browser.new_page(base_url=address, viewport=PHONE)
        page.goto("/memes/Many/index.html")
        cards = page.locator("#results .card a.picture")
        for shown in (60, 70):
            page.evaluate("scrollTo(0, document.body.scrollHeight)")
            expect(cards).to_have_count(shown)
        found = cards.evaluate_all("links => links.map((link) => link.getAttribute('href'))")
        assert found == [f"/memes/Many/{name}.html" for name in names]
        cards.nth(50).scroll_into_view_if_needed()
        place = page.evaluate("scrollY")
        page.goto(f"{address}{found[50]}")
        expect(page.get_by_role("heading", name="Meme in Many", exact=True)).to_be_visible()
        page.go_back()
        expect(cards).to_have_count(70)
        page.wait_for_function("place => Math.abs(scrollY - place) < 2", arg=place)
        page.goto("/?q=type:image&collapse=0")
        assert whole_pictures(page) >= 6
        page.set_viewport_size({"width": 1280, "height": 800})
        assert whole_pictures(page) >= 12
        page.close()


@pytest.mark.parametrize(
    "query", ['type:video "this is fine"', '"zxqv blorf" "a dog"', "type:image category:Dogs zxqv"]
)
def test_on_a_phone_the_sentence_above_the_results_is_not_cut(browser: Browser, address: str, query: str) -> None:
    page = browser.new_page(base_url=address, viewport=PHONE)
    page.goto(f"/?q={quote(query)}")
    sentence = page.locator(".understood > span").first.bounding_box()
    tools = page.locator(".tools").bounding_box()
    assert sentence and tools
    assert sentence["x"] + sentence["width"] <= tools["x"]
    assert sentence["height"] < 60  # two lines; a sentence of one letter a line is cut, too
    page.close()


TRANSFERRED = """() => performance.getEntriesByType("resource").filter((one) => /\\.(css|js)$/.test(one.name))
    .map((one) => [one.name.split("/").pop(), one.encodedBodySize])"""


def test_style_and_scripts_that_a_page_loads_by_itself_are_small(browser: Browser, address: str) -> None:
    for path in ("/", "/?q=dog", "/memes/Robots/toaster.png.html", "/memes/Cats/index.html", "/categories"):
        page = browser.new_page(base_url=address)
        page.goto(path, wait_until="load", timeout=300_000)
        until(lambda page=page: {"site.css", "site.js", "grid.js"} <= set(dict(page.evaluate(TRANSFERRED))))
        page.wait_for_timeout(500)  # what a page loads when it has nothing else to do
        loaded = dict(page.evaluate(TRANSFERRED))
        assert min(loaded.values()) > 0
        assert sum(loaded.values()) < 12_000, loaded
        page.close()


def test_nothing_jumps_while_pictures_load(browser: Browser, address: str) -> None:
    page = browser.new_page(base_url=address, viewport=PHONE)
    page.add_init_script(
        "window.shift = 0; const add = (list) => list.getEntries().forEach((one) => window.shift += one.value);"
        "new PerformanceObserver(add)"
        ".observe({ type: 'layout-shift', buffered: true });"
    )
    for path in (
        "/",
        "/?q=dog",
        "/?q=dog+-cat+category:robots+type:jpeg",
        "/?q=zzyzx",
        "/memes/Robots/toaster.png.html",
    ):
        page.goto(path, wait_until="networkidle")
        assert page.evaluate("window.shift") < 0.01, path
    page.close()


@pytest.mark.parametrize("viewport", [PHONE, DESKTOP], ids=["phone", "desktop"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_are_accessible_and_fit_their_width(browser: Browser, address: str, viewport: dict, scheme: str) -> None:
    context = browser.new_context(viewport=viewport, color_scheme=scheme, base_url=address)
    page = context.new_page()
    for path in (
        "/",
        "/?q=dog",
        "/?q=dog+-cat+category:robots+type:jpeg",
        "/?q=zzyzx",
        "/memes/Robots/toaster.png.html",
        "/memes/Cats/index.html",
        "/categories",
        "/?q=dog&open=category",
        "/about",
        "/nothing",
    ):
        page.goto(path)
        found = Axe().run(page)
        assert found.violations_count == 0, f"{path}: {found.generate_report()}"
        assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"], path
    page.goto("/?q=dog")
    page.locator("#results a.picture").first.click()
    expect(page.get_by_role("dialog").get_by_role("heading", level=1)).to_be_visible()
    found = Axe().run(page)
    assert found.violations_count == 0, f"viewer: {found.generate_report()}"
    context.close()
