"""Uploads in a browser: dropped, pasted, chosen, decided by keys, found by search, undone."""

from __future__ import annotations

import base64
import io
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image, ImageDraw
from playwright.sync_api import Browser, Page, expect

from indexer.pipeline import index_library
from indexer.work.progress import SILENT
from search.catalogue import UploadState, open_catalogue
from search.settings import Settings
from search.workspace import Workspace
from tests.support.browsing import serving
from tests.support.curating import PASSWORD, set_quick_password
from tests.support.fakes import HashingTextEncoder
from tests.support.tiny import draw_tiny_library
from tests.support.waiting import PATIENCE, until

pytestmark = pytest.mark.browser
PHONE, DESKTOP = {"width": 390, "height": 844}, {"width": 1280, "height": 900}
DROP = """
([files, kind]) => {
  const transfer = new DataTransfer();
  for (const [name, body, type] of files)
    transfer.items.add(new File([Uint8Array.from(atob(body), (one) => one.charCodeAt(0))], name, { type }));
  if (kind === "paste") {
    const event = new ClipboardEvent("paste", { bubbles: true, cancelable: true, clipboardData: transfer });
    document.body.dispatchEvent(event);
  } else for (const name of ["dragenter", "dragover", "drop"])
    document.body.dispatchEvent(new DragEvent(name, { bubbles: true, cancelable: true, dataTransfer: transfer }));
}
"""


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the tiny library, indexed, and a password, to be copied."""
    folder = tmp_path_factory.mktemp("drawn")
    draw_tiny_library(folder / "memes")
    settings = _settings(folder)
    with open_catalogue(settings) as catalogue:
        index_library(Workspace(settings, catalogue), progress=SILENT, load_encoder=lambda _: HashingTextEncoder())
    set_quick_password(settings.data, PASSWORD)
    return folder


def _settings(folder: Path) -> Settings:
    return Settings(
        library=folder / "memes", data=folder / "data", ocr_engine="none", text_encoder=HashingTextEncoder.name
    )


@pytest.fixture
def settings(drawn: Path, tmp_path: Path) -> Settings:
    shutil.copytree(drawn, tmp_path, dirs_exist_ok=True)
    return _settings(tmp_path)


@pytest.fixture
def address(settings: Settings) -> Iterator[str]:
    with serving(settings) as found:
        yield found


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """The curator's inbox, on which every complaint of the browser is a failure."""
    context = browser.new_context(viewport=DESKTOP, base_url=address)
    found = context.new_page()
    found.set_default_timeout(PATIENCE * 1000)
    found.goto("/curator/inbox")
    found.locator("input[type=password]").fill(PASSWORD)
    found.keyboard.press("Enter")
    found.wait_for_url("**/curator/inbox")
    complaints: list[str] = []
    found.on("pageerror", lambda error: complaints.append(str(error)))
    yield found
    context.close()
    assert complaints == []


def picture(color: str, number: int) -> str:
    """Return a picture that is like none of the tiny library's, in base 64."""
    found = Image.new("RGB", (300, 220), color)
    pen = ImageDraw.Draw(found)
    for step in range(10):
        pen.line((5 + 29 * step, 5, 290 - 17 * number * step % 280, 210), fill=("black", "white")[step % 2], width=6)
    out = io.BytesIO()
    found.save(out, "PNG")
    return base64.b64encode(out.getvalue()).decode()


def give(page: Page, kind: str, *files: tuple[str, str]) -> None:
    """Drop files on the page, or paste them."""
    expect(page.locator("html[data-inbox=ready]")).to_be_attached()
    page.evaluate(DROP, [[[name, body, "image/png"] for name, body in files], kind])


def examined(page: Page, count: int) -> None:
    """Wait until so many uploads are there, none being examined."""
    expect(page.locator("ul.uploads li")).to_have_count(count)
    expect(page.locator("[data-examining]")).to_have_count(0)


def press(page: Page, key: str) -> None:
    expect(page.locator("html[data-keys=ready]")).to_be_attached()
    page.keyboard.press(key)


@pytest.mark.parametrize("kind", ["drop", "paste"])
def test_what_is_dropped_or_pasted_waits_in_the_inbox(page: Page, settings: Settings, kind: str) -> None:
    give(page, kind, ("gold spokes.png", picture("gold", 1)), ("navy spokes.png", picture("navy", 2)))
    page.wait_for_url("**/curator/inbox?came=2")
    examined(page, 2)
    with open_catalogue(settings) as catalogue:
        assert {one.name for one in catalogue.uploads.in_state(UploadState.EXAMINED)} == {
            "gold spokes.png",
            "navy spokes.png",
        }


def test_one_key_accepts_what_search_then_finds_and_one_takes_it_back(page: Page, settings: Settings) -> None:
    give(page, "drop", ("golden spokes of doom.png", picture("gold", 1)))
    page.wait_for_url("**/curator/inbox?came=1")
    examined(page, 1)
    press(page, "ArrowRight")
    expect(page.get_by_role("heading", name="Choose a category")).to_be_visible()
    press(page, "c")
    expect(page.get_by_label("Another category")).to_be_focused()
    page.keyboard.type("Robots")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").first).to_contain_text("Accepted: golden spokes of doom.png")
    assert (settings.library / "Robots/golden spokes of doom.png").is_file()
    found = page.context.new_page()

    def is_found() -> bool:
        found.goto("/?q=golden+spokes+of+doom")
        return found.locator('a[href*="golden%20spokes"]').count() > 0

    until(is_found)
    found.close()
    press(page, "u")
    expect(page.get_by_text("Undone. The upload waits for a decision again.")).to_be_visible()
    assert not (settings.library / "Robots/golden spokes of doom.png").exists()


def test_a_number_takes_the_category_beside_it(page: Page, settings: Settings) -> None:
    give(page, "drop", ("spokes.png", picture("olive", 3)))
    page.wait_for_url("**/curator/inbox?came=1")
    examined(page, 1)
    press(page, "ArrowRight")
    second = page.locator("ol.offers button").nth(1).get_attribute("value")
    press(page, "2")
    expect(page.get_by_role("status").first).to_contain_text(f"as {second}/spokes.png")
    assert (settings.library / str(second) / "spokes.png").is_file()


def test_a_duplicate_upload_is_reported_and_needs_a_reason(page: Page, settings: Settings) -> None:
    own = base64.b64encode((settings.library / "Dogs/fine.png").read_bytes()).decode()
    give(page, "drop", ("fine once more.png", own))
    page.wait_for_url("**/curator/inbox?came=1")
    examined(page, 1)
    press(page, "ArrowRight")
    expect(page.get_by_role("heading", name="Already in the library")).to_be_visible()
    expect(page.get_by_role("link", name="Dogs/fine.png").first).to_be_visible()
    press(page, "d")
    expect(page.get_by_role("status").first).to_contain_text("Discarded: fine once more.png")
    assert not list(settings.library.rglob("fine once more*"))


def test_a_refused_file_stays_on_the_page_with_the_reason(page: Page) -> None:
    give(page, "drop", ("lies.png", base64.b64encode(b"plain words").decode()), ("spokes.png", picture("maroon", 4)))
    expect(page.locator(".refused").first).to_contain_text("It is not a supported picture or video")
    examined(page, 1)


@pytest.mark.parametrize("viewport", [PHONE, DESKTOP], ids=["phone", "desktop"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_pages_of_uploads_and_of_categories_are_accessible(page: Page, viewport, scheme: str) -> None:  # type: ignore[no-untyped-def]
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size(viewport)

    def check() -> None:
        assert Axe().run(page).response["violations"] == []
        width, window = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        assert width <= window

    check()
    page.goto("/curator/health")
    check()
    page.goto("/curator/inbox")
    give(page, "drop", ("spokes.png", picture("maroon", 4)), ("lies.png", base64.b64encode(b"plain words").decode()))
    examined(page, 1)
    check()
    press(page, "ArrowRight")
    expect(page.get_by_role("heading", name="Choose a category")).to_be_visible()
    check()
