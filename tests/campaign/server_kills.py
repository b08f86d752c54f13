"""The server killed at system calls that write, while it is asked over HTTP or works in the background.

A server that is started again finishes what was begun by itself; what it had answered as done is there.
"""

from __future__ import annotations

import json
import random
import shutil
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.campaign.commands import Run, memetica
from tests.campaign.kills import check_catalogue, check_whole
from tests.campaign.library import Folder, State, mixed
from tests.campaign.report import Report
from tests.campaign.requests import REQUESTS, Asked
from tests.campaign.scenarios import Base, prepare_base
from tests.campaign.site import UNLIMITED, sign_in
from tests.campaign.tracing import Point, choose_points, killed_at, points_in, recorded, shares, strace

CASES = 70
START_SECONDS = 60.0
REST_SECONDS = 60.0  # until the background work of a request is done
CHILD_SECONDS = 15.0  # until the processes of a killed server have ended
_MARK = "MEMETICA_CAMPAIGN_CASE"  # in the environment of a server's processes


@dataclass(frozen=True)
class Ready:
    """A request whose uninterrupted run is known; `headers` are those of a curator who signed in before."""

    asked: Asked
    kept: Path
    headers: dict[str, str]
    old: State
    new: State
    contents: Counter[str]
    points: dict[str, list[Point]]


class Server:
    """A server in a process of its own that can be traced from its first line, or from later on."""

    def __init__(self, folder: Folder, *, mark: str, on_start: Callable[[int], None] = lambda pid: None) -> None:
        self.run = Run(
            *("serve", "--port", "0", "--json"), *folder.places, environ={**UNLIMITED, _MARK: mark}, on_start=on_start
        )
        self._mark = mark
        ends = time.monotonic() + START_SECONDS
        while "\n" not in self.run.out and self.run.is_alive and time.monotonic() < ends:
            time.sleep(0.02)
        lines = self.run.out.splitlines()
        self.url = str(json.loads(lines[0])["url"]).rstrip("/") if lines else ""  # "" when it was killed before

    def visitor(self, headers: dict[str, str]) -> httpx.Client:
        """Return a client that sends these headers."""
        return httpx.Client(base_url=self.url, headers=headers, timeout=REST_SECONDS, trust_env=False)

    def wait_for_rest(self, folder: Folder, asked: Asked, seconds: float = REST_SECONDS) -> bool:
        """Wait until nothing is left to do, or the server has died; return whether nothing is left to do."""
        ends = time.monotonic() + seconds
        while self.run.is_alive and time.monotonic() < ends:
            if asked.is_done(folder):
                return True
            time.sleep(0.05)
        return False

    def stop(self) -> None:
        """End it as a service manager does."""
        self.run.send(signal.SIGTERM)

    def orphans(self) -> list[str]:
        """Return the commands of its processes that have not ended some time after it."""
        ends = time.monotonic() + CHILD_SECONDS
        while (found := list(self._processes())) and time.monotonic() < ends:
            time.sleep(0.1)
        return found

    def _processes(self) -> Iterator[str]:
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if f"{_MARK}={self._mark}\0".encode() in (process / "environ").read_bytes():
                    yield (process / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")


def run_server_kills(report: Report, *, cases: int = CASES, seed: int = 0, only: Sequence[str] = ()) -> None:
    """Kill the server at `cases` points, spread over the requests and their system calls."""
    if strace() is None:
        report.skipped = "strace is not installed, or may not trace"
        return
    chosen = [one for one in REQUESTS if not only or one.name in only]
    draw = random.Random(seed)
    killed: Counter[str] = Counter()
    outcomes: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="memetica-server-kills-") as place:
        folder = Folder(Path(place, "work"))
        bases: dict[Base, tuple[Path, dict[str, str]]] = {}
        for asked, share in zip(chosen, shares(cases, len(chosen)), strict=True):
            if not share:
                continue
            if asked.base not in bases:
                bases[asked.base] = _base(folder, Path(place), asked.base)
            ready = _ready(asked, folder, *bases[asked.base], Path(place))
            for point in choose_points(ready.points, share, draw):
                case = f"{asked.name}, the server killed at {point}"
                report.progress(case)
                before = len(report.faults)
                outcome = _try(ready, folder, point, report, case)
                killed[asked.name] += outcome != "lived"
                outcomes[outcome if len(report.faults) == before else "faulty"] += 1
    report.figures |= {
        "killed": f"{sum(killed.values())} of {report.cases}, in {len(chosen)} requests",
        "by request": ", ".join(f"{name} {count}" for name, count in killed.items()),
        "state after a restart": ", ".join(f"{name} {count}" for name, count in outcomes.most_common()),
    }


def _base(folder: Folder, place: Path, base: Base) -> tuple[Path, dict[str, str]]:
    """Prepare a base in which the curator is signed in; return it, and the headers that say so."""
    shutil.rmtree(folder.path, ignore_errors=True)
    prepare_base(folder, base)
    server = Server(folder, mark="base")
    with server.visitor({}) as client:
        headers = sign_in(client)
    server.stop()
    server.run.wait()
    kept = place / f"base {base}"
    folder.path.rename(kept)
    return kept, headers


def _ready(asked: Asked, folder: Folder, base: Path, headers: dict[str, str], place: Path) -> Ready:
    folder.bring_back(base)
    asked.prepare(folder)
    kept = place / f"ready for {asked.name}"
    folder.keep(kept)
    old, contents = folder.state(), folder.contents()
    log = place / "strace.log"
    with recorded(log) as tracer:
        server, answered = _serve_and_ask(asked, folder, headers, tracer.attach, mark=asked.name)
        if not answered or not server.wait_for_rest(folder, asked):
            raise RuntimeError(f"{asked.name} is not done: {server.run.wait(0).err[-2000:]}")
        server.stop()
        server.run.wait()
    return Ready(asked, kept, headers, old, folder.state(), contents, points_in(log, folder.path))


def _serve_and_ask(
    asked: Asked, folder: Folder, headers: dict[str, str], attach: Callable[[int], None], *, mark: str
) -> tuple[Server, bool]:
    """Start a server and send the request, traced; return whether it was answered as done."""
    server = Server(folder, mark=mark, on_start=attach if asked.from_start else lambda pid: None)
    if asked.send is None or not server.url:
        return server, asked.send is None
    if not asked.from_start:
        attach(server.run.pid)
    try:
        with server.visitor(headers) as client:
            return server, asked.send(client, folder)
    except httpx.HTTPError:
        return server, False


def _try(ready: Ready, folder: Folder, point: Point, report: Report, case: str) -> str:
    """Kill the server at a point, start it again and check everything; return which state was found, or "lived"."""
    asked = ready.asked
    folder.bring_back(ready.kept)
    log = ready.kept.with_name("killed.log")
    with killed_at(point, log=log) as tracer:
        server, answered = _serve_and_ask(asked, folder, ready.headers, tracer.attach, mark=case)
        # A child that was killed instead leaves nothing to wait for, unless the server does the work by itself.
        rests = server.wait_for_rest(folder, asked, REST_SECONDS if asked.send is None else REST_SECONDS / 4)
        server.stop()
        ran = server.run.wait()
    seen = log.read_text("utf-8", "replace")
    # strace does not tell the end of each child; a call without a result was its last.
    child_was_killed = not ran.was_killed and ("killed by SIGKILL" in seen or ") = ?" in seen)
    if not ran.was_killed and not rests and not child_was_killed:
        report.fault(case, f"the server, which was not killed, has not done its work: {ran.err[-400:]}")
    for orphan in server.orphans():
        report.fault(case, f"a process goes on without the server: {orphan[:200]}")
    check_catalogue(folder, report, case)
    with _served_again(ready, folder, report, case) as (client, again):
        if not again.wait_for_rest(folder, asked):
            report.fault(case, f"a server that is started again does not finish it: {folder.unfinished()}")
        checked = memetica("check", "--read-data", *folder.places)
        if checked.code != 0:
            report.fault(case, f"`memetica check` ends with {checked.code}: {checked.out[-400:]} {checked.err[-400:]}")
        outcome = _judge(ready, folder, report, case, answered=answered and asked.send is not None)
        if asked.send is not None:
            asked.send(client, folder)  # refused where it is done already
            if not again.wait_for_rest(folder, asked):
                report.fault(case, f"the request, sent again, is not finished: {folder.unfinished()}")
            missing = mixed(folder.state(), old=ready.new, new=ready.new)
            if asked.is_appended:
                missing = [what for what in missing if not what.startswith(("verdicts: ", "sessions"))]
            if missing:
                report.fault(case, f"the request, sent again, does not complete it: {'; '.join(missing[:3])}")
    folder.age_parts()
    indexed = memetica("index", *folder.places)
    if indexed.code != 0 or "Traceback" in indexed.err:
        report.fault(case, f"`memetica index` ends with {indexed.code} afterwards: {indexed.err[-600:]}")
    check_whole(folder, report, f"{case}, at the end", contents=ready.contents)
    return outcome if ran.was_killed or child_was_killed else "lived"


@contextmanager
def _served_again(ready: Ready, folder: Folder, report: Report, case: str) -> Iterator[tuple[httpx.Client, Server]]:
    """Start the server again, with a look at whether it answers; its end must be orderly and its log without errors."""
    server = Server(folder, mark=f"{case}, again")
    if not server.url:
        report.fault(case, f"the server does not start again: {server.run.wait(0).err[-800:]}")
        raise RuntimeError("the server does not start again")
    with server.visitor(ready.headers) as client:
        for address in ("/healthz", "/", "/api/search?q=dog+coffee", "/curator"):
            status = client.get(address).status_code
            if status != 200 and not (address == "/curator" and ready.asked.ends_session):
                report.fault(case, f"after the restart {address} is answered with {status}")
        yield client, server
    server.stop()
    ran = server.run.wait()
    if ran.code != 0 or "Traceback" in ran.err:
        report.fault(case, f"the server that was started again ends with {ran.code}: {ran.err[-600:]}")


def _judge(ready: Ready, folder: Folder, report: Report, case: str, *, answered: bool) -> str:
    """Report a state that is neither old nor new, and what was answered and is not there; return which state it is."""
    found = folder.state()
    wrong = mixed(found, old=ready.old, new=ready.new)
    if wrong:
        report.fault(case, "; ".join(wrong[:3]))
    is_new = not mixed(found, old=ready.new, new=ready.new)
    is_old = not mixed(found, old=ready.old, new=ready.old)
    if answered and not is_new:
        report.fault(case, "the request was answered as done, and it is not there after the restart")
    if not is_new and not is_old:
        different = sorted(name for name in {*found, *ready.new} if found.get(name) != ready.new.get(name))
        report.fault(case, f"some is old and some is new: {different[:4]} are old")
    return "new" if is_new else "old"
