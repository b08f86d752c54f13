"""`memetica mcp` as an assistant uses it: by the SDK's own client, over a real pipe and a real socket."""

from __future__ import annotations

import base64
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import anyio
import pytest
from PIL import Image

from search.catalogue import UploadState, open_catalogue
from search.settings import Settings
from tests.support.paths import ROOT
from tests.support.uploading import drawn
from web.access.keys import Scope, add_key

pytest.importorskip("mcp")

import httpx2
from mcp import Client
from mcp.client.stdio import StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

from tests.support.waiting import PATIENCE

TOOLS = {"search", "similar", "show", "categories", "suggest", "upload"}
Work = Callable[[Client], Awaitable[None]]


def command(settings: Settings, *more: str) -> list[str]:
    """The command with the hashing encoder in place of the model."""
    data = ("--data", str(settings.data), "--library", str(settings.library))
    return ["-m", "tests.campaign.memetica", "mcp", *data, *more]


def by_pipe(settings: Settings, work: Work, *more: str, key: str = "") -> None:
    async def run() -> None:
        environment = {"PYTHONPATH": str(ROOT), "MEMETICA_OCR_ENGINE": "none"} | ({"MEMETICA_KEY": key} if key else {})
        server = StdioServerParameters(
            command=sys.executable, args=command(settings, *more), env=environment, cwd=str(ROOT)
        )
        async with Client(server) as client:
            await work(client)

    anyio.run(run)


@contextmanager
def http_server(settings: Settings, **environment: str) -> Iterator[str]:
    process = subprocess.Popen(
        [sys.executable, *command(settings, "--http", "--port", "0", "--json")],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=os.environ | environment | {"MEMETICA_OCR_ENGINE": "none"},
    )
    try:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())["url"]
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(PATIENCE)


def by_http(url: str, work: Work, **headers: str) -> None:
    async def run() -> None:
        async with (
            httpx2.AsyncClient(headers=headers) as http,
            Client(streamable_http_client(url, http_client=http)) as client,
        ):
            await work(client)

    anyio.run(run)


async def rows(client: Client, tool: str, **arguments: Any) -> Any:
    """The rows that a tool answers with."""
    answer = await client.call_tool(tool, arguments)
    assert not answer.is_error, answer.content
    return answer.structured_content


async def refusal(client: Client, tool: str, **arguments: Any) -> str:
    """The sentence that a tool is refused with."""
    answer = await client.call_tool(tool, arguments)
    assert answer.is_error
    said = answer.content[0].text
    assert "Traceback" not in said and "Error executing" not in said
    return said


def test_an_assistant_searches_looks_and_uploads_by_a_pipe(uploads_settings: Settings) -> None:
    key = add_key(uploads_settings.data, "assistant", [Scope.UPLOAD])

    async def work(client: Client) -> None:
        assert {tool.name for tool in (await client.list_tools()).tools} == TOOLS
        found = await rows(client, "search", query="a dog in a burning room", limit=3)
        best = found["hits"][0]
        assert best["path"] == "Dogs/fine.png" and best["matches"] and best["reasons"]
        shown = await client.call_tool("show", {"meme": str(best["id"])})
        text, picture = shown.content
        assert json.loads(text.text)["path"] == "Dogs/fine.png" and "burning room" in text.text
        with (
            Image.open(io.BytesIO(base64.b64decode(picture.data))) as seen,
            Image.open(uploads_settings.library / "Dogs/fine.png") as file,
        ):
            assert seen.size == file.size and picture.mime_type == "image/jpeg"
        assert len((await client.call_tool("show", {"meme": "Dogs/fine.png", "picture": False})).content) == 1
        like = await rows(client, "similar", meme="Dogs/fine.png", limit=2)
        assert "Dogs/fine.png" not in [hit["path"] for hit in like["hits"]]
        listed = (await rows(client, "categories"))["result"]
        assert {"category": "Dogs", "memes": 2} in listed
        same = uploads_settings.library / "Dogs/fine.png"
        suggested = await rows(client, "suggest", path=str(same))
        assert [one["path"] for one in suggested["duplicates"]] == ["Dogs/fine.png"]
        sent = await rows(client, "upload", data=base64.b64encode(drawn(7)).decode(), name="new.png")
        assert (sent["file"], sent["state"]) == ("new.png", "waiting")
        assert await rows(client, "similar", meme=best["id"], limit=2) == like  # a number, as hits have it
        assert "no meme at" in await refusal(client, "show", meme="No/such.png")
        assert await refusal(client, "search") == "The argument 'query' of search is not right: field required."
        assert "'meme' of show is not right" in await refusal(client, "show", meme=None)
        assert "no argument 'k'. It takes query, limit, " in await refusal(client, "search", query="dog", k=2)
        assert "It takes none." in await refusal(client, "categories", limit=2)
        assert "`limit`" in await refusal(client, "search", query="x", limit=1000)
        assert "nothing to search" in await refusal(client, "search", query=" ")
        assert "base64" in await refusal(client, "suggest", data="?")
        assert "picture" in await refusal(client, "upload", data=base64.b64encode(b"no picture").decode())

    by_pipe(uploads_settings, work, key=key)
    with open_catalogue(uploads_settings) as catalogue:
        [upload] = catalogue.uploads.in_state(*UploadState)
        assert (upload.name, upload.received_by) == ("new.png", "key:assistant")


def test_nothing_but_the_protocol_is_on_stdout_and_the_end_of_stdin_ends_it(
    tiny_settings: Settings, tiny_indexed
) -> None:
    hello = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    asked = (
        {"id": 1, "method": "initialize", "params": hello},
        {"method": "notifications/initialized"},
        {"id": 2, "method": "tools/call", "params": {"name": "search", "arguments": {"query": "dog"}}},
        {"id": 3, "method": "tools/call", "params": {"name": "upload", "arguments": {"data": "AAAA"}}},
    )
    done = subprocess.Popen(
        [sys.executable, *command(tiny_settings)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert done.stdin is not None and done.stdout is not None
    done.stdin.write("".join(json.dumps({"jsonrpc": "2.0", **one}) + "\n" for one in asked))
    done.stdin.flush()
    answers = [json.loads(done.stdout.readline()) for _ in range(3)]  # a line that is no JSON fails here
    done.stdin.close()
    assert done.stdout.read() == "" and done.wait(PATIENCE) == 0
    by_id = {one["id"]: one["result"] for one in answers}
    assert by_id[1]["serverInfo"]["name"] == "memetica"
    assert json.loads(by_id[2]["content"][0]["text"])["hits"]
    assert by_id[3]["isError"] and "needs an API key that may upload" in by_id[3]["content"][0]["text"]


def test_by_http_each_program_sends_its_own_key(uploads_settings: Settings) -> None:
    key, reader = (add_key(uploads_settings.data, scope, [scope]) for scope in (Scope.UPLOAD, Scope.READ))
    picture = base64.b64encode(drawn(8)).decode()
    with http_server(uploads_settings) as url:

        async def visitor(client: Client) -> None:
            assert (await rows(client, "search", query="burning room"))["hits"][0]["path"] == "Dogs/fine.png"
            assert "needs an API key" in await refusal(client, "upload", data=picture)
            assert "needs an API key" in await refusal(client, "suggest", data=picture)

        async def uploader(client: Client) -> None:
            assert "server's machine" in await refusal(client, "upload", path="/etc/passwd")
            assert (await rows(client, "upload", data=picture, name="a.png"))["file"] == "a.png"

        async def wrong(client: Client) -> None:
            assert "unknown or was revoked" in await refusal(client, "search", query="dog")

        async def reading(client: Client) -> None:
            assert "may not upload" in await refusal(client, "upload", data=picture)

        by_http(url, visitor)
        by_http(url, uploader, authorization=f"Bearer {key}")
        by_http(url, reading, authorization=f"Bearer {reader}")
        by_http(url, wrong, authorization="Bearer memetica-nothing")
        for headers in ({"Host": "evil.example"}, {"Origin": "https://evil.example"}):
            answer = httpx2.post(url, json={}, headers=headers)
            assert answer.status_code in (400, 403) and "evil" not in answer.text


def test_a_closed_library_answers_only_keys_that_may_read(tiny_settings: Settings, tiny_indexed) -> None:
    key = add_key(tiny_settings.data, "reader", [Scope.READ])
    with http_server(tiny_settings, MEMETICA_CLOSED="yes") as url:

        async def visitor(client: Client) -> None:
            for tool, arguments in (("search", {"query": "dog"}), ("categories", {}), ("show", {"meme": "1"})):
                assert "needs an API key that may read" in await refusal(client, tool, **arguments)

        async def reader(client: Client) -> None:
            assert (await rows(client, "categories"))["result"]

        by_http(url, visitor)
        by_http(url, reader, authorization=f"Bearer {key}")
