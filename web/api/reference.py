"""The API's description as a page for people: Markdown for `docs/`, HTML for `/api/docs`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from markdown_it import MarkdownIt

METHODS = ("get", "post", "put", "delete")


def reference_markdown(api: Mapping[str, Any]) -> str:
    """Return the addresses and the objects of an OpenAPI description, in Markdown."""
    lines = ["## Addresses"]
    for path, methods in api["paths"].items():
        for method in METHODS:
            if method in methods:
                lines += _operation(path, method, methods[method])
    lines.append("\n## Objects")
    for name, schema in api["components"]["schemas"].items():
        lines.append(f"\n### {name}\n")
        if schema.get("description"):
            lines.append(schema["description"] + "\n")
        lines += ["| field | type | meaning |\n| --- | --- | --- |", *_properties(schema)]
    return "\n".join(lines) + "\n"


def reference_html(api: Mapping[str, Any]) -> str:
    """Return the same as HTML, with an id for each heading that the links lead to."""
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = parser.parse(reference_markdown(api))
    for at, token in enumerate(tokens):
        if token.type == "heading_open":
            token.attrSet("id", re.sub(r"[^a-z0-9]+", "-", tokens[at + 1].content.lower()).strip("-"))
    return str(parser.renderer.render(tokens, parser.options, {}))


def _type_of(schema: Mapping[str, Any]) -> str:
    """Return a schema's type in a few words, with its choices, bounds and default."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        return f"[{name}](#{name.lower()})"
    if "enum" in schema:
        said = " or ".join(f"`{one}`" for one in schema["enum"])
    elif schema.get("type") == "array":
        said = f"list of {_type_of(schema.get('items', {}))}"
    else:
        kind = schema.get("type", "object" if "properties" in schema else "any")
        said = " or ".join(kind) if isinstance(kind, list) else str(kind)
    bounds = [
        f"{word} {schema[key]}"
        for key, word in (
            ("minimum", "from"),
            ("maximum", "to"),
            ("maxLength", "characters up to"),
            ("maxItems", "items up to"),
        )
        if key in schema
    ]
    if "default" in schema:
        bounds.append(f"default `{json.dumps(schema['default'], ensure_ascii=False)}`")
    return f"{said}, {', '.join(bounds)}" if bounds else said


def _cell(text: str) -> str:
    """Return a text as a cell of a table."""
    return " ".join(str(text).split()).replace("|", "\\|")


def _properties(schema: Mapping[str, Any]) -> Iterator[str]:
    """Yield the rows of an object's properties."""
    required = schema.get("required", ())
    for name, one in schema.get("properties", {}).items():
        needed = "" if name in required or not required else " (optional)"
        yield f"| `{name}`{needed} | {_cell(_type_of(one))} | {_cell(one.get('description', ''))} |"


def _who(one: Mapping[str, Any]) -> str:
    """Return who may call an operation, as a sentence; empty where everybody may."""
    scopes = [scope for way in one.get("security", ()) for scope in way.get("key", ())]
    if scopes:
        named = " or ".join(f"`{scope}`" for scope in scopes)
        return f"With an API key that may {named}, or signed in as the curator."
    return "Signed in as the curator." if one.get("security") else ""


def _operation(path: str, method: str, one: Mapping[str, Any]) -> Iterator[str]:
    """Yield the section of one address and method."""
    yield f"\n### {method.upper()} {path}\n"
    yield one.get("summary", "")
    if one.get("description"):
        yield "\n" + one["description"]
    if _who(one):
        yield "\n" + _who(one)
    if one.get("parameters"):
        yield "\n| parameter | in | type | meaning |\n| --- | --- | --- | --- |"
        for given in one["parameters"]:
            needed = "**required** " if given.get("required") else ""
            yield (
                f"| `{given['name']}` | {given['in']} | {_cell(_type_of(given.get('schema', {})))} "
                f"| {needed}{_cell(given.get('description', ''))} |"
            )
    for kind, content in one.get("requestBody", {}).get("content", {}).items():
        schema: Mapping[str, Any] = content.get("schema", {})
        yield f"\nBody, `{kind}`: {_type_of(schema) if '$ref' in schema else ''}\n".rstrip() + "\n"
        if schema.get("properties"):
            yield "| field | type | meaning |\n| --- | --- | --- |"
            yield from _properties(schema)
    if one.get("responses"):
        yield "\n| status | meaning |\n| --- | --- |"
        for status, answer in one["responses"].items():
            contents: list[Mapping[str, Any]] = list(answer.get("content", {}).values())
            schema = contents[0].get("schema", {}) if contents else {}
            said = _cell(answer.get("description", "")).rstrip(".")
            shape = ": " + _type_of(schema) if schema.get("$ref") else ""
            yield f"| {'any other' if status == 'default' else status} | {said}{shape} |"
