"""Call vision models over HTTP: OpenAI-compatible endpoints, and Ollama's own protocol."""

from __future__ import annotations

import io
import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from PIL import Image

from indexer.describe.failures import (
    CallFailed,
    CallStopped,
    FailureScope,
    ServerError,
    brief,
    named_models,
    server_error,
    status_failure,
)
from indexer.describe.protocols import Form, Piece, protocol_of
from search.errors import WrongUse

if TYPE_CHECKING:
    import httpx2

CONNECT_SECONDS = 10.0
# Between calls to a server whose model is being loaded: within the time of one call.
LOADING_PAUSE = 2.0
LIST_SECONDS = 5.0  # for the list of models, which only makes a message better
LISTED_MODELS = 8
JPEG_QUALITY = 90
GAP = 8  # pixels between frames


@dataclass(frozen=True)
class Completion:
    """A model's answer: text, finish reason (`stop`, `length`, …), refusal, and token counts if reported.

    `thoughts` says that the model thought before it answered, or instead.
    """

    text: str
    finish: str | None
    refusal: str | None
    tokens_in: int | None
    tokens_out: int | None
    thoughts: bool = False


class VisionClient:
    """A client of one endpoint; its address says which protocol it speaks (`protocol_of`). Thread-safe."""

    def __init__(self, url: str, *, key: str = "", seconds: float = 300.0, structured: bool = False) -> None:
        """Prepare calls of at most this many seconds each; raise WrongUse when `url` is not an address.

        With `structured`, the endpoint is asked to hold the model to a JSON schema.
        """
        parts = urlsplit(url if "//" in url else f"http://{url}")
        try:
            port = parts.port
        except ValueError:
            port = -1
        if parts.scheme not in ("http", "https") or not parts.hostname or port == -1:
            raise WrongUse(
                f"{url!r} is not the address of an endpoint.",
                hint="An address looks like http://127.0.0.1:11434/v1, or http://127.0.0.1:11434/api for Ollama's own.",
            )
        import httpx2  # takes a fifth of a second, which only `describe` should wait for

        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        # The name is shown and logged: it must not contain the password that an address may have.
        self.name = urlunsplit((parts.scheme, f"{host}:{port}" if port else host, parts.path.rstrip("/"), "", ""))
        self._protocol, base = protocol_of(parts.path)
        self._address = urlunsplit((parts.scheme, parts.netloc, base + self._protocol.path, parts.query, ""))
        self._models = urlunsplit((parts.scheme, parts.netloc, base + self._protocol.models, parts.query, ""))
        # Redirects are not followed: the key and the picture are for the address that was named.
        self._client = httpx2.Client(
            headers={"Authorization": f"Bearer {key or 'none'}"},
            timeout=httpx2.Timeout(seconds, connect=min(CONNECT_SECONDS, seconds)),
        )
        self._seconds = seconds
        self._lock = threading.Lock()
        self._form = Form(schema=structured)
        self._answered = False

    def complete(self, model: str, prompt: str, jpeg: bytes, *, max_tokens: int, stop: threading.Event) -> Completion:
        """Return a model's answer to a prompt with a picture; raise CallFailed, or CallStopped once `stop` is set.

        Parameters that the endpoint does not support are omitted from further calls. While the server loads the model,
        it is asked again, as long as one call may take.
        """
        deadline = time.monotonic() + self._seconds
        while True:
            try:
                return self._adapted(model, prompt, jpeg, max_tokens=max_tokens, stop=stop, deadline=deadline)
            except CallFailed as error:
                if not error.loading or time.monotonic() + LOADING_PAUSE > deadline:
                    raise
                if stop.wait(LOADING_PAUSE):
                    raise CallStopped from error

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _adapted(
        self, model: str, prompt: str, jpeg: bytes, *, max_tokens: int, stop: threading.Event, deadline: float
    ) -> Completion:
        """Return the answer to the first form of request that the endpoint does not refuse.

        A model that thinks is told not to from its next call on; at once where it has thought instead of answering.
        """
        for _ in range(8):  # one more than there are parameters that it may not support or need
            with self._lock:
                form = self._form
            body = self._protocol.request(model, prompt, jpeg, max_tokens=max_tokens, form=form)
            answer = None
            try:
                answer = self._call(body, stop, deadline)
                adapted = self._protocol.without_thoughts(form) if answer.thoughts else None
            except _Refused as refused:
                adapted = form.without(refused.error.text)
                if adapted is None:
                    raise self._status(refused.status, refused.error, refused.headers, model) from None
            if adapted is not None:
                with self._lock:
                    self._form = adapted
            if answer is not None and (answer.text or answer.refusal or adapted is None):
                return answer
        raise CallFailed(f"{self.name} refuses every form of request.", scope=FailureScope.ENDPOINT)

    def _call(self, body: dict[str, Any], stop: threading.Event, deadline: float) -> Completion:
        """Send one request and return its answer; raise _Refused for a status of bad requests."""
        import httpx2

        def check() -> None:
            if stop.is_set():
                raise CallStopped
            if time.monotonic() > deadline:
                raise self._slow()

        try:
            with self._client.stream("POST", self._address, json=body) as response:
                self._answered = True
                response.stream = _watched(response.stream, check)
                if not response.is_success:
                    error = _error_of(response)
                    if response.status_code in (400, 422, 501):
                        raise _Refused(response.status_code, error, dict(response.headers))
                    raise self._status(response.status_code, error, dict(response.headers), body["model"])
                return self._gathered(self._pieces(response))
        except httpx2.TimeoutException as error:
            raise self._slow(connecting=isinstance(error, httpx2.ConnectTimeout)) from error
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError, OSError) as error:
            raise self._unreachable(error) from error
        except (ValueError, AttributeError, TypeError, LookupError) as error:
            # The body is not an answer in JSON: a gateway's page, a truncated answer.
            raise CallFailed(
                f"{self.name} answered with something that is not a chat completion.",
                scope=FailureScope.TRANSIENT,
                hint="Check the address; it often ends in /v1, or in /api for Ollama's own protocol.",
            ) from error

    def _pieces(self, response: httpx2.Response) -> Iterator[Piece]:
        """Yield the parts of an answer: events, lines, or the whole body, whichever the server sends."""
        import httpx2

        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        bodies: Iterator[Any]
        if kind == "text/event-stream":
            events = (event.data for event in httpx2.EventSource(response))
            bodies = (json.loads(data) for data in events if data.strip() and data.strip() != "[DONE]")
        elif self._protocol.lines and kind != "application/json":
            bodies = (json.loads(line) for line in response.iter_lines() if line.strip())
        else:
            bodies = iter([json.loads(response.read())])
        for body in bodies:
            error = server_error(body)
            if error is not None:  # with the status 200: the answer had begun
                code = int(error.code) if error.code.isdecimal() else 0
                raise status_failure(self.name, code, error)
            yield self._protocol.read(body)

    def _gathered(self, pieces: Iterator[Piece]) -> Completion:
        parts: list[str] = []
        refused: list[str] = []
        finish = tokens_in = tokens_out = None
        thoughts = False
        for piece in pieces:
            thoughts = thoughts or piece.thoughts
            parts.append(piece.text)
            refused.append(piece.refusal)
            finish = piece.finish or finish
            tokens_in = tokens_in if piece.tokens_in is None else piece.tokens_in
            tokens_out = tokens_out if piece.tokens_out is None else piece.tokens_out
        if finish is None:
            raise CallFailed(
                f"{self.name} closed the connection in the middle of an answer.", scope=FailureScope.TRANSIENT
            )
        if finish in ("load", "unload"):  # Ollama answers so to a request that it did not understand
            raise CallFailed(f"{self.name} loaded the model and did not answer.", scope=FailureScope.TRANSIENT)
        return Completion("".join(parts), finish, "".join(refused) or None, tokens_in, tokens_out, thoughts)

    def _status(self, status: int, error: ServerError, headers: dict[str, str], model: str) -> CallFailed:
        """Return the failure that a status means, with the endpoint's models where it lacks the one that was named."""
        failed = status_failure(self.name, status, error, headers=headers)
        if status == 404:
            names = self._listed_models()
            if names and model not in names:
                more = ", …" if len(names) > LISTED_MODELS else ""
                failed.hint = f"Name one of its models with --model: {', '.join(names[:LISTED_MODELS])}{more}."
        return failed

    def _listed_models(self) -> list[str]:
        """Return the names of the endpoint's models; nothing when it does not tell."""
        with suppress(Exception):  # whatever it is, the failure itself is reported
            return named_models(self._client.get(self._models, timeout=LIST_SECONDS).json())
        return []

    def _slow(self, *, connecting: bool = False) -> CallFailed:
        if connecting:
            return self._silent()
        return CallFailed(
            f"{self.name} took longer than {self._seconds:g} seconds.",
            scope=FailureScope.TRANSIENT,
            hint="Allow more with --seconds, or use fewer workers.",
        )

    def _unreachable(self, error: Exception) -> CallFailed:
        import httpx2

        if isinstance(error, (httpx2.ConnectError, httpx2.ProxyError)):
            return self._silent(brief(str(error)))
        return CallFailed(f"The connection to {self.name} was closed.", scope=FailureScope.TRANSIENT)

    def _silent(self, reason: str = "") -> CallFailed:
        return CallFailed(
            f"Nothing answers at {self.name}.",
            # An endpoint that answered before may be restarting; one that never did has the wrong address.
            scope=FailureScope.TRANSIENT if self._answered else FailureScope.ENDPOINT,
            hint="Check that the endpoint is running and the address is right" + (f" ({reason})." if reason else "."),
        )


class _Refused(Exception):
    """The endpoint does not accept the form of a request."""

    def __init__(self, status: int, error: ServerError, headers: dict[str, str]) -> None:
        super().__init__(error.text)
        self.status = status
        self.error = error
        self.headers = headers


def _watched(stream: Any, check: Callable[[], None]) -> Any:
    """Return the stream of a response that calls `check` with each block: also with a comment that keeps it alive."""
    import httpx2

    class Watched(httpx2.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            for block in stream:
                check()
                yield block

        def close(self) -> None:
            stream.close()

    return Watched()


def _error_of(response: httpx2.Response) -> ServerError:
    raw = response.read()
    found = None
    with suppress(ValueError):
        found = server_error(json.loads(raw))
    return found or ServerError(brief(raw.decode("utf-8", "replace")) or response.reason_phrase)


def render_frames(pictures: Sequence[Image.Image], *, longest_side: int) -> bytes:
    """Return the JPEG for a model: a still, or frames in rows, at most `longest_side` pixels wide and high.

    >>> render_frames([Image.new("RGB", (80, 60))], longest_side=40)[:2]
    b'\xff\xd8'
    """
    width, height = (max(getattr(picture, side) for picture in pictures) for side in ("width", "height"))
    count = len(pictures)
    # The columns that make the sheet most nearly square, so that frames are scaled down least.
    columns = min(range(1, count + 1), key=lambda wide: max(wide * width, -(-count // wide) * height))
    rows = -(-count // columns)
    sheet = Image.new("RGB", (columns * (width + GAP) - GAP, rows * (height + GAP) - GAP), "white")
    for number, picture in enumerate(pictures):
        sheet.paste(picture.convert("RGB"), (number % columns * (width + GAP), number // columns * (height + GAP)))
    scale = longest_side / max(sheet.size)
    if scale < 1:
        size = max(1, round(sheet.width * scale)), max(1, round(sheet.height * scale))
        sheet = sheet.resize(size, Image.Resampling.LANCZOS)
    out = io.BytesIO()
    sheet.save(out, "JPEG", quality=JPEG_QUALITY)
    return out.getvalue()
