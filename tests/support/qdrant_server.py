"""A Qdrant server on a loopback port: the real core behind the paths of the REST interface, with key and TLS."""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from time import perf_counter
from urllib.parse import urlsplit

from tests.support.qdrant_core import QdrantCore, Refused

Before = Callable[[str, str], int | None]  # method and path to a status to answer with instead; 0 hangs up


@dataclass
class QdrantServer:
    """A running server; `before` may refuse requests, `asked` lists all of them."""

    core: QdrantCore
    key: str = ""
    before: Before = lambda method, path: None
    asked: list[str] = field(default_factory=list)
    url: str = ""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    own: QdrantServer

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that hang up."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def _answer(self) -> None:
        began, own = perf_counter(), self.server.own
        path = urlsplit(self.path).path
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        own.asked.append(f"{self.command} {path}")
        status = own.before(self.command, path)
        if status == 0:
            self.close_connection = True
            self.connection.close()
            return
        if own.key and self.headers.get("api-key") != own.key:
            status = 401
        if status is not None:
            self._send(status, {"status": {"error": "Must provide an API key" if status == 401 else "not now"}})
            return
        try:
            result = own.core.answer(self.command, path.strip("/").split("/"), json.loads(raw or b"{}"))
        except Refused as error:
            self._send(error.status, {"status": {"error": str(error)}, "time": perf_counter() - began})
            return
        self._send(200, {"result": result, "status": "ok", "time": perf_counter() - began})

    do_GET = do_PUT = do_POST = do_DELETE = _answer

    def _send(self, status: int, body: object) -> None:
        raw = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *arguments: object) -> None:
        """Write no line for each request."""


@contextmanager
def qdrant_server(
    folder: Path, *, key: str = "", certificate: tuple[Path, Path] | None = None
) -> Iterator[QdrantServer]:
    """Run a server whose collections lie in a folder; `certificate` and its private key turn TLS on."""
    own = QdrantServer(QdrantCore(folder), key)
    server = _Server(("127.0.0.1", 0), _Handler)
    server.own = own
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    own.url = f"{'https' if certificate else 'http'}://127.0.0.1:{server.server_address[1]}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield own
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
        own.core.close()
