"""What an assistant is told when a call fails: one sentence on what happened, and one on what to do."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar, cast

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError, UnexpectedToolError
from mcp_types import CallToolResult, TextContent
from pydantic import ValidationError

from search.errors import MemeticaError

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


class SentenceServer(MCPServer):
    """The SDK's server; arguments that a tool does not take are refused, and wrong ones named in a sentence.

    The SDK itself ignores unknown arguments, so that `k=3` would be taken for the default limit, and answers wrong ones
    with pydantic's report.
    """

    async def call_tool(self, name: str, arguments: dict[str, Any], context: Any = None) -> Any:
        """Call a tool; return its result, or a CallToolResult that says what is wrong with the arguments."""
        taken = next(
            (list(tool.input_schema["properties"]) for tool in await self.list_tools() if tool.name == name), None
        )
        unknown = [] if taken is None else [one for one in arguments if one not in taken]
        if taken is not None and unknown:
            known = f"It takes {', '.join(taken)}." if taken else "It takes none."
            return _refusal(f"{name} has no argument {unknown[0][:40]!r}. {known}")
        try:
            return await super().call_tool(name, arguments, context)
        except UnexpectedToolError as error:
            raise ToolError(f"{name} failed, which is a fault of Memetica. Its log on stderr says why.") from error
        except ToolError as error:
            if not isinstance(error.__cause__, ValidationError):
                raise
            [first, *_] = error.__cause__.errors(include_url=False, include_input=False)
            where = ".".join(map(str, first["loc"][:1]))
            return _refusal(f"The argument {where!r} of {name} is not right: {first['msg'].lower()}.")


def in_sentences(tool: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Return a tool whose known errors reach the assistant as sentences."""

    @wraps(tool)
    def told(*arguments: Parameters.args, **named: Parameters.kwargs) -> Result:
        try:
            return tool(*arguments, **named)
        except MemeticaError as error:
            # Returned, not raised: the SDK puts "Error executing tool …" before what is raised.
            return cast(Result, _refusal(f"{error.message} {error.hint}".strip()))

    return told


def _refusal(said: str) -> CallToolResult:
    return CallToolResult(content=[TextContent(type="text", text=said)], is_error=True)
