"""What a page shows of a query's operators: chips that take them away, facets that add them, what is wrong."""

from __future__ import annotations

from dataclasses import dataclass

from search.query.parser import Kind, Part, Query, parse, printed
from search.results import Answer

FACETS = (("category", "Category"), ("year", "First seen"), ("type", "Type"))


@dataclass(frozen=True)
class Choice:
    """One value of a facet: how many memes have it, and the query that keeps them alone."""

    label: str
    memes: int
    query: str


def chips(answer: Answer, typed: str) -> list[tuple[str, str]]:
    """Return what each operator that counts means, and the query without it."""
    asked = parse(typed)
    means = {one.part: one.means for one in answer.understood.operators}
    return [(means[str(part)], asked.without(part)) for part in dict.fromkeys(asked.parts) if str(part) in means]


def facets(answer: Answer, typed: str) -> list[tuple[str, list[Choice]]]:
    """Return the facets that can narrow an answer, each with its title and choices."""
    asked = parse(typed)
    found = []
    for name, title in FACETS:
        # A value that all memes of the answer have narrows nothing.
        choices = [
            Choice(value, memes, _narrower(asked, name, value))
            for value, memes in answer.facets.get(name, {}).items()
            if memes < answer.total
        ]
        if choices:
            found.append((title, choices))
    return found


def _narrower(asked: Query, facet: str, value: str) -> str:
    """Return the query with one value of a facet in place of what it said of that."""
    replaced: tuple[Kind, ...]
    if facet == "year":
        replaced = (Kind.AFTER, Kind.BEFORE)
        added = [Part(Kind.AFTER, value), Part(Kind.BEFORE, f"{int(value) + 1:04}")]
    else:
        replaced = (Kind(facet),)
        added = [Part(Kind(facet), value)]
    kept = [part for part in asked.parts if part.excluded or part.kind not in replaced]
    return printed([*kept, *added])


def variants_query(id: int) -> str:
    """Return the query for a meme and its variants."""
    return str(Part(Kind.VARIANTS, str(id)))


def sentences(answer: Answer) -> list[str]:
    """Return what of the query was not understood, a sentence each."""
    return list(answer.understood.notices)
