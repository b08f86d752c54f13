"""A webhook gets each message, whatever its server does, and nobody waits for it."""

from __future__ import annotations

import logging
import socket
import threading
import time

import pytest

from tests.support.receiving import Receiver
from tests.support.waiting import PATIENCE
from web.background import webhook as webhook_module
from web.background.webhook import Webhook, post


@pytest.mark.parametrize(
    ("statuses", "requests", "said"),
    [
        ((204,), 1, ""),
        ((500, 429, 200), 3, "it answered 500; it is tried again in 0.01 s"),
        ((503,), 3, "it answered 503; it is not tried again"),  # after the last attempt
        ((404,), 1, "it answered 404; it is not tried again"),
        *(((status,), 1, "redirects are not followed") for status in (301, 302, 303, 307, 308)),
    ],
    ids=lambda value: str(value) if isinstance(value, tuple) else "",
)
def test_a_message_is_sent_again_where_that_can_help(
    statuses: tuple[int, ...], requests: int, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "memetica.webhook")
    with Receiver(*statuses) as receiver:
        hook = Webhook(receiver.address, pauses=(0.01, 0.01))
        hook.send({"event": "indexed"})
        receiver.wait_for(requests)
        hook.send({"event": "last"})
        receiver.wait_for(requests + 1)
        hook.close()
        assert [one["event"] for one in receiver.told[:requests]] == ["indexed"] * requests
    assert said in caplog.text and bool(said) == bool(caplog.records)


def test_what_does_not_answer_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook_module, "SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as server:  # takes connections and says nothing
        hook = Webhook(f"http://127.0.0.1:{server.getsockname()[1]}/", pauses=(600.0,))
        begun = time.monotonic()
        for number in range(webhook_module.MOST_WAITING + 20):
            hook.send({"number": number})
        hook.close()
        assert time.monotonic() - begun < PATIENCE


def test_a_secret_in_the_address_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    with Receiver(404) as receiver:
        hook = Webhook(receiver.address.replace("/hook", "/secret?token=secret"), pauses=())
        hook.send({})
        receiver.wait_for(1)
        hook.close()
    assert "/…" in caplog.text and "secret" not in caplog.text


@pytest.mark.parametrize("said", [b"no HTTP at all\r\n\r\n", b"", b"HTTP/1.1 abc\r\n\r\n"])
def test_what_speaks_no_http_may_do_so_later(said: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            client, _ = server.accept()
            with client:
                client.recv(65_536)
                client.sendall(said)

        threading.Thread(target=answer, daemon=True).start()
        failure = post(f"http://127.0.0.1:{server.getsockname()[1]}/", {})
    assert failure is not None and failure.passes and failure.reason


def test_nothing_listens() -> None:
    failure = post("http://127.0.0.1:9/", {})
    assert failure is not None and failure.passes and "refused" in failure.reason
