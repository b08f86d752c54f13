"""A server with limits of a test's choice, whose time the test moves, and clients that are as rude as a test wants."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from waitress.server import MultiSocketServer

from tests.support.waiting import PATIENCE, until
from web.errors import UNREADABLE
from web.server.connections import Channel, Server, create_server
from web.server.limits import ConnectionLimits
from web.server.ranges import file_ranges

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
T = TypeVar("T")

STEP = 0.1  # seconds of the server's time between two rounds of its loop


def echo(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer with the size of the body, or with the reason why the server refused the request."""
    error = environ.get(UNREADABLE)
    status = error.status if error else 200
    body = error.message if error else f"{environ['PATH_INFO']} {len(environ['wsgi.input'].read())} bytes"
    start_response(f"{status} x", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body.encode()]


@dataclass
class Running:
    """A server on a free port of 127.0.0.1, and the connections that a test has opened to it.

    The server's time stands still unless the test moves it, however long the machine takes.
    """

    server: MultiSocketServer
    now: list[float]  # one number: the server's time in seconds
    opened: list[socket.socket] = field(default_factory=list)

    def connect(self, sent: bytes = b"") -> socket.socket:
        """Return a new connection that has sent these bytes, a moment after the one before."""
        self.now[0] += 0.001
        connection = socket.create_connection(("127.0.0.1", self.server.effective_listen[0][1]), timeout=PATIENCE)
        connection.sendall(sent)
        self.opened.append(connection)
        return connection

    def in_loop(self, function: Callable[[], T]) -> T:
        """Return what a function returns in the server's loop, in a round that begins from now on."""
        done = threading.Event()
        results: list[T] = []

        def call() -> None:
            results.append(function())
            done.set()

        [listening] = [one for one in self.server.map.values() if isinstance(one, Server)]
        for thunk in (done.set, call):
            done.clear()
            listening.trigger.pull_trigger(thunk)  # the first is called in a round that may have begun before
            assert done.wait(PATIENCE), "the server's loop has stopped"
        [result] = results
        return result

    def pass_time(self, seconds: float) -> None:
        """Let so many seconds pass for the server while its loop runs."""
        for _ in range(round(seconds / STEP)):
            self.now[0] += STEP
            self.in_loop(lambda: None)

    def pause(self, seconds: float) -> None:
        """Let so many seconds pass while the server is stopped."""
        self.now[0] += seconds
        self.in_loop(lambda: None)

    def channel(self, connection: socket.socket) -> Channel | None:
        """Return the server's side of a connection; None when the server has closed it, or not yet accepted it."""
        address = connection.getsockname()
        channels = [one for one in self.server.map.values() if isinstance(one, Channel) and not one.will_close]
        return next((one for one in channels if one.addr == address), None)

    def holds(self, connection: socket.socket) -> bool:
        """Return whether the server has a connection open, without time passing."""
        return self.in_loop(lambda: self.channel(connection) is not None)

    def wait_for(self, connection: socket.socket, condition: Callable[[Channel], object]) -> None:
        """Wait until a condition holds for the server's side of a connection; no time passes for the server."""

        def holds() -> bool:
            channel = self.channel(connection)
            return channel is not None and bool(condition(channel))

        until(lambda: self.in_loop(holds))

    def closes(self, connection: socket.socket, *, within: float) -> bool:
        """Return whether the server closes a connection within so many seconds of its time."""
        for _ in range(round(within / STEP)):
            if not self.holds(connection):
                return is_closed(connection)
            self.pass_time(STEP)
        return False

    def ask(self, sent: bytes) -> tuple[int, str]:
        """Send a request on a new connection, and return the status and the body of the response."""
        return answer_of(self.connect(sent))

    def get(self, path: str = "/") -> tuple[int, str]:
        """Return the status and the body of a GET on a new connection."""
        return self.ask(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())


def answer_of(connection: socket.socket) -> tuple[int, str]:
    """Return the status and the body of the response that comes on a connection; 0 when it was closed without one."""
    raw = b""
    while b"\r\n\r\n" not in raw:
        received = connection.recv(65_536)
        if not received:
            return 0, ""
        raw += received
    head, _, body = raw.partition(b"\r\n\r\n")
    length = next(
        int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")
    )
    while len(body) < length:
        received = connection.recv(65_536)
        assert received, "the response was cut off"
        body += received
    return int(head.split()[1]), body.decode("utf-8", "replace")


def is_closed(connection: socket.socket, *, within: float = PATIENCE) -> bool:
    """Return whether the end of a connection comes within so many seconds of real time, dropping what comes before."""
    connection.settimeout(within)
    try:
        while connection.recv(65_536):
            pass
    except TimeoutError:
        return False
    except OSError:
        return True
    return True


@contextmanager
def running(
    application: Application = echo,
    *,
    limits: ConnectionLimits,
    threads: int = 2,
    body: int = 1000,
    is_proxy: Callable[[str], bool] = lambda address: False,
) -> Iterator[Running]:
    """Yield a server whose addresses all take bodies of `body` bytes, stopped afterwards."""
    now = [0.0]
    server = create_server(
        file_ranges(application),
        host="127.0.0.1",
        port=0,
        threads=threads,
        body_limit=lambda path: body,
        largest_body=body,
        limits=limits,
        is_proxy=is_proxy,
        clock=lambda: now[0],
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    found = Running(server, now)
    try:
        yield found
    finally:
        for connection in found.opened:
            connection.close()
        found.in_loop(server.close)
        thread.join(PATIENCE)
