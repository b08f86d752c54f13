"""From upload to search: seconds until an upload is examined, accepted and found, on a server with 30,000 memes.

    python -m benchmarks.uploads
    python -m benchmarks.uploads FOLDER --memes 30000 --uploads 10

The library is that of `benchmarks.http`, in a folder of its own, because uploads change it. Each upload is a picture
drawn with a word of its own; it is sent to a real server, polled until examined, accepted, and searched by its word
until found.
"""

from __future__ import annotations

import http.cookiejar
import io
import json
import re
import secrets
import time
import urllib.error
import urllib.request
from argparse import Namespace
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from benchmarks.harness import Benchmark, Report
from benchmarks.http import memory, prepare, server
from benchmarks.scale import add_folder, folder_of
from search.settings import Settings
from web.curator.passwords import set_password

PASSWORD = "a long enough password"
POLL_SECONDS = 0.05
PATIENCE = 120.0
BENCHMARK = Benchmark(__doc__, needs="nothing", takes="8 minutes the first time, then 2")
add_folder(BENCHMARK)
BENCHMARK.option("--uploads", 10, small=2, help="uploads to time, after a first that is reported apart")


class Curator:
    """A signed-in client of a server."""

    def __init__(self, address: str) -> None:
        self._address = f"http://{address}"
        self._open = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())).open
        token = self._token("/sign-in")
        self._open(f"{self._address}/sign-in", f"csrf={token}&password={PASSWORD.replace(' ', '+')}".encode()).read()
        self._csrf = self._token("/curator/inbox")

    def _token(self, path: str) -> str:
        found = re.search(r'name="csrf" value="([^"]+)"', self._open(self._address + path).read().decode())
        if not found:
            raise SystemExit(f"{path} has no form: the sign-in failed.")
        return found[1]

    def get(self, path: str) -> Any:
        """Return an answer's JSON."""
        return json.load(self._open(self._address + path))

    def post(self, path: str, body: bytes, kind: str) -> Any:
        """Send a body and return the answer's JSON."""
        headers = {"Content-Type": kind, "X-CSRF-Token": self._csrf}
        try:
            return json.load(self._open(urllib.request.Request(self._address + path, body, headers)))
        except urllib.error.HTTPError as error:
            raise SystemExit(f"{path}: {error.code} {error.read().decode()}") from error

    def send(self, name: str, picture: bytes) -> int:
        """Send a file to the inbox and return its number."""
        edge = secrets.token_hex(8)
        head = f'--{edge}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
        body = head.encode() + picture + f"\r\n--{edge}--\r\n".encode()
        return int(self.post("/api/inbox", body, f"multipart/form-data; boundary={edge}")["uploads"][0]["id"])


def drawn(number: int) -> tuple[str, bytes]:
    """Return a word that no other picture has, and a picture with it."""
    rng = np.random.default_rng(int.from_bytes(secrets.token_bytes(4)))
    word = "".join(rng.choice(list("bdfgklmnprstv")) + rng.choice(list("aeiou")) for _ in range(5))
    picture = Image.fromarray(rng.integers(60, 200, (6, 8, 3), np.uint8)).resize((640, 480), Image.Resampling.BICUBIC)
    pen = ImageDraw.Draw(picture)
    pen.text(
        (40, 40), f"WHEN THE {word.upper()}", "white", ImageFont.load_default(44), stroke_width=3, stroke_fill="black"
    )
    pen.text((40, 380), f"IS NUMBER {number}", "white", ImageFont.load_default(44), stroke_width=3, stroke_fill="black")
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=88)
    return word, out.getvalue()


def is_examined(curator: Curator, id: int) -> bool:
    return curator.get(f"/api/inbox/{id}")["state"] == "examined"


def is_found(curator: Curator, word: str) -> bool:
    return any(word in hit["path"] for hit in curator.get(f"/api/search?q={word}&k=3")["hits"])


def until(done: Callable[[], bool]) -> float:
    """Return the seconds until a condition held; raise SystemExit after PATIENCE seconds."""
    began = time.perf_counter()
    while not done():
        if time.perf_counter() - began > PATIENCE:
            raise SystemExit(f"The server was not done within {PATIENCE:.0f} s.")
        time.sleep(POLL_SECONDS)
    return time.perf_counter() - began


def measure(given: Namespace, report: Report) -> None:
    """Print the seconds of each step."""
    folder = folder_of(given, "uploads")
    (folder / "memes" / "Category 1").mkdir(parents=True, exist_ok=True)
    (folder / "memes" / "Category 1" / "0.jpg").write_bytes(b"")  # an empty library takes no upload
    settings = Settings(library=folder / "memes", data=folder)
    prepare(settings, given.memes)
    set_password(settings.data, PASSWORD)
    steps: dict[str, list[float]] = {"sent to examined": [], "accepted to answered": [], "accepted to found": []}
    with server(settings) as (address, process):
        curator = Curator(address)
        for number in range(given.uploads + 1):
            word, picture = drawn(number)
            id = curator.send(f"{word}.jpg", picture)
            examined = until(partial(is_examined, curator, id))
            category = (curator.get(f"/api/inbox/{id}")["suggestions"] or [{"category": "Category 1"}])[0]["category"]
            began = time.perf_counter()
            body = json.dumps({"category": category, "anyway": "it is measured"}).encode()
            curator.post(f"/api/inbox/{id}/accept", body, "application/json")
            answered = time.perf_counter() - began
            found = answered + until(partial(is_found, curator, word))
            if number:  # the first loads models and the library's keypoints
                for name, seconds in zip(steps, (examined, answered, found), strict=True):
                    steps[name].append(seconds)
            else:
                report.note(f"the first upload: examined after {examined:.1f} s, found {found:.2f} s after accepting")
        table = report.table(f"at {given.memes:,} memes", {"step": "", "p50 s": ".2f", "p95 s": ".2f", "uploads": ",d"})
        for name, every in steps.items():
            table.row(name, *np.percentile(every, (50, 95)), len(every))
        report.note(f"server memory: {memory(process):,.0f} MB")


if __name__ == "__main__":
    raise SystemExit(BENCHMARK.run(measure))
