"""What a failed call to a vision model's endpoint means for further calls.

The servers agree on little: the same fault has another status, another shape and another text in each. What is known of
Ollama, vLLM, LM Studio, llama.cpp's server and the clouds is listed in docs/how-to/describe-with-ollama.md.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any

from search.errors import EndpointError

# A run does not wait longer than this for an endpoint.
LONGEST_PAUSE = 300.0

_NO_VISION = re.compile(
    r"(not|n't|only|no)\b.{0,60}\b(support|accept)\w*.{0,60}\b(images?|image_url|vision|multimodal)\b|"
    r"\b(images?|image_url|vision|multimodal)\b.{0,60}\b(not|n't|only)\b.{0,20}\bsupport|"
    r"not an? (multimodal|vision)|mmproj|missing data required for image|at most 0 image|"
    r"vision add-on is not loaded|"
    r"unsupported content part type\W+image",
    re.IGNORECASE | re.DOTALL,
)
_MODERATED = re.compile(r"moderat|flagged|content[_ ](policy|filter)|safety", re.IGNORECASE)
_LOADING = re.compile(r"\b(loading|being loaded|starting up|warming up|not ready|still load)", re.IGNORECASE)
_NOT_LOADED = re.compile(r"no models? (is |are )?(currently )?loaded|failed to load|error loading model", re.IGNORECASE)
_UNLOADED = re.compile(r"unloaded|has crashed|runner process|stopped unexpectedly", re.IGNORECASE)
_NO_MEMORY = re.compile(r"requires more (system |gpu |video )?memory", re.IGNORECASE)
_TOO_LONG = re.compile(
    r"context (size|length|window)|maximum model length|max_model_len|too (many|large).{0,40}tokens|"
    r"image.{0,40}(too (large|big)|exceeds)|exceed_context",
    re.IGNORECASE | re.DOTALL,
)


class FailureScope(StrEnum):
    """What a failed call means for further calls."""

    TRANSIENT = "transient"  # the same call may succeed later
    MEME = "meme"  # this call always fails, calls about other memes may not
    ENDPOINT = "endpoint"  # every call to the endpoint would fail


class CallFailed(EndpointError):
    """A call failed; `scope` says what that means for further calls, `pause` is the requested wait in seconds.

    `loading`: the server is there, and its model is still being loaded.
    """

    def __init__(
        self, message: str, *, scope: FailureScope, hint: str = "", pause: float = 0.0, loading: bool = False
    ) -> None:
        super().__init__(message, hint=hint)
        self.scope = scope
        self.pause = pause
        self.loading = loading


class CallStopped(Exception):
    """The run was stopped during a call."""


@dataclass(frozen=True)
class ServerError:
    """What a server says of an error: its text in one line, and its code if it names one."""

    text: str
    code: str = ""


def server_error(body: object) -> ServerError | None:
    """Return the error in an answer's JSON; None when it is no error.

    >>> server_error({"error": "model 'x' not found"}).text
    "model 'x' not found"
    >>> server_error({"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}}).code
    '503'
    >>> server_error({"choices": []}) is None
    True
    """
    if not isinstance(body, Mapping):
        return None
    found = body.get("error")
    if found is None and body.get("object") == "error":  # vLLM up to 0.9
        found = body
    if found is None and "detail" in body:  # FastAPI
        found = body["detail"]
    if found is None or found == "":
        return None
    if isinstance(found, Mapping):
        text = found.get("message") or found.get("msg") or json.dumps(found, ensure_ascii=False)
        return ServerError(brief(str(text)), str(found.get("code") or ""))
    return ServerError(brief(found if isinstance(found, str) else json.dumps(found, ensure_ascii=False)))


def status_failure(
    endpoint: str, status: int, error: ServerError, *, headers: Mapping[str, str] | None = None
) -> CallFailed:
    """Return the failure that a status and a server's text mean; a status of 0 is an error inside of an answer.

    >>> status_failure("http://host", 500, ServerError("image input is not supported - hint: mmproj")).scope
    <FailureScope.ENDPOINT: 'endpoint'>
    """
    text = error.text
    message = f"{endpoint} answered {status or 'with an error'}: {text}"
    pause = retry_after((headers or {}).get("retry-after", ""))
    scope, hint = _by_text(status, error)
    loading = False
    if scope is None:
        scope, hint, loading = _by_status(status, text, pause)
    return CallFailed(message, scope=scope, hint=hint, pause=pause, loading=loading)


def _by_text(status: int, error: ServerError) -> tuple[FailureScope | None, str]:
    """Return what an error's text means whatever its status, or None."""
    if status in (401, 402, 429):
        quota = error.code == "insufficient_quota"
        return (FailureScope.ENDPOINT, "The account has no credit: add some, or use another endpoint.") if quota else (
            None, ""
        )  # fmt: skip
    if _NO_VISION.search(error.text):
        return FailureScope.ENDPOINT, "Choose a model that accepts pictures, and start the server with its projector."
    if _NO_MEMORY.search(error.text):
        return FailureScope.ENDPOINT, "Choose a smaller model."
    if _NOT_LOADED.search(error.text):
        return FailureScope.ENDPOINT, "Load the model in the server, then run the command again."
    if _UNLOADED.search(error.text):
        return FailureScope.TRANSIENT, ""
    if _TOO_LONG.search(error.text):
        return FailureScope.MEME, "Lower longest_side in the prompts file, or give the server a larger context."
    return None, ""


def _by_status(status: int, text: str, pause: float) -> tuple[FailureScope, str, bool]:
    """Return what a status means, what to do, and whether the model is being loaded."""
    hints = {
        401: "Set MEMETICA_ENDPOINT_KEY to a key that is valid for this endpoint.",
        402: "The account has no credit: add some, or use another endpoint.",
        404: "Check the model's name and the address, which often ends in /v1.",
        405: "Check the address; it often ends in /v1.",
    }
    if status in hints:
        return FailureScope.ENDPOINT, hints[status], False
    if 300 <= status < 400:
        return FailureScope.ENDPOINT, "Name the address that it redirects to.", False
    if status == 403 and not _MODERATED.search(text):
        return FailureScope.ENDPOINT, "The key does not permit this model.", False
    if status in (0, 408, 409, 425, 429) or status >= 500:
        if pause > LONGEST_PAUSE:
            hint = f"The endpoint requests a pause of {pause / 60:.0f} minutes; run the same command again after that."
            return FailureScope.ENDPOINT, hint, False
        return FailureScope.TRANSIENT, "", status == 503 and bool(_LOADING.search(text))
    if status == 413:
        return FailureScope.MEME, "Lower longest_side in the prompts file.", False
    return FailureScope.MEME, "", False


def retry_after(header: str) -> float:
    """Return the seconds of a Retry-After header, given as a number or a date; 0 without one.

    >>> retry_after("17"), retry_after("soon")
    (17.0, 0.0)
    """
    try:
        return max(0.0, float(header))
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(header) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return 0.0


def brief(message: str) -> str:
    """Return a message in one line of at most 300 characters.

    >>> brief("one\\n two")
    'one two'
    """
    line = " ".join(message.split())
    return line if len(line) <= 300 else line[:299] + "…"


def named_models(body: Any) -> list[str]:
    """Return the names in a server's list of models: OpenAI's `data`, or Ollama's `models`.

    >>> named_models({"models": [{"name": "gemma3:4b"}]}), named_models({"data": [{"id": "qwen"}]})
    (['gemma3:4b'], ['qwen'])
    """
    rows = (body.get("data") or body.get("models") or []) if isinstance(body, Mapping) else []
    names = [row.get("id") or row.get("name") for row in rows if isinstance(row, Mapping)]
    return [name for name in names if isinstance(name, str)]
