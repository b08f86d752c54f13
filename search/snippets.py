"""The words that matched, shown where they stand."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from html import escape

from search.meme import Passage, Snippet
from search.words import Token, tokens

LETTERS = 180  # of a snippet


def snippet(passage: Passage, terms: Collection[str]) -> Snippet:
    """Return the part of a passage that holds most of the terms, escaped, with each of them marked."""
    found = tokens(passage.body)
    start, end = _window(found, terms, len(passage.body))
    marked = [token for token in found if token.term in terms and start <= token.start and token.end <= end]
    parts = ["… " if start else ""]
    at = start
    for token in marked:
        parts += [
            escape(passage.body[at : token.start]),
            "<mark>",
            escape(passage.body[token.start : token.end]),
            "</mark>",
        ]
        at = token.end
    parts += [escape(passage.body[at:end]), " …" if end < len(passage.body) else ""]
    return Snippet(field=passage.field, source=passage.source, html="".join(parts))


def matches(passage: Passage, terms: Collection[str]) -> int:
    """Return how many of the terms a passage holds."""
    return len({token.term for token in tokens(passage.body)} & set(terms))


def _window(found: Sequence[Token], terms: Collection[str], length: int) -> tuple[int, int]:
    """Return where the LETTERS letters with most distinct terms begin and end, at the borders of words."""
    if length <= LETTERS or not found:
        return 0, length
    best, start = -1, 0
    for at, token in enumerate(found):
        inside = {other.term for other in found[at:] if other.end <= token.start + LETTERS}
        count = len(inside & set(terms))
        if count > best:
            best, start = count, token.start
        if not terms:
            break
    # A few words before the first match read better than a cold start.
    lead = max(0, start - LETTERS // 5)
    start = min((token.start for token in found if token.start >= lead), default=0)
    end = max((token.end for token in found if token.end <= start + LETTERS), default=length)
    last = found[-1].end
    return (0 if start == found[0].start else start), (length if end == last else end)
