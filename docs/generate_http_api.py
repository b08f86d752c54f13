"""Writes docs/reference/http-api.md from web/openapi.json: `python docs/generate_http_api.py`."""

from __future__ import annotations

import json
from pathlib import Path

from web.api.reference import reference_markdown

DOCS = Path(__file__).parent
DESCRIPTION = DOCS.parent / "web" / "openapi.json"
TARGET = DOCS / "reference" / "http-api.md"
INTRODUCTION = """\
# HTTP API

Generated from `web/openapi.json` by `python docs/generate_http_api.py`. A running site serves the description at
`/api/openapi.json`, and this page at `/api/docs`.

- Answers are JSON. A search returns `{"hits": […], "total", "exact", "weaker", "took_ms", "query"}`; `total` memes
  match, and `weaker` hits that are merely similar follow them; `query` says what was understood.
- An error is `{"error": {"code", "message", "hint"}}` with a fitting status. The page and the command say the same.
- A program sends an API key, `Authorization: Bearer KEY`; [Use the API](../how-to/use-the-api.md) says how to make one.
- Signed in as the curator: with the session cookie of `/sign-in`; addresses that change something also need the header
  `X-CSRF-Token`, which no request with a key does.
- `/healthz` answers while the process lives, with `search` and, where that is false, the `reason`; `/metrics` has
  counters in Prometheus' format.

```sh
curl "http://127.0.0.1:8000/api/search?q=bear+dancing&k=5"
curl -F "picture=@some.jpg" "http://127.0.0.1:8000/api/search"
```
"""


def page() -> str:
    """Return the whole page."""
    return INTRODUCTION + "\n" + reference_markdown(json.loads(DESCRIPTION.read_text("utf-8")))


if __name__ == "__main__":
    TARGET.write_text(page(), "utf-8")
