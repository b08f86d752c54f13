"""A server with limits of a test's choice, and clients that are as rude as a test wants."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from web.errors import UNREADABLE
from web.server.connections import create_server
from web.server.limits import ConnectionLimits
from web.server.ranges import file_ranges

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def echo(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer with the size of the body, or with the reason why the server refused the request."""
    error = environ.get(UNREADABLE)
    status = error.status if error else 200
    body = error.message if error else f"{environ['PATH_INFO']} {len(environ['wsgi.input'].read())} bytes"
    start_response(f"{status} x", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body.encode()]


@dataclass
class Running:
    """A server on a free port of 127.0.0.1, and the connections that a test has opened to it."""

    port: int
    opened: list[socket.socket] = field(default_factory=list)

    def connect(self, sent: bytes = b"") -> socket.socket:
        """Return a new connection that has sent these bytes."""
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=10)
        connection.sendall(sent)
        self.opened.append(connection)
        return connection

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


def is_closed(connection: socket.socket, *, within: float) -> bool:
    """Return whether the server closes a connection within so many seconds; what it sends before is dropped."""
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
    server = create_server(
        file_ranges(application),
        host="127.0.0.1",
        port=0,
        threads=threads,
        body_limit=lambda path: body,
        largest_body=body,
        limits=limits,
        is_proxy=is_proxy,
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    found = Running(server.effective_listen[0][1])
    try:
        yield found
    finally:
        for connection in found.opened:
            connection.close()
        server.close()
        thread.join(5)
