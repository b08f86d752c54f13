"""The tools as the official SDK serves them, over stdin and stdout or over HTTP.

Over stdio nothing but the protocol goes to stdout: the SDK keeps the real one to itself and sends what others write
there to stderr.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import uvicorn
from mcp.server import MCPServer
from mcp.server.mcpserver import Context, Image
from mcp.server.transport_security import TransportSecuritySettings
from mcp_types import ToolAnnotations
from pydantic import Field, Strict
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as RequestScope

from search.errors import WrongUse
from search.system.distribution import __version__
from web.access.hosts import host_is_accepted
from web.access.keys import ApiKey, Scope
from web.mcp.callers import Caller, Callers
from web.mcp.errors import SentenceServer, in_sentences
from web.mcp.library import MOST_HITS, Library, Row, decoded_base64

INSTRUCTIONS = """\
A library of memes, found by what they show, what they say and what they mean. Search with a plain description or a \
quote; `show` returns a meme's picture and texts. Each hit says why it is there. Hits with `matches: false` are merely \
similar. An upload goes to an inbox, where the curator decides."""
_READS = ToolAnnotations(read_only_hint=True, open_world_hint=False)
_ADDS = ToolAnnotations(read_only_hint=False, destructive_hint=False, idempotent_hint=True, open_world_hint=False)
PATH = "/mcp"

Limit = Annotated[int, Field(description=f"Number of hits, 1 to {MOST_HITS}.")]
MemeName = Annotated[
    Annotated[int, Strict()] | str, Field(description="A meme's id or its path, as a hit has them: 17, Dogs/fine.png.")
]
PictureData = Annotated[str, Field(description="The picture file's bytes as base64.")]
PicturePath = Annotated[str, Field(description="A picture file on this machine, instead of its bytes.")]


def make_server(library: Library, *, key: str = "") -> MCPServer:
    """Return the server of a library; `key` is the API key of a caller by stdio.

    A call that fails is answered with one sentence on what happened and one on what to do.
    """
    server = SentenceServer("memetica", instructions=INSTRUCTIONS, version=__version__, log_level="WARNING")
    callers = Callers(library.workspace.settings)

    def check(context: Context, scope: Scope) -> tuple[Caller, ApiKey | None]:
        caller = _caller(context, key)
        return caller, callers.check(caller, scope)

    @server.tool(annotations=_READS)
    @in_sentences
    def search(
        context: Context,
        query: Annotated[
            str, Field(description='Words, a description or a "quote"; operators: -word, category:, after:, type:gif.')
        ],
        limit: Limit = 10,
        offset: Annotated[int, Field(description="Number of hits to skip.")] = 0,
        category: Annotated[str, Field(description="Only this category and its subcategories.")] = "",
        newest_first: bool = False,
    ) -> Row:
        """Find memes by what they show, what they say or what they mean. Best first, with the reasons for each."""
        check(context, Scope.READ)
        return library.search(query, limit=limit, offset=offset, category=category, newest_first=newest_first)

    @server.tool(annotations=_READS)
    @in_sentences
    def similar(
        context: Context,
        meme: MemeName,
        by: Annotated[str, Field(description="all, template, look, meaning or words.")] = "all",
        limit: Limit = 10,
    ) -> Row:
        """Find memes that are like a meme."""
        check(context, Scope.READ)
        return library.similar(str(meme), by=by, limit=limit)

    @server.tool(annotations=_READS, structured_output=False)
    @in_sentences
    def show(
        context: Context,
        meme: MemeName,
        picture: Annotated[bool, Field(description="Whether to return the picture too.")] = True,
    ) -> list[Any]:
        """Show a meme: its picture, and everything known about it with the source of each text."""
        check(context, Scope.READ)
        content: list[Any] = [json.dumps(library.show(str(meme)), ensure_ascii=False)]
        drawn = library.picture(str(meme)) if picture else None
        if drawn is not None:
            content.append(Image(data=drawn[0], format=drawn[1]))
        return content

    @server.tool(annotations=_READS)
    @in_sentences
    def categories(context: Context) -> list[Row]:
        """List the categories, each with its number of memes."""
        check(context, Scope.READ)
        return library.categories()

    @server.tool(annotations=_READS)
    @in_sentences
    def suggest(context: Context, data: PictureData = "", path: PicturePath = "") -> Row:
        """Suggest categories for a picture, read its text, and name memes that are the same. Nothing is stored."""
        caller, _ = check(context, Scope.SUGGEST)
        return library.suggest(_picture(caller, data, path))

    @server.tool(annotations=_ADDS)
    @in_sentences
    def upload(
        context: Context,
        data: PictureData = "",
        path: PicturePath = "",
        name: Annotated[str, Field(description="A file name for it.")] = "",
    ) -> Row:
        """Put a picture into the inbox, where the curator decides about it. Needs an API key that may upload."""
        caller, found = check(context, Scope.UPLOAD)
        assert found is not None
        return library.upload(_picture(caller, data, path), name=name or Path(path).name, key_name=found.name)

    return server


def _caller(context: Context, key: str) -> Caller:
    headers = context.headers
    if headers is None:
        return Caller(key=key)
    scheme, _, token = headers.get("authorization", "").partition(" ")
    client = getattr(context.request_context.request, "client", None)
    address = client.host if client is not None else "unknown"
    return Caller(address=address, key=token.strip() if scheme.lower() == "bearer" else "")


def _picture(caller: Caller, data: str, path: str) -> bytes | Path:
    if bool(data) == bool(path):
        raise WrongUse("There is no picture.", hint="Send its bytes as `data`, in base64, or its `path`, not both.")
    if not path:
        return decoded_base64(data)
    if not caller.is_local:
        raise WrongUse("A path is of this server's machine.", hint="Send the picture's bytes as `data`, in base64.")
    return Path(path).expanduser()


def http_app(server: MCPServer, library: Library, *, host: str) -> ASGIApp:
    """Return the ASGI application that serves the protocol at `/mcp` of an address that is bound."""
    settings = library.workspace.settings
    app = server.streamable_http_app(
        streamable_http_path=PATH,
        stateless_http=True,
        json_response=True,
        max_request_body_size=settings.upload_bytes * 4 // 3 + 1_000_000,
        transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),  # ours follows
    )

    async def guarded(scope: RequestScope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            if not host_is_accepted(headers.get("host", ""), bound=host, trusted=settings.trusted_hosts):
                refusal = "This server does not serve a site of that name: see the setting trusted_hosts.\n"
                await PlainTextResponse(refusal, 400)(scope, receive, send)
                return
            if "origin" in headers and "authorization" not in headers:
                refusal = "A page may use this server only with an API key.\n"
                await PlainTextResponse(refusal, 403)(scope, receive, send)
                return
        await app(scope, receive, send)

    return guarded


def serve_http(server: MCPServer, library: Library, *, host: str, port: int, on_ready: Callable[[str], None]) -> None:
    """Serve the protocol over streamable HTTP until interrupted; raise WrongUse when the address cannot be bound."""
    config = uvicorn.Config(
        http_app(server, library, host=host), host=host, port=port, log_config=None, access_log=False, lifespan="on"
    )
    try:
        bound = config.bind_socket()
    except SystemExit as error:
        raise WrongUse(f"Port {port} of {host} cannot be bound.", hint="Choose another with --port.") from error
    bound.listen(config.backlog)  # whoever reads the address may connect at once
    shown = f"[{host}]" if ":" in host else host
    on_ready(f"http://{shown}:{bound.getsockname()[1]}{PATH}")
    with suppress(KeyboardInterrupt):  # which uvicorn raises again once it has ended
        uvicorn.Server(config).run(sockets=[bound])
