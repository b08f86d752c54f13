"""A server that is sent JSON, and answers what a test says."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from tests.support.waiting import PATIENCE


class Receiver:
    """Keeps the messages that are sent to `address`; answers with the statuses in order, the last one from then on."""

    def __init__(self, *statuses: int) -> None:
        self.told: list[dict[str, Any]] = []
        self.got = 0  # requests of any kind
        self._statuses: Sequence[int] = statuses or (204,)
        self._changed = threading.Condition()
        receiver = self

        class Keep(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                receiver._keep(json.loads(self.rfile.read(int(self.headers["Content-Length"]))), self)

            def do_GET(self) -> None:
                receiver._keep(None, self)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Keep)
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}/hook"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _keep(self, message: dict[str, Any] | None, request: BaseHTTPRequestHandler) -> None:
        with self._changed:
            status = self._statuses[min(self.got, len(self._statuses) - 1)]
            self.got += 1
            if message is not None:
                self.told.append(message)
            self._changed.notify_all()
        request.send_response(status)
        if 300 <= status < 400:
            request.send_header("Location", self.address)
        request.end_headers()

    def wait_for(self, requests: int, *, seconds: float = PATIENCE) -> None:
        """Wait until so many requests have come."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.got >= requests, seconds), f"{self.got}, not {requests}"
