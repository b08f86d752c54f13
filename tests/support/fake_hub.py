"""A model hub on loopback that speaks the real one's protocol: HEAD, redirects, ETags of both kinds of files, Range."""

from __future__ import annotations

import hashlib
import json
import re
import socket
import threading
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"
LARGE = 10_000  # larger files are kept apart, as Git LFS does, and delivered by another address


@dataclass
class FakeHub:
    """The files of a hub by `org/repository/name`, what goes wrong, and the requests that came."""

    files: dict[str, bytes]
    url: str = ""
    statuses: list[int] = field(default_factory=list)  # of the next requests, before they are answered
    retry_after: str = ""
    cut_after: int = 0  # bytes of each delivery after which the connection is cut
    delivered: Mapping[str, bytes] = field(default_factory=dict)  # what is sent instead of what is announced
    commit: str = COMMIT
    tokens: list[str] = field(default_factory=list)  # that came with requests to the hub itself
    delivery_tokens: list[str] = field(default_factory=list)  # and to the host that delivers large files
    requests: list[tuple[str, str, str]] = field(default_factory=list)  # method, path, range
    expired: int = 0  # so many deliveries are refused, as an address whose signature has expired is
    endless: bool = False  # deliveries have no length and do not end by themselves
    proxy_user: str = ""  # as a proxy, the hub wants this user name and password, `name:password`
    hosts: list[str] = field(default_factory=list)  # that were asked for through the hub as a proxy

    @property
    def delivery_url(self) -> str:
        """The address that large files are delivered from: another host, which must not get the hub's token."""
        return self.url.replace("127.0.0.1", _second_name())

    def etag(self, name: str) -> str:
        """Return the digest that the hub announces: SHA-256 of a large file, git's SHA-1 of a small one."""
        content = self.files[name]
        if len(content) > LARGE:
            return hashlib.sha256(content).hexdigest()
        return hashlib.sha1(f"blob {len(content)}\0".encode() + content, usedforsecurity=False).hexdigest()


@cache
def _second_name() -> str:
    """Return another name of this machine. A Debian by debootstrap has no /etc/hosts, and so no `localhost`."""
    try:
        socket.getaddrinfo("localhost", None, socket.AF_INET)
    except OSError:
        return "127.0.0.2"
    return "localhost"


@contextmanager
def serving(files: Mapping[str, bytes]) -> Iterator[FakeHub]:
    """Serve a hub while the block runs."""
    hub = FakeHub(dict(files))
    bound = "127.0.0.1" if _second_name() == "localhost" else ""
    server = _Server((bound, 0), type("Answer", (_Answer,), {"hub": hub}))
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Write nothing of clients that hang up."""


class _Answer(BaseHTTPRequestHandler):
    hub: FakeHub
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        """Announce a file."""
        self._answer(body=False)

    def do_GET(self) -> None:
        """Deliver a file."""
        self._answer(body=True)

    def log_message(self, *arguments: Any) -> None:
        """Write nothing."""

    def _answer(self, *, body: bool) -> None:
        hub = self.hub
        asked = urlsplit(self.path)
        path = asked.path
        if asked.netloc:  # whole addresses are for a proxy
            hub.hosts.append(asked.netloc)
            wanted = f"Basic {b64encode(hub.proxy_user.encode()).decode()}"
            if hub.proxy_user and self.headers.get("Proxy-Authorization") != wanted:
                return self._send(407, {"Proxy-Authenticate": "Basic realm=proxy"})
        hub.requests.append((self.command, path, self.headers.get("Range", "")))
        if path.startswith("/cdn/"):
            hub.delivery_tokens.append(self.headers.get("Authorization", ""))
            if hub.expired and body:
                hub.expired -= 1
                return self._send(403, {})
            return self._deliver(path.removeprefix("/cdn/"), body=body)
        hub.tokens.append(self.headers.get("Authorization", ""))
        if hub.statuses and "/resolve/" in path:
            status = hub.statuses.pop(0)
            return self._send(status, {"Retry-After": hub.retry_after} if hub.retry_after else {})
        if listed := re.fullmatch(r"/api/models/(.+)/tree/[^/]+", path):
            return self._list(listed[1])
        known = re.fullmatch(r"/(.+)/resolve/[^/]+/(.+)", path)
        name = f"{known[1]}/{known[2]}" if known else ""
        if name not in hub.files:
            return self._send(404, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": hub.commit})
        common = {"X-Repo-Commit": hub.commit} if hub.commit else {}
        if len(hub.files[name]) > LARGE:
            linked = {"X-Linked-Size": str(len(hub.files[name])), "X-Linked-Etag": f'"{hub.etag(name)}"'}
            return self._send(302, {**common, **linked, "Location": f"{hub.delivery_url}/cdn/{name}"})
        return self._deliver(name, body=body, headers={**common, "ETag": f'"{hub.etag(name)}"'})

    def _list(self, repository: str) -> None:
        """List the files of a repository, as the hub's API does."""
        prefix = f"{repository}/"
        rows = [
            {"type": "file", "path": name.removeprefix(prefix), "size": len(content), "oid": self.hub.etag(name)}
            for name, content in self.hub.files.items()
            if name.startswith(prefix)
        ]
        if not rows:
            return self._send(404, {"X-Error-Code": "RepoNotFound"})
        body = json.dumps(rows).encode()
        self._send(200, {"Content-Type": "application/json", "Content-Length": str(len(body))}, closed=False)
        self.wfile.write(body)

    def _deliver(self, name: str, *, body: bool, headers: Mapping[str, str] | None = None) -> None:
        content = self.hub.delivered.get(name, self.hub.files[name])
        first = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")[0])
        part = content[first:]
        status = 206 if "Range" in self.headers else 200
        found = {**(headers or {}), "Content-Length": str(len(part)), "Accept-Ranges": "bytes"}
        if status == 206:
            found["Content-Range"] = f"bytes {first}-{len(content) - 1}/{len(content)}"
        if self.hub.endless:
            del found["Content-Length"]
            self.close_connection = True
        self._send(status, found, closed=False)
        if not body:
            return
        with suppress(OSError):  # until nobody reads any more
            while self.hub.endless:
                self.wfile.write(part)
        cut = self.hub.cut_after
        self.wfile.write(part[:cut] if cut else part)
        if cut and len(part) > cut:
            self.close_connection = True

    def _send(self, status: int, headers: Mapping[str, str], *, closed: bool = True) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if closed:
            self.send_header("Content-Length", "0")
        self.end_headers()
