"""Renders the Markdown of descriptions as safe HTML."""

from __future__ import annotations

from dataclasses import dataclass

import nh3
from markdown_it import MarkdownIt
from markdown_it.token import Token

_TAGS = {
    *("p", "br", "strong", "em", "code", "pre", "ul", "ol", "li", "blockquote", "hr", "del"),
    *("h3", "h4", "h5", "h6", "table", "thead", "tbody", "tr", "th", "td"),
}


@dataclass(frozen=True)
class Section:
    """A part of a description: its heading (empty before the first heading) and safe HTML."""

    heading: str
    html: str


def sections(markdown: str) -> list[Section]:
    """Return a description split at its headings, each part as HTML without links, pictures or raw tags."""
    parser = MarkdownIt("commonmark", {"html": False, "linkify": False}).enable(["table", "strikethrough"])
    parser.disable(["image", "link", "autolink"])
    found: list[Section] = []
    heading, body = "", list[Token]()
    tokens = parser.parse(markdown.replace("\0", ""))
    at = 0
    while at < len(tokens):
        token = tokens[at]
        if token.type == "heading_open" and token.level == 0:
            _close(parser, heading, body, found)
            heading, body = tokens[at + 1].content.strip(" *_:#"), []
            at += 3  # the heading's opening, text and closing
            continue
        body.append(token)
        at += 1
    _close(parser, heading, body, found)
    return found


def _close(parser: MarkdownIt, heading: str, body: list[Token], found: list[Section]) -> None:
    if heading or body:
        html = str(parser.renderer.render(body, parser.options, {}))
        found.append(Section(heading, nh3.clean(html, tags=_TAGS, attributes={})))
