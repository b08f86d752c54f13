"""The site under fingers: swipes and sharing in the viewer, moving pictures in the grid, and the map of the library."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from indexer.pipeline import index_library
from indexer.work.progress import SILENT
from search.catalogue import open_catalogue
from search.settings import Settings
from search.workspace import Workspace
from tests.support.browsing import serving
from tests.support.fakes import HashingTextEncoder
from tests.support.tiny import draw_tiny_library
from tests.support.waiting import until

pytestmark = pytest.mark.browser
PHONE = {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("touch")
    library = draw_tiny_library(folder / "memes")
    shutil.rmtree(library / "Собаки")
    frames = [Image.new("RGB", (200, 100), color) for color in ("navy", "gold")]
    frames[0].save(library / "Cats/blink.gif", save_all=True, append_images=frames[1:], duration=200, loop=0)
    settings = Settings(library=library, data=folder / "data", ocr_engine="none", text_encoder=HashingTextEncoder.name)
    with open_catalogue(settings) as catalogue:
        index_library(Workspace(settings, catalogue), progress=SILENT, load_encoder=lambda _: HashingTextEncoder())
    with serving(settings) as found:
        yield found


def phone(browser: Browser, address: str, **more: object) -> BrowserContext:
    return browser.new_context(viewport=PHONE, has_touch=True, is_mobile=True, base_url=address, **more)  # type: ignore[arg-type]


def drag(page: Page, *fingers: tuple[tuple[float, float], tuple[float, float]]) -> None:
    """Move fingers, each from a point to a point, let them rest, so that nothing glides on, and lift them."""
    touch = page.context.new_cdp_session(page)

    def send(kind: str, share: float) -> None:
        points = [
            {"x": a + (c - a) * share, "y": b + (d - b) * share, "id": id}
            for id, ((a, b), (c, d)) in enumerate(fingers)
        ]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    send("touchStart", 0)
    for step in range(1, 9):
        send("touchMove", step / 8)
    page.wait_for_timeout(150)
    send("touchMove", 1)
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def sizes(image: Locator) -> list[int]:
    """Return the width and the height of the file of a picture, which are its attributes."""
    return [int(str(image.get_attribute(name))) for name in ("width", "height")]


def changed(page: Page, expression: str, before: object) -> object:
    """Return the value of an expression once it is another than before."""
    until(lambda: page.evaluate(expression) != before)
    return page.evaluate(expression)


def test_swipes_lead_through_the_viewer_and_a_file_or_else_its_page_is_shared(browser: Browser, address: str) -> None:
    context = phone(browser, address)
    page = context.new_page()
    page.add_init_script(
        "window.shared = []; navigator.canShare = () => window.takesFiles;"
        "navigator.share = async (what) => window.shared.push("
        "({ files: (what.files ?? []).map((one) => `${one.name} ${one.type} ${one.size > 0}`), url: what.url }));"
    )
    page.goto("/memes/Cats/index.html")
    cards = page.locator("#results .card a.picture")
    first, second = (str(cards.nth(at).get_attribute("href")) for at in (0, 1))
    cards.first.tap()
    viewer = page.get_by_role("dialog")
    expect(viewer.locator(f"[data-page='{first}']")).to_be_visible()
    drag(page, ((300, 300), (60, 310)))
    expect(viewer.locator(f"[data-page='{second}']")).to_be_visible()
    drag(page, ((60, 300), (300, 290)))
    expect(viewer.locator(f"[data-page='{first}']")).to_be_visible()
    share = viewer.get_by_role("button", name="Share")
    for takes_files in (True, False):
        page.evaluate("takes => { window.takesFiles = takes; }", takes_files)
        share.tap()
        assert changed(page, "window.shared.length", 0 if takes_files else 1) == (1 if takes_files else 2)
    with_file, link_only = page.evaluate("window.shared")
    name = Path(first).name.removesuffix(".html")
    assert with_file["files"] in ([f"{name} image/gif true"], [f"{name} image/png true"], [f"{name} image/jpeg true"])
    assert link_only == {"files": [], "url": f"{address}{first}"}
    drag(page, ((200, 200), (205, 420)))
    expect(viewer).not_to_be_visible()
    context.close()


def test_a_picture_is_copied_as_png_and_a_card_by_its_key(browser: Browser, address: str) -> None:
    context = browser.new_context(base_url=address)
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = context.new_page()
    copied = """async () => {
        const [item] = await navigator.clipboard.read();
        const picture = await createImageBitmap(await item.getType("image/png"));
        return [item.types, picture.width, picture.height];
    }"""
    page.goto("/memes/Robots/toaster.png.html")
    page.get_by_role("button", name="Copy picture").click()
    expect(page.get_by_role("status")).to_have_text("Picture copied. Paste it anywhere.")
    assert page.evaluate(copied) == [["image/png"], *sizes(page.locator("img[data-zoom]"))]
    page.goto("/memes/Cats/index.html")
    card = page.locator(".card:has(a[href$='monday.png.html']) a.picture")
    card.focus()
    page.keyboard.press("c")
    expect(page.get_by_role("status")).to_have_text("Picture copied. Paste it anywhere.")
    assert page.evaluate(copied) == [["image/png"], *sizes(card.locator("img"))]
    context.close()


def test_a_gif_moves_under_the_mouse_or_a_tap_and_where_motion_is_not_wanted_by_a_click_alone(
    browser: Browser, address: str
) -> None:
    for motion, hovered in (("no-preference", 1), ("reduce", 0)):
        context = browser.new_context(base_url=address, reduced_motion=motion)  # type: ignore[arg-type]
        page = context.new_page()
        page.goto("/memes/Cats/index.html")
        card = page.locator(".card:has([data-play=gif])")
        card.hover()
        page.wait_for_timeout(100)
        expect(card.locator("[data-moving]")).to_have_count(hovered)
        card.get_by_role("button", name="Play this GIF").click()
        expect(card.locator("[data-moving]")).to_have_count(1)
        context.close()
    context = phone(browser, address)
    page = context.new_page()
    page.goto("/memes/Cats/index.html")
    badge = page.get_by_role("button", name="Play this GIF")
    for moving in (1, 0):
        badge.tap()
        expect(page.locator("[data-moving]")).to_have_count(moving)
    context.close()


def test_the_map_is_pinched_its_names_cover_no_other_and_keys_open_a_meme(browser: Browser, address: str) -> None:
    context = phone(browser, address, color_scheme="dark")
    page = context.new_page()
    page.goto("/map")
    ready = page.locator("[data-map=ready]")
    expect(ready).to_be_visible()
    spread = "[...document.querySelectorAll('.labels li')].map((one) => one.getBoundingClientRect().left)"
    boxes = """[...document.querySelectorAll('.labels li')].filter((one) => one.style.visibility !== 'hidden')
        .map((one) => one.getBoundingClientRect()).map((one) => [one.left, one.top, one.right, one.bottom])"""
    shown = page.evaluate(boxes)
    for at, (left, top, right, bottom) in enumerate(shown):
        for other in shown[:at]:
            assert left >= other[2] or right <= other[0] or top >= other[3] or bottom <= other[1]
    assert shown
    before = page.evaluate(spread)
    box = ready.bounding_box()
    assert box
    x, y = box["x"] + box["width"] / 2, box["y"] + 200
    drag(page, ((x - 15, y), (x - 120, y)), ((x + 15, y), (x + 120, y)))
    assert changed(page, spread, before) != before
    assert page.url.endswith("/map")
    context.close()
    page = browser.new_page(base_url=address)
    page.goto("/map")
    expect(page.locator("[data-map=ready]")).to_be_visible()
    page.locator("[data-map]").focus()
    for key in ("+", "ArrowLeft", "Enter"):
        page.keyboard.press(key)
    page.wait_for_url("**/memes/**.html")
    page.close()
    context = browser.new_context(base_url=address, java_script_enabled=False)
    still = context.new_page()
    still.goto("/map")
    expect(still.locator("[data-map] circle")).to_have_count(9)
    expect(still.locator(".labels a").first).to_be_visible()
    context.close()
