"""A curator's decisions on duplicates: time to the next page and of a batch of merges, at 30,000 memes.

    python -m benchmarks.curation
    python -m benchmarks.curation FOLDER --memes 30000 --groups 2000

Writes a library of small files with pairs in its catalogue, then decides through the site's own pages, in process. The
library is removed afterwards unless FOLDER names it; a library whose groups are all decided cannot be used again.
"""

from __future__ import annotations

import re
import tempfile
from argparse import Namespace
from pathlib import Path

from flask.testing import FlaskClient

from benchmarks.harness import Benchmark, Report, percentiles, seconds_of, timed
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
BENCHMARK = Benchmark(__doc__, needs="nothing; Argon2 makes signing in take about 0.1 s", takes="4 minutes")
BENCHMARK.parser.add_argument("folder", nargs="?", type=Path, help="keeps the library (default: a temporary folder)")
BENCHMARK.option("--memes", 30_000, small=200, help="memes of a new library")
BENCHMARK.option("--groups", 2_000, small=60, help="pairs of duplicates among them")
BENCHMARK.option("--decisions", 20, small=3, help="decisions of each kind to time")
BENCHMARK.option("--batch", 200, small=20, help="merges of the batch")


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


def field(page: str, name: str) -> str:
    """Return the value of a form's field."""
    found = re.search(rf'name="{name}" value="([^"]+)"', page)
    assert found, f"the page has no {name}"
    return found[1]


def decide(client: FlaskClient, address: str, decision: str) -> str:
    """Decide on the group at an address as its page does; return the address of the next group."""
    page = client.get(address).text
    form = {name: field(page, name) for name in ("csrf", "seen", "keep", "other")}
    answer = client.post(address.partition("?")[0], data=form | {"decision": decision})
    assert answer.status_code == 303, answer.text
    return str(answer.location)


def measure(given: Namespace, report: Report) -> None:
    """Print the time of a decision and of a batch."""
    with tempfile.TemporaryDirectory() as aside:
        folder = (given.folder or Path(aside)).absolute()
        settings = Settings(library=folder / "memes", data=folder / "data")
        prepare(settings, memes=given.memes, groups=given.groups)
        client = create_app(Workspace(settings, open_catalogue(settings))).test_client()
        client.post("/sign-in", data={"csrf": field(client.get("/sign-in").text, "csrf"), "password": PASSWORD})
        listed = timed(lambda _: client.get("/curator/duplicates"), range(3))
        report.note(f"list of groups: first {1000 * listed[0]:,.0f} ms, again {1000 * listed[-1]:,.0f} ms")
        found = re.search(r'<a href="(/curator/duplicates/[0-9a-f]{16})">', client.get("/curator/duplicates").text)
        if not found:
            raise SystemExit("Nothing is left to decide: begin with a new folder.")
        address = found[1]

        def decide_next(decision: str) -> None:
            nonlocal address
            address = decide(client, address, decision)

        table = report.table("decision and next page", {"decision": "", "p50 ms": ",.0f", "p95 ms": ",.0f"})
        for decision in ("distinct", "merge"):
            table.row(decision, *percentiles(timed(decide_next, [decision] * given.decisions)))
        with open_catalogue(settings) as catalogue:
            workspace = Workspace(settings, catalogue)
            proposals = propose(workspace)[: given.batch]
            seconds = seconds_of(lambda: apply(workspace, proposals))
            report.note(f"batch of {len(proposals)} merges: {seconds:.1f} s")


if __name__ == "__main__":
    raise SystemExit(BENCHMARK.run(measure))
