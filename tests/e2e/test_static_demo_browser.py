"""A small demo, exported with its search by meaning and walked in a browser, as a visitor of a curator's site would."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from urllib.parse import quote

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from demo import DemoTruth, QueryKind, draw_demo
from indexer.pipeline import index_library
from indexer.work.progress import SILENT
from search.catalogue import open_catalogue
from search.searcher import Searcher
from search.settings import Settings
from search.workspace import Workspace
from tests.support.browsing import serving_files
from web.static_site.export import export_site

pytestmark = pytest.mark.browser
MEMES = 30


@dataclass(frozen=True)
class Demo:
    """The address of the demo's site, what is in the library, and two queries with the served site's best hits."""

    address: str
    truth: DemoTruth
    best: dict[str, str]


@pytest.fixture(scope="module")
def demo(minilm_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """The site of a small demo, with the real text encoder, below `/some/path/` of a server of files."""
    folder = tmp_path_factory.mktemp("demo")
    shutil.copytree(minilm_models, folder / "data" / "models")
    truth = draw_demo(folder / "memes", memes=MEMES, now=datetime(2026, 11, 23, 12, 0, tzinfo=UTC))
    settings = Settings(library=folder / "memes", data=folder / "data", ocr_engine="none")
    with open_catalogue(settings) as catalogue:
        workspace = Workspace(settings, catalogue)
        index_library(workspace, progress=SILENT)
        done = export_site(workspace, folder / "host" / "some" / "path")
        with Searcher(workspace) as searcher:
            asked = [query for query in truth.queries() if query.kind is QueryKind.DESCRIBES]
            hits = ((query, searcher.search(query.text, k=1)[0].path) for query in asked)
            best = dict(islice(((query.text, path) for query, path in hits if path in query.relevant), 2))
    assert (done.without_meaning, done.meaning_bytes > 15_000_000) == ("", True)
    with serving_files(folder / "host") as address:
        yield Demo(f"{address}/some/path/", truth, best)


def cards(page: Page) -> list[str]:
    """Return where the cards of the results lead, from the category on, once they are there."""
    page.locator("#results .card a.picture").first.wait_for()
    links = page.locator("#results .card a.picture").evaluate_all("all => all.map(one => decodeURI(one.href))")
    return [str(link).split("/memes/")[1].removesuffix(".html") for link in links]


@pytest.mark.real_models
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_every_kind_of_page_of_the_demo_is_whole(browser: Browser, demo: Demo, width: int, scheme: str) -> None:
    context = browser.new_context(
        viewport={"width": width, "height": 844}, color_scheme=scheme, base_url=demo.address, reduced_motion="reduce"
    )
    page = context.new_page()
    complaints: list[str] = []
    page.on(
        "console",
        lambda message: complaints.append(f"{message.text} {message.location}") if message.type == "error" else None,
    )
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("response", lambda answer: complaints.append(answer.url) if answer.status >= 400 else None)
    page.on("request", lambda one: one.url.startswith((demo.address, "data:")) or complaints.append(one.url))
    said = next(meme for meme in demo.truth.memes if meme.ocr and len(meme.caption.split()) > 3)
    ends = {meme.path.rpartition(".")[2]: meme.path for meme in demo.truth.memes}
    addresses = [
        *("index.html", "categories/index.html", f"memes/{quote(said.category)}/index.html", "map/index.html"),
        *("about/index.html", "favorites/index.html?ids=1.2.3", "search.html?q=a+dog", "search.html?q=zzzzz+qqqqq"),
        *(f"memes/{quote(ends[end])}.html" for end in ("gif", "mp4", "svg") if end in ends),
        f"search.html?q={quote(chr(34) + ' '.join(said.ocr.split()[:4]) + chr(34))}",
    ]
    for address in addresses:
        page.goto(address)
        page.wait_for_load_state("networkidle")
        if "search" in address:
            expect(page.locator("[data-counted]")).not_to_have_text("Loading…")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), address
        broken = page.locator("main img").evaluate_all(
            "all => all.filter(one => one.complete && !one.naturalWidth).map(one => one.src)"
        )
        assert broken == [], address
        violations = Axe().run(page).response["violations"]
        assert [(one["id"], one["nodes"][0]["html"][:120]) for one in violations] == [], address
    expect(page.locator("[data-counted]")).to_contain_text(" this")
    assert said.path in cards(page)
    assert complaints == []
    context.close()


@pytest.mark.real_models
def test_meaning_finds_what_has_none_of_the_words_and_is_there_without_a_network(browser: Browser, demo: Demo) -> None:
    root, served = demo.address, demo.best
    first, second = served
    context = browser.new_context(base_url=root)
    page = context.new_page()
    asked: list[str] = []
    complaints: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    page.on(
        "console",
        lambda message: complaints.append(f"{message.text} {message.location}") if message.type == "error" else None,
    )
    page.goto("index.html")
    page.goto("search.html")
    page.evaluate("navigator.serviceWorker.ready")
    assert not [address for address in asked if "/search/encoder/" in address]
    page.reload()
    page.locator("#q").fill(first)
    page.keyboard.press("Enter")
    results = page.locator("#results[data-by=meaning]")
    expect(results).to_be_visible()
    assert cards(page)[0] == served[first]
    expect(page.locator("[data-aside]")).to_be_hidden()
    assert {address.split("/", 3)[2] for address in asked if address.startswith("http")} == {root.split("/", 3)[2]}
    before = len([address for address in asked if "/search/encoder/" in address])
    assert before
    assert complaints == []
    context.set_offline(True)  # thumbnails that were never seen fail then, which Chromium says
    page.goto(f"search.html?q={quote(second)}")
    expect(page.locator("#results[data-by=meaning]")).to_be_visible()
    assert cards(page)[0] == served[second]
    context.set_offline(False)
    complaints.clear()
    page.goto(f"search.html?q={quote(first)}")
    expect(page.locator("#results[data-by=meaning]")).to_be_visible()
    assert complaints == []
    context.close()


@pytest.mark.real_models
def test_guesses_by_meaning_are_not_said_to_have_similar_words(browser: Browser, demo: Demo) -> None:
    page = browser.new_page(base_url=demo.address)
    counted = page.locator("[data-counted]")
    words = next(meme.ocr.split() for meme in demo.truth.memes if meme.ocr and len(meme.caption.split()) > 3)
    backwards = " ".join(reversed(words[:5]))
    for query, said in (
        ('"zxqv blorf"', "Nothing says this. Best guesses:"),
        ('"zxqv blorf" "wug wug"', "Nothing says all of this. Best guesses:"),
        (f'"{backwards}"', "Nothing says this. Similar words:"),
    ):
        page.goto(f"search.html?q={quote(query)}")
        expect(page.locator("#results[data-by=meaning]")).to_be_visible()
        assert cards(page), query
        expect(counted).to_have_text(said)
    page.goto(f"search.html?q={quote(chr(34) + ' '.join(words[:3]) + chr(34))}")
    expect(page.locator("#results[data-by=meaning]")).to_be_visible()
    expect(page.locator("[data-folded] summary")).to_contain_text("similar words or a similar meaning")
    page.close()


@pytest.mark.real_models
def test_who_saves_data_is_asked_before_the_encoder_is_fetched(browser: Browser, demo: Demo) -> None:
    root = demo.address
    context = browser.new_context(base_url=root)
    context.add_init_script("Object.defineProperty(navigator, 'connection', { value: { saveData: true } })")
    page = context.new_page()
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    page.goto(f"search.html?q={quote(next(iter(demo.best)))}")
    button = page.get_by_role("button", name="Search by meaning, too")
    expect(button).to_contain_text("MB, once")
    assert not [address for address in asked if "/search/encoder/" in address]
    button.click()
    expect(page.locator("#results[data-by=meaning]")).to_be_visible()
    context.close()


OUT_OF_MEMORY = """export const env = { wasm: {} };
export const Tensor = Object;
export const InferenceSession = { create: () => Promise.reject(new RangeError("could not allocate memory")) };"""


@pytest.mark.real_models
@pytest.mark.parametrize(
    ("lacks", "said"),
    [
        ("WebAssembly", "This browser has no WebAssembly"),
        ("memory", "which may lack memory"),
        ("network", "as the network is away"),
        ("vectors", "A part of search by meaning is missing"),
        ("encoder", "A part of search by meaning is damaged"),
    ],
)
def test_words_go_on_without_meaning_and_the_page_says_why(browser: Browser, demo: Demo, lacks: str, said: str) -> None:
    context = browser.new_context(base_url=demo.address, service_workers="block", color_scheme="dark")
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    html = "<!doctype html><title>Not found</title>"
    match lacks:
        case "WebAssembly":
            page.add_init_script("delete globalThis.WebAssembly")
        case "memory":
            context.route(
                "**/search/encoder/*.js",
                lambda route: (
                    route.fulfill(content_type="text/javascript", body=OUT_OF_MEMORY)
                    if "ONNX Runtime" in route.fetch().text()[:100]
                    else route.continue_()
                ),
            )
        case "network":
            context.route("**/search/encoder/*.dat", lambda route: route.abort())
        case "vectors":
            context.route("**/search/vectors/*.dat", lambda route: route.fulfill(status=404))
        case "encoder":
            context.route("**/search/encoder/*.dat", lambda route: route.fulfill(content_type="text/html", body=html))
    page.goto("search.html?q=a+dog")
    aside = page.locator("[data-aside]")
    expect(aside).to_contain_text(said)
    expect(aside).to_contain_text("memes are found by their words")
    expect(page.locator("#results .card").first).to_be_visible()
    assert Axe().run(page).response["violations"] == []
    asked.clear()
    page.locator("#q").fill("a cat")
    page.keyboard.press("Enter")
    expect(page.locator("#results .card").first).to_be_visible()
    if lacks in ("WebAssembly", "memory"):
        expect(aside).to_contain_text(said)
        assert not [address for address in asked if "/encoder/" in address], "fetched again for nothing"
    if lacks == "network":
        context.unroute("**/search/encoder/*.dat")
        page.evaluate("dispatchEvent(new Event('online'))")
        expect(page.locator("#results[data-by=meaning]")).to_be_visible()
    context.close()
