"""What a search returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from search.meme import Field, Meme


@dataclass(frozen=True)
class Snippet:
    """A piece of a text that matched; `html` is escaped except for `<mark>` around the matched words."""

    field: Field
    source: str
    html: str


@dataclass(frozen=True)
class Hit:
    """A meme that answers, how well (higher is better), and why: each field's share of the score, adding up to 1."""

    meme: Meme
    score: float
    why: Mapping[Field, float] = field(default_factory=dict)
    snippets: tuple[Snippet, ...] = ()
    variants: int = 0
    variant_ids: tuple[int, ...] = ()
    certain: bool = True  # it answers; or it comes near, no more


@dataclass(frozen=True)
class Answer:
    """Hits of one page in rank order, how many there are in all, and what was understood of the query."""

    hits: tuple[Hit, ...]
    total: int
    query: Mapping[str, object]
    took_ms: float
    facets: Mapping[str, Mapping[str, int]] = field(default_factory=dict)  # how many are of each category, year, type
