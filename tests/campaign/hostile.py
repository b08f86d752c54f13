"""Pictures that mean harm, sent to a server by every way in, and indexed."""

from __future__ import annotations

import random
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

from tests.campaign.commands import memetica
from tests.campaign.library import Folder
from tests.campaign.mutations import mutations
from tests.campaign.report import Report, percentile
from tests.campaign.scenarios import prepare_base
from tests.campaign.site import Site, serving
from tests.support.hostile_pictures import KINDS, Kind
from tests.support.uploading import files_of

CASES = 10_000
MOST_SECONDS = 5.0
AT_ONCE = 4  # clients
TRIES = 100  # of one file, each after what `Retry-After` says
INDEX_SECONDS = 5.0  # a file, on average
SUFFIXES = (".png", ".jpg", ".gif", ".webp", ".svg", ".mp4", ".avif", ".bmp", ".webm")
Doors = dict[str, tuple[httpx.Client, str, str]]  # a client, an address, the field of the picture


def run_hostile(report: Report, *, cases: int = CASES, seed: int = 0, kinds: tuple[Kind, ...] = KINDS) -> None:
    """Send the hostile pictures of the tests by every way in, then mutated files up to `cases`; index some."""
    with tempfile.TemporaryDirectory(prefix="memetica-hostile-") as place:
        folder = Folder(Path(place, "work"))
        prepare_base(folder)
        before = files_of(folder.library)
        with serving(folder, report) as site:
            sender = _Sender(site, report)
            sender.send_all(_cases(kinds, cases, seed))
            sender.tell()
            _still_answers(site, report)
        changed = {*before.items()} ^ {*files_of(folder.library).items()}
        if changed:
            report.fault("the library", f"{len(changed)} files have changed: {sorted(changed)[0]}")
        _index(folder, report, kinds=kinds, count=cases // 20, seed=seed)


def _cases(kinds: tuple[Kind, ...], cases: int, seed: int) -> Iterator[tuple[str, bytes, str]]:
    """Yield a name, a body and the way in: hostile pictures by each of three, mutated files mostly by the first."""
    sent = 0
    for kind in kinds:
        body = kind.make()
        for door in ("search", "api search", "inbox"):
            sent += 1
            yield f"{kind.name} to {door}", body, door
    for number, (name, body) in enumerate(mutations(max(0, cases - sent), seed=seed)):
        door = ("search", "api search", "inbox", "suggest")[number % 4]
        yield f"{name} to {door}", body, door


class _Sender:
    """Sends files from several threads and judges the answers."""

    def __init__(self, site: Site, report: Report) -> None:
        self._site, self._report = site, report
        self._here = threading.local()
        self._lock = threading.Lock()
        self._seconds: list[float] = []
        self._statuses: Counter[int] = Counter()
        self._waited = 0

    def send_all(self, cases: Iterator[tuple[str, bytes, str]]) -> None:
        """Send every file; files are made as they are sent."""
        room = threading.Semaphore(2 * AT_ONCE)

        def send(case: tuple[str, bytes, str]) -> None:
            try:
                self._send(*case)
            finally:
                room.release()

        with ThreadPoolExecutor(AT_ONCE) as pool:
            for case in cases:
                room.acquire()
                if not self._site.is_alive:
                    break
                pool.submit(send, case)

    def _doors(self) -> Doors:
        if not hasattr(self._here, "doors"):
            visitor, curator = self._site.visitor(), self._site.curator()
            self._here.doors = {
                "search": (visitor, "/upload", "picture"),
                "api search": (visitor, "/api/search", "picture"),
                "inbox": (curator, "/api/inbox", "file"),
                "suggest": (curator, "/api/suggest", "picture"),
            }
        return self._here.doors  # type: ignore[no-any-return]

    def _send(self, name: str, body: bytes, door: str) -> None:
        try:
            client, address, field = self._doors()[door]
            for _ in range(TRIES):
                begun = time.monotonic()
                answer = client.post(address, files={field: ("a.png", body)}, headers={"Accept": "application/json"})
                seconds = time.monotonic() - begun
                with self._lock:
                    self._statuses[answer.status_code] += 1
                    self._seconds.append(seconds)
                if answer.status_code != 503 or "Retry-After" not in answer.headers:
                    break
                with self._lock:
                    self._waited += 1
                time.sleep(min(5.0, float(answer.headers["Retry-After"])))
            if door == "inbox" and answer.status_code == 201:
                self._discard(client, answer)
        except httpx.HTTPError as error:
            with self._lock:
                self._report.progress(name)
                self._report.fault(name, f"no answer: {error!r}")
            return
        with self._lock:
            self._report.progress(name)
            if answer.status_code >= 500:
                self._report.fault(name, f"{answer.status_code}: {answer.text[:200]}")
            elif seconds > MOST_SECONDS:
                self._report.slow(name, f"{answer.status_code} after {seconds:.1f} s")

    def _discard(self, client: httpx.Client, answer: httpx.Response) -> None:
        """Keep the inbox from becoming full; an upload that is examined meanwhile is discarded by another call."""
        for upload in answer.json()["uploads"]:
            client.post(f"/api/inbox/{upload['id']}/discard")

    def tell(self) -> None:
        """Add what was seen to the report."""
        self._report.figures |= {
            "answers": ", ".join(f"{status}: {count:,}" for status, count in sorted(self._statuses.items())),
            "seconds": f"p50 {percentile(self._seconds, 0.5):.2f}, p99 {percentile(self._seconds, 0.99):.2f}, "
            f"max {percentile(self._seconds, 1):.2f}; {self._waited:,} times 503 with Retry-After",
        }


def _still_answers(site: Site, report: Report) -> None:
    """Report a server that does not search as before."""
    with site.visitor() as client:
        hits = client.get("/api/search", params={"q": "dog coffee"}).json().get("hits", [])
    if not hits or hits[0]["path"] not in ("Dogs/fine.png", "Cats/fine again.png"):
        report.fault("after the attack", f"a search finds {hits[:1]}")


def _index(folder: Folder, report: Report, *, kinds: tuple[Kind, ...], count: int, seed: int) -> None:
    """Put hostile files into the library under the names of pictures, and index it."""
    draw = random.Random(seed)
    hostile = folder.library / "Hostile"
    hostile.mkdir()
    bodies = [(kind.name, kind.make()) for kind in kinds] + list(mutations(count, seed=seed + 1))
    for name, body in bodies:
        suffix = draw.choice(SUFFIXES)
        (hostile / f"{name}{suffix}").write_bytes(body)
    before = files_of(folder.library)
    begun = time.monotonic()
    ran = memetica("index", *folder.places, seconds=INDEX_SECONDS * len(bodies))
    seconds = time.monotonic() - begun
    report.cases += len(bodies)
    if ran.code not in (0, 1) or "Traceback" in ran.err:
        report.fault("memetica index", f"it ended with {ran.code}: {ran.err[-800:]}")
    if files_of(folder.library) != before:
        report.fault("memetica index", "it has changed the library")
    for problem in folder.problems():
        report.fault("memetica index", f"catalogue: {problem}")
    known = folder.row("SELECT count(*) FROM memes WHERE category = 'Hostile' AND vanished_at IS NULL")
    failed = folder.row("SELECT count(*) FROM failures WHERE stage = 'media'")
    shown = folder.row(
        "SELECT count(*) FROM memes JOIN pictures USING (content_hash) "
        "WHERE category = 'Hostile' AND vanished_at IS NULL"
    )
    if int(shown) + int(failed) < int(known):
        report.fault("memetica index", f"of {known} files {shown} are decoded and {failed} have failed")
    report.figures["indexed"] = f"{len(bodies)} files in {seconds:.0f} s: {shown} decoded, {failed} refused"
