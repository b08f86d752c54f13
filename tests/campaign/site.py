"""A real server in a process of its own, its visitors and its curator, and what it costs while it is attacked."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx

from tests.campaign.library import OLD_PASSWORD, Folder
from tests.campaign.report import Report, percentile
from tests.support.curating import token_in
from tests.support.paths import ROOT

# The limits of each visitor are measured elsewhere: here one address sends everything.
UNLIMITED = {"MEMETICA_SEARCH_RATE": "off", "MEMETICA_UPLOAD_RATE": "off", "MEMETICA_CONNECTIONS_PER_ADDRESS": "1000"}
HEALTH_EVERY = 0.1  # seconds
MEMORY_EVERY = 0.25
MOST_MEMORY = 1_500_000_000  # bytes, of the server and its processes
MOST_HEALTH_SECONDS = 1.0  # the 99th percentile


class Site:
    """A server over a folder; `url` is its address."""

    def __init__(self, folder: Folder, *, environ: Mapping[str, str] = UNLIMITED) -> None:
        self.folder = folder
        self._errors = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115
        command = [sys.executable, "-m", "tests.campaign.memetica", "serve", "--port", "0", "--json"]
        self._process = subprocess.Popen(
            [*command, *map(str, folder.places)],
            env=os.environ | {"PYTHONPATH": str(ROOT), **environ},
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the server did not start: {self.errors}")
        self.url = str(json.loads(line)["url"]).rstrip("/")
        self.pid = self._process.pid

    @property
    def errors(self) -> str:
        """What it has written to stderr."""
        self._errors.seek(0)
        return self._errors.read()

    @property
    def is_alive(self) -> bool:
        """Whether it runs."""
        return self._process.poll() is None

    def visitor(self, *, timeout: float = 60.0) -> httpx.Client:
        """Return a client of a visitor."""
        return httpx.Client(base_url=self.url, timeout=timeout, trust_env=False)

    def curator(self, *, timeout: float = 60.0) -> httpx.Client:
        """Return a client of the curator, signed in, that sends the CSRF token."""
        client = self.visitor(timeout=timeout)
        sign_in(client)
        return client

    def close(self) -> int | None:
        """End the server as Ctrl-C does, and return its exit code; None when it had to be killed."""
        self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            return None


def sign_in(client: httpx.Client) -> dict[str, str]:
    """Sign the curator in, let the client send the CSRF token, and return the headers that other clients need."""
    token = token_in(client.get("/sign-in").text)
    answer = client.post("/sign-in", data={"csrf": token, "password": OLD_PASSWORD})
    if answer.status_code != 303:
        raise RuntimeError(f"the curator cannot sign in: {answer.status_code}")
    client.headers["X-CSRF-Token"] = token_in(client.get("/curator").text)
    cookies = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
    return {"Cookie": cookies, "X-CSRF-Token": client.headers["X-CSRF-Token"]}


@contextmanager
def serving(folder: Folder, report: Report, *, environ: Mapping[str, str] = UNLIMITED) -> Iterator[Site]:
    """Yield a server, watched: a death, a traceback in its log or a slow `/healthz` is a fault of the report."""
    site = Site(folder, environ=environ)
    watch = Watch(site)
    try:
        yield site
    finally:
        watch.stop()
        if not site.is_alive:
            report.fault("the server", f"it has died: {site.errors[-800:]}")
        code = site.close()
        if code is None:
            report.fault("the server", "it does not end when told")
        for traceback in re.findall(r"Traceback.*?\n(?=\S+(?:Error|Exception|Panic)\b)(.*)", site.errors, re.DOTALL)[
            :3
        ]:
            report.fault("the server's log", traceback[:300])
        watch.tell(report)


class Watch:
    """Asks for `/healthz` ten times a second on one connection, and reads the memory of the server's processes."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._ended = threading.Event()
        self.seconds: list[float] = []
        self.failures: list[str] = []
        self.most_resident = self.most_proportional = 0
        self._threads = [threading.Thread(target=one, daemon=True) for one in (self._ask, self._weigh)]
        for thread in self._threads:
            thread.start()

    def _ask(self) -> None:
        with httpx.Client(base_url=self._site.url, timeout=30, trust_env=False) as client:
            while not self._ended.wait(HEALTH_EVERY):
                begun = time.monotonic()
                try:
                    status = client.get("/healthz").status_code
                    if status != 200:
                        self.failures.append(str(status))
                except httpx.HTTPError as error:
                    self.failures.append(repr(error))
                self.seconds.append(time.monotonic() - begun)

    def _weigh(self) -> None:
        while not self._ended.wait(MEMORY_EVERY):
            resident = proportional = 0
            for pid in tree_of(self._site.pid):
                found = _memory(pid)
                resident += found.get("Rss", 0)
                proportional += found.get("Pss", 0)
            self.most_resident = max(self.most_resident, resident)
            self.most_proportional = max(self.most_proportional, proportional)

    def stop(self) -> None:
        """Stop watching."""
        self._ended.set()
        for thread in self._threads:
            thread.join(35)

    def tell(self, report: Report) -> None:
        """Add what was seen to a report: its figures, and the faults among them."""
        slow = percentile(self.seconds, 0.99)
        report.figures |= {
            "healthz": f"p50 {percentile(self.seconds, 0.5) * 1000:.0f} ms, p99 {slow * 1000:.0f} ms, "
            f"max {percentile(self.seconds, 1) * 1000:.0f} ms of {len(self.seconds):,}",
            "memory": f"{self.most_proportional / 1e6:.0f} MB (PSS), {self.most_resident / 1e6:.0f} MB (RSS), at most",
        }
        if self.failures:
            report.fault("/healthz", f"{len(self.failures)} of {len(self.seconds)} failed: {self.failures[0]}")
        if slow > MOST_HEALTH_SECONDS:
            report.slow("/healthz", f"the 99th percentile is {slow:.2f} s")
        if self.most_proportional > MOST_MEMORY:
            report.fault("the server", f"its processes take {self.most_proportional / 1e6:.0f} MB")


def tree_of(pid: int) -> list[int]:
    """Return a process and all its descendants."""
    parents: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, ValueError, IndexError):
            fields = stat.read_text().rsplit(")", 1)[1].split()
            parents.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found = [pid]
    for one in found:
        found.extend(parents.get(one, []))
    return found


def _memory(pid: int) -> dict[str, int]:
    """Return the memory of a process in bytes, by the kernel's names; {} when it has ended or there is no /proc."""
    with suppress(OSError):
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
        return {name: int(value.split()[0]) * 1024 for name, _, value in (line.partition(":") for line in lines)}
    return {}
