"""The two protocols of vision models: OpenAI's chat completions, and Ollama's own.

Requests and answers are JSON; the functions here build and read them, `indexer.describe.client` sends them.
"""

from __future__ import annotations

import base64
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

# How long Ollama keeps the model after a call: decoding a film, or a pause after an error, may take longer than
# the usual five minutes, and loading takes minutes.
KEEP_ALIVE = "15m"
# What a structured answer is: `indexer.describe.answers` takes the text out of it. OpenAI's strict form wants all names
# required and no others.
ANSWER_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {"description": {"type": "string"}},
    "required": ["description"],
    "additionalProperties": False,
}
# The schema alone lets small models stop at an empty object: Ollama and OpenAI say that the prompt should name it too.
_AS_JSON = "\n\nAnswer with a JSON object that has the whole text under the name `description`."
_NAMES_SCHEMA = re.compile(
    r"response_format|json.?schema|\bschema\b|structured|grammar|guided|\.format\b|invalid format|['\"`]format['\"`]",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Form:
    """The optional parts of a request: what an endpoint refuses is left out of all further ones."""

    stream: bool = True
    usage: bool = True  # OpenAI: ask for token counts in a stream
    limit: str = "max_tokens"  # OpenAI: the name of the limit
    think: bool = True  # Ollama: say that the model shall not think first
    # OpenAI: say it too (`reasoning_effort`). None: not needed as far as is known; False: the endpoint refuses that.
    no_effort: bool | None = None
    schema: bool = False  # hold the model to ANSWER_SCHEMA

    def without(self, message: str) -> Form | None:
        """Return the form without what an error message names; None when it names nothing of it.

        >>> Form().without("Use 'max_completion_tokens' instead of 'max_tokens'.").limit
        'max_completion_tokens'
        """
        if self.schema and _NAMES_SCHEMA.search(message):
            return replace(self, schema=False)
        if self.limit == "max_tokens" and "max_completion_tokens" in message and "too large" not in message:
            return replace(self, limit="max_completion_tokens")
        if self.stream and self.usage and ("stream_options" in message or "include_usage" in message):
            return replace(self, usage=False)
        words = message.lower().replace('"', " ").replace("'", " ").split()
        if self.no_effort and any("reasoning" in word or word.strip(".,:;") in ("think", "thinking") for word in words):
            return replace(self, no_effort=False)
        if self.stream and any(word.strip(".,:;") in ("stream", "streaming") for word in words):
            return replace(self, stream=False)
        if self.think and any(word.strip(".,:;") in ("think", "thinking") for word in words):
            return replace(self, think=False)
        return None


@dataclass(frozen=True)
class Piece:
    """A part of an answer, or a whole one; token counts are None where the server does not tell them."""

    text: str = ""
    finish: str | None = None
    refusal: str = ""
    tokens_in: int | None = None
    tokens_out: int | None = None
    thoughts: bool = False  # it has some, which are left out


@dataclass(frozen=True)
class Protocol(ABC):
    """Where a protocol's requests go, below the endpoint's address."""

    path: str  # of a request
    models: str  # of the list of models
    lines: bool = field(default=False)  # a stream is a JSON object a line, and not server-sent events

    @abstractmethod
    def request(self, model: str, prompt: str, jpeg: bytes, *, max_tokens: int, form: Form) -> dict[str, Any]:
        """Return the body of a request."""

    @abstractmethod
    def read(self, body: Any) -> Piece:
        """Return the part of an answer in a chunk or a whole body; raise ValueError when it is none."""

    def without_thoughts(self, form: Form) -> Form | None:
        """Return the form that keeps a model from thinking; None when this one says all that can be said."""
        return None


class OpenAI(Protocol):
    """`POST /chat/completions`: OpenAI, vLLM, LM Studio, llama.cpp's server, Ollama's /v1, most clouds."""

    def request(self, model: str, prompt: str, jpeg: bytes, *, max_tokens: int, form: Form) -> dict[str, Any]:
        """Return the body of a request: the picture as a data URL, the only form that LM Studio accepts."""
        url = f"data:image/jpeg;base64,{_base64(jpeg)}"
        text = prompt + (_AS_JSON if form.schema else "")
        content = [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": text}]
        body = {"model": model, "messages": [{"role": "user", "content": content}], form.limit: max_tokens}
        if form.schema:
            schema = {"name": "description", "strict": True, "schema": ANSWER_SCHEMA}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        if form.stream:
            body["stream"] = True
            if form.usage:
                body["stream_options"] = {"include_usage": True}
        if form.no_effort:
            body["reasoning_effort"] = "none"
        return body

    def without_thoughts(self, form: Form) -> Form | None:
        """Return the form with `reasoning_effort`: only for a model that thinks, since others refuse it."""
        return replace(form, no_effort=True) if form.no_effort is None else None

    def read(self, body: Any) -> Piece:
        """Return the part of an answer in a chunk or a whole body; reasoning is left out."""
        choices = _mapping(body).get("choices")
        usage = body.get("usage") or {}
        if choices is None and not usage:
            raise ValueError("no choices")
        counts = _count(usage, "prompt_tokens"), _count(usage, "completion_tokens")
        if not choices:  # the last chunk has the token counts alone
            return Piece(tokens_in=counts[0], tokens_out=counts[1])
        choice = _mapping(choices[0])
        said = _mapping(choice.get("delta") or choice.get("message") or {})
        thoughts = bool(_text(said.get("reasoning")) or _text(said.get("reasoning_content")))
        return Piece(
            _text(said.get("content")), choice.get("finish_reason"), _text(said.get("refusal")), *counts, thoughts
        )


class Ollama(Protocol):
    """`POST /api/chat` and `/api/generate`: the picture as bare base64, a JSON object a line."""

    def request(self, model: str, prompt: str, jpeg: bytes, *, max_tokens: int, form: Form) -> dict[str, Any]:
        """Return the body of a request; a model that can think is told not to, for its limit counts thoughts too."""
        body: dict[str, Any] = {
            "model": model,
            "stream": form.stream,
            "keep_alive": KEEP_ALIVE,
            "options": {"num_predict": max_tokens},
        }
        if form.think:
            body["think"] = False
        if form.schema:
            body["format"] = ANSWER_SCHEMA
            prompt += _AS_JSON
        if self.path.endswith("generate"):
            return body | {"prompt": prompt, "images": [_base64(jpeg)]}
        return body | {"messages": [{"role": "user", "content": prompt, "images": [_base64(jpeg)]}]}

    def read(self, body: Any) -> Piece:
        """Return the part of an answer in a line or a whole body; what the model thought is left out."""
        found = _mapping(body)
        part = found if "response" in found else _mapping(found.get("message"))
        said = part["response"] if part is found else part.get("content")
        finish = (found.get("done_reason") or "stop") if found.get("done") else None
        return Piece(
            _text(said),
            finish,
            tokens_in=_count(found, "prompt_eval_count"),
            tokens_out=_count(found, "eval_count"),
            thoughts=bool(_text(part.get("thinking"))),
        )


OPENAI = OpenAI("/chat/completions", "/models")


def protocol_of(path: str) -> tuple[Protocol, str]:
    """Return the protocol that the path of an address names, and the path below which its requests go.

    `…/api`, `…/api/chat` and `…/api/generate` are Ollama's own protocol, everything else is OpenAI's; without a path
    it is `/v1`.

    >>> protocol_of("/api/generate")[0].path, protocol_of("/v1/")[1], protocol_of("")[1]
    ('/generate', '/v1', '/v1')
    """
    base = path.rstrip("/")
    for ending in ("/api/generate", "/api/chat", "/api"):
        if base.endswith(ending):
            name = "/generate" if ending.endswith("generate") else "/chat"
            return Ollama(name, "/tags", lines=True), base[: len(base) - len(ending)] + "/api"
    return OPENAI, base.removesuffix(OPENAI.path) or "/v1"


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")


def _mapping(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError(f"{type(value).__name__} instead of an object")
    return value


def _text(value: Any) -> str:
    """Return a text that is given as itself, as parts, or not at all."""
    if isinstance(value, list):
        return "".join(_text(one.get("text")) for one in value if isinstance(one, Mapping))
    return value if isinstance(value, str) else ""


def _count(counts: Mapping[str, Any], name: str) -> int | None:
    value = counts.get(name)
    return value if isinstance(value, int) else None
