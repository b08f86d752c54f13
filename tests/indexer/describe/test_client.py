"""Calls to an endpoint, by the real client over a real socket: every way to answer and every way to fail."""

from __future__ import annotations

import socket
import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from PIL import Image

from indexer.describe import client as client_module
from indexer.describe.client import Completion, VisionClient, render_frames
from indexer.describe.failures import CallFailed, CallStopped, FailureScope
from search.errors import WrongUse
from tests.support.vision_server import Asked, Drops, Fails, Reply, Says, Sends, VisionServer
from tests.support.waiting import PATIENCE

RED = render_frames([Image.new("RGB", (64, 48), "red")], longest_side=1280)


def ask(url: str, *, seconds: float = PATIENCE, stop: threading.Event | None = None, key: str = "") -> Completion:
    endpoint = VisionClient(url, seconds=seconds, key=key)
    try:
        return endpoint.complete("qwen", "Describe.", RED, max_tokens=50, stop=stop or threading.Event())
    finally:
        endpoint.close()


def failure(reply: Reply, *, seconds: float = PATIENCE) -> CallFailed:
    with VisionServer(lambda asked: reply) as server, pytest.raises(CallFailed) as failed:
        ask(server.url, seconds=seconds)
    return failed.value


def test_a_streamed_answer_comes_whole_with_its_tokens() -> None:
    with VisionServer(lambda asked: Says("A red rectangle, 50 % of “nothing”. 🟥", tokens=(321, 12))) as server:
        answer = ask(server.url, key="secret")
    assert answer == Completion("A red rectangle, 50 % of “nothing”. 🟥", "stop", None, 321, 12)
    [asked] = server.asked
    assert (asked.model, asked.prompt, asked.key) == ("qwen", "Describe.", "secret")
    assert asked.body["stream"] is True
    assert asked.body["max_tokens"] == 50


def test_a_key_that_is_meant_for_another_program_is_sent_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_ADMIN_KEY"):
        monkeypatch.setenv(name, "sk-of-another-program")
    with VisionServer(lambda asked: Says("ok")) as server:
        ask(server.url)
    assert server.asked[0].key == "none"


def test_the_picture_arrives_as_it_looks() -> None:
    with VisionServer(lambda asked: Says("ok")) as server:
        ask(server.url)
    [asked] = server.asked
    assert asked.picture.size == (64, 48)
    assert all(abs(a - b) < 5 for a, b in zip(asked.picture.getpixel((5, 5)), (255, 0, 0), strict=True))


def test_an_endpoint_that_does_not_stream_is_asked_for_whole_answers_from_then_on() -> None:
    def script(asked: Asked) -> Reply:
        return Fails(400, "streaming is not enabled for this model") if asked.body.get("stream") else Says("A cat.")

    with VisionServer(script) as server:
        endpoint = VisionClient(server.url)
        for _ in range(2):
            assert endpoint.complete("m", "p", RED, max_tokens=9, stop=threading.Event()).text == "A cat."
    assert [bool(asked.body.get("stream")) for asked in server.asked] == [True, False, False]


def test_an_endpoint_that_answers_whole_though_asked_to_stream_is_understood() -> None:
    with VisionServer(lambda asked: Says("A cat.", always_whole=True)) as server:
        assert ask(server.url) == Completion("A cat.", "stop", None, 1000, 50)


def test_parameters_that_an_endpoint_does_not_know_are_left_out() -> None:
    def script(asked: Asked) -> Reply:
        if "max_tokens" in asked.body:
            return Fails(400, "'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.")
        if "stream_options" in asked.body:
            return Fails(400, "Extra inputs are not permitted: stream_options")
        return Says("A cat.")

    with VisionServer(script) as server:
        answer = ask(server.url)
    assert answer == Completion("A cat.", "stop", None, None, None)
    assert server.asked[-1].body["max_completion_tokens"] == 50


def test_a_refusal_is_told_apart_from_a_text() -> None:
    with VisionServer(lambda asked: Says("", refusal="I will not.")) as server:
        assert ask(server.url).refusal == "I will not."
    with VisionServer(lambda asked: Says("", refusal="I will not.", always_whole=True)) as server:
        assert ask(server.url).refusal == "I will not."


@pytest.mark.parametrize(
    ("reply", "scope"),
    [
        (Fails(400, "image too small"), FailureScope.MEME),
        (Fails(400, "llava-phi is not a multimodal model"), FailureScope.ENDPOINT),
        (Fails(400, "This model does not support image inputs"), FailureScope.ENDPOINT),
        (Fails(401, "Incorrect API key"), FailureScope.ENDPOINT),
        (Fails(402, "Insufficient credits"), FailureScope.ENDPOINT),
        (Fails(403, "Not allowed"), FailureScope.ENDPOINT),
        (Fails(403, "Your input was flagged by moderation"), FailureScope.MEME),
        (Fails(404, 'model "qwen" not found, try pulling it first'), FailureScope.ENDPOINT),
        (Fails(413, "too large"), FailureScope.MEME),
        (Fails(422, "cannot be processed"), FailureScope.MEME),
        (Fails(408), FailureScope.TRANSIENT),
        (Fails(429, "slow down"), FailureScope.TRANSIENT),
        (Fails(429, "You exceeded your current quota", code="insufficient_quota"), FailureScope.ENDPOINT),
        (Fails(429, "come back tomorrow", headers={"Retry-After": "7200"}), FailureScope.ENDPOINT),
        (Fails(500), FailureScope.TRANSIENT),
        (Fails(503, "loading model"), FailureScope.TRANSIENT),
        (Drops(), FailureScope.TRANSIENT),
        (Says("A cat sits in a box.", drop_after=2), FailureScope.TRANSIENT),
        (Says("A cat sits in a box.", drop_after=2, always_whole=True), FailureScope.TRANSIENT),
        (Says("A cat sits", finish=None), FailureScope.TRANSIENT),
        (Sends(b'{"choices": [{"mess'), FailureScope.TRANSIENT),
        (Sends(b'{"choices": []}'), FailureScope.TRANSIENT),
        (Sends(b"[]"), FailureScope.TRANSIENT),
        (Sends(b'"ok"'), FailureScope.TRANSIENT),
        (Sends(b"\xff\xfe\x00"), FailureScope.TRANSIENT),
        (Sends(b"<html>Bad gateway</html>", type="text/html"), FailureScope.TRANSIENT),
        (Sends(b'data: {"choices": [{"de\n\n', type="text/event-stream"), FailureScope.TRANSIENT),
        (Sends(b"data: [1, 2]\n\n", type="text/event-stream"), FailureScope.TRANSIENT),
        (Sends(b'data: {"error": {"message": "out of memory"}}\n\n', type="text/event-stream"), FailureScope.TRANSIENT),
        (Sends(b"", type="text/event-stream"), FailureScope.TRANSIENT),
    ],
    ids=str,
)
def test_each_failure_says_what_it_means_for_the_next_call(
    reply: Reply, scope: FailureScope, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "LOADING_PAUSE", 2 * PATIENCE)  # longer than the call may take
    failed = failure(reply)
    assert failed.scope is scope
    assert failed.message.startswith(("http://127.0.0.1", "The connection to http://127.0.0.1"))


def test_a_pause_that_is_asked_for_is_told_in_seconds() -> None:
    assert failure(Fails(429, headers={"Retry-After": "17"})).pause == 17
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=40), usegmt=True)
    assert 30 < failure(Fails(503, headers={"Retry-After": later})).pause <= 40
    assert failure(Fails(503, headers={"Retry-After": "soon"})).pause == 0


@pytest.mark.parametrize(
    "reply", [Says("A cat.", seconds=1000), Says("A cat in a box. " * 3000, pause=0.15)], ids=["silent", "dripping"]
)
def test_a_slow_answer_ends_at_the_time_that_a_call_may_take(reply: Says) -> None:
    begun = time.monotonic()
    failed = failure(reply, seconds=0.25)
    assert (failed.scope, failed.message.split("took")[-1]) == (FailureScope.TRANSIENT, " longer than 0.25 seconds.")
    assert time.monotonic() - begun < PATIENCE


def test_an_address_where_nothing_ever_answered_is_given_up_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(CallFailed, match="Nothing answers") as failed:
        ask(f"http://127.0.0.1:{port}/v1")
    assert failed.value.scope is FailureScope.ENDPOINT


def test_an_endpoint_that_has_answered_and_is_gone_may_come_back() -> None:
    with VisionServer(lambda asked: Says("A cat.")) as server:
        endpoint = VisionClient(server.url)
        endpoint.complete("m", "p", RED, max_tokens=9, stop=threading.Event())
    endpoint._client.close()  # its kept connection would still be served
    gone = VisionClient(server.url)
    gone._answered = True
    with pytest.raises(CallFailed) as failed:
        gone.complete("m", "p", RED, max_tokens=9, stop=threading.Event())
    assert failed.value.scope is FailureScope.TRANSIENT


def test_a_streamed_call_stops_when_it_is_told_to() -> None:
    stop = threading.Event()
    with VisionServer(lambda asked: Says("word " * 20_000, pause=0.05)) as server:
        threading.Timer(0.2, stop.set).start()
        begun = time.monotonic()
        with pytest.raises(CallStopped):
            ask(server.url, stop=stop)
    assert time.monotonic() - begun < PATIENCE  # of ten minutes


@pytest.mark.parametrize("url", ["", "ftp://host/v1", "http://", "http://host:port/v1"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(WrongUse, match="not the address"):
        VisionClient(url)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("127.0.0.1:11434", "http://127.0.0.1:11434"),
        ("https://user:password@models.example:8443/v1/", "https://models.example:8443/v1"),
        ("http://[::1]:8080/v1", "http://[::1]:8080/v1"),
    ],
)
def test_an_address_is_shown_without_its_password(url: str, name: str) -> None:
    assert VisionClient(url).name == name


def test_frames_are_shown_in_rows_in_their_order_and_made_to_fit() -> None:
    colors = ["red", "green", "blue", "yellow", "black"]
    frames = [Image.new("RGB", (400, 300), color) for color in colors]
    import io

    sheet = Image.open(io.BytesIO(render_frames(frames, longest_side=600)))
    assert max(sheet.size) == 600
    # Two columns of three rows come nearest to a square; the last place stays white.
    cells = [sheet.getpixel((sheet.width * x // 4, sheet.height * y // 6)) for y in (1, 3, 5) for x in (1, 3)]
    expected = [Image.new("RGB", (1, 1), color).getpixel((0, 0)) for color in [*colors, "white"]]
    assert all(
        abs(a - b) < 12 for cell, color in zip(cells, expected, strict=True) for a, b in zip(cell, color, strict=True)
    )
