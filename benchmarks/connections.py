"""WSGI servers before the same site: searches, and whether it answers while others are idle, slow or too large.

    python -m benchmarks.connections
    python -m benchmarks.connections --servers waitress,memetica,cheroot,gunicorn,uvicorn,hypercorn,granian

Each server runs in a process of its own with eight threads over the made-up library of `benchmarks.scale`. Searches are
asked of all servers in turns, so that a busy machine is as busy for each. Then, one server after the other, so many
connections are opened that say nothing, send a byte of a head or of a body each half second, or never read what they
asked for; after three seconds `/healthz` is asked five times on new connections, five seconds each. Last, a request
announces 900 MB: how much of it does the server store? `memetica` is this project's own server, `waitress` the one that
it extends, as it comes; servers that are not installed are left out.
"""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from flask import send_file

from benchmarks.harness import Benchmark, Report, Skipped
from benchmarks.http import prepare
from benchmarks.scale import add_folder, folder_of, pools, sampled
from search.settings import Settings
from search.workspace import Workspace
from web.app import create_app
from web.server.limits import available_connections

THREADS = 8
MODULES = {"memetica": "waitress", "uvicorn": "a2wsgi"}  # what a server's module is called, where it differs
HEAD = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
BODY = b"POST /api/search HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10000\r\n\r\n"
FILM = b"GET /film HTTP/1.1\r\nHost: localhost\r\nRange: bytes=0-\r\n\r\n"  # as browsers ask for videos
FILM_BYTES = 60_000_000  # more than servers and sockets hold for a client
ATTACKS: dict[str, tuple[bytes, bytes]] = {  # what a connection sends at once, and then each half second
    "idle": (b"", b""),
    "slow head": (HEAD, b"X"),
    "slow body": (BODY, b"x"),
    "slow reader": (FILM, b""),
}
BENCHMARK = Benchmark(
    __doc__, needs="Linux; other servers by `pip install cheroot gunicorn …`", takes="2 minutes for each server"
)
add_folder(BENCHMARK)
BENCHMARK.option("--servers", "waitress,memetica", help="servers to compare")
BENCHMARK.option("--queries", 200, small=10, help="searches of each server")
BENCHMARK.option("--connections", "99,200,1000", small="30", help="connections of each kind")
BENCHMARK.option("--run", "", help="internal: run one server until it is stopped")
BENCHMARK.option("--port", 0, help="internal: the port of that server")


def run(name: str, port: int, settings: Settings) -> None:
    """Serve the site by one server, until the process is stopped."""
    if name == "gunicorn":
        _run_gunicorn(port, settings)
        return
    if name == "granian":
        os.environ["BENCHMARK_DATA"] = str(settings.data)
        granian: Any = __import__("granian").Granian
        granian(
            "benchmarks.connections:served_application", factory=True, interface="wsgi", port=port, workers=1,
            blocking_threads=THREADS,
        ).serve()  # fmt: skip
        return
    app = application(settings, port)
    if name == "memetica":
        from web.server.serve import bind

        bind(app).run()
    elif name == "waitress":
        __import__("waitress").serve(app, host="127.0.0.1", port=port, threads=THREADS)
    elif name == "cheroot":
        wsgi: Any = __import__("cheroot.wsgi").wsgi
        wsgi.Server(("127.0.0.1", port), app, numthreads=THREADS).start()
    elif name == "uvicorn":
        middleware: Any = __import__("a2wsgi").WSGIMiddleware
        __import__("uvicorn").run(middleware(app, workers=THREADS), port=port, log_level="error")
    elif name == "hypercorn":
        _run_hypercorn(app, port)
    else:
        raise SystemExit(f"There is no server {name}.")


def application(settings: Settings, port: int) -> Any:
    """Return the site, its models loaded."""
    app = create_app(Workspace.open(settings.data, port=port, server_threads=THREADS))
    film = settings.data / "film.bin"
    if not film.exists():
        film.write_bytes(bytes(FILM_BYTES))
    app.add_url_rule("/film", view_func=lambda: send_file(film, conditional=True))
    app.extensions["site"].searcher()
    return app


def served_application() -> Any:
    """Return the site of the environment's data folder, for servers that import it in a process of their own."""
    folder = Path(os.environ["BENCHMARK_DATA"])
    return application(Settings(data=folder, library=folder), 0)


def _run_gunicorn(port: int, settings: Settings) -> None:
    base: Any = __import__("gunicorn.app.base").app.base

    class Site(base.BaseApplication):  # type: ignore[misc]
        def load_config(self) -> None:
            for key, value in {"bind": f"127.0.0.1:{port}", "worker_class": "gthread", "threads": THREADS}.items():
                self.cfg.set(key, value)
            self.cfg.set("timeout", 120)

        def load(self) -> Any:
            return application(settings, port)

    Site().run()


def _run_hypercorn(app: Any, port: int) -> None:
    import asyncio
    from concurrent.futures import ThreadPoolExecutor

    serve: Any = __import__("hypercorn.asyncio").asyncio.serve
    config: Any = __import__("hypercorn.config").config.Config()
    config.bind = [f"127.0.0.1:{port}"]

    async def main() -> None:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(THREADS))
        await serve(app, config, mode="wsgi")

    asyncio.run(main())


class Server:
    """A server that runs in a process of its own."""

    def __init__(self, name: str, settings: Settings) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        command = [sys.executable, "-m", "benchmarks.connections", str(settings.data), "--run", name]
        begun = time.perf_counter()
        self.process = subprocess.Popen(
            [*command, "--port", str(self.port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        while self.asked("/healthz", timeout=5) is None:
            if self.process.poll() is not None or time.perf_counter() - begun > 120:
                raise Skipped(f"{name} does not start.")
            time.sleep(0.1)
        self.startup = time.perf_counter() - begun

    def asked(self, path: str, *, timeout: float) -> float | None:
        """Return the seconds of a request on a new connection, or None when it is not answered with 200."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        begun = time.perf_counter()
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            answer.read()
            return time.perf_counter() - begun if answer.status == 200 else None
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()

    def processes(self) -> list[int]:
        """Return the ids of the server's processes."""
        found = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):
                if int(stat.read_text().rpartition(")")[2].split()[3]) == self.process.pid:  # its session
                    found.append(int(stat.parent.name))
        return found

    def memory(self) -> float:
        """Return the resident size of all its processes, MB."""
        return sum(
            int(line.split()[1]) / 1000
            for process in self.processes()
            for line in Path(f"/proc/{process}/status").read_text().splitlines()
            if line.startswith("VmRSS")
        )

    def temporary_bytes(self) -> int:
        """Return the size of the deleted files that it holds open: request bodies on their way."""
        total = 0
        for process in self.processes():
            for link in Path(f"/proc/{process}/fd").iterdir():
                with suppress(OSError):
                    if "(deleted)" in str(link.readlink()):
                        total += link.stat().st_size
        return total

    def stop(self) -> float:
        """Stop it by SIGTERM, and return the seconds that it takes."""
        begun = time.perf_counter()
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
        return time.perf_counter() - begun


@contextmanager
def attacking(port: int, kind: str, count: int) -> Iterator[None]:
    """Hold so many connections of a kind open, and have each send its next byte every half second."""
    first, then = ATTACKS[kind]
    connections = []
    for _ in range(count):
        with suppress(OSError):
            one = socket.create_connection(("127.0.0.1", port), timeout=2)
            one.setblocking(False)
            connections.append(one)
            with suppress(OSError):
                one.send(first)
    ended = threading.Event()

    def drip() -> None:
        while then and not ended.wait(0.5):
            for one in connections:
                with suppress(OSError):
                    one.send(then)

    thread = threading.Thread(target=drip, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        for one in connections:
            one.close()


def announced(server: Server, megabytes: int = 900, sent: int = 100) -> tuple[int, float]:
    """Announce a body and send a part of it; return the status and the MB that the server stored, 0 for no answer."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
        connection.sendall(
            b"POST /nothing HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % (megabytes * 1_000_000)
        )
        stored = 0
        with suppress(OSError):
            for _ in range(sent):
                connection.sendall(bytes(1_000_000))
                stored = max(stored, server.temporary_bytes())
        with suppress(OSError):
            head = connection.recv(100)
            return int(head.split()[1]) if head else 0, stored / 1_000_000
        return 0, stored / 1_000_000


def latencies(servers: dict[str, Server], queries: Sequence[str]) -> dict[str, list[float]]:
    """Return the seconds of each search, over one open connection to each server, asked of all in turns."""
    seconds: dict[str, list[float]] = {name: [] for name in servers}
    open_ = {name: http.client.HTTPConnection("127.0.0.1", one.port, timeout=30) for name, one in servers.items()}
    for number, query in enumerate(queries):
        for name, connection in open_.items():
            begun = time.perf_counter()
            connection.request("GET", "/api/search?k=10&q=" + quote(query[:500]))
            answer = connection.getresponse()
            answer.read()
            if answer.status == 200 and number >= len(queries) // 10:  # the first are warm-up
                seconds[name].append(time.perf_counter() - begun)
    return seconds


def measure(given: Namespace, report: Report) -> None:
    """Print searches, answers under attack, and what is stored of a body that is too large."""
    folder = folder_of(given, "connections")
    settings = Settings(data=folder, library=folder)
    if given.run:
        run(given.run, given.port, settings)
        return
    available_connections(3000)  # raises this process's limit of open files
    prepare(settings, given.memes)
    names = [name for name in given.servers.split(",") if find_spec(MODULES.get(name, name))]
    queries = sampled(pools()[1], given.queries)
    with ExitStack() as stack:
        servers: dict[str, Server] = {}
        for name in names:
            servers[name] = Server(name, settings)
            stack.callback(servers[name].process.kill)
        table = report.table(
            "searches", {"server": "", "start s": ".1f", "p50 ms": ".1f", "p99 ms": ".1f", "MB": ",.0f"}
        )
        for name, seconds in latencies(servers, queries).items():
            p50, p99 = np.percentile(np.asarray(seconds) * 1000, (50, 99))
            table.row(name, servers[name].startup, p50, p99, servers[name].memory())
        table = report.table("others are answered", {"connections": "", **{name: "" for name in names}})
        for kind in ATTACKS:
            for count in map(int, given.connections.split(",")):
                if count > 200 and kind != "idle":
                    continue
                table.row(f"{count} {kind}", *(_answered(servers[name], kind, count) for name in names))
        table = report.table("a body of 900 MB", {"server": "", "status": "d", "MB stored": ",.0f", "stop s": ".1f"})
        for name, server in servers.items():
            table.row(name, *announced(server), server.stop())


def _answered(server: Server, kind: str, count: int) -> str:
    """Return how many of five requests are answered while connections of a kind are open, and the slowest, ms."""
    with attacking(server.port, kind, count):
        time.sleep(3)
        answers = [server.asked("/healthz", timeout=5) for _ in range(5)]
    for _ in range(6):  # until the next attack it is itself again
        if server.asked("/healthz", timeout=5) is not None:
            break
    good = [one for one in answers if one is not None]
    return f"{len(good)}/5" + (f" {1000 * max(good):.0f} ms" if good else "")


if __name__ == "__main__":
    raise SystemExit(BENCHMARK.run(measure))
