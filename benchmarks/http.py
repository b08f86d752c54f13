"""A query end to end, as a visitor has it: over HTTP at 30,000 memes, and by the command from cold.

    python -m benchmarks.http FOLDER --memes 30000

The library is that of `benchmarks.scale`: real texts, embeddings that are random directions; queries go through the
real text encoder. Prints the median and 95th percentile of whole requests, the server's memory, and the command's time.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles
from urllib.parse import quote, urlsplit

from benchmarks.machine import machine
from benchmarks.scale import RandomDirections, fill, pools
from indexer.stages.build_index import build_index
from search.catalogue import open_catalogue
from search.encoders.registry import export_text_encoder
from search.settings import Settings
from search.workspace import Workspace

WARM_UP = 30


def prepare(settings: Settings, memes: int) -> None:
    """Make the synthetic library under the real encoder's name, unless it is there."""
    export_text_encoder(settings)
    with open_catalogue(settings) as catalogue:
        if not catalogue.memes.count():
            fill(catalogue, memes, encoder=RandomDirections(settings.text_encoder))
        build_index(Workspace(settings, catalogue), text_encoder=settings.text_encoder)


@contextmanager
def server(settings: Settings) -> Iterator[tuple[str, int]]:
    """Give the host and port, and the process's number, of the real `memetica serve`."""
    command = [sys.executable, "-m", "web.cli", "serve", "--port", "0", "--json"]
    command += ["--data", str(settings.data), "--library", str(settings.library)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as running:
        try:
            assert running.stdout is not None
            yield urlsplit(json.loads(running.stdout.readline())["url"]).netloc, running.pid
        finally:
            running.send_signal(signal.SIGTERM)


def timed_requests(address: str, paths: Sequence[str]) -> list[float]:
    """Return the seconds of each request over one connection that stays open."""
    connection = http.client.HTTPConnection(address, timeout=30)
    seconds = []
    for path in paths:
        begun = time.perf_counter()
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
        seconds.append(time.perf_counter() - begun)
        if answer.status != 200:
            raise SystemExit(f"{path}: {answer.status} {body[:200]!r}")
    return seconds[WARM_UP:]


def memory(process: int) -> float:
    """Return the megabytes that a process holds, files mapped into it included."""
    status = Path(f"/proc/{process}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) / 1000


def cold(settings: Settings, query: str) -> float:
    """Return the seconds of a whole `memetica search`."""
    command = [sys.executable, "-m", "web.cli", "search", query, "--json", "--data", str(settings.data)]
    begun = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=os.environ)
    return time.perf_counter() - begun


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--memes", type=int, default=30_000)
    arguments.add_argument("--queries", type=int, default=300)
    given = arguments.parse_args()
    settings = Settings(data=given.folder.absolute(), library=given.folder.absolute())
    print(machine())
    prepare(settings, given.memes)
    _, queries = pools()
    queries = [queries[place * 7 % len(queries)] for place in range(given.queries + WARM_UP)]
    with server(settings) as (address, process):
        for label, path, part in (
            ("API, 10 hits", "/api/search?k=10&q=", queries),
            ("API, 30 hits", "/api/search?k=30&q=", queries),
            ("page of 30 cards", "/?q=", queries),
        ):
            seconds = timed_requests(address, [path + quote(query[:900]) for query in part])
            print(
                f"{label:20} p50 {1000 * median(seconds):6.1f} ms   p95 {1000 * quantiles(seconds, n=20)[-1]:6.1f} ms"
            )
        print(f"{'server memory':20} {memory(process):,.0f} MB")
    runs = [cold(settings, query[:200]) for query in queries[:6]]
    print(f"{'search from cold':20} median {median(runs[1:]):.2f} s of {len(runs) - 1} runs after one")


if __name__ == "__main__":
    main()
