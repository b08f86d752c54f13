"""Call vision models at OpenAI-compatible endpoints, and classify failures by what they mean for further calls."""

from __future__ import annotations

import base64
import io
import re
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from PIL import Image

from search.errors import EndpointError, WrongUse

if TYPE_CHECKING:
    from openai import APIStatusError

CONNECT_SECONDS = 10.0
# A run does not wait longer than this for an endpoint.
LONGEST_PAUSE = 300.0
JPEG_QUALITY = 90
GAP = 8  # pixels between frames

_NO_VISION = re.compile(
    r"(not|n't|only|no)\b.{0,60}\b(support|accept)\w*.{0,60}\b(image|vision|multimodal)|"
    r"\b(image|image_url|vision|multimodal)\b.{0,60}\b(not|n't|only)\b.{0,20}\bsupport|not an? (multimodal|vision)",
    re.IGNORECASE | re.DOTALL,
)
_MODERATED = re.compile(r"moderat|flagged|content[_ ](policy|filter)|safety", re.IGNORECASE)


class FailureScope(StrEnum):
    """What a failed call means for further calls."""

    TRANSIENT = "transient"  # the same call may succeed later
    MEME = "meme"  # this call always fails, calls about other memes may not
    ENDPOINT = "endpoint"  # every call to the endpoint would fail


class CallFailed(EndpointError):
    """A call failed; `scope` says what that means for further calls, `pause` is the requested wait in seconds."""

    def __init__(self, message: str, *, scope: FailureScope, hint: str = "", pause: float = 0.0) -> None:
        super().__init__(message, hint=hint)
        self.scope = scope
        self.pause = pause


class CallStopped(Exception):
    """The run was stopped during a call."""


@dataclass(frozen=True)
class Completion:
    """A model's answer: text, finish reason (`stop`, `length`, …), refusal, and token counts if reported."""

    text: str
    finish: str | None
    refusal: str | None
    tokens_in: int | None
    tokens_out: int | None


class VisionClient:
    """A client of one endpoint that speaks the OpenAI protocol; thread-safe."""

    def __init__(self, url: str, *, key: str = "", seconds: float = 300.0) -> None:
        """Prepare calls of at most this many seconds each; raise WrongUse when `url` is not an address."""
        parts = urlsplit(url if "//" in url else f"http://{url}")
        try:
            port = parts.port
        except ValueError:
            port = -1
        if parts.scheme not in ("http", "https") or not parts.hostname or port == -1:
            raise WrongUse(
                f"{url!r} is not the address of an endpoint.", hint="An address looks like http://127.0.0.1:11434/v1."
            )
        from openai import OpenAI, Timeout  # takes more than a second, which only `describe` should wait for

        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        # The name is shown and logged: it must not contain the password that an address may have.
        self.name = urlunsplit((parts.scheme, f"{host}:{port}" if port else host, parts.path.rstrip("/"), "", ""))
        self._client = OpenAI(
            base_url=urlunsplit((parts.scheme, parts.netloc, parts.path or "/v1", parts.query, "")),
            api_key=key or "none",
            timeout=Timeout(seconds, connect=min(CONNECT_SECONDS, seconds)),
            max_retries=0,  # the caller counts and logs each attempt
        )
        self._seconds = seconds
        self._lock = threading.Lock()
        self._stream = True
        self._usage = True
        self._limit = "max_tokens"
        self._answered = False

    def complete(self, model: str, prompt: str, jpeg: bytes, *, max_tokens: int, stop: threading.Event) -> Completion:
        """Return a model's answer to a prompt with a picture; raise CallFailed, or CallStopped once `stop` is set.

        Parameters that the endpoint does not support are omitted from further calls.
        """
        import openai

        for _ in range(4):  # one for each parameter that the endpoint may not support
            with self._lock:
                stream, usage, limit = self._stream, self._usage, self._limit
            request: dict[str, Any] = {"model": model, "messages": _messages(prompt, jpeg), limit: max_tokens}
            try:
                if stream:
                    options = {"stream_options": {"include_usage": True}} if usage else {}
                    return self._streamed(request | options, stop)
                answer = _whole(self._client.chat.completions.create(**request))
                self._answered = True
                return answer
            except openai.BadRequestError as error:
                if not self._adapt(str(error.message), stream=stream, usage=usage, limit=limit):
                    raise self._failed(error) from error
            except openai.OpenAIError as error:
                raise self._failed(error) from error
            except _NoStream:
                with self._lock:
                    self._stream = False
            except (ValueError, AttributeError, TypeError, IndexError) as error:
                # The body is not a chat completion in JSON: a gateway's page, a truncated answer.
                raise CallFailed(
                    f"{self.name} answered with something that is not a chat completion.",
                    scope=FailureScope.TRANSIENT,
                    hint="Check the address; it often ends in /v1.",
                ) from error
        raise CallFailed(f"{self.name} refuses every form of request.", scope=FailureScope.ENDPOINT)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _streamed(self, request: dict[str, Any], stop: threading.Event) -> Completion:
        begun = time.monotonic()
        parts: list[str] = []
        refused: list[str] = []
        finish = tokens_in = tokens_out = None
        with self._client.chat.completions.create(stream=True, **request) as chunks:
            self._answered = True
            if "event-stream" not in chunks.response.headers.get("content-type", "event-stream"):
                raise _NoStream
            for chunk in chunks:
                if stop.is_set():
                    raise CallStopped
                if time.monotonic() - begun > self._seconds:
                    raise self._slow()
                if chunk.usage is not None:
                    tokens_in, tokens_out = chunk.usage.prompt_tokens, chunk.usage.completion_tokens
                for choice in chunk.choices or ():
                    parts.append(choice.delta.content or "")
                    refused.append(getattr(choice.delta, "refusal", None) or "")
                    finish = choice.finish_reason or finish
        if finish is None:
            raise CallFailed(
                f"{self.name} closed the connection in the middle of an answer.", scope=FailureScope.TRANSIENT
            )
        return Completion("".join(parts), finish, "".join(refused) or None, tokens_in, tokens_out)

    def _adapt(self, message: str, *, stream: bool, usage: bool, limit: str) -> bool:
        """Omit the parameter that an error names from further requests; return whether the request can be repeated."""
        with self._lock:
            if limit == "max_tokens" and "max_completion_tokens" in message:
                self._limit = "max_completion_tokens"
            elif stream and usage and ("stream_options" in message or "include_usage" in message):
                self._usage = False
            elif stream and re.search(r"\bstream(ing)?\b", message):
                self._stream = False
            else:
                return False
            return True

    def _slow(self) -> CallFailed:
        return CallFailed(
            f"{self.name} took longer than {self._seconds:g} seconds.",
            scope=FailureScope.TRANSIENT,
            hint="Allow more seconds, or use fewer workers.",
        )

    def _failed(self, error: Exception) -> CallFailed:
        """Return the failure that an error of the OpenAI client means."""
        import openai

        if isinstance(error, openai.APIStatusError):
            self._answered = True
            return _status(self.name, error)
        if isinstance(error, openai.APITimeoutError):
            return self._slow()
        if isinstance(error, openai.APIConnectionError):
            cause = error.__cause__
            refused = type(cause).__name__ == "ConnectError"
            return CallFailed(
                f"Nothing answers at {self.name}." if refused else f"The connection to {self.name} was closed.",
                # An endpoint that answered before may be restarting; one that never did has the wrong address.
                scope=FailureScope.ENDPOINT if refused and not self._answered else FailureScope.TRANSIENT,
                hint="Check that the endpoint is running and the address is right." if refused else "",
            )
        return CallFailed(f"{self.name} failed: {_brief(str(error))}", scope=FailureScope.TRANSIENT)


class _NoStream(Exception):
    """The endpoint does not stream, though a stream was requested."""


def _messages(prompt: str, jpeg: bytes) -> list[dict[str, Any]]:
    url = "data:image/jpeg;base64," + base64.b64encode(jpeg).decode("ascii")
    picture = {"type": "image_url", "image_url": {"url": url}}
    return [{"role": "user", "content": [picture, {"type": "text", "text": prompt}]}]


def _whole(completion: Any) -> Completion:
    choice = completion.choices[0]
    usage = completion.usage
    return Completion(
        choice.message.content or "",
        choice.finish_reason,
        choice.message.refusal,
        usage.prompt_tokens if usage else None,
        usage.completion_tokens if usage else None,
    )


def _status(endpoint: str, error: APIStatusError) -> CallFailed:
    """Return the failure that an HTTP status means."""
    code = error.status_code
    body = error.body if isinstance(error.body, dict) else {}
    detail = _brief(str(body.get("message") or error.message))
    message = f"{endpoint} answered {code}: {detail}"
    pause = _pause(error.response.headers.get("retry-after", ""))
    scope, hint = FailureScope.MEME, ""
    if code == 401:
        scope, hint = FailureScope.ENDPOINT, "Set MEMETICA_ENDPOINT_KEY to a key that is valid for this endpoint."
    elif code == 402 or body.get("code") == "insufficient_quota":
        scope, hint = FailureScope.ENDPOINT, "The account has no credit: add some, or use another endpoint."
    elif code == 403 and not _MODERATED.search(detail):
        scope, hint = FailureScope.ENDPOINT, "The key does not permit this model."
    elif code == 404:
        scope, hint = FailureScope.ENDPOINT, "Check the model's name and the address, which often ends in /v1."
    elif code in (408, 409, 425, 429) or code >= 500:
        scope = FailureScope.TRANSIENT
        if pause > LONGEST_PAUSE:
            scope, hint = (
                FailureScope.ENDPOINT,
                f"The endpoint requests a pause of {pause / 60:.0f} minutes; run the same command again after that.",
            )
    if scope is not FailureScope.ENDPOINT and code < 500 and _NO_VISION.search(detail):
        scope, hint = FailureScope.ENDPOINT, "Choose a model that accepts pictures."
    if code == 413:
        hint = "Lower longest_side in the prompts file."
    return CallFailed(message, scope=scope, hint=hint, pause=pause)


def _pause(header: str) -> float:
    """Return the seconds of a Retry-After header, given as a number or a date; 0 without one."""
    try:
        return max(0.0, float(header))
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(header) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return 0.0


def _brief(message: str) -> str:
    line = " ".join(message.split())
    return line if len(line) <= 300 else line[:299] + "…"


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
