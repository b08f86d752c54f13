"""From the curator's key to the visitors' search: how long an upload takes, on a served library of any size.

    python -m benchmarks.uploads FOLDER --memes 30000 --uploads 10

The library is that of `benchmarks.scale`. Each upload is a picture drawn with words of its own, sent to a real server,
waited for until it was examined, accepted, and asked for by its words until the search has it.
"""

from __future__ import annotations

import argparse
import http.cookiejar
import io
import json
import re
import secrets
import time
import urllib.error
import urllib.request
from pathlib import Path
from statistics import quantiles
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from benchmarks.http import memory, prepare, server
from benchmarks.machine import machine
from search.settings import Settings
from web.curator.passwords import set_password

PASSWORD = "a long enough password"
POLL_SECONDS = 0.05
PATIENCE = 120.0


class Curator:
    """A session of the curator with a server."""

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


def until(done: Any) -> float:
    """Return after how many seconds something was so; raise SystemExit when it never was."""
    began = time.perf_counter()
    while not done():
        if time.perf_counter() - began > PATIENCE:
            raise SystemExit(f"It was not so within {PATIENCE:.0f} s.")
        time.sleep(POLL_SECONDS)
    return time.perf_counter() - began


def main() -> None:
    """Print the seconds of each step."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--memes", type=int, default=30_000)
    parser.add_argument("--uploads", type=int, default=10)
    given = parser.parse_args()
    library = given.folder / "memes"
    library.mkdir(parents=True, exist_ok=True)
    settings = Settings(library=library, data=given.folder).absolute()
    prepare(settings, given.memes)
    set_password(settings.data, PASSWORD)
    print(machine())
    steps: dict[str, list[float]] = {"sent → examined": [], "accepted: answered": [], "accepted → found": []}
    with server(settings) as (address, process):
        curator = Curator(address)
        for number in range(given.uploads + 1):
            word, picture = drawn(number)
            id = curator.send(f"{word}.jpg", picture)
            examined = until(lambda id=id: curator.get(f"/api/inbox/{id}")["state"] == "examined")
            category = (curator.get(f"/api/inbox/{id}")["suggestions"] or [{"category": "Category 1"}])[0]["category"]
            began = time.perf_counter()
            body = json.dumps({"category": category, "anyway": "it is measured"}).encode()
            curator.post(f"/api/inbox/{id}/accept", body, "application/json")
            answered = time.perf_counter() - began
            found = answered + until(
                lambda word=word: any(word in hit["path"] for hit in curator.get(f"/api/search?q={word}&k=3")["hits"])
            )
            if number:  # the first loads models, and the library's corners
                for name, seconds in zip(steps, (examined, answered, found), strict=True):
                    steps[name].append(seconds)
            else:
                print(f"the first: examined after {examined:.1f} s, found {found:.2f} s after it was accepted")
        for name, every in steps.items():
            cut = quantiles(every, n=20, method="inclusive")
            print(f"{name}: p50 {cut[9]:.2f} s, p95 {cut[18]:.2f} s, of {len(every)}, at {given.memes:,} memes")
        print(f"the server's memory: {memory(process):,.0f} MB")


if __name__ == "__main__":
    main()
