"""Sees every page of the site of a library, and lists what is wrong with them.

    python -m tests.e2e.walk .demo/data walk
    python -m tests.e2e.walk .demo/data walk --only 'meme|viewer' --widths 390 --schemes dark

Copies the data folder and serves the copy in six states: as it is, without memes, without an index, with a damaged
index, without its library, and with a damaged catalogue. Each page is opened at four widths, light and dark, with and
without JavaScript. A complaint is a violation that axe finds (targets of taps included), what is wider than the
window, a message on the browser's console, a request to another host, or a status that is not the expected one. The
folder gets the pictures, one sheet a page, and `complaints.txt`; the exit code is 1 when there is a complaint.
"""

from __future__ import annotations

import argparse
import io
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from flask import abort
from PIL import Image, ImageOps
from playwright.sync_api import Browser, ConsoleMessage, FilePayload, FloatRect, Page, Request, expect
from playwright.sync_api import Error as BrowserError

from indexer.inbox.reception import receive
from search.catalogue import Catalogue, open_catalogue
from search.meme import MediaType, Meme
from search.settings import Settings, load_settings
from search.workspace import Workspace
from tests.support.browsing import chromium, listening
from tests.support.curating import PASSWORD, set_quick_password
from web.app import create_app
from web.schemas import category_url, page_url

HEIGHTS = {390: 844, 768: 1024, 1280: 800, 1920: 1080}
SCHEMES = ("light", "dark")
SHOWN = 1.9  # screens of a page that its picture has
AXE_OPTIONS = {"rules": {"target-size": {"enabled": True}}}
EXPECTED_ERRORS = re.compile(r"the server responded with a status of (400|404|413|500|503)")


@dataclass(frozen=True)
class Stop:
    """A page of the walk: its name, its address, and what is done on it before it is looked at."""

    name: str
    address: str
    act: Callable[[Page], None] | None = None
    status: int = 200
    curator: bool = False
    state: str = "full"
    scripts: bool | None = None  # None: with and without


@dataclass
class Complaints:
    """What is wrong, and the pages that were seen."""

    out: Path
    found: list[str] = field(default_factory=list)
    seen: int = 0
    axe_runs: int = 0

    def add(self, sentence: str) -> None:
        """Note a complaint, at once on the disk too."""
        self.found.append(sentence)
        with (self.out / "complaints.txt").open("a") as file:
            file.write(f"{sentence}\n")


# --- the states of a site ---


def copied(settings: Settings, to: Path) -> Settings:
    """Return the settings of a copy of a data folder, without the models, to which it links."""
    shutil.copytree(settings.data, to, ignore=shutil.ignore_patterns("models", "backups", "*.lock"))
    if (settings.data / "models").is_dir():
        (to / "models").symlink_to(settings.data / "models")
    set_quick_password(to, PASSWORD)
    return replace(settings, data=to)


def _damage(file: Path) -> None:
    body = file.read_bytes()
    file.unlink()
    file.write_bytes(body[: len(body) // 2])


def state_of(name: str, settings: Settings, folder: Path) -> Settings:
    """Return the settings of a copy of the library in one of the states."""
    if name == "empty":
        (folder / "nothing").mkdir(parents=True)
        set_quick_password(folder / "data", PASSWORD)
        return replace(settings, library=folder / "nothing", data=folder / "data")
    found = copied(settings, folder)
    if name == "no index":
        shutil.rmtree(found.data / "index")
    elif name == "damaged index":
        for file in (found.data / "index").rglob("*.faiss"):
            _damage(file)
    elif name == "no library":
        return replace(found, library=folder / "not mounted")
    return found


@contextmanager
def served(settings: Settings, state: str) -> Iterator[str]:
    """Give the address of a real server, whose page `/fails` has a fault."""
    settings = replace(settings, host="127.0.0.1", port=0, search_rate="off", upload_rate="off")
    app = create_app(Workspace(settings, open_catalogue(settings, migrate=True)))
    app.add_url_rule("/fails", view_func=lambda: abort(500))
    if state == "damaged catalogue":
        app.extensions["site"].catalogue.close()
        with (settings.data / "catalogue.sqlite").open("r+b") as file:
            file.write(bytes(4096))
    with listening(app) as address:
        yield address


def fill_inbox(settings: Settings, catalogue: Catalogue, count: int = 12) -> None:
    """Put copies, edited copies and new pictures into the inbox."""
    memes = [
        one for one in catalogue.memes.freshest(200) if one.type is MediaType.IMAGE and one.width and not one.damage
    ]
    with Workspace(settings, open_catalogue(settings)) as workspace:
        for number, meme in enumerate(memes[:count]):
            body = (settings.library / meme.path).read_bytes()
            if number % 3:
                picture = Image.open(io.BytesIO(body)).convert("RGB")
                picture = ImageOps.expand(picture, 60, "gold") if number % 3 == 1 else ImageOps.posterize(picture, 2)
                picture.save(out := io.BytesIO(), "JPEG", quality=70)
                body = out.getvalue()
            receive(workspace, io.BytesIO(body), name=f"saved from chat {number}.jpg", received_by="page")


# --- the pages ---


def _first_card(page: Page) -> None:
    page.locator("#results a.picture").first.click()
    expect(page.locator("dialog.viewer .facts h1")).to_be_visible()


def _slides(page: Page) -> None:
    _first_card(page)
    page.keyboard.press("p")
    expect(page.locator("dialog.viewer.playing")).to_be_visible()


def _similar(page: Page) -> None:
    _first_card(page)
    page.keyboard.press("s")
    expect(page.locator("dialog.viewer #alike")).to_be_visible()


def _zoomed(page: Page) -> None:
    page.locator("[data-zoom-button]").click()


def _keys(page: Page) -> None:
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()


def _typed(page: Page) -> None:
    page.locator("#q").click()
    page.keyboard.type("ca", delay=30)
    expect(page.locator(".suggestions [role=option]").first).to_be_visible()


def _variants(page: Page) -> None:
    link = page.locator("a.variants").first
    if link.count():
        link.click()
        expect(page.locator(".tray")).to_be_visible()


def _selected(page: Page) -> None:
    boxes = page.locator("[data-pick]")
    for at in range(3):
        boxes.nth(at).check(force=True)


def _favorite(page: Page) -> None:
    ids = page.evaluate("[...document.querySelectorAll('[data-id]')].slice(0, 7).map((one) => one.dataset.id)")
    page.evaluate("ids => localStorage.setItem('favorites', JSON.stringify(ids))", ids)
    page.goto("/favorites")
    expect(page.locator("#results .card").first).to_be_visible()


def _too_large(page: Page) -> None:
    file: FilePayload = {"name": "large.png", "mimeType": "image/png", "buffer": bytes(21_000_000)}
    page.locator("form.plain input[type=file]").set_input_files(files=[file])
    page.locator("form.plain button").click()
    expect(page.locator("main h1")).to_contain_text("too large")


def _drawn(page: Page) -> None:
    expect(page.locator("[data-map]")).to_be_visible(timeout=600_000)  # the page loads itself again until it is drawn
    page.wait_for_timeout(500)


def _curate(page: Page) -> None:
    page.locator("details.desk summary").click()


def _pressed(key: str) -> Callable[[Page], None]:
    def act(page: Page) -> None:
        if page.locator("html[data-keys=ready]").count():
            page.keyboard.press(key)
            page.wait_for_timeout(700)

    return act


def stops(catalogue: Catalogue, words: str) -> list[Stop]:
    """Return the walk through a library; `words` find something in it."""
    found = [
        Stop("home", "/"),
        Stop("home, page 2", "/?page=2"),
        Stop("home, small", "/appearance?size=small&next=/"),
        Stop("home, large", "/appearance?size=large&next=/"),
        Stop("home, sizes again", "/appearance?size=medium&next=/"),
        Stop("typing", "/", _typed, scripts=True),
        Stop("keys", "/", _keys, scripts=True),
        Stop("results", f"/?q={words}"),
        Stop("results, a facet", f"/?q={words}&open=category"),
        Stop("results, variants", f"/?q={words}", _variants, scripts=True),
        Stop("results, filtered", f"/?q={words}+type:image+after:2001&sort=newest"),
        Stop("results, slip", "/?q=categry:zz+has:nothing+after:yesterday"),
        Stop("results, none", "/?q=after:2099"),
        Stop("results, no match", "/?q=zzyzxq"),
        Stop("results, phrase", '/?q="nobody ever says this"'),
        Stop("results, past the end", f"/?q={words}&page=999", status=200),
        Stop("viewer", f"/?q={words}", _first_card, scripts=True),
        Stop("viewer, similar", "/", _similar, scripts=True),
        Stop("viewer, slide show", "/", _slides, scripts=True),
        Stop("categories", "/categories"),
        Stop("categories, none", "/categories?find=zzyzxq"),
        Stop("map", "/map", _drawn),
        Stop("random", "/random"),
        Stop("favorites, none", "/favorites"),
        Stop("favorites", "/", _favorite, scripts=True),
        Stop("about", "/about"),
        Stop("API", "/api/docs"),
        Stop("sign-in", "/sign-in"),
        Stop("400", "/?q=dog&sort=zzz", status=400),
        Stop("404", "/nothing/here", status=404),
        Stop("404 meme", "/memes/Nope/x.png.html", status=404),
        Stop("413", "/about", _too_large),
        Stop("500", "/fails", status=500),
        Stop("empty, home", "/", state="empty"),
        Stop("empty, results", f"/?q={words}", status=503, state="empty"),
        Stop("empty, categories", "/categories", state="empty"),
        Stop("empty, map", "/map", state="empty"),
        Stop("empty, to do", "/curator", state="empty", curator=True),
        Stop("empty, inbox", "/curator/inbox", state="empty", curator=True),
        Stop("empty, duplicates", "/curator/duplicates", state="empty", curator=True),
        Stop("empty, progress", "/curator/progress", state="empty", curator=True),
        Stop("no index, home", "/", state="no index"),
        Stop("no index, results", f"/?q={words}", status=503, state="no index"),
        Stop("damaged index, results", f"/?q={words}", status=503, state="damaged index"),
        Stop("damaged catalogue", "/", status=503, state="damaged catalogue"),
    ]
    for name, meme in kinds(catalogue).items():
        found.append(Stop(f"meme, {name}", page_url(meme)))
        if name == "picture":
            found.append(Stop("meme, zoomed", page_url(meme), _zoomed, scripts=True))
            found.append(Stop("meme, no library", page_url(meme), state="no library"))
            found.append(Stop("meme, curator", page_url(meme), _curate, curator=True))
    category = max(catalogue.memes.categories(), key=lambda one: one[1])[0]
    found.append(Stop("category", category_url(category)))
    found.append(Stop("category, curator", category_url(category), _selected, curator=True))
    for name, address in (
        ("to do", "/curator"),
        ("duplicates, identical", "/curator/duplicates?tier=identical"),
        ("duplicates, same", "/curator/duplicates?tier=same"),
        ("duplicates, edited", "/curator/duplicates?tier=edited"),
        ("variants", "/curator/duplicates?tier=variant"),
        ("trash", "/curator/duplicates/trash"),
        ("category check", "/curator/health"),
        ("badly read", "/curator/reading"),
        ("contradictions", "/curator/contradictions"),
        ("progress", "/curator/progress"),
        ("sessions", "/curator/sessions"),
    ):
        found.append(Stop(name, address, curator=True))
    found.append(Stop("results, curator", f"/?q={words}", _selected, curator=True))
    return found


def kinds(catalogue: Catalogue) -> dict[str, Meme]:
    """Return the first meme of each kind that a page shows in a way of its own."""
    found: dict[str, Meme] = {}
    for meme in catalogue.memes.each():
        texts = catalogue.texts.of(meme)
        ratio = meme.width / meme.height if meme.width and meme.height else 1
        for name, is_one in (
            ("picture", meme.type is MediaType.IMAGE and len(texts) > 1 and not meme.damage and meme.width),
            ("no text", meme.type is MediaType.IMAGE and meme.width and not any(one.body.strip() for one in texts)),
            ("GIF", meme.type is MediaType.GIF),
            ("video", meme.type is MediaType.VIDEO and meme.plays_in_browsers),
            ("video, other", meme.type is MediaType.VIDEO and not meme.plays_in_browsers),
            ("damaged", meme.damage),
            ("not decoded", meme.width is None),
            ("high", ratio < 0.4),
            ("wide", ratio > 2.5),
        ):
            if is_one and name not in found:
                found[name] = meme
    return found


# --- looking ---

LAYOUT = """() => {
  const wide = document.documentElement.scrollWidth - innerWidth;
  const found = wide > 0 ? [`is ${wide} px wider than the window`] : [];
  const box = (one) => one.getBoundingClientRect();
  const clipped = [...document.querySelectorAll(".button, .pill, h1, h2, label")].filter(
    (one) => one.checkVisibility() && one.clientWidth && one.scrollWidth > one.clientWidth + 1
      && getComputedStyle(one).overflow === "hidden" && !one.matches(".visually-hidden"));
  if (clipped.length) found.push(`cuts ${clipped.length}: ${clipped[0].textContent.trim().slice(0, 60)}`);
  const grid = document.querySelector("#results");
  const last = grid && [...grid.querySelectorAll(":scope > .card")].at(-1);
  const row = last ? [...grid.children].filter((one) => Math.abs(box(one).top - box(last).top) < 4) : [];
  const many = innerWidth > 760 && grid && grid.querySelectorAll(".card").length > 4;
  if (many && row.length === 1) found.push("ends with a lone card");
  const broken = [...document.images].filter((one) => one.complete && !one.naturalWidth && one.checkVisibility());
  if (broken.length) found.push(`has a picture that does not load: ${broken[0].src}`);
  return found;
}"""


def look(page: Page, stop: Stop, *, complaints: Complaints, where: str, with_axe: bool, errors: list[str]) -> bytes:
    """Open a page, write down what is wrong, and return its picture."""
    width = page.viewport_size["width"] if page.viewport_size else 1280

    def complain(what: str) -> None:
        complaints.add(f"{where} {stop.name} ({stop.address}): {what}")

    errors.clear()
    try:
        answer = page.goto(stop.address, wait_until="load")
        if answer and answer.status != stop.status:
            complain(f"has status {answer.status} in place of {stop.status}")
        page.wait_for_timeout(150)
        if stop.act and (with_axe or stop.scripts is None):
            stop.act(page)
            page.wait_for_timeout(250)
    except (BrowserError, AssertionError) as error:
        complain(f"failed: {str(error).splitlines()[0][:200]}")
    for what in page.evaluate(LAYOUT):
        complain(what)
    if with_axe:
        complaints.axe_runs += 1
        for one in Axe().run(page, options=AXE_OPTIONS).response["violations"]:
            complain(f"axe {one['id']}, {len(one['nodes'])}: {one['nodes'][0]['html'][:160]}")
    for message in errors:
        complain(f"the console says: {message[:200]}")
    complaints.seen += 1
    tall = page.evaluate("Math.max(document.documentElement.scrollHeight, innerHeight)")
    clip: FloatRect = {"x": 0, "y": 0, "width": width, "height": min(tall, int(SHOWN * HEIGHTS[width]))}
    return page.screenshot(full_page=True, clip=clip, type="jpeg", quality=70)


def sheet(pictures: list[bytes], to: Path) -> None:
    """Write the pictures of a page beside each other, at one height."""
    found = [Image.open(io.BytesIO(one)) for one in pictures]
    shown = [one.resize((round(one.width * 900 / one.height), 900)) for one in found]
    out = Image.new("RGB", (sum(one.width + 12 for one in shown), 900), "magenta")
    left = 0
    for one in shown:
        out.paste(one, (left, 0))
        left += one.width + 12
    out.save(to, quality=80)


def walk(browser: Browser, found: list[Stop], settings: Settings, given: argparse.Namespace) -> Complaints:
    """See every page in every way, and return what is wrong."""
    complaints = Complaints(given.out)
    pictures: dict[tuple[str, bool], list[bytes]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for state in dict.fromkeys(["full", *(one.state for one in found)]):
            here = [one for one in found if one.state == state]
            prepared = state_of(state, settings, Path(folder) / state.replace(" ", "-"))
            with served(prepared, state) as address:
                if state == "full" and re.search(given.only, "inbox upload group all of"):
                    with open_catalogue(prepared) as catalogue:
                        fill_inbox(prepared, catalogue)
                    examining = [Stop("inbox, examining", "/curator/inbox", curator=True)]
                    for scheme in given.schemes:
                        _walk_state(browser, examining, address, (state, scheme, True), given, complaints, pictures)
                    here += [one for one in _found_later(browser, address) if re.search(given.only, one.name)]
                for scripts in given.scripts:
                    for scheme in given.schemes:
                        _walk_state(browser, here, address, (state, scheme, scripts), given, complaints, pictures)
    return complaints


def _found_later(browser: Browser, address: str) -> Iterator[Stop]:
    """Yield the pages whose addresses are on other pages: an upload, the inbox when it is examined, and each group."""
    context = browser.new_context(base_url=address)
    page = context.new_page()
    sign_in(page)
    yield Stop("inbox, full", "/curator/inbox", curator=True)
    page.goto("/curator/inbox")
    expect(page.locator("[data-examining]")).to_have_count(0, timeout=600_000)
    for link in dict.fromkeys(links(page, r"/curator/inbox/\d+$")[:1]):
        yield Stop("upload", link, curator=True)
    for tier in ("identical", "same", "edited", "variant"):
        page.goto(f"/curator/duplicates?tier={tier}")
        for group in links(page, r"/curator/duplicates/[0-9a-f]{6,}")[:1]:
            yield Stop(f"group, {tier}", group, curator=True)
            yield Stop(f"group, {tier}, zoom", group, _pressed("z"), curator=True, scripts=True)
            yield Stop(
                f"group, {tier}, difference", f"{group}{'&' if '?' in group else '?'}show=difference", curator=True
            )
        if tier != "variant":
            yield Stop(f"all of {tier}", f"/curator/duplicates/all/{tier}", curator=True)
    context.close()


def links(page: Page, pattern: str) -> list[str]:
    """Return the addresses in the page's content that a pattern fits."""
    every = page.locator("main a[href]").evaluate_all("list => list.map((one) => one.getAttribute('href'))")
    return [one for one in every if re.search(pattern, one)]


def sign_in(page: Page) -> None:
    """Sign in as the curator."""
    page.goto("/sign-in")
    page.locator("input[type=password]").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/curator")


def _walk_state(
    browser: Browser,
    here: list[Stop],
    address: str,
    way: tuple[str, str, bool],
    given: argparse.Namespace,
    complaints: Complaints,
    pictures: dict[tuple[str, bool], list[bytes]],
) -> None:
    state, scheme, scripts = way
    for curator in (False, True):
        mine = [one for one in here if one.curator is curator and one.scripts in (None, scripts)]
        if not mine:
            continue
        context = browser.new_context(base_url=address, color_scheme=scheme, java_script_enabled=scripts)  # type: ignore[arg-type]
        page = context.new_page()
        page.set_default_timeout(30_000)
        errors = _listen(page, address)
        if curator:
            sign_in(page)
        for stop in mine:
            for width in given.widths:
                page.set_viewport_size({"width": width, "height": HEIGHTS[width]})
                where = f"[{state}, {width}, {scheme}{'' if scripts else ', no scripts'}]"
                picture = look(page, stop, complaints=complaints, where=where, with_axe=scripts, errors=errors)
                shown = pictures.setdefault((stop.name, scripts), [])
                shown.append(picture)
                name = re.sub(r"[^a-z0-9]+", "-", stop.name.lower())
                sheet(shown, given.out / f"{name}{'' if scripts else ' no scripts'}.jpg")
        context.close()


def _listen(page: Page, address: str) -> list[str]:
    """Return a list to which errors of scripts, messages on the console and requests to other hosts are added."""
    found: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        if message.type == "error" and not EXPECTED_ERRORS.search(message.text):
            found.append(message.text)

    def check(request: Request) -> None:
        if not request.url.startswith((address, "data:", "blob:")):
            found.append(f"asks {request.url}")

    page.on("pageerror", lambda error: found.append(str(error)))
    page.on("console", hear)
    page.on("request", check)
    return found


def main() -> int:
    """Walk, and return 1 when there is a complaint."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="the data folder of an indexed library; it is copied")
    parser.add_argument("out", type=Path, help="the folder for pictures and complaints")
    parser.add_argument("--words", default="dog", help="a query that finds memes of this library")
    parser.add_argument("--only", default="", help="a regular expression for the names of the pages")
    parser.add_argument("--widths", default=list(HEIGHTS), type=lambda text: [int(one) for one in text.split(",")])
    parser.add_argument("--schemes", default=list(SCHEMES), type=lambda text: text.split(","))
    parser.add_argument("--scripts", default=[True, False], type=lambda text: [text != "off"], help="on, or off")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "complaints.txt").unlink(missing_ok=True)
    settings = load_settings({"data": given.data})
    with open_catalogue(settings) as catalogue:
        found = [one for one in stops(catalogue, given.words) if re.search(given.only, one.name)]
    with chromium() as browser:
        complaints = walk(browser, found, settings, given)
    last = f"{complaints.seen} pages seen, {complaints.axe_runs} by axe: {len(complaints.found)} complaints"
    sys.stdout.write("\n".join([*complaints.found, last]) + "\n")
    return 1 if complaints.found else 0


if __name__ == "__main__":
    sys.exit(main())
