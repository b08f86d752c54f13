"""Each kind of server, as its documentation and its issues show it: answers, errors, and what they mean."""

from __future__ import annotations

import json
import threading
import time

import pytest
from PIL import Image

from indexer.describe import client as client_module
from indexer.describe.answers import check_answer
from indexer.describe.client import Completion, VisionClient, render_frames
from indexer.describe.failures import CallFailed, CallStopped, FailureScope
from search.catalogue import Outcome
from tests.support.vision_server import Asked, Reply, Says, Sends, VisionServer
from tests.support.vision_servers import (
    chat,
    chunk,
    events,
    generate,
    llama_cpp,
    lm_studio,
    ndjson,
    old_vllm,
    ollama,
    ollama_v1,
    vllm,
)
from tests.support.waiting import PATIENCE

RED = render_frames([Image.new("RGB", (64, 48), "red")], longest_side=1280)
CAT = "A cat sits in a box."


def ask(
    url: str, *, seconds: float = PATIENCE, stop: threading.Event | None = None, structured: bool = False
) -> Completion:
    endpoint = VisionClient(url, seconds=seconds, structured=structured)
    try:
        return endpoint.complete("gemma3", "Describe.", RED, max_tokens=50, stop=stop or threading.Event())
    finally:
        endpoint.close()


@pytest.mark.parametrize(
    ("path", "reply"),
    [
        ("/api", ndjson(chat("A cat sits"), chat(" in a box."), chat(done="stop"))),
        ("/api/chat", ndjson(chat(CAT), chat(done="stop"))),
        ("/api/generate", ndjson(generate(CAT), generate(done="stop"))),
        ("/api", Sends(json.dumps(chat(CAT, done="stop")).encode())),
    ],
    ids=["chat", "one line", "generate", "whole"],
)
def test_ollamas_own_protocol_is_spoken(path: str, reply: Sends) -> None:
    with VisionServer(lambda asked: reply) as server:
        assert ask(server.host + path) == Completion(CAT, "stop", None, 300, 12)
    [asked] = server.asked
    assert (asked.prompt, asked.picture.size) == ("Describe.", (64, 48))
    assert asked.body["options"] == {"num_predict": 50}
    assert (asked.body["think"], asked.body["keep_alive"], asked.body["stream"]) == (False, "15m", True)


def test_an_old_ollama_that_does_not_know_thinking_is_asked_without_it() -> None:
    def script(asked: Asked) -> Reply:
        if "think" in asked.body:
            return ollama(400, '"gemma3" does not support thinking')
        return ndjson(chat(CAT), chat(done="stop"))

    with VisionServer(script) as server:
        assert ask(f"{server.host}/api").text == CAT
    assert ["think" in asked.body for asked in server.asked] == [True, False]


@pytest.mark.parametrize("path", ["/api", "/v1"])
def test_a_model_that_is_not_there_is_named_with_those_that_are(path: str) -> None:
    missing = ollama(404, "model 'gemma3' not found") if path == "/api" else ollama_v1(404, "model 'gemma3' not found")
    with VisionServer(lambda asked: missing) as server, pytest.raises(CallFailed) as failed:
        ask(server.host + path)
    assert failed.value.scope is FailureScope.ENDPOINT and "answered 404: model 'gemma3' not found" in str(failed.value)
    assert failed.value.hint == "Name one of its models with --model: gemma3:4b, qwen."


@pytest.mark.parametrize(
    ("reply", "scope", "said"),
    [
        # A model without eyes: every server says it in its own words, with its own status.
        (ollama(500, "this model is missing data required for image input"), "endpoint", "accepts pictures"),
        (vllm(400, "gemma3 is not a multimodal model"), "endpoint", "accepts pictures"),
        (old_vllm(400, "At most 0 image(s) may be provided in one request."), "endpoint", "accepts pictures"),
        (lm_studio(400, "Model does not support images. Please use a model that does."),
         "endpoint", "accepts pictures"),
        (Sends(b'{"error": {"message": "Error in iterating prediction stream: ValueError: Vision add-on is not loaded'
               b', but images were provided for processing"}}'), "endpoint", "accepts pictures"),
        (ollama(400, "this model does not support image input (ref: b8bd630e)"), "endpoint", "accepts pictures"),
        (llama_cpp(500, "image input is not supported - hint: if this is unexpected, provide the mmproj"),
         "endpoint", "accepts pictures"),
        (llama_cpp(500, 'Failed to parse messages: Unsupported content part type: "image_url"'),
         "endpoint", "accepts pictures"),
        # No model, or one that does not fit.
        (vllm(404, "The model `gemma3` does not exist.", "NotFoundError"), "endpoint", "Name one of its models"),
        (lm_studio(404, "No models loaded. Please load a model in the developer page or use `lms load`."),
         "endpoint", "Name one of its models"),
        (lm_studio(400, "Failed to load model gemma3. Error: Error loading model."), "endpoint", "Load the model"),
        (ollama(500, "model requires more system memory (5.6 GiB) than is available (3.1 GiB)"), "endpoint", "smaller"),
        (llama_cpp(401, "Invalid API Key", "authentication_error"), "endpoint", "MEMETICA_ENDPOINT_KEY"),
        # What passes by itself.
        (ollama(503, "server busy, please try again.  maximum pending requests exceeded"), "transient", ""),
        (ollama(500, "llama runner process has terminated: exit status 2"), "transient", ""),
        (lm_studio(400, "Model unloaded."), "transient", ""),
        (lm_studio(400, "The model has crashed without additional information. (Exit code: null)"), "transient", ""),
        (vllm(500, "EngineCore encountered an issue.", "InternalServerError"), "transient", ""),
        # One picture that is too much.
        (vllm(400, "This model's maximum context length is 2048 tokens. However, you requested 2500 tokens"),
         "meme", "longest_side"),
        (vllm(400, "'max_tokens' or 'max_completion_tokens' is too large: 900. The model's context length"),
         "meme", "longest_side"),
        (llama_cpp(400, "the request exceeds the available context size", "exceed_context_size_error",
                   n_prompt_tokens=5000, n_ctx=4096), "meme", "longest_side"),
        (ollama(400, "prompt too long; exceeded max context length by 437000 tokens"), "meme", "longest_side"),
        (ollama(400, "request (4165 tokens) exceeds the available context size (4096 tokens), try increasing it"),
         "meme", "longest_side"),
        (lm_studio(400, "Error: Invalid image: its size of 26224641 pixels is too large."), "meme", ""),
        (Sends(b"<html><h1>413 Request Entity Too Large</h1></html>", type="text/html", status=413), "meme",
         "longest_side"),
        (lm_studio(400, "'url' field must be a base64 encoded image."), "meme", ""),
        # Errors after the answer has begun, with the status 200.
        (ndjson(chat("A cat"), {"error": "an error was encountered while running the model: unexpected EOF"}),
         "transient", ""),
        (events(chunk("A cat"), 'data: {"error": {"code": 500, "message": "slot is gone", "type": "server_error"}}'),
         "transient", ""),
        (events('event: error', 'data: {"error": "Model unloaded."}'), "transient", ""),
        (Sends(b'{"error": "Unexpected endpoint or method. (POST /chat/completions)"}'), "transient", ""),
        (events("data: [DONE]"), "transient", ""),
        (ndjson(chat("A cat")), "transient", ""),
        (ndjson(chat(done="load")), "transient", ""),
    ],
    ids=lambda value: value.raw[:70].decode() if isinstance(value, Sends) else "",
)  # fmt: skip
def test_what_a_server_says_is_understood_whatever_its_shape(reply: Sends, scope: str, said: str) -> None:
    native = reply.type == "application/x-ndjson"
    with VisionServer(lambda asked: reply) as server, pytest.raises(CallFailed) as failed:
        ask(f"{server.host}/api" if native else server.url)
    assert failed.value.scope == scope, failed.value
    assert said in failed.value.hint
    assert len(server.asked) == 1


def test_reasoning_beside_the_answer_is_no_part_of_it() -> None:
    with VisionServer(lambda asked: ndjson(chat(thinking="Hm."), chat(CAT), chat(done="stop"))) as server:
        assert ask(f"{server.host}/api") == Completion(CAT, "stop", None, 300, 12, thoughts=True)
    thought = chunk(reasoning_content="The user wants a description.")
    with VisionServer(
        lambda asked: events(thought, chunk(reasoning="Hm."), chunk(CAT), chunk(finish="stop"))
    ) as server:
        assert ask(server.url).text == CAT


def test_thoughts_that_use_up_the_limit_are_no_description() -> None:
    with VisionServer(lambda asked: events(chunk(reasoning_content="Let me see"), chunk(finish="length"))) as server:
        answer = ask(server.url)
    assert check_answer(answer.text, finish=answer.finish).outcome is Outcome.EMPTY


THINKS = events(chunk(reasoning="Let me see"), chunk(finish="length"))


@pytest.mark.parametrize(
    ("thinking", "kept"),
    [
        (THINKS, True),  # Ollama's door, LM Studio, llama.cpp's server: told not to think, they do not
        (vllm(400, "reasoning_effort: Input should be 'low', 'medium' or 'high'"), False),
        (ollama_v1(400, 'think value "none" is not supported for this model'), False),
        (llama_cpp(400, "Unsupported value: 'reasoning_effort' does not support 'none' with this model."), False),
    ],
    ids=["heeds", "vllm", "ollama", "other"],
)
def test_a_model_that_thinks_instead_of_answering_is_told_not_to(thinking: Sends, kept: bool) -> None:
    """A model that does not think is never sent `reasoning_effort`, which some endpoints refuse."""

    def script(asked: Asked) -> Reply:
        told = "reasoning_effort" in asked.body
        return Says(CAT) if told is kept and asked.number else thinking if told else THINKS

    with VisionServer(script) as server:
        endpoint = VisionClient(server.url)
        answers = [endpoint.complete("m", "Describe.", RED, max_tokens=50, stop=threading.Event()) for _ in range(2)]
        endpoint.close()
    assert [one.text for one in answers] == [CAT, CAT]
    efforts = [asked.body.get("reasoning_effort") for asked in server.asked]
    assert efforts == ([None, "none", "none"] if kept else [None, "none", None, None])
    with VisionServer(lambda asked: Says(CAT)) as server:
        ask(server.url)
        ask(server.url)
    assert not any("reasoning_effort" in asked.body for asked in server.asked)


@pytest.mark.parametrize("path", ["/api", "/v1"])
def test_a_model_that_thinks_whatever_it_is_told_is_named_as_such(path: str) -> None:
    reply = ndjson(chat(thinking="Let me see"), chat(done="length")) if path == "/api" else THINKS
    with VisionServer(lambda asked: reply) as server:
        answer = ask(server.host + path)
    checked = check_answer(answer.text, finish=answer.finish, thoughts=answer.thoughts)
    assert checked.outcome is Outcome.EMPTY and "-instruct" in checked.reason


def test_comments_keep_a_slow_model_alive_and_do_not_outlive_the_call() -> None:
    with VisionServer(lambda asked: events(": ping", ": OPENROUTER PROCESSING", chunk(CAT, finish="stop"))) as server:
        assert ask(server.url).text == CAT

    with VisionServer(lambda asked: Says("", pause=0.05)) as server:
        server.comments = 10_000
        begun = time.monotonic()
        with pytest.raises(CallFailed, match="took longer than"):
            ask(server.url, seconds=0.4)
        stop = threading.Event()
        threading.Timer(0.2, stop.set).start()
        with pytest.raises(CallStopped):
            ask(server.url, stop=stop)
    assert time.monotonic() - begun < PATIENCE  # eight minutes of comments


def test_a_server_that_loads_its_model_is_waited_for_within_a_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "LOADING_PAUSE", 0.02)
    loading = llama_cpp(503, "Loading model", "unavailable_error")
    with VisionServer(lambda asked: loading if asked.number < 8 else Says(CAT)) as server:
        assert ask(server.url).text == CAT
        assert len(server.asked) == 9
    with VisionServer(lambda asked: loading) as server, pytest.raises(CallFailed, match="503: Loading model") as failed:
        monkeypatch.setattr(client_module, "LOADING_PAUSE", 2 * PATIENCE)  # longer than the call may take
        ask(server.url)
    assert failed.value.scope is FailureScope.TRANSIENT
    stop = threading.Event()
    stop.set()
    with VisionServer(lambda asked: loading) as server, pytest.raises(CallStopped):
        ask(server.url, stop=stop)


def test_parts_of_a_text_and_a_null_are_read() -> None:
    parts = [{"type": "text", "text": "A cat "}, {"type": "text", "text": "sits in a box."}]
    replies = events(chunk(), chunk(finish=None).replace('"content": ""', '"content": null'), chunk(CAT, finish="stop"))
    with VisionServer(lambda asked: replies) as server:
        assert ask(server.url).text == CAT
    whole = {"choices": [{"message": {"role": "assistant", "content": parts}, "finish_reason": "stop"}]}
    with VisionServer(lambda asked: Sends(json.dumps(whole).encode())) as server:
        assert ask(server.url).text == CAT


def test_a_redirect_takes_neither_picture_nor_key_elsewhere() -> None:
    with VisionServer(lambda asked: Sends(b"", status=308)) as server, pytest.raises(CallFailed, match="308") as failed:
        ask(server.url)
    assert failed.value.scope is FailureScope.ENDPOINT and "redirects" in failed.value.hint


@pytest.mark.parametrize(
    "answer",
    [
        '{"description": "A cat sits in a box."}',
        '```json\n{"description": "A cat sits in a box."}\n```',
        '<think>JSON?</think>{"text": "A cat sits in a box.", "confidence": 0.9}',
    ],
)
def test_an_answer_in_json_is_the_text_in_it(answer: str) -> None:
    assert check_answer(answer, finish="stop").text == CAT


def test_json_that_is_no_text_is_kept_as_it_is() -> None:
    meme = '{"status": 404, "brain": "not found"} says the sign on the cat.'
    assert check_answer(meme, finish="stop").text == meme


IN_JSON = json.dumps({"description": CAT})
SCHEMA = {
    "type": "object",
    "properties": {"description": {"type": "string"}},
    "required": ["description"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("path", "reply", "field"),
    [
        ("/api", ndjson(chat(IN_JSON[:9]), chat(IN_JSON[9:]), chat(done="stop")), "format"),
        ("/api/generate", ndjson(generate(IN_JSON), generate(done="stop")), "format"),
        ("/v1", Says(IN_JSON), "response_format"),
        ("/v1", Says(IN_JSON, always_whole=True), "response_format"),
    ],
    ids=["ollama chat", "ollama generate", "openai", "openai whole"],
)
def test_a_structured_answer_is_asked_for_by_its_schema(path: str, reply: Reply, field: str) -> None:
    with VisionServer(lambda asked: reply) as server:
        answer = ask(server.host + path, structured=True)
        assert ask(server.host + path).text == answer.text
    held, free = server.asked
    schema = {"type": "json_schema", "json_schema": {"name": "description", "strict": True, "schema": SCHEMA}}
    assert held.body[field] == (SCHEMA if field == "format" else schema)
    assert "`description`" in held.prompt and held.prompt.startswith("Describe.")
    assert {"format", "response_format"}.isdisjoint(free.body) and free.prompt == "Describe."
    checked = check_answer(answer.text, finish=answer.finish)
    assert (checked.outcome, checked.text) == (Outcome.DESCRIBED, CAT)


@pytest.mark.parametrize(
    ("path", "refused"),
    [
        ("/api", ollama(400, "json: cannot unmarshal object into Go struct field ChatRequest.format of type string")),
        ("/api", ollama(400, 'invalid format: "{}"; expected "json" or a JSON Schema object')),
        ("/v1", vllm(400, "Invalid structured outputs backend: xgrammar does not support this model.")),
        ("/v1", old_vllm(400, "guided decoding is not supported with speculative decoding")),
        ("/v1", lm_studio(400, "'response_format.type' must be 'json_schema' or 'text'")),
        ("/v1", llama_cpp(400, "Failed to parse grammar", "invalid_request_error")),
        ("/v1", ollama_v1(400, "Invalid parameter: 'response_format' of type 'json_schema' is not supported.")),
    ],
    ids=["old ollama", "ollama", "vllm", "old vllm", "lm studio", "llama.cpp", "cloud"],
)
def test_a_server_that_takes_no_schema_is_asked_without_it_from_then_on(path: str, refused: Sends) -> None:
    def script(asked: Asked) -> Reply:
        if {"format", "response_format"} & set(asked.body):
            return refused
        return Says(CAT) if path == "/v1" else ndjson(chat(CAT), chat(done="stop"))

    with VisionServer(script) as server:
        endpoint = VisionClient(server.host + path, structured=True)
        for _ in range(2):
            answer = endpoint.complete("gemma3", "Describe.", RED, max_tokens=50, stop=threading.Event())
            assert answer.text == CAT
        endpoint.close()
    prompts = [asked.prompt for asked in server.asked]
    assert len(prompts) == 3 and prompts[1:] == ["Describe."] * 2 != prompts[:2]
    assert all(asked.body["stream"] for asked in server.asked)  # nothing else was given up


def test_an_unheld_request_whose_schema_is_named_in_an_error_fails_as_it_is() -> None:
    refused = vllm(400, "schema of the image is invalid")
    with VisionServer(lambda asked: refused) as server, pytest.raises(CallFailed) as failed:
        ask(server.url)
    assert failed.value.scope is FailureScope.MEME and len(server.asked) == 1
