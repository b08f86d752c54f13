"""Two hundred uploads cleared by keys alone: how many keys it takes, and how long the server lets one wait.

    python -m benchmarks.inbox
    python -m benchmarks.inbox --uploads 200 --known 60 --sure 100

Draws a small library, puts uploads into its inbox with what their examination would have found, and walks through the
site as the keys do: `d` discards what is already here, `a` accepts what is sure, → opens the first of the others, and a
number accepts each into a category. Every request that a key causes is sent by a plain HTTP client to a real server,
so that no browser's or test driver's time is counted. How long a person looks is not measured: the last row adds
`--look` seconds for each picture.
"""

from __future__ import annotations

import http.client
import io
import re
import tempfile
import threading
import time
from argparse import Namespace
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlencode

from PIL import Image, ImageDraw

from benchmarks.harness import Benchmark, Report
from indexer.inbox.reception import receive
from indexer.pipeline import index_library
from indexer.work.progress import SILENT
from search.catalogue import Upload, open_catalogue
from search.settings import Settings
from search.workspace import Workspace
from web.app import create_app
from web.curator import actions
from web.curator.passwords import set_password
from web.server.serve import bind
from web.suggestions import SuggestedCategories, SuggestedCategory

PASSWORD = "a password of the benchmark"
CATEGORIES = ("Cats", "Dogs", "Robots", "Ships")
POLL_SECONDS = 2.0  # the page of a batch that takes longer loads itself again so often
BENCHMARK = Benchmark(__doc__, needs="nothing", takes="2 minutes")
BENCHMARK.option("--uploads", 200, small=9, help="uploads in all")
BENCHMARK.option("--known", 60, small=3, help="of them copies of memes of the library")
BENCHMARK.option("--sure", 100, small=3, help="of them sure of their category")
BENCHMARK.option("--look", 1.5, help="seconds that a person looks at each picture")


class Walk:
    """A curator's browser reduced to its requests; counts the keys and the seconds between each and its last answer."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        self._cookie = ""
        self.keys = 0
        self.waits: list[float] = []
        self.address = ""
        self.page = ""

    def open(self, address: str, form: Mapping[str, object] | None = None) -> None:
        """Send a request, follow where it leads, and wait for a batch that is shown while it runs."""
        self._send(address, form)
        while "data-reload" in self.page and self.address.startswith("/curator/batches/"):
            time.sleep(POLL_SECONDS)
            self._send(self.address)  # which leads back when all is done

    def press(self, address: str, form: Mapping[str, object] | None = None) -> None:
        """Do what one key does, and time it."""
        started = time.perf_counter()
        self.open(address, form)
        self.keys += 1
        self.waits.append(time.perf_counter() - started)

    def _send(self, address: str, form: Mapping[str, object] | None = None) -> None:
        for _ in range(10):
            headers = {"Cookie": self._cookie, "Content-Type": "application/x-www-form-urlencoded"}
            body = None if form is None else urlencode(form, doseq=True)
            self._connection.request("GET" if form is None else "POST", address, body, headers)
            answer = self._connection.getresponse()
            page = answer.read().decode()
            for cookie in answer.headers.get_all("Set-Cookie") or []:
                if cookie.startswith("memetica-") and not cookie.startswith("memetica-known"):
                    self._cookie = cookie.partition(";")[0]
            if answer.status != 303:
                assert answer.status == 200, (answer.status, address, page[:2000])
                self.address, self.page = address, page
                return
            address, form = answer.headers["Location"], None

    def field(self, name: str) -> str:
        """Return the value of a hidden field of the page."""
        found = re.search(rf'name="{name}" value="([^"]+)"', self.page)
        assert found, f"{self.address} has no {name}"
        return found[1]

    def heap(self, name: str) -> dict[str, object]:
        """Return the form of a heap as the page has it: what is ticked, and the categories that it shows."""
        found = re.search(rf'<h2 id="heap-{name}">(.*?)</form>', self.page, re.DOTALL)
        assert found, f"there is no heap {name}"
        shown = dict(re.findall(r'name="(category-\d+)" value="([^"]+)"', found[1]))
        return {"csrf": self.field("csrf"), "upload": re.findall(r'name="upload" value="(\d+)"', found[1]), **shown}


def drawing(number: int) -> bytes:
    """Return the bytes of a picture of its own."""
    picture = Image.new("RGB", (320, 240), ((37 * number) % 256, (91 * number) % 256, (53 * number) % 256))
    pen = ImageDraw.Draw(picture)
    for step in range(8):
        pen.line((step * 40, 0, (number * 31 * (step + 1)) % 320, 240), fill=(255 - step * 20, step * 30, 90), width=6)
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


def prepare(settings: Settings, given: Namespace) -> None:
    """Draw the library, index it, and fill the inbox."""
    for number in range(max(given.known, 20)):
        file = settings.library / CATEGORIES[number % len(CATEGORIES)] / f"meme {number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(drawing(number))
    set_password(settings.data, PASSWORD)
    with open_catalogue(settings) as catalogue:
        workspace = Workspace(settings, catalogue)
        index_library(workspace, progress=SILENT)
        for number in range(given.uploads):
            heap = "known" if number < given.known else "sure" if number < given.known + given.sure else "look"
            body = drawing(number if heap == "known" else 10_000 + number)
            upload = receive(workspace, io.BytesIO(body), name=f"{heap} {number}.png", received_by="page")
            catalogue.uploads.mark_examined(upload.id, {}, [])


def suggested(upload: Upload) -> SuggestedCategories:
    """Return what a trained suggester would say, which is not what is measured here."""
    sure = "Robots" if upload.name.startswith("sure") else None
    ranked = [SuggestedCategory(sure or name, 0.97 if sure else 0.4, has_evidence=True) for name in CATEGORIES[:1]]
    return SuggestedCategories(tuple(ranked), "", sure)


@contextmanager
def serving(settings: Settings) -> Iterator[int]:
    """Yield the port of a server of the site."""
    with open_catalogue(settings) as catalogue:
        app = create_app(Workspace(replace(settings, host="127.0.0.1", port=0), catalogue))
        server = bind(app)
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        try:
            yield server.effective_listen[0][1]
        finally:
            server.close()
            thread.join(5)
            app.extensions["site"].close()


def walk_through(port: int) -> Walk:
    """Sign in and clear the inbox."""
    walk = Walk(port)
    walk.open("/sign-in")
    walk.open("/sign-in", {"csrf": walk.field("csrf"), "password": PASSWORD, "next": "/curator/inbox"})
    walk.press("/curator/inbox/heap", walk.heap("known") | {"decision": "discard"})  # d
    walk.press("/curator/inbox/heap", walk.heap("sure") | {"decision": "accept"})  # a
    first = re.search(r'href="(/curator/inbox/\d+)" data-key="ArrowRight"', walk.page)
    assert first, "nothing is left to look at"
    walk.press(first[1])  # →
    while walk.address.startswith("/curator/inbox/"):
        form = {"csrf": walk.field("csrf"), "seen": walk.field("seen"), "category": "Cats"}
        walk.press(walk.address.partition("?")[0], form)  # 1
    return walk


def measure(given: Namespace, report: Report) -> None:
    """Clear the inbox once and report the keys and the waits."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(
            library=Path(folder) / "memes", data=Path(folder) / "data", ocr_engine="none", image_encoder=""
        )
        prepare(settings, given)
        real, actions.suggestions_for = actions.suggestions_for, suggested
        try:
            with serving(settings) as port:
                walk = walk_through(port)
        finally:
            actions.suggestions_for = real
        with open_catalogue(settings) as catalogue:
            left = sum(catalogue.uploads.load())
    assert left == 0, "uploads are left"
    waits = sorted(walk.waits)
    table = report.table("walk", {"what": "", "value": ",.1f"})
    table.row("uploads", float(given.uploads))
    table.row("keys", float(walk.keys))
    table.row("waiting for the server, s", sum(waits))
    table.row("longest wait, s", waits[-1])
    table.row("median wait, s", waits[len(waits) // 2])
    table.row(f"minutes, with {given.look:g} s to look at each", (sum(waits) + given.look * given.uploads) / 60)


if __name__ == "__main__":
    raise SystemExit(BENCHMARK.run(measure))
