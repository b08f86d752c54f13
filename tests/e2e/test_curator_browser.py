"""The curator's pages in a browser: by keyboard, on a phone, without scripts, in dark mode."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect

from indexer.library.scan import scan_library
from indexer.stages.decode import decode_memes
from indexer.work.progress import SILENT
from search.catalogue import ReadingRecord, open_catalogue
from search.meme import TextKind
from search.settings import Settings
from search.workspace import Workspace
from tests.indexer.stages.test_weigh_texts import FINE, OTHER, reading
from tests.support.browsing import serving
from tests.support.curating import PASSWORD, add_pairs, draw_duplicates, set_quick_password
from tests.support.tiny import draw_tiny_library

pytestmark = pytest.mark.browser
PHONE, DESKTOP = {"width": 390, "height": 844}, {"width": 1280, "height": 900}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a library that holds duplicates, compared, and a password, to be copied."""
    folder = tmp_path_factory.mktemp("drawn")
    draw_duplicates(draw_tiny_library(folder / "memes"))
    settings = Settings(library=folder / "memes", data=folder / "data")
    with open_catalogue(settings) as catalogue:
        scan_library(settings.library, catalogue, progress=SILENT)
        decode_memes(Workspace(settings, catalogue), progress=SILENT)
        add_pairs(catalogue)
    set_quick_password(settings.data, PASSWORD)
    return folder


@pytest.fixture
def settings(drawn: Path, tmp_path: Path) -> Settings:
    shutil.copytree(drawn, tmp_path, dirs_exist_ok=True)
    return Settings(library=tmp_path / "memes", data=tmp_path / "data")


@pytest.fixture
def address(settings: Settings) -> Iterator[str]:
    with serving(settings) as found:
        yield found


def signed_in(context: BrowserContext) -> Page:
    """Return a page of the curator, who signs in by keys alone."""
    page = context.new_page()
    page.goto("/curator/duplicates?tier=identical")
    expect(page.get_by_label("Password")).to_be_focused()
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/curator/duplicates?tier=identical")
    return page


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """A page of the curator, on which every complaint of the browser is a failure."""
    context = browser.new_context(viewport=DESKTOP, base_url=address)
    found = signed_in(context)
    complaints: list[str] = []
    found.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    found.on("pageerror", lambda error: complaints.append(str(error)))
    yield found
    context.close()
    assert complaints == []


def press(page: Page, key: str) -> None:
    """Press a key once the page hears keys."""
    expect(page.locator("html[data-keys=ready]")).to_be_attached()
    page.keyboard.press(key)


def tree(library: Path) -> dict[str, bytes]:
    return {file.relative_to(library).as_posix(): file.read_bytes() for file in library.rglob("*") if file.is_file()}


def test_a_library_is_cleared_and_restored_by_keys_alone(page: Page, settings: Settings) -> None:
    before = tree(settings.library)
    press(page, "ArrowRight")
    expect(page.get_by_role("heading", name="Identical files")).to_be_visible()
    press(page, "k")
    expect(page.get_by_role("status")).to_contain_text("Merged: ")
    assert len(tree(settings.library)) < len(before)
    page.goto("/curator/duplicates?tier=same")
    press(page, "ArrowRight")
    expect(page.get_by_role("heading", name="Same picture")).to_be_visible()
    press(page, "n")
    expect(page.get_by_role("status")).to_contain_text("Not duplicates: ")
    page.goto("/curator/duplicates?tier=edited")
    press(page, "ArrowRight")
    expect(page.get_by_role("heading", name="Edited pictures")).to_be_visible()
    press(page, "a")
    expect(page.get_by_role("status")).to_contain_text("All kept: ")
    expect(page.get_by_role("heading", name="All groups are decided.")).to_be_visible()
    press(page, "u")
    expect(page.get_by_role("status")).to_contain_text("Undone")
    expect(page.get_by_role("heading", name="Edited pictures")).to_be_visible()
    page.goto("/curator/duplicates")
    for _ in range(2):
        page.locator(".lately").get_by_role("button").first.click()
        expect(page.get_by_role("status")).to_contain_text("Undone")
        page.goto("/curator/duplicates")
    assert tree(settings.library) == before


def test_another_is_kept_by_its_number(page: Page, settings: Settings) -> None:
    page.goto("/curator/duplicates?tier=same")
    press(page, "ArrowRight")
    expect(page.locator("figure.kept")).to_contain_text("Cats/monday.png")
    press(page, "2")
    expect(page.locator("figure.kept")).to_contain_text("Dogs/monday small.jpg")
    press(page, "k")
    expect(page.get_by_role("status")).to_contain_text("Merged: monday small.jpg, monday.png")
    assert not (settings.library / "Cats/monday.png").exists()
    press(page, "u")
    expect(page.get_by_role("status")).to_contain_text("Undone")
    assert (settings.library / "Cats/monday.png").exists()


def test_a_key_held_down_decides_once(page: Page, settings: Settings) -> None:
    page.goto("/curator/duplicates?tier=same")
    press(page, "ArrowRight")
    expect(page.get_by_role("heading", name="Same picture")).to_be_visible()
    page.evaluate(
        """() => { for (let n = 0; n < 5; n++)
             document.dispatchEvent(new KeyboardEvent("keydown", { key: "n", repeat: n > 0, bubbles: true })); }"""
    )
    expect(page.get_by_role("status")).to_contain_text("Not duplicates")
    with open_catalogue(settings) as catalogue:
        assert len(catalogue.verdicts.all()) == 1


def test_pictures_are_flipped_and_the_keys_are_listed(page: Page) -> None:
    page.goto("/curator/duplicates?tier=same")
    press(page, "ArrowRight")
    other = page.locator("img[data-other]")
    own, first = other.get_attribute("src"), page.locator("img[data-first]").get_attribute("src")
    assert own and first and own != first
    press(page, "f")
    expect(other).to_have_attribute("src", first)
    press(page, "f")
    expect(other).to_have_attribute("src", own)
    keys = page.locator("#keys")
    expect(keys).to_be_hidden()
    press(page, "?")
    expect(keys).to_be_visible()
    shown = set(page.locator("#keys kbd").all_inner_texts())
    bound = {str(one.get_attribute("data-key")) for one in page.locator("[data-key]").all()}
    arrows = {"ArrowLeft": "←", "ArrowRight": "→"}
    assert {arrows.get(key, key) for key in bound} - {"2", "?"} <= shown
    press(page, "?")
    press(page, "z")  # zoomed by keys alone: the arrows move it, and lead to no other group
    for key in ("ArrowRight", "ArrowRight", "ArrowDown"):
        press(page, key)
    style = page.locator("[data-compare]").get_attribute("style")
    assert style and "--x: 70%" in style and "--y: 60%" in style
    press(page, "Escape")
    expect(page.locator(".magnified")).to_have_count(0)
    press(page, "/")
    page.keyboard.type("nak")  # typed into the search box, where no letter decides
    expect(page.locator("#q")).to_have_value("nak")


def test_a_batch_is_asked_for_and_undone(page: Page, settings: Settings) -> None:
    before = tree(settings.library)
    page.goto("/curator/duplicates?tier=same")
    for key in ("ArrowDown", "Space", "k"):  # some groups, by keys: the first box, ticked, merged
        press(page, key)
    expect(page.get_by_role("status")).to_contain_text("1 group merged.")
    press(page, "u")
    expect(page.get_by_role("status")).to_contain_text("Undone")
    page.goto("/curator/duplicates?tier=edited")
    page.get_by_role("link", name="Merge all 1 as proposed").click()
    expect(page.get_by_role("heading", name="Move 1 file to the trash?")).to_be_visible()
    assert tree(settings.library) == before
    page.get_by_role("button", name="Merge 1 group").dblclick(no_wait_after=True)  # carried out once
    expect(page.get_by_role("status")).to_contain_text("1 group merged.")
    assert tree(settings.library) != before
    press(page, "u")
    expect(page.get_by_role("status")).to_contain_text("Undone")
    assert tree(settings.library) == before


def test_everything_works_without_scripts(browser: Browser, address: str, settings: Settings) -> None:
    before = tree(settings.library)
    context = browser.new_context(viewport=PHONE, base_url=address, java_script_enabled=False)
    page = context.new_page()
    page.goto("/curator")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("link", name="Duplicates").click()
    page.get_by_role("link", name="Review one by one").click()
    page.get_by_role("link", name="Difference").click()
    difference = re.compile(r"^/curator/duplicates/difference/\d+/\d+\.png$")
    expect(page.locator("img[data-other]")).to_have_attribute("src", difference)
    page.get_by_role("button", name="Merge").click()
    expect(page.get_by_role("status")).to_contain_text("Merged")
    assert tree(settings.library) != before
    page.get_by_role("button", name="Undo").first.click()
    expect(page.get_by_role("status")).to_contain_text("Undone")
    assert tree(settings.library) == before
    context.close()


def add_texts(settings: Settings) -> None:
    """Let two memes be described by two models that disagree, one at length, and another be badly read."""
    with open_catalogue(settings) as catalogue:
        for path in ("Dogs/fine.png", "Cats/monday.png"):
            content = catalogue.memes.at(path).content_hash
            essay = f"## Visual Description\n{FINE}\n\n## Critical Theory\n" + "It means a great deal.\n" * 60
            catalogue.readings.put(ReadingRecord(content, TextKind.DETAILED, "good", essay))
            catalogue.readings.put(ReadingRecord(content, TextKind.SIMPLE, "bad", OTHER))
        content = catalogue.memes.at("Robots/no words.png").content_hash
        catalogue.readings.put(reading("xqzrt vbnm", confidence=0.4, content=content))


def test_texts_are_decided_on_by_keys(page: Page, settings: Settings) -> None:
    add_texts(settings)
    page.goto("/curator/contradictions")
    bad = page.locator("section.text", has=page.locator("h2", has_text="bad"))
    assert bad.locator("mark").all_inner_texts() == ["WHAT IF I TOLD YOU THAT CATS CAN READ MAPS"]
    expect(page.get_by_text("Show the rest")).to_be_visible()
    first = str(page.locator("main > p > a").inner_text())
    press(page, "ArrowRight")
    expect(page.locator("main > p > a")).not_to_have_text(first)
    page.goto("/curator/contradictions")
    press(page, str(bad.locator("button").get_attribute("data-key")))
    expect(page.get_by_role("status")).to_contain_text(f"Saved: {first}")
    expect(page.locator("main > p > a")).not_to_have_text(first)
    press(page, "u")
    expect(page.locator("main > p > a")).to_have_text(first)
    for _ in range(2):
        press(page, "a")
        expect(page.get_by_role("status")).to_contain_text("Saved: ")
        page.goto("/curator/contradictions")
    expect(page.get_by_role("heading", name="There are no contradictions.")).to_be_visible()
    page.goto("/curator/reading")
    expect(page.get_by_text("xqzrt vbnm")).to_be_visible()
    press(page, "w")
    expect(page.get_by_role("status")).to_contain_text("Saved: Robots/no words.png")
    expect(page.get_by_role("heading", name="No text waits for review.")).to_be_visible()
    press(page, "u")
    expect(page.get_by_text("xqzrt vbnm")).to_be_visible()


@pytest.mark.parametrize("full", [True, False], ids=["full", "empty"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_about_texts_are_accessible_and_fit_their_width(
    browser: Browser, address: str, settings: Settings, scheme: str, full: bool
) -> None:
    if full:
        add_texts(settings)
    context = browser.new_context(viewport=DESKTOP, base_url=address, color_scheme=scheme)
    page = signed_in(context)
    for size in (DESKTOP, PHONE):
        page.set_viewport_size(size)
        for path in ("/curator/reading", "/curator/contradictions"):
            page.goto(path)
            assert (page.locator(".decide").count() == 1) is full
            found = Axe().run(page).response["violations"]
            assert found == [], [(path, one["id"], [node["html"] for node in one["nodes"]]) for one in found]
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
            if full and size is PHONE:
                page.evaluate("scrollTo(0, document.body.scrollHeight)")
                bar, last = page.locator(".decide").bounding_box(), page.locator("footer").bounding_box()
                assert bar and last and last["y"] + last["height"] <= bar["y"] + 40, "the bar hides nothing at the end"
                assert bar["y"] + bar["height"] == PHONE["height"], "the bar stands at the end of the screen"
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_is_accessible_and_fits_its_width(browser: Browser, address: str, scheme: str) -> None:
    context = browser.new_context(viewport=DESKTOP, base_url=address, color_scheme=scheme)
    visitor = context.new_page()
    visitor.goto("/sign-in")
    assert Axe().run(visitor).response["violations"] == []
    page = signed_in(context)
    groups = []
    for tier in ("identical", "same", "variant"):
        page.goto(f"/curator/duplicates?tier={tier}")
        groups.append(str(page.locator(".groups a").first.get_attribute("href")))
    pages = ("/curator", "/curator/duplicates", "/curator/duplicates/all/same", "/curator/duplicates/trash", *groups)
    for path in pages:
        page.goto(path)
        found = Axe().run(page).response["violations"]
        assert found == [], [(path, one["id"], [node["html"] for node in one["nodes"]]) for one in found]
    page.set_viewport_size(PHONE)
    for path in pages:
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        if "/all/" not in path and path in groups:
            last = page.locator("footer").bounding_box()
            page.evaluate("scrollTo(0, document.body.scrollHeight)")
            bar, last = page.locator(".decide").bounding_box(), page.locator("footer").bounding_box()
            assert bar and last and last["y"] + last["height"] <= bar["y"] + 40, "the bar hides nothing at the end"
    context.close()
