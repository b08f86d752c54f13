"""What a decision costs a curator: the time between a key and the next group, and what a batch takes.

    python -m benchmarks.curation FOLDER --memes 30000 --groups 2000

Writes a library of small files into the folder and pairs into its catalogue, then decides through the site's own pages.
"""

from __future__ import annotations

import argparse
import re
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median, quantiles

from flask.testing import FlaskClient

from benchmarks.machine import machine
from indexer.curation.duplicates import apply, propose
from indexer.library.scan import scan_library
from indexer.work.progress import SILENT
from search.catalogue import open_catalogue
from search.catalogue.pairs import Pair
from search.evidence import Evidence, Tier
from search.settings import Settings
from search.workspace import Workspace
from web.app import create_app
from web.curator.passwords import set_password

PASSWORD = "a password of the benchmark"
CATEGORIES = 300


def prepare(settings: Settings, *, memes: int, groups: int) -> None:
    """Write a library in which the first groups' files are pairs of the same picture, unless it is there."""
    if settings.library.exists():
        return
    for number in range(memes):
        file = settings.library / f"Category {number % CATEGORIES}" / f"meme {number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"%d" % number)
        file.with_name(f"{file.name}.model.simple-description.txt").write_text(f"What meme {number} shows.")
    with open_catalogue(settings) as catalogue:
        scan_library(settings.library, catalogue, progress=SILENT)
        contents = [meme.content_hash for meme in catalogue.memes.everything()]
        evidence = Evidence(Tier.SAME, (), 8, 0, 1.0, 1.0, 0.0)
        catalogue.pairs.add(Pair(contents[2 * at], contents[2 * at + 1], evidence) for at in range(groups))
    set_password(settings.data, PASSWORD)


def timed(work: Callable[[], object]) -> float:
    """Return the seconds that work took."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def field(page: str, name: str) -> str:
    """Return the value of a form's field."""
    found = re.search(rf'name="{name}" value="([^"]+)"', page)
    assert found, f"the page has no {name}"
    return found[1]


def decide(client: FlaskClient, address: str, decision: str) -> str:
    """Decide on the group at an address as its page would, and return the address of the next."""
    page = client.get(address).text
    form = {name: field(page, name) for name in ("csrf", "seen", "keep", "other")}
    answer = client.post(address.partition("?")[0], data=form | {"decision": decision})
    assert answer.status_code == 303, answer.text
    return str(answer.location)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--memes", type=int, default=30_000)
    arguments.add_argument("--groups", type=int, default=2_000)
    arguments.add_argument("--decisions", type=int, default=20)
    given = arguments.parse_args()
    settings = Settings(library=given.folder.absolute() / "memes", data=given.folder.absolute() / "data")
    print(machine())
    prepare(settings, memes=given.memes, groups=given.groups)
    client = create_app(Workspace(settings, open_catalogue(settings))).test_client()
    client.post("/sign-in", data={"csrf": field(client.get("/sign-in").text, "csrf"), "password": PASSWORD})
    listed = [timed(lambda: client.get("/curator/duplicates")) for _ in range(3)]
    print(f"{'list, first and again':24} {1000 * listed[0]:,.0f} ms, {1000 * listed[-1]:,.0f} ms")
    found = re.search(r'<a href="(/curator/duplicates/[0-9a-f]{16})">', client.get("/curator/duplicates").text)
    assert found, "nothing is left to decide: begin with a new folder"
    for decision in ("distinct", "merge"):
        address, seconds = found[1], []
        for _ in range(given.decisions):
            begun = time.perf_counter()
            address = decide(client, address, decision)
            seconds.append(time.perf_counter() - begun)
        found = re.search(r"(.*)", address)
        assert found
        label = f"{decision} and next page"
        print(f"{label:24} p50 {1000 * median(seconds):,.0f} ms   p95 {1000 * quantiles(seconds, n=20)[-1]:,.0f} ms")
    with open_catalogue(settings) as catalogue:
        proposals = propose(Workspace(settings, catalogue))[:200]
        seconds_taken = timed(lambda: apply(Workspace(settings, catalogue), proposals))
        print(f"{'batch of 200 merges':24} {seconds_taken:.1f} s")


if __name__ == "__main__":
    main()
