"""A vision model's endpoint for tests: OpenAI's and Ollama's protocol over a real socket, each answer scripted.

    with VisionServer(lambda asked: Says("A red circle.")) as server:
        Endpoint(server.url)

It decodes every picture that it is sent and answers 400, as the real ones do, to a request that is none.
"""

from __future__ import annotations

import base64
import binascii
import io
import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from PIL import Image


@dataclass(frozen=True)
class Asked:
    """A request: the model, the prompt, the picture as decoded, and everything else; `number` counts from 0."""

    number: int
    model: str
    prompt: str
    picture: Image.Image
    body: Mapping[str, Any]
    key: str


@dataclass(frozen=True)
class Says:
    """An answer: streamed in pieces of a few letters when the request asks for that, whole otherwise."""

    text: str
    finish: str | None = "stop"
    refusal: str | None = None
    tokens: tuple[int, int] | None = (1000, 50)
    seconds: float = 0.0  # before the first byte
    pause: float = 0.0  # before each piece
    drop_after: int | None = None  # pieces, after which the connection is cut
    always_whole: bool = False  # even when a stream was asked for


@dataclass(frozen=True)
class Fails:
    """An error of a status, in the protocol's shape."""

    status: int
    message: str = "failed"
    code: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Sends:
    """Bytes as they are, under a content type: JSON cut short, a gateway's page."""

    raw: bytes
    type: str = "application/json"
    status: int = 200


@dataclass(frozen=True)
class Drops:
    """No answer: the connection is reset."""


Reply = Says | Fails | Sends | Drops
Script = Callable[[Asked], Reply]


class VisionServer:
    """An endpoint on a free port of this machine, in a `with`; `asked` has the requests as they came."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.asked: list[Asked] = []
        self.under_way = 0
        self.most_at_once = 0
        self.lock = threading.Lock()
        handler = type("Handler", (_Handler,), {"endpoint": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.host = f"http://127.0.0.1:{self._server.server_port}"
        self.url = f"{self.host}/v1"
        self.models = ["gemma3:4b", "qwen"]
        self.comments = 0  # of server-sent events, before a streamed answer, `pause` apart

    def __enter__(self) -> VisionServer:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    endpoint: VisionServer

    def do_GET(self) -> None:
        names = self.endpoint.models
        lists = {
            "/v1/models": {"object": "list", "data": [{"id": name, "object": "model"} for name in names]},
            "/api/tags": {"models": [{"name": name, "model": name, "size": 1} for name in names]},
        }
        if self.path in lists:
            self._send(200, json.dumps(lists[self.path]).encode(), {"Content-Type": "application/json"})
        else:
            self._fail(Fails(404, f"Unknown address {self.path}"))

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path not in ("/v1/chat/completions", "/api/chat", "/api/generate"):
            self._fail(Fails(404, f"Unknown address {self.path}"))
            return
        endpoint = self.endpoint
        try:
            body = json.loads(raw)
            model, prompt, picture = (_understood if self.path.startswith("/v1/") else _understood_by_ollama)(body)
        except (KeyError, TypeError, ValueError, OSError) as error:
            self._fail(Fails(400, f"No chat completion with a picture: {error!r}"))
            return
        key = self.headers.get("Authorization", "").removeprefix("Bearer ")
        with endpoint.lock:
            asked = Asked(len(endpoint.asked), model, prompt, picture, body, key)
            endpoint.asked.append(asked)
            endpoint.under_way += 1
            endpoint.most_at_once = max(endpoint.most_at_once, endpoint.under_way)
        try:
            self._reply(asked, endpoint.script(asked))
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # the caller is gone, which some tests mean to happen
        finally:
            with endpoint.lock:
                endpoint.under_way -= 1

    def _reply(self, asked: Asked, reply: Reply) -> None:
        match reply:
            case Says():
                time.sleep(reply.seconds)
                if asked.body.get("stream") and not reply.always_whole:
                    self._stream(asked, reply)
                else:
                    self._whole(asked, reply)
            case Fails():
                self._fail(reply)
            case Sends():
                self._send(reply.status, reply.raw, {"Content-Type": reply.type})
            case Drops():
                self._reset()

    def _whole(self, asked: Asked, says: Says) -> None:
        message = {"role": "assistant", "content": says.text, "refusal": says.refusal}
        body = _completion(asked, "chat.completion") | {
            "choices": [{"index": 0, "message": message, "finish_reason": says.finish}],
            "usage": _usage(says),
        }
        raw = json.dumps(body).encode()
        if says.drop_after is not None:
            self._begin(200, {"Content-Type": "application/json", "Content-Length": str(len(raw))})
            self.wfile.write(raw[: len(raw) // 2])
            self._reset()
            return
        self._send(200, raw, {"Content-Type": "application/json"})

    def _stream(self, asked: Asked, says: Says) -> None:
        self._begin(200, {"Content-Type": "text/event-stream", "Transfer-Encoding": "chunked"})
        for _ in range(self.endpoint.comments):
            time.sleep(says.pause)
            self._chunk(b": keep-alive\n\n")
        pieces = [says.text[at : at + 7] for at in range(0, len(says.text), 7)]
        deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}, *({"content": one} for one in pieces)]
        if says.refusal:
            deltas.append({"refusal": says.refusal})
        for at, delta in enumerate(deltas):
            if at == says.drop_after:
                self._reset()
                return
            time.sleep(says.pause)
            self._event(asked, [{"index": 0, "delta": delta, "finish_reason": None}])
        if says.finish is not None:
            self._event(asked, [{"index": 0, "delta": {}, "finish_reason": says.finish}])
        if asked.body.get("stream_options", {}).get("include_usage"):
            self._event(asked, [], usage=_usage(says))
        self._chunk(b"data: [DONE]\n\n")
        self._chunk(b"")

    def _event(self, asked: Asked, choices: list[dict[str, Any]], *, usage: object = None) -> None:
        body = _completion(asked, "chat.completion.chunk") | {"choices": choices, "usage": usage}
        self._chunk(b"data: " + json.dumps(body).encode() + b"\n\n")

    def _chunk(self, raw: bytes) -> None:
        self.wfile.write(f"{len(raw):x}\r\n".encode() + raw + b"\r\n")
        self.wfile.flush()

    def _fail(self, fails: Fails) -> None:
        body = {"error": {"message": fails.message, "type": "error", "param": None, "code": fails.code}}
        self._send(fails.status, json.dumps(body).encode(), {"Content-Type": "application/json", **fails.headers})

    def _send(self, status: int, raw: bytes, headers: Mapping[str, str]) -> None:
        self._begin(status, {**headers, "Content-Length": str(len(raw))})
        self.wfile.write(raw)

    def _begin(self, status: int, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _reset(self) -> None:
        """Cut the connection as a crash does: a reset, not an end."""
        self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _understood(body: Mapping[str, Any]) -> tuple[str, str, Image.Image]:
    """Return the model, the prompt and the picture of a request, as strictly as the real endpoints read it."""
    [message] = body["messages"]
    if message["role"] != "user" or not body["model"]:
        raise ValueError("no user or no model")
    if "response_format" in body:
        held = body["response_format"]
        schema = held["json_schema"]["schema"]
        if held["type"] != "json_schema" or not held["json_schema"]["name"] or not held["json_schema"]["strict"]:
            raise ValueError("'response_format.type' must be 'json_schema'")
        if schema["additionalProperties"] is not False or set(schema["required"]) != set(schema["properties"]):
            raise ValueError("a strict schema requires all of its properties and no others")
    texts = [part["text"] for part in message["content"] if part["type"] == "text"]
    urls = [part["image_url"]["url"] for part in message["content"] if part["type"] == "image_url"]
    [head, encoded] = urls[0].split(",", 1)
    if head != "data:image/jpeg;base64":
        raise ValueError(f"a picture as {head}")
    return body["model"], "\n".join(texts), _decoded(encoded)


def _understood_by_ollama(body: Mapping[str, Any]) -> tuple[str, str, Image.Image]:
    """Return the model, the prompt and the picture of a request to /api/chat or /api/generate."""
    if "prompt" in body:
        [encoded], prompt = body["images"], body["prompt"]
    else:
        [message] = body["messages"]
        [encoded], prompt = message["images"], message["content"]
    if not isinstance(prompt, str) or not isinstance(body["options"]["num_predict"], int):
        raise ValueError("json: cannot unmarshal")
    if body.get("format", "json") != "json" and body["format"]["type"] != "object":
        raise ValueError('invalid format: expected "json" or a JSON Schema object')
    return body["model"], prompt, _decoded(encoded)


def _decoded(encoded: str) -> Image.Image:
    try:
        picture = Image.open(io.BytesIO(base64.b64decode(encoded, validate=True)))
    except binascii.Error as error:
        raise ValueError("no base64") from error
    if picture.format != "JPEG":
        raise ValueError(f"{picture.format} called JPEG")
    picture.load()
    return picture


def _completion(asked: Asked, kind: str) -> dict[str, Any]:
    return {"id": f"chat-{asked.number}", "object": kind, "created": 1_700_000_000, "model": asked.model}


def _usage(says: Says) -> dict[str, int] | None:
    if says.tokens is None:
        return None
    return {
        "prompt_tokens": says.tokens[0],
        "completion_tokens": says.tokens[1],
        "total_tokens": sum(says.tokens),
    }
