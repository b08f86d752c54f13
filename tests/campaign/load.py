"""Two hundred clients at once while the index is switched five times: no error, no 5xx."""

from __future__ import annotations

import itertools
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

import httpx

from tests.campaign.commands import memetica
from tests.campaign.library import Folder
from tests.campaign.report import Report, percentile
from tests.campaign.scenarios import prepare_base
from tests.campaign.site import Site, serving
from tests.support.uploading import drawn

CLIENTS = 200
SWITCHES = 5
SECONDS = 60.0  # at least
REQUESTS = (
    "/api/search?q=dog+coffee",
    "/?q=robot",
    "/api/search?q=cat+-clock&k=30",
    "/",
    "/api/memes/1/similar",
    "/memes/Cats/monday.png",
    "/api/search?q=%22this+is+fine%22",
    "/feed.atom",
)


def run_load(report: Report, *, cases: int = CLIENTS, seed: int = 0, seconds: float = SECONDS) -> None:
    """Let `cases` clients ask for pages and searches, one request each at a time; `seed` shifts their order."""
    with tempfile.TemporaryDirectory(prefix="memetica-load-") as place:
        folder = Folder(Path(place, "work"))
        prepare_base(folder)
        with serving(folder, report) as site:
            clients = _Clients(site, report, cases, seed)
            generations = _switch(folder, report, seconds=seconds)
            clients.stop()
        report.figures["index switches"] = f"{len(generations) - 1}"
        if len(generations) - 1 < SWITCHES:
            report.fault("the index", f"it was switched {len(generations) - 1} times only")
        clients.tell()


def _switch(folder: Folder, report: Report, *, seconds: float) -> list[str]:
    """Index a new meme five times within so many seconds; return the generations that were live."""
    ends = time.monotonic() + seconds
    live = [_live(folder)]
    for number in range(SWITCHES):
        (folder.library / f"Cats/load {number}.png").write_bytes(drawn(20 + number))
        ran = memetica("index", *folder.places, seconds=600)
        if ran.code != 0:
            report.fault("memetica index", f"it ended with {ran.code} under load: {ran.err[-400:]}")
        live.append(_live(folder))
    time.sleep(max(0.0, ends - time.monotonic()))
    return list(dict.fromkeys(live))


def _live(folder: Folder) -> str:
    return (folder.data / "index" / "CURRENT").read_text("ascii").split()[0]


class _Clients:
    """Threads that ask one request after the other, each on a connection of its own."""

    def __init__(self, site: Site, report: Report, count: int, seed: int) -> None:
        self._site, self._report = site, report
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._statuses: Counter[int] = Counter()
        self._seconds: list[float] = []
        self._searches: list[float] = []
        self._begun = time.monotonic()
        self._threads = [threading.Thread(target=self._ask, args=(seed + one,), daemon=True) for one in range(count)]
        for thread in self._threads:
            thread.start()

    def _ask(self, number: int) -> None:
        with self._site.visitor() as client:
            for address in itertools.islice(itertools.cycle(REQUESTS), number % len(REQUESTS), None):
                if self._ended.is_set():
                    return
                begun = time.monotonic()
                try:
                    status = client.get(address).status_code
                except httpx.HTTPError as error:
                    with self._lock:
                        self._report.fault(address, repr(error))
                    continue
                seconds = time.monotonic() - begun
                with self._lock:
                    self._report.cases += 1
                    self._statuses[status] += 1
                    self._seconds.append(seconds)
                    if "search" in address:
                        self._searches.append(seconds)
                    if status != 200:
                        self._report.fault(address, str(status))

    def stop(self) -> None:
        """Let every client finish its request."""
        self._ended.set()
        for thread in self._threads:
            thread.join(70)
        self._took = time.monotonic() - self._begun

    def tell(self) -> None:
        """Add what was seen to the report."""
        self._report.figures |= {
            "clients": f"{len(self._threads)}, {len(self._seconds) / self._took:.0f} requests/s",
            "answers": ", ".join(f"{status}: {count:,}" for status, count in sorted(self._statuses.items())),
            "all requests": _seconds(self._seconds),
            "searches": _seconds(self._searches),
        }


def _seconds(values: list[float]) -> str:
    return " / ".join(f"{percentile(values, share):.2f}" for share in (0.5, 0.99, 1)) + " s (p50 / p99 / max)"
