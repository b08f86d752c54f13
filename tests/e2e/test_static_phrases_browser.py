"""Quoted phrases on an exported site: what says one exactly comes first, what says it with a slip when it is there."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Route, expect

from search.catalogue import open_catalogue
from search.workspace import Workspace
from tests.support.browsing import serving_files
from tests.support.fakes import HashingTextEncoder
from tests.support.small_library import searched_library
from tests.support.waiting import until
from web.static_site.export import export_site

pytestmark = pytest.mark.browser
OCR = {
    "Cats/whole.png": "i hate mondays",
    "Cats/joined.png": "i hatemondays",
    "Cats/another.png": "i hate tuesdays",
    "Dogs/far.png": "mondays are fine i hate",
}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an exported site of four memes."""
    folder = tmp_path_factory.mktemp("phrases")
    with searched_library(folder, OCR, apart=timedelta(days=1)) as (_, settings), open_catalogue(settings) as catalogue:
        export_site(Workspace(settings, catalogue), folder / "site", text_encoder=HashingTextEncoder())
    with serving_files(folder / "site") as address:
        yield address


@pytest.fixture
def page(browser: Browser, root: str) -> Iterator[Page]:
    """A page that nothing is kept for; `held` are its requests for what slips need, which wait."""
    context = browser.new_context(base_url=f"{root}/", service_workers="block", reduced_motion="reduce")
    found = context.new_page()
    held: list[Route] = []
    found.held = held  # type: ignore[attr-defined]
    found.route("**/static/*/slips.js", lambda route: held.append(route))
    yield found
    context.close()


def memes(page: Page, count: int) -> list[str]:
    """Return the names of the memes of the results, once there are so many: their number is said before they come."""
    expect(page.locator("#results .card")).to_have_count(count)
    links = page.locator("#results .card a.picture").evaluate_all("all => all.map(one => decodeURI(one.href))")
    return [str(link).rpartition("/")[2].removesuffix(".html") for link in links]


def let_through(page: Page) -> None:
    """Answer the request that waits, and those after it, once it is there."""
    held: list[Route] = page.held  # type: ignore[attr-defined]
    until(lambda: page.wait_for_timeout(20) or held)
    held.pop().continue_()
    page.unroute("**/static/*/slips.js")


def test_what_says_a_phrase_exactly_is_shown_before_what_says_it_with_a_slip_is_known(page: Page) -> None:
    page.goto('search.html?q="hate mondays"')
    expect(page.locator("[data-counted]")).to_have_text("1 meme says this")
    assert memes(page, 1) == ["whole.png"]
    let_through(page)
    expect(page.locator("[data-counted]")).to_have_text("2 memes say this")
    expect(page.locator("#results .card")).to_have_count(2)
    assert sorted(memes(page, 2)) == ["joined.png", "whole.png"]
    expect(page.locator("[data-slips]")).to_be_hidden()


def test_what_is_read_does_not_move_until_the_rest_is_asked_for(page: Page) -> None:
    page.goto('search.html?q="hate mondays"')
    first = page.locator("#results .card a.picture").first
    first.focus()
    let_through(page)
    more = page.locator("[data-slips]")
    expect(more).to_contain_text("1 more meme says this with a slip.")
    expect(first).to_be_focused()
    assert memes(page, 1) == ["whole.png"]
    assert Axe().run(page).violations_count == 0
    more.get_by_role("button").press("Enter")
    expect(page.locator("[data-counted]")).to_have_text("2 memes say this")
    expect(page.locator("#results .card")).to_have_count(2)
    expect(more).to_be_hidden()


def test_a_phrase_that_nothing_says_exactly_is_looked_for_with_slips(page: Page) -> None:
    counted = page.locator("[data-counted]")
    page.goto('search.html?q="hate mondyas"')
    expect(counted).to_have_text("Nothing says exactly this. Looking for slips…")
    let_through(page)
    expect(counted).to_have_text("1 meme says this")
    assert memes(page, 1) == ["whole.png"]
    page.goto('search.html?q="hate fridays"')
    expect(counted).to_have_text("Nothing says this. Similar words:")


def test_an_answer_without_slips_is_not_drawn_twice(page: Page) -> None:
    page.goto('search.html?q="hate tuesdays"')
    first = page.locator("#results .card")
    expect(first).to_have_count(1)
    first.evaluate("one => (one.isTheFirst = true)")
    with page.expect_response("**/phrases/*.dat"):
        let_through(page)
    page.wait_for_load_state("networkidle")
    assert first.evaluate("one => one.isTheFirst") is True
    expect(page.locator("[data-counted]")).to_have_text("1 meme says this")


def test_the_exact_answer_stays_where_the_rest_cannot_be_loaded(page: Page) -> None:
    page.unroute("**/static/*/slips.js")
    page.route("**/static/*/slips.js", lambda route: route.fulfill(status=404))
    page.goto('search.html?q="hate mondays"')
    expect(page.locator("[data-slips]")).to_contain_text("what says the phrase with a slip is not here")
    expect(page.locator("[data-counted]")).to_have_text("1 meme says this")
    assert memes(page, 1) == ["whole.png"]
