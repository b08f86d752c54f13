"""Latency of a query over HTTP, and time of a whole `memetica search`, at 30,000 synthetic memes.

    python -m benchmarks.http
    python -m benchmarks.http FOLDER --memes 30000
    python -m benchmarks.http FOLDER --before ../before

The library is that of `benchmarks.scale`, under the real text encoder's name: texts are real, embeddings are mixtures
of real ones, and queries go through the real encoder. Reports whole requests over one open connection, the server's
resident memory, and the time of a whole `memetica search`: beside the server, which answers it, and from cold. With
`--before`, the server of another checkout is asked the same by turns, so that what else the machine does costs both the
same.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import median
from urllib.parse import quote, urlsplit

from benchmarks.harness import PROJECT, Benchmark, Report, Skipped, percentiles
from benchmarks.scale import add_folder, fill, folder_of, mixed_vectors, pools, sampled, source_of_texts
from indexer.stages.build_index import build_index
from search.catalogue import open_catalogue
from search.encoders.registry import export_text_encoder
from search.settings import Settings
from search.workspace import Workspace
from web.local.protocol import SOCKET_FILE

WARM_UP = 30
BENCHMARK = Benchmark(__doc__, needs="nothing; Linux for the server's memory", takes="6 minutes the first time, then 1")
add_folder(BENCHMARK)
BENCHMARK.option("--queries", 300, small=20, help="queries to time, of each kind")
BENCHMARK.parser.add_argument("--before", type=Path, help="the folder of another checkout, by `git worktree add`")
BENCHMARK.parser.add_argument("--before-data", type=Path, help="its data folder, where its index has another format")
KINDS = (("API, 10 hits", "/api/search?k=10&q="), ("API, 30 hits", "/api/search?k=30&q="), ("page of 30 cards", "/?q="))


def prepare(settings: Settings, memes: int) -> None:
    """Create the library under the real encoder's name, unless it exists, and build its index."""
    export_text_encoder(settings)
    with open_catalogue(settings) as catalogue:
        if not catalogue.memes.count():
            fill(catalogue, memes, encoder=mixed_vectors(settings.data, name=settings.text_encoder))
        elif settings.text_encoder not in catalogue.embeddings.encoders():
            raise Skipped(f"the library in {settings.data} has no vectors by {settings.text_encoder}.")
        build_index(Workspace(settings, catalogue), text_encoder=settings.text_encoder)


@contextmanager
def server(
    settings: Settings, *, image_encoder: str | None = "none", tree: Path = PROJECT
) -> Iterator[tuple[str, int]]:
    """Run `memetica serve` of a checkout; yield its host and port, and its process id.

    Without an image encoder: a server in the background shows all pictures to one that is new, on a core of its own.
    With None, the encoder is the data folder's.
    """
    settings = settings.absolute()
    command = [sys.executable, "-m", "web.cli", "serve", "--port", "0", "--json"]
    command += ["--data", str(settings.data), "--library", str(settings.library)]
    environ = os.environ | ({} if image_encoder is None else {"MEMETICA_IMAGE_ENCODER": image_encoder})
    environ["PYTHONPATH"] = str(tree)
    with subprocess.Popen(
        command, cwd=tree, env=environ, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as running:
        try:
            assert running.stdout is not None
            yield urlsplit(json.loads(running.stdout.readline())["url"]).netloc, running.pid
        finally:
            running.send_signal(signal.SIGTERM)


def timed_requests(addresses: Sequence[str], paths: Sequence[str]) -> list[list[float]]:
    """Return for each server the seconds of each request over one open connection, without the first WARM_UP.

    Several servers are asked by turns.
    """
    connections = [http.client.HTTPConnection(address, timeout=30) for address in addresses]
    seconds: list[list[float]] = [[] for _ in connections]
    for number, path in enumerate(paths):
        turns = list(zip(seconds, connections, strict=True))
        for own, connection in turns if number % 2 else reversed(turns):
            begun = time.perf_counter()
            connection.request("GET", path)
            answer = connection.getresponse()
            body = answer.read()
            own.append(time.perf_counter() - begun)
            if answer.status != 200:
                raise SystemExit(f"{path}: {answer.status} {body[:200]!r}")
    return [own[WARM_UP:] for own in seconds]


def memory(process: int) -> float:
    """Return a process's resident size in MB, mapped files included; 0 where /proc does not say."""
    file = Path(f"/proc/{process}/status")
    if not file.exists():
        return 0.0
    status = file.read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) / 1000


def cold(settings: Settings, query: str) -> float:
    """Return the seconds of a whole `memetica search`."""
    command = [sys.executable, "-m", "web.cli", "search", query, "--json", "--data", str(settings.data)]
    begun = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - begun


def measure(given: Namespace, report: Report) -> None:
    """Print latency over HTTP, memory, and the command's time."""
    report.note(source_of_texts())
    folder = folder_of(given, "http")
    # Beside the data folder, which is not kept to its owner where it holds the library: a server has no socket there.
    settings = Settings(data=folder, library=folder.with_name(f"{folder.name}-memes"))
    prepare(settings, given.memes)
    queries = sampled(pools()[1], given.queries + WARM_UP)
    if given.before is not None:
        own = settings if given.before_data is None else replace(settings, data=given.before_data.absolute())
        compare(settings, queries, (given.before.absolute(), own), report)
        return
    table = report.table("over HTTP", {"request": "", "p50 ms": ".1f", "p95 ms": ".1f"})
    with server(settings) as (address, process):
        for label, path in KINDS:
            [seconds] = timed_requests([address], [path + quote(query[:900]) for query in queries])
            table.row(label, *percentiles(seconds))
        report.note(f"server memory: {memory(process):,.0f} MB")
        where = "beside the server" if (folder / SOCKET_FILE).exists() else "beside the server, which has no socket"
        report_commands(settings, queries[: 2 if given.small else 6], report, where=where)
    report_commands(settings, queries[: 2 if given.small else 6], report, where="from cold")


def compare(settings: Settings, queries: Sequence[str], before: tuple[Path, Settings], report: Report) -> None:
    """Print latency of this checkout's server and of another's, which has settings of its own."""
    columns = {"request": "", "before p50": ".1f", "p95": ".1f", "now p50": ".1f", "now p95": ".1f"}
    ratios = {"ratio p50": ".3f", "ratio p95": ".3f", "of a request, median": ".3f"}
    table = report.table("over HTTP by turns, ms", columns | ratios)
    with server(before[1], tree=before[0]) as (old, _), server(settings) as (new, _):
        for label, path in KINDS:
            both = timed_requests([old, new], [path + quote(query[:900]) for query in queries])
            earlier, now = map(percentiles, both)
            each = median(one / other for other, one in zip(*both, strict=True))
            table.row(label, *earlier, *now, now[0] / earlier[0], now[1] / earlier[1], each)


def report_commands(settings: Settings, queries: Sequence[str], report: Report, *, where: str) -> None:
    """Print how long a whole `memetica search` takes."""
    runs = [cold(settings, query[:200]) for query in queries]
    report.note(f"search {where}: median {median(runs[1:]):.2f} s of {len(runs) - 1} runs after one")


if __name__ == "__main__":
    raise SystemExit(BENCHMARK.run(measure))
