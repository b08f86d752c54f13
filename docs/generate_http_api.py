"""Writes docs/reference/http-api.md from web/openapi.json: `python docs/generate_http_api.py`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent
DESCRIPTION = DOCS.parent / "web" / "openapi.json"
TARGET = DOCS / "reference" / "http-api.md"
METHODS = ("get", "post", "put", "delete")
INTRODUCTION = """\
# HTTP API

Generated from `web/openapi.json` by `python docs/generate_http_api.py`. A running site serves the description at
`/api/openapi.json`.

- Answers are JSON. A search returns `{"hits": […], "total", "exact", "weaker", "took_ms", "query"}`; `total` memes
  match, and `weaker` hits that are merely similar follow them; `query` says what was understood.
- An error is `{"error": {"code", "message", "hint"}}` with a fitting status. The page and the command say the same.
- Addresses *for the curator* need the session cookie of `/sign-in`; those that change something also need the header
  `X-CSRF-Token`.
- `/healthz` answers while the process lives, with `search` and, where that is false, the `reason`; `/metrics` has
  counters in Prometheus' format.

```sh
curl "http://127.0.0.1:8000/api/search?q=bear+dancing&k=5"
curl -F "picture=@some.jpg" "http://127.0.0.1:8000/api/search"
```
"""


def type_of(schema: Mapping[str, Any]) -> str:
    """Return a schema's type in a few words, with its choices, bounds and default."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        return f"[{name}](#{name.lower()})"
    if "enum" in schema:
        said = " or ".join(f"`{one}`" for one in schema["enum"])
    elif schema.get("type") == "array":
        said = f"list of {type_of(schema.get('items', {}))}"
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


def cell(text: str) -> str:
    """Return a text as a cell of a table."""
    return " ".join(str(text).split()).replace("|", "\\|")


def properties(schema: Mapping[str, Any]) -> Iterator[str]:
    """Yield the rows of an object's properties."""
    required = schema.get("required", ())
    for name, one in schema.get("properties", {}).items():
        needed = "" if name in required or not required else " (optional)"
        yield f"| `{name}`{needed} | {cell(type_of(one))} | {cell(one.get('description', ''))} |"


def operation(path: str, method: str, one: Mapping[str, Any]) -> Iterator[str]:
    """Yield the section of one address and method."""
    yield f"\n### {method.upper()} {path}\n"
    yield one.get("summary", "")
    if one.get("description"):
        yield "\n" + one["description"]
    if one.get("parameters"):
        yield "\n| parameter | in | type | |\n| --- | --- | --- | --- |"
        for given in one["parameters"]:
            needed = "**required** " if given.get("required") else ""
            yield (
                f"| `{given['name']}` | {given['in']} | {cell(type_of(given.get('schema', {})))} "
                f"| {needed}{cell(given.get('description', ''))} |"
            )
    for kind, content in one.get("requestBody", {}).get("content", {}).items():
        schema = content.get("schema", {})
        yield f"\nBody, `{kind}`: {type_of(schema) if '$ref' in schema else ''}\n".rstrip() + "\n"
        if schema.get("properties"):
            yield "| field | type | |\n| --- | --- | --- |"
            yield from properties(schema)
    if one.get("responses"):
        yield "\n| status | |\n| --- | --- |"
        for status, answer in one["responses"].items():
            schema = next(iter(answer.get("content", {}).values()), {}).get("schema", {})
            said = cell(answer.get("description", "")).rstrip(".")
            shape = ": " + type_of(schema) if schema.get("$ref") else ""
            yield f"| {'any other' if status == 'default' else status} | {said}{shape} |"


def page() -> str:
    """Return the whole page."""
    api = json.loads(DESCRIPTION.read_text("utf-8"))
    lines = [INTRODUCTION, "## Addresses"]
    for path, methods in api["paths"].items():
        for method in METHODS:
            if method in methods:
                lines += operation(path, method, methods[method])
    lines.append("\n## Objects")
    for name, schema in api["components"]["schemas"].items():
        lines.append(f"\n### {name}\n")
        if schema.get("description"):
            lines.append(schema["description"] + "\n")
        lines += ["| field | type | |\n| --- | --- | --- |", *properties(schema)]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    TARGET.write_text(page(), "utf-8")
