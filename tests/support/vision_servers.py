"""What real servers of vision models answer, as their documentation and their issues show it (November 2026).

No such server ran here: the shapes are transcribed. Ollama: docs/api.md, docs/openai.md and server/routes.go; vLLM:
entrypoints/openai; LM Studio: its documentation and bug tracker; llama.cpp: tools/server/README.md and server.cpp.
"""

from __future__ import annotations

import json

from tests.support.vision_server import Sends


def _json(status: int, body: object) -> Sends:
    return Sends(json.dumps(body).encode(), status=status)


def ollama(status: int, text: str) -> Sends:
    """Return an error of Ollama's own protocol: {"error": "…"}."""
    return _json(status, {"error": text})


def ollama_v1(status: int, text: str) -> Sends:
    """Return an error of Ollama's OpenAI door."""
    return _json(status, {"error": {"message": text, "type": "api_error", "param": None, "code": None}})


def vllm(status: int, text: str, kind: str = "BadRequestError") -> Sends:
    """Return an error of vLLM from 0.10 on."""
    return _json(status, {"error": {"message": text, "type": kind, "param": None, "code": status}})


def old_vllm(status: int, text: str, kind: str = "BadRequestError") -> Sends:
    """Return an error of vLLM up to 0.9: not below `error`."""
    return _json(status, {"object": "error", "message": text, "type": kind, "param": None, "code": status})


def lm_studio(status: int, text: str) -> Sends:
    """Return an error of LM Studio: {"error": "…"}."""
    return _json(status, {"error": text})


def llama_cpp(status: int, text: str, kind: str = "server_error", **more: int) -> Sends:
    """Return an error of llama.cpp's server."""
    return _json(status, {"error": {"code": status, "message": text, "type": kind, **more}})


def events(*lines: str) -> Sends:
    """Return a stream of server-sent events, each line as it is followed by an empty one."""
    return Sends("".join(f"{line}\n\n" for line in lines).encode(), type="text/event-stream; charset=utf-8")


def chunk(content: str = "", *, finish: str | None = None, **delta: object) -> str:
    """Return the event of a chunk; further fields of its delta, such as `reasoning_content`, by name."""
    choice = {"index": 0, "delta": {"content": content, **delta}, "finish_reason": finish}
    return "data: " + json.dumps({"object": "chat.completion.chunk", "model": "m", "choices": [choice]})


def ndjson(*bodies: object) -> Sends:
    """Return Ollama's stream: a JSON object a line."""
    return Sends("".join(json.dumps(body) + "\n" for body in bodies).encode(), type="application/x-ndjson")


def chat(content: str = "", *, done: str | None = None, thinking: str = "") -> dict[str, object]:
    """Return a line of /api/chat; `done` is the reason of the last one."""
    message = {"role": "assistant", "content": content, **({"thinking": thinking} if thinking else {})}
    line = {"model": "gemma3", "created_at": "2026-11-29T10:00:00Z", "message": message, "done": done is not None}
    counts = {"total_duration": 9, "load_duration": 1, "prompt_eval_count": 300, "eval_count": 12}
    return line | ({"done_reason": done, **counts} if done else {})


def generate(response: str = "", *, done: str | None = None) -> dict[str, object]:
    """Return a line of /api/generate."""
    line = {"model": "gemma3", "created_at": "2026-11-29T10:00:00Z", "response": response, "done": done is not None}
    return line | ({"done_reason": done, "context": [1, 2], "prompt_eval_count": 300, "eval_count": 12} if done else {})
