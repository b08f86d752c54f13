"""The server through real sockets: who says nothing, too much or too slowly keeps nobody else waiting."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from werkzeug.utils import send_file

from tests.support.sockets import answer_of, is_closed, running
from tests.support.waiting import PATIENCE
from web.server.limits import ConnectionLimits, available_connections

pytestmark = pytest.mark.slow

# Connections give way after a second or so of the server's time in these tests.
QUICK = ConnectionLimits(
    first_byte=0.5, idle=0.5, head=0.5, grace=0.5, stalled=1.0, bytes_per_second=1000, linger=1.0, per_address=1000
)
PATIENT = ConnectionLimits(connections=40, per_address=20)
HEAD = b"GET / HTTP/1.1\r\nHost: localhost\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
BODY = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n"


@pytest.mark.parametrize("sent", [b"", HEAD, BODY % 1000 + b"x"], ids=["nothing", "half a head", "half a body"])
def test_any_number_of_connections_that_wait_leaves_the_site_answering(sent: bytes) -> None:
    with running(limits=PATIENT) as server:
        waiting = [server.connect(sent) for _ in range(200)]
        assert server.get("/x") == (200, "/x 0 bytes")
        assert all(server.holds(one) for one in waiting[-10:])  # the newest stay
        assert is_closed(waiting[0])


def test_proxies_are_not_limited_by_address_but_by_the_number_of_all_connections() -> None:
    with running(limits=PATIENT, is_proxy=lambda address: address == "127.0.0.1") as server:
        waiting = [server.connect() for _ in range(30)]
        assert server.get() == (200, "/ 0 bytes")
        assert all(server.holds(one) for one in waiting)
        waiting += [server.connect() for _ in range(30)]
        assert server.get() == (200, "/ 0 bytes")
        assert [server.holds(one) for one in waiting] == [False] * 21 + [True] * 39  # and the one that asks


def test_a_request_that_is_being_worked_on_never_gives_way() -> None:
    begun, goes_on = threading.Event(), threading.Event()

    def slow(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/slow":
            begun.set()
            assert goes_on.wait(PATIENCE)
        start_response("200 OK", [("Content-Length", "4")])
        return [b"done"]

    with running(slow, limits=PATIENT) as server:
        worked_on = server.connect(b"GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert begun.wait(PATIENCE)
        for _ in range(100):
            server.connect()
        assert server.get("/quick") == (200, "done")
        goes_on.set()
        assert answer_of(worked_on) == (200, "done")


@pytest.mark.parametrize("drip", [b"", HEAD[:1], b"X: y\r\n"], ids=["nothing", "a byte", "a header at a time"])
def test_a_head_that_does_not_end_is_closed_however_it_is_kept_alive(drip: bytes) -> None:
    with running(limits=QUICK) as server:
        connection = server.connect(HEAD if drip else b"")
        for _ in range(20):
            with suppress(OSError):
                connection.sendall(drip)
            server.pass_time(0.1)
        assert is_closed(connection)
        assert server.get()[0] == 200


def test_a_body_that_comes_too_slowly_is_closed_and_one_that_comes_quickly_enough_is_read() -> None:
    with running(limits=QUICK, body=10_000) as server:
        quick, slow = server.connect(BODY % 6000), server.connect(BODY % 6000)
        for sent in range(300, 6001, 300):
            quick.sendall(b"x" * 300)
            with suppress(OSError):
                slow.sendall(b"x")
            if sent < 6000:
                server.wait_for(quick, lambda it, sent=sent: it.request and it.request.body_bytes_received == sent)
            server.pass_time(0.1)
        assert answer_of(quick) == (200, "/ 6000 bytes")
        assert not server.holds(slow)
        assert is_closed(slow)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"", HEAD + b"\r\n"),
        (HEAD, b"\r\n"),
        (BODY % 6000 + b"x", b"x" * 5999),
    ],
    ids=["nothing", "half a head", "half a body"],
)
def test_a_client_is_not_late_when_it_was_the_server_that_paused(before: bytes, after: bytes) -> None:
    limits = ConnectionLimits(first_byte=2, idle=2, head=2, grace=2, bytes_per_second=2000)
    with running(limits=limits, body=10_000) as server:
        patient, late = server.connect(before), server.connect(before)
        for one in (patient, late):
            server.wait_for(one, lambda it: it.request if before else True)
        server.pass_time(0.5)
        server.pause(60)
        patient.sendall(after)
        assert answer_of(patient)[0] == 200
        assert server.closes(late, within=4)  # the server runs, and nothing comes


def test_a_connection_is_kept_for_the_next_request_and_closed_when_none_comes() -> None:
    with running(limits=QUICK) as server:
        connection = server.connect()
        for _ in range(8):  # together longer than the limit
            connection.sendall(HEAD + b"\r\n")
            assert answer_of(connection) == (200, "/ 0 bytes")
            server.pass_time(0.2)
        assert server.closes(connection, within=2)


def test_who_reads_a_response_too_slowly_is_closed_and_holds_no_thread(tmp_path: Path) -> None:
    video = tmp_path / "long.mp4"
    video.write_bytes(bytes(range(256)) * 200_000)  # beyond what waitress and the sockets hold for a client

    def films(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/quick":
            start_response("200 OK", [("Content-Length", "2")])
            return [b"ok"]
        return send_file(video, environ, conditional=True)(environ, start_response)

    with running(films, limits=QUICK, threads=2) as server:
        for asked in (b"", b"Range: bytes=1000-\r\n"):
            slow = [server.connect(b"GET /film HTTP/1.1\r\nHost: x\r\n" + asked + b"\r\n") for _ in range(5)]
            assert server.get("/quick") == (200, "ok")
            assert [len(one.recv(10)) for one in slow] == [10] * 5
            assert all(server.closes(one, within=5) for one in slow)


def test_a_part_of_a_file_is_the_part_that_was_asked_for(tmp_path: Path) -> None:
    film = tmp_path / "film.txt"
    film.write_bytes(b"0123456789")

    def films(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        return send_file(film, environ, conditional=True)(environ, start_response)

    with running(films, limits=PATIENT) as server:
        for asked, status, part in (
            (b"bytes=0-", 206, "0123456789"),
            (b"bytes=3-5", 206, "345"),
            (b"bytes=-2", 206, "89"),
            (b"bytes=8-100", 206, "89"),
            (b"bytes=0-0", 206, "0"),
        ):
            request = b"GET / HTTP/1.1\r\nHost: x\r\nRange: " + asked + b"\r\n\r\n"
            connection = server.connect(request)
            assert answer_of(connection) == (status, part)
            connection.sendall(request)  # and the connection can be used again
            assert answer_of(connection) == (status, part)


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (BODY % 1001, 413),
        (BODY % 900_000_000, 413),
        (BODY.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n") % 900_000_000, 413),
        (
            CHUNKED + b"3e9\r\n" + b"x" * 1001 + b"\r\n0\r\n\r\n",
            413,
        ),
        (CHUNKED + b"fffffff\r\n" + b"x" * 5000, 413),
        (CHUNKED + b"0\r\nX: " + b"x" * 2000, 400),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 40_000 + b"\r\n\r\n", 431),
        (b"GET /" + b"x" * 40_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost x\r\n\r\n", 400),
        (b"nonsense\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),  # TLS
    ],
)
def test_a_request_that_cannot_be_taken_is_refused_with_its_status(request_: bytes, status: int) -> None:
    with running(limits=PATIENT) as server:
        assert server.ask(request_)[0] == status
        assert server.get()[0] == 200


def test_a_body_at_the_limit_is_taken_whether_its_length_is_told_or_not() -> None:
    with running(limits=PATIENT) as server:
        assert server.ask(BODY % 1000 + b"x" * 1000) == (200, "/ 1000 bytes")
        chunked = CHUNKED + b"3e8\r\n" + b"x" * 1000 + b"\r\n0\r\n\r\n"
        assert server.ask(chunked) == (200, "/ 1000 bytes")


def test_a_client_that_sends_all_of_a_refused_body_still_reads_why() -> None:
    with running(limits=PATIENT) as server:
        connection = server.connect(BODY % 20_000_000)
        connection.sendall(b"x" * 20_000_000)  # more than any socket buffers
        assert answer_of(connection)[0] == 413


def test_bodies_share_a_space_in_which_the_slowest_gives_way() -> None:
    size = 600_000  # above what waitress keeps in memory
    limits = ConnectionLimits(linger=0.1)
    with running(limits=limits, body=size) as server:
        slow = [server.connect(BODY % size + b"x") for _ in range(8)]  # as many as there is room for
        for one in slow:
            server.wait_for(one, lambda it: it.request and it.request.body_bytes_received)
        server.pass_time(1.5)
        assert server.ask(BODY % size + b"x" * size) == (200, f"/ {size} bytes")
        assert sum(not server.holds(one) for one in slow) == 1
    patient = ConnectionLimits(linger=60)
    with running(limits=patient, body=size) as server:
        for _ in range(8):
            server.wait_for(
                server.connect(BODY % size + b"x"), lambda it: it.request and it.request.body_bytes_received
            )
        status, message = server.ask(BODY % size + b"x" * size)
        assert status == 503 and "Too many uploads" in message
        assert server.ask(BODY % 10 + b"x" * 10) == (200, "/ 10 bytes")


def test_the_limit_of_open_files_leaves_room_for_other_files() -> None:
    assert 20 <= available_connections(1000) <= 1000
    assert available_connections(30) == 30


def test_a_health_check_goes_before_the_requests_that_wait_and_one_at_a_time() -> None:
    order: list[str] = []
    goes_on, begun = threading.Event(), threading.Semaphore(0)

    def slow(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path.startswith("/busy"):
            begun.release()
            assert goes_on.wait(PATIENCE)
        else:
            order.append(path)
        start_response("200 OK", [("Content-Length", "2")])
        return [b"ok"]

    request = "GET {} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    with running(slow, limits=PATIENT, threads=1) as server:
        server.connect(request.format("/busy").encode())
        assert begun.acquire(timeout=PATIENCE)
        waiting = []
        for path in ("/1", "/2", "/3", "/healthz", "/healthz", "/4"):
            waiting.append(server.connect(request.format(path).encode()))
            server.wait_for(waiting[-1], lambda it: it.requests)  # each is received before the next is sent
        goes_on.set()
        assert [answer_of(one) for one in waiting] == [(200, "ok")] * len(waiting)
    assert order == ["/healthz", "/1", "/2", "/3", "/healthz", "/4"]
