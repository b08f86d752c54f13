"""Read a query's operators and excluded words: the condition that they set, and the operators' meanings in words."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from difflib import get_close_matches

import numpy as np

from search.index.columns import MemeColumns
from search.index.conditions import All, Among, AnyOf, Below, Has, Not, OfType, Seen, VariantOf, Where
from search.index.contract import Index
from search.meme import CATEGORY_SEPARATOR, Field, MediaType, name_key
from search.query.parser import Part, PartKind, Query
from search.query.quotes import make_quote, saying_condition
from search.query.words import row_condition

HAS = {"ocr": (Field.OCR,), "description": (Field.DESCRIPTION, Field.VISUAL, Field.ANALYSIS)}
_DAY = re.compile(r"(\d{4})(?:[-/](\d{1,2})(?:[-/](\d{1,2}))?)?", re.ASCII)
_START = datetime(1970, 1, 1, tzinfo=UTC)

Tagged = Callable[[], Mapping[str, Sequence[int]]]  # the ids of the memes that have each tag


@dataclass(frozen=True)
class LikeClause:
    """A meme that hits should be similar to, and the weight of the similarity."""

    id: int
    weight: float


@dataclass(frozen=True)
class Filters:
    """The condition that a query's operators set, None for none.

    `understood` has each operator with its meaning in words; `notices` has a sentence for each ignored part.
    """

    where: Where | None
    likes: tuple[LikeClause, ...]
    understood: tuple[tuple[Part, str], ...]
    notices: tuple[str, ...]
    opens_variants: bool


class _BadValue(Exception):
    """An operator's value that cannot be used; the message becomes a notice."""


def apply_filters(query: Query, index: Index, *, tagged: Tagged = dict) -> Filters:
    """Return the condition of a query's operators and excluded words; `tagged` returns the memes of each tag.

    An operator with an invalid value is ignored, with a notice.

    >>> from search.query.parser import parse
    >>> filters = apply_filters(parse("robot type:image -toaster category:dogs"), searcher.index)
    >>> [meaning for _, meaning in filters.understood], len(searcher.index.select(filters.where))
    (['image', 'without “toaster”', 'category Dogs'], 2)
    """
    conditions: list[Where] = []
    either: dict[PartKind, list[Where]] = {}  # a meme has one category and one type: several are alternatives
    likes: dict[int, LikeClause] = {}
    understood, notices = [], list(query.notices)
    for part in query.parts:
        if part.is_text:
            continue
        try:
            condition, meaning = _meaning(part, index, tagged)
        except _BadValue as error:
            notices.append(f"{part} was left out: {error}")
            continue
        understood.append((part, meaning))
        if part.kind is PartKind.LIKE:
            likes[int(part.value)] = LikeClause(int(part.value), part.weight)
            conditions.append(condition)  # never itself
        elif part.excluded:
            conditions.append(Not(condition))
        elif part.kind in (PartKind.CATEGORY, PartKind.TYPE):
            either.setdefault(part.kind, []).append(condition)
        else:
            conditions.append(condition)
    conditions += [own[0] if len(own) == 1 else AnyOf(tuple(own)) for own in either.values()]
    where = None if not conditions else conditions[0] if len(conditions) == 1 else All(tuple(conditions))
    if where is not None and not len(index.select(where)):
        one = len(understood) == 1
        notices.append("No meme fits this filter." if one else "No meme fits all of these filters; leave one out.")
    return Filters(
        where,
        tuple(likes.values()),
        tuple(understood),
        tuple(dict.fromkeys(notices)),
        any(part.kind is PartKind.VARIANTS for part, _ in understood),
    )


def _meaning(part: Part, index: Index, tagged: Tagged) -> tuple[Where, str]:
    """Return the condition that a part stands for, ignoring its minus, and its meaning in words."""
    table, without = index.columns, "without " if part.excluded else ""
    if part.kind in (PartKind.WORD, PartKind.PHRASE):
        return _words(part, index), f"{without}“{part.value}”"
    if part.kind is PartKind.CATEGORY:
        name = _category(part.value, table)
        return Below(name), f"{without}category {name}"
    if part.kind is PartKind.TYPE:
        types = [_one_of(one, [kind.value for kind in MediaType], "types") for one in _alternatives(part)]
        return OfType(tuple(map(MediaType, types))), without + " or ".join(types)
    if part.kind is PartKind.TAG:
        tags, by_tag = [name_key(one.strip()) for one in part.value.split("|")], tagged()
        ids = {id for tag in tags for id in _with_tag(tag, by_tag)}
        return Among(np.array(sorted(ids), np.int64)), without + "tag " + " or ".join(tags)
    if part.kind is PartKind.HAS:
        fields = [_one_of(one, list(HAS), "values of has") for one in _alternatives(part)]
        return Has(tuple(field for one in fields for field in HAS[one])), (without or "with ") + " or ".join(fields)
    if part.kind in (PartKind.BEFORE, PartKind.AFTER):
        if part.excluded:
            raise _BadValue("a time has no minus; use before: for after: and the other way round.")
        day = _day(part.value)
        seconds = int((day - _START).total_seconds())
        if part.kind is PartKind.BEFORE:
            return Seen(before=seconds), f"first seen before {day:%Y-%m-%d}"
        return Seen(since=seconds), f"first seen on or after {day:%Y-%m-%d}"
    if part.kind is PartKind.LIKE and part.excluded:
        raise _BadValue("nothing can be asked to be unlike a meme.")
    id = _meme(part.value, table)
    if part.kind is PartKind.LIKE:
        return Not(Among(np.array([id]))), f"like meme {id}"
    return VariantOf(id), f"{without}variants of meme {id}"


def _alternatives(part: Part) -> list[str]:
    return part.value.casefold().split("|")


def _words(part: Part, index: Index) -> Where:
    """Return the condition of having a word in any of the texts, or of saying a phrase."""
    if part.kind is PartKind.PHRASE:
        quote = make_quote(part.value, index.lexical)
        found = saying_condition(quote) if quote.sequences else None
    else:
        found = row_condition(part.value, index.lexical)
    if found is None:
        raise _BadValue("there is no word in it.")
    return found


def _category(value: str, table: MemeColumns) -> str:
    """Return a category's name, found by its whole name or by the last part of it."""
    wanted = name_key(value.strip())
    if wanted in table.branches:
        return table.branches[wanted][0]
    ends = [name for name in table.branches if name.rpartition(CATEGORY_SEPARATOR)[2] == wanted]
    if len(ends) == 1:
        return table.branches[ends[0]][0]
    if ends:
        names = "; ".join(table.branches[name][0] for name in ends[:5])
        raise _BadValue(f"there are several categories of that name: {names}.")
    near = get_close_matches(wanted, list(table.branches), n=3, cutoff=0.5)
    parts = {name.rpartition(CATEGORY_SEPARATOR)[2]: name for name in table.branches}
    near += [parts[part] for part in get_close_matches(wanted, list(parts), n=3, cutoff=0.6)]
    names = "; ".join(table.branches[name][0] for name in dict.fromkeys(near))
    raise _BadValue("there is no such category." + (f" The nearest: {names}." if names else ""))


def _with_tag(tag: str, by_tag: Mapping[str, Sequence[int]]) -> Sequence[int]:
    if tag not in by_tag:
        near = "; ".join(get_close_matches(tag, list(by_tag), n=3, cutoff=0.5))
        raise _BadValue(f"no meme has the tag “{tag}”." + (f" The nearest: {near}." if near else ""))
    return by_tag[tag]


def _one_of(value: str, names: list[str], what: str) -> str:
    if value not in names:
        raise _BadValue(f"“{value}” is not one of the {what}: {', '.join(names)}.")
    return value


def _day(value: str) -> datetime:
    """Return the start of a year, a month or a day."""
    found = _DAY.fullmatch(value)
    try:
        if found is None:
            raise ValueError
        year, month, day = (int(part or 1) for part in found.groups())
        return datetime(1, 1, 1, tzinfo=UTC) + timedelta(days=date(year, month, day).toordinal() - 1)
    except ValueError:
        raise _BadValue("write a year, a month or a day, as in 2024, 2024-06 or 2024-06-30.") from None


def _meme(value: str, table: MemeColumns) -> int:
    """Return the meme id in an operator's value."""
    if not (value.isascii() and value.isdigit() and len(value) < 19):
        raise _BadValue("a meme is named by its number, as in like:17; its page shows it.")
    place = int(np.searchsorted(table.ids, int(value)))
    if place == len(table) or table.ids[place] != int(value):
        raise _BadValue(f"there is no meme {value}.")
    return int(value)
