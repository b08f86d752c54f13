"""Waitress with limits: idle, slow and too many connections give way, so that others are always answered.

Waitress itself closes a connection only after two minutes without a byte, accepts no more once it has 100, and knows no
limit for one client.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable
from enum import Enum
from functools import partial
from time import monotonic
from typing import Any

from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.server import MultiSocketServer, TcpWSGIServer
from waitress.task import ErrorTask, WSGITask

from web.access.rate_limit import client_network
from web.errors import UNREADABLE
from web.server.dispatcher import Dispatcher
from web.server.limits import MAX_HEADER_BYTES, ConnectionLimits
from web.server.loop_clock import LoopClock
from web.server.requests import BodyLimit, Request

ACCEPTED_AT_ONCE = 64  # connections, before others are served again
CHECKED_EVERY = 0.5  # seconds between two looks at how long each connection has waited
LARGEST_BODIES = 8  # as many of the largest bodies as are stored at once
QUICK = 50_000  # bytes per second; slower bodies and responses give way when there is no room for new ones


class Stage(Enum):
    """What a connection waits for."""

    IDLE = "for a request"
    HEAD = "for the rest of a request's headers"
    BODY = "for the rest of a request's body"
    WORKING = "for the application"
    RESPONSE = "for the client to read the response"
    CLOSING = "for the end of a body that was refused"


class _RefusalTask(WSGITask):
    """Answers a request that the server refused, by the application's own error page."""

    environ: dict[str, Any] | None

    def execute(self) -> None:
        self.set_close_on_finish()
        try:
            super().execute()
        except Exception:
            self.logger.exception("the error page failed")
            self.complete = True
            self.response_headers.clear()
            ErrorTask.execute(self)

    def get_environment(self) -> dict[str, Any]:
        if self.environ is None:
            error = self.request.error
            self.request.request_uri, self.request.query, self.request.url_scheme = self.request.path, "", "http"
            body, self.request.body_rcv = self.request.body_rcv, None
            # Only what the error page depends on: proxies say where the site is.
            headers = self.request.headers.items()
            self.request.headers = {key: value for key, value in headers if key == "HOST" or key.startswith("X_FORW")}
            environ = super().get_environment()
            self.request.body_rcv = body
            environ["REQUEST_METHOD"] = "HEAD" if self.request.command == "HEAD" else "GET"
            if error.code != 500:
                environ[UNREADABLE] = self.request.explained()
            self.environ = environ
        return self.environ


class Channel(HTTPChannel):
    """One connection: it knows what it waits for, since when, and when that is too long."""

    error_task_class = _RefusalTask
    close_when_flushed: bool

    def __init__(self, server: Server, sock: socket.socket, addr: tuple[Any, ...], adj: Adjustments, map: Any) -> None:
        self.client = client_network(addr[0])
        self.is_proxy = server.is_proxy(addr[0])
        self.parser_class = partial(Request, body_limit=server.body_limit, has_room=server.has_room, clock=server.clock)
        self.since = server.clock()
        self._handled = 0  # requests
        self._sent = self._sent_before = 0  # bytes, and those before the current stage
        self._progress = (self.since, 0)  # when bytes were last seen to be sent, and how many until then
        self._state: tuple[Stage, int, int] = (Stage.IDLE, 0, 0)  # the stage, and what tells it from an earlier one
        self._refusing = False
        self._lingers = False
        super().__init__(server, sock, addr, adj, map=map)

    def stage(self) -> Stage:
        """Return what the connection waits for now."""
        request = self.request
        if self.will_close or self._lingers:
            return Stage.CLOSING
        if self.total_outbufs_len:
            return Stage.RESPONSE
        if self.requests:
            return Stage.WORKING
        if request is None:
            return Stage.IDLE
        return Stage.BODY if request.headers_finished else Stage.HEAD

    def check(self, now: float, limits: ConnectionLimits) -> None:
        """Close the connection when it has waited too long."""
        stage = self.stage()
        state = (stage, self._handled, id(self.request))
        if state != self._state:
            self._state, self.since, self._progress = state, now, (now, self._sent)
            self._sent_before = self._sent
        if self._is_over(stage, now - self.since, now, limits):
            self.will_close = True

    def _is_over(self, stage: Stage, waited: float, now: float, limits: ConnectionLimits) -> bool:
        if stage is Stage.IDLE:
            return waited > (limits.idle if self._handled else limits.first_byte)
        if stage is Stage.HEAD:
            return waited > limits.head
        if stage is Stage.BODY and self.request is not None:
            received = self.request.body_bytes_received
            return waited > limits.grace and received < (waited - limits.grace) * limits.bytes_per_second
        if stage is Stage.RESPONSE:
            if self._progress[1] != self._sent:
                self._progress = (now, self._sent)
            if now - self._progress[0] > limits.stalled:
                return True
            sent = self._sent - self._sent_before
            return waited > limits.stalled and sent < (waited - limits.stalled) * limits.bytes_per_second
        return stage is Stage.CLOSING and self._lingers and waited > limits.linger

    def upload_speed(self, now: float) -> float:
        """Return at how many bytes per second the body of the current request arrives."""
        request = self.request
        return 0.0 if request is None else request.body_bytes_received / max(now - request.began, 0.1)

    def gives_way(self, now: float) -> bool:
        """Return whether the connection may be closed for a new one: it is not worked on, and not moving quickly."""
        stage = self.stage()
        if stage is Stage.BODY:
            return self.upload_speed(now) < QUICK
        if stage is Stage.RESPONSE:
            return self._sent - self._sent_before < QUICK * max(now - self.since, 0.1)
        return stage is not Stage.WORKING

    def send(self, data: bytes, do_close: bool = True) -> int:
        """Send bytes and count them."""
        sent: int = super().send(data, do_close=do_close)
        self._sent += sent
        return sent

    def service(self) -> None:
        """Handle one request, in a thread."""
        self._refusing = bool(self.requests[0].error)
        super().service()
        self._handled += 1

    # A refused body is read on and dropped for a moment: a socket that is closed with unread bytes is reset, and many
    # clients then lose the answer that says why.

    def readable(self) -> bool:
        """Return whether the loop should read from this connection."""
        return (self._lingers and not self.will_close) or bool(super().readable())

    def handle_read(self) -> None:
        """Read from the connection; while it lingers, drop what comes."""
        if not self._lingers:
            super().handle_read()
            return
        try:
            if not self.recv(65_536):
                self.handle_close()
        except OSError:
            self.handle_close()

    def handle_write(self) -> None:
        """Send what is waiting to be sent, and close the connection when that was the last."""
        if self._refusing and self.close_when_flushed and not self.will_close:
            self._flush_exception(self._flush_some)
            if not self.total_outbufs_len and not self.will_close:
                self.close_when_flushed, self._lingers = False, True
                try:
                    self.socket.shutdown(socket.SHUT_WR)
                except OSError:
                    self.will_close = True
                return
        super().handle_write()


class Server(TcpWSGIServer):
    """One listening socket whose connections are held to limits."""

    channel_class = Channel

    def __init__(
        self,
        application: Any,
        map: dict[int, Any],
        *,
        limits: ConnectionLimits,
        body_limit: BodyLimit,
        largest_body: int,
        is_proxy: Callable[[str], bool],
        clock: LoopClock,
        **given: Any,
    ) -> None:
        self.limits = limits
        self.body_limit = body_limit
        self.is_proxy = is_proxy
        self.clock = clock
        self._next_check = clock() + CHECKED_EVERY
        self._body_space = LARGEST_BODIES * largest_body
        super().__init__(application, map, **given)

    def channels(self) -> list[Channel]:
        """Return the open connections of all sockets of this process."""
        return [one for one in self._map.values() if isinstance(one, Channel) and not one.will_close]

    def has_room(self, request: Request) -> bool:
        """Return whether the body of a request may be stored; the slowest upload gives way when there is no room."""
        now, channels = self.clock(), self.channels()
        bodies = [one for one in channels if one.request not in (None, request) and one.request.promised]
        waiting = sum(one.requests[0].promised for one in channels if one.requests)
        if waiting + sum(one.request.promised for one in bodies) + request.promised <= self._body_space:
            return True
        slowest = min(bodies, key=lambda one: one.upload_speed(now), default=None)
        if slowest is None or now - slowest.since < self.limits.linger or slowest.upload_speed(now) > QUICK:
            return False
        slowest.will_close = True
        return True

    def maintenance(self, now: float) -> None:
        """Close the connections that have waited too long."""
        for channel in list(self.active_channels.values()):
            channel.check(now, self.limits)

    def readable(self) -> bool:
        """Return True: new connections are always accepted. The loop asks when a round begins."""
        self.clock.next_round()
        now = self.clock()
        if now >= self._next_check:
            self._next_check = now + CHECKED_EVERY
            self.maintenance(now)
        return bool(self.accepting)

    def handle_accept(self) -> None:
        """Accept the connections that wait; older ones give way where there are too many."""
        for _ in range(ACCEPTED_AT_ONCE):
            try:
                accepted = self.accept()
                if accepted is None:
                    return
                connection, address = accepted
                self.set_socket_options(connection)
            except OSError:  # the client has gone already
                return
            if self._make_way(address[0]):
                self.channel_class(self, connection, address, self.adj, map=self._map)
            else:
                connection.close()

    def _make_way(self, address: str) -> bool:
        """Return whether a new connection may stay; the one that has waited longest is closed for it."""
        channels = self.channels()
        if not self.is_proxy(address):
            client = client_network(address)
            own = [one for one in channels if one.client == client]
            if len(own) >= self.limits.per_address:
                return _close_longest_waiting(own, self.clock())
        return len(channels) < self.limits.connections or _close_longest_waiting(channels, self.clock())


def _close_longest_waiting(channels: Iterable[Channel], now: float) -> bool:
    """Mark the connection to be closed that has waited longest; return False when none gives way."""
    found = min((one for one in channels if one.gives_way(now)), key=lambda one: one.since, default=None)
    if found is None:
        return False
    found.will_close = True  # by the loop: its number may not be used again before the loop's current round is over
    return True


def create_server(
    application: Any,
    *,
    host: str,
    port: int,
    threads: int,
    body_limit: BodyLimit,
    largest_body: int,
    limits: ConnectionLimits,
    is_proxy: Callable[[str], bool] = lambda address: False,
    clock: Callable[[], float] = monotonic,
) -> MultiSocketServer:
    """Return a server that is bound, and answers from when its `run` is called; `close` stops its threads.

    `body_limit` returns the largest body of an address in bytes, `largest_body` is the largest of all. Connections from
    addresses that `is_proxy` carry many clients and are not limited. The seconds of `limits` are those of `clock` in
    which the loop ran. Raises OSError when an address cannot be bound.
    """
    adjustments = Adjustments(
        host=host,
        port=port,
        threads=threads,
        ident="memetica",
        max_request_header_size=MAX_HEADER_BYTES,
        max_request_body_size=4 * largest_body + 100_000,  # counts what is between chunks; `Request` counts the body
        # With poll() there is no limit of 1,024 file descriptors; the loop falls back to select() on Windows.
        asyncore_use_poll=True,
        outbuf_overflow=262_144,
        clear_untrusted_proxy_headers=False,  # the application does, by the setting `trusted_proxies`
    )
    map: dict[int, Any] = {}
    dispatcher = Dispatcher()
    loop_clock = LoopClock(clock=clock)
    listening = []
    try:
        for address in adjustments.listen:
            server = Server(
                application,
                map,
                dispatcher=dispatcher,
                adj=adjustments,
                sockinfo=address,
                limits=limits,
                body_limit=body_limit,
                largest_body=largest_body,
                is_proxy=is_proxy,
                clock=loop_clock,
            )
            listening.append((server.effective_host, server.effective_port))
    except OSError:
        wasyncore.close_all(map)
        raise
    dispatcher.set_thread_count(adjustments.threads)
    return MultiSocketServer(map, adjustments, listening, dispatcher, None)
