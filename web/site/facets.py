"""Links that change the operators of a query: chips remove one, facets add one."""

from __future__ import annotations

from dataclasses import dataclass

from search.query.parser import Part, PartKind, Query, format_parts, parse
from search.results import Answer

FACETS = (("category", "Category"), ("year", "Year"), ("type", "Type"), ("tag", "Tag"))


@dataclass(frozen=True)
class FacetValue:
    """One value of a facet, the number of memes in the answer that have it, and the query restricted to them."""

    label: str
    memes: int
    query: str


def operator_chips(answer: Answer, typed: str) -> list[tuple[str, str]]:
    """Return the meaning of each operator that was applied, and the query without that operator."""
    query = parse(typed)
    meanings = {one.part: one.means for one in answer.understood.operators}
    return [(meanings[str(part)], query.without(part)) for part in dict.fromkeys(query.parts) if str(part) in meanings]


def facet_values(answer: Answer, typed: str) -> list[tuple[str, str, list[FacetValue]]]:
    """Return the name, the title and the values of each facet that can restrict an answer."""
    query = parse(typed)
    found = []
    for name, title in FACETS:
        # A value that all memes of the answer have restricts nothing.
        values = [
            FacetValue(value, memes, _narrowed(query, name, value))
            for value, memes in answer.facets.get(name, {}).items()
            if memes < answer.total
        ]
        if values:
            found.append((name, title, values))
    return found


def _narrowed(query: Query, facet: str, value: str) -> str:
    """Return the query with one value of a facet in place of the query's own operators of that kind."""
    replaced: tuple[PartKind, ...]
    if facet == "year":
        replaced = (PartKind.AFTER, PartKind.BEFORE)
        added = [Part(PartKind.AFTER, value), Part(PartKind.BEFORE, f"{int(value) + 1:04}")]
    else:
        replaced = (PartKind(facet),)
        added = [Part(PartKind(facet), value)]
    kept = [part for part in query.parts if part.excluded or part.kind not in replaced]
    return format_parts([*kept, *added])


def variants_query(id: int) -> str:
    """Return the query that finds a meme and its variants."""
    return str(Part(PartKind.VARIANTS, str(id)))


def tag_query(tag: str) -> str:
    """Return the query that finds the memes with a tag.

    >>> tag_query("reaction image")
    'tag:"reaction image"'
    """
    return str(Part(PartKind.TAG, tag))


def unquoted_query(typed: str) -> str:
    """Return the query with the words of its quoted phrases as words."""
    parts: list[Part] = []
    for part in parse(typed).parts:
        if part.kind is PartKind.PHRASE and part.is_text:
            parts += [Part(PartKind.WORD, word, weight=part.weight) for word in part.value.split()]
        else:
            parts.append(part)
    return format_parts(parts)
