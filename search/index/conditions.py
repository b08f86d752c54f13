"""Conditions on memes, as a tree: what a filter selects, without the ids of the memes that it selects.

An index that lies elsewhere gets the tree, which is small, and answers by its own columns and words. Leaves are values
of the columns, or of the words; `Not`, `All` and `AnyOf` combine them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from search.index.columns import TYPES, Ids, MemeColumns
from search.meme import Field, MediaType, name_key

# A set of alternatives for one place of a sequence: words as written in lower case, each with its term.
Alternatives = tuple[tuple[str, str], ...]
Terms = tuple[str, ...]  # in a row


@dataclass(frozen=True)
class Below:
    """In a category, given by its name, or in one of its subcategories."""

    category: str


@dataclass(frozen=True)
class Seen:
    """First seen at or after a time and before another one, both in seconds since 1970; None for no limit."""

    since: int | None = None
    before: int | None = None


@dataclass(frozen=True)
class OfType:
    """Of one of some types."""

    types: tuple[MediaType, ...]


@dataclass(frozen=True)
class Has:
    """With data in one of some fields."""

    fields: tuple[Field, ...]


@dataclass(frozen=True)
class VariantOf:
    """A meme or one of its variants."""

    id: int


@dataclass(frozen=True, eq=False)
class Among:
    """One of some memes ([n] ids): those with a tag, which no index knows, and a meme alone."""

    ids: Ids


@dataclass(frozen=True)
class Holds:
    """With every group in its texts: at least one of the group's sequences of terms, in a row."""

    groups: tuple[tuple[Terms, ...], ...]


@dataclass(frozen=True)
class Says:
    """With one of some sequences of words as written, in a row, in a text or in the file's name."""

    sequences: tuple[tuple[Alternatives, ...], ...]


@dataclass(frozen=True)
class Written:
    """With one of some words as written: in lower case, with their accents."""

    words: tuple[str, ...]


@dataclass(frozen=True)
class Begins:
    """With a Korean word that begins with some letters."""

    letters: str


@dataclass(frozen=True)
class Not:
    """What another condition does not select."""

    condition: Where


@dataclass(frozen=True)
class All:
    """What each of some conditions selects."""

    conditions: tuple[Where, ...]


@dataclass(frozen=True)
class AnyOf:
    """What one of some conditions selects."""

    conditions: tuple[Where, ...]


InText = Holds | Says | Written | Begins  # what the words of the memes answer
Where = Below | Seen | OfType | Has | VariantOf | Among | InText | Not | All | AnyOf


def both(one: Where | None, other: Where | None) -> Where | None:
    """Return the condition that two conditions make together; None is no condition.

    >>> from search.index.conditions import Seen, both
    >>> both(None, Seen(since=0)), both(None, None)
    (Seen(since=0, before=None), None)
    """
    if one is None or other is None:
        return one if other is None else other
    return All((one, other))


def select_ids(where: Where, columns: MemeColumns, *, in_text: Callable[[InText], Ids]) -> Ids:
    """Return the rising ids of the memes that a condition selects; `in_text` answers for their words.

    >>> from search.index.conditions import Below, Has, Not
    >>> select_ids(Not(Below("dogs")), searcher.index.columns, in_text=searcher.index.select).tolist()
    [1, 2, 3, 6, 7, 8, 9]
    """
    return columns.ids[_mask(where, columns, in_text)]


def _mask(where: Where, columns: MemeColumns, in_text: Callable[[InText], Ids]) -> NDArray[np.bool_]:
    if isinstance(where, All | AnyOf):
        masks = [_mask(one, columns, in_text) for one in where.conditions]
        joined: NDArray[np.bool_] = (np.logical_and if isinstance(where, All) else np.logical_or).reduce(masks)
        return joined
    if isinstance(where, Not):
        return ~_mask(where.condition, columns, in_text)
    if isinstance(where, Below):
        branch = columns.branches.get(name_key(where.category.strip()))
        return np.isin(columns.category, branch[1] if branch is not None else ())
    if isinstance(where, Seen):
        found = np.ones(len(columns), np.bool_)
        if where.since is not None:
            found &= columns.first_seen >= where.since
        if where.before is not None:
            found &= columns.first_seen < where.before
        return found
    if isinstance(where, OfType):
        return np.isin(columns.type, [TYPES.index(one) for one in where.types])
    if isinstance(where, Has):
        found = np.zeros(len(columns), np.bool_)
        for field in where.fields:
            found |= columns.has.get(field, np.zeros(len(columns), np.bool_))
        return found
    if isinstance(where, VariantOf):
        if not np.isin(where.id, columns.ids):
            return np.zeros(len(columns), np.bool_)
        return columns.variant_of == columns.variant_of[columns.rows(np.array([where.id]))[0]]
    return np.isin(columns.ids, where.ids if isinstance(where, Among) else in_text(where))
