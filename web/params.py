"""Parameters of a request, parsed and checked: every text has a maximum length, every number has bounds."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from enum import StrEnum
from typing import Any, TypeVar

from werkzeug.datastructures import MultiDict
from werkzeug.routing import BaseConverter

from search.errors import NotFound, WrongUse

MAX_HITS = 100
MAX_LIST_OFFSET = 10_000_000
MAX_QUERY = 4000  # characters; of a longer text than the parser reads, the beginning is searched for
MAX_CATEGORY = 255  # characters: a category is the name of a folder
MAX_NAME = 100  # characters of any other parameter: a sort order, the name of a picture, a key
_INTEGER = re.compile(r"[+-]?[0-9]{1,19}")  # int() takes other digits, underscores and a million digits too
_ID = re.compile("[0-9]{1,18}")  # SQLite's integers have 64 bits: 18 digits always fit

EnumT = TypeVar("EnumT", bound=StrEnum)


class RowId(BaseConverter):
    """The id of a row in an address, `<int:id>`; a number that is too long for an id gives status 404."""

    # The pattern limits the length: when `to_python` refuses a number, a route with another method turns 404 into 405.
    regex = _ID.pattern

    def to_python(self, value: str) -> int:
        """Return the number."""
        return int(value)


def text_param(values: MultiDict[str, str], name: str, *, max_length: int = MAX_NAME) -> str:
    """Return a parameter, or an empty text when it is missing.

    Raises WrongUse when it is given twice, is longer than `max_length` characters or contains a NUL character.
    """
    found = values.getlist(name)
    if len(found) > 1:
        raise WrongUse(f"{name} is given {len(found)} times.", hint="Give it once.")
    return checked_text(found[0], name, max_length=max_length) if found else ""


def checked_text(text: str, name: str, *, max_length: int) -> str:
    """Return a text as it is; raise WrongUse when it is too long or has characters that cannot be stored."""
    if len(text) > max_length:
        raise WrongUse(
            f"{name} may have up to {max_length:,} characters; this one has {len(text):,}.", hint="Shorten it."
        )
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise WrongUse(f"{name} contains a NUL character or half of a character.", hint="Remove it.")
    return text


def int_param(values: MultiDict[str, str], name: str, default: int, *, minimum: int, maximum: int) -> int:
    """Return a whole-number parameter; raise WrongUse when it is not a number or out of bounds."""
    text = text_param(values, name).strip()
    if not text:
        return default
    if not _INTEGER.fullmatch(text):
        raise WrongUse(f"{name} must be a whole number from {minimum} to {maximum}, not {text[:40]!r}.")
    found = int(text)
    if not minimum <= found <= maximum:
        raise WrongUse(f"{name} must be from {minimum} to {maximum}, not {found}.")
    return found


def id_param(values: MultiDict[str, str], name: str) -> int | None:
    """Return a parameter that is the id of a row, or None when it is missing; raise NotFound when it is not an id."""
    text = text_param(values, name, max_length=100_000).strip()  # so that a long number is NotFound too
    if not text:
        return None
    if not _ID.fullmatch(text):
        raise NotFound(f"There is nothing with the number {text[:40]}.", hint="Load the page again.")
    return int(text)


def ids_param(values: MultiDict[str, str], name: str) -> list[int]:
    """Return the ids of rows that a parameter gives, each once, in their order; raise NotFound for what is no id."""
    found = dict.fromkeys(text.strip() for text in values.getlist(name))
    for text in found:
        if not _ID.fullmatch(text):
            raise NotFound(f"There is nothing with the number {text[:40]}.", hint="Load the page again.")
    return [int(text) for text in found]


def enum_param(values: MultiDict[str, str], name: str, default: EnumT) -> EnumT:
    """Return a parameter that is one of the values of `default`'s enum; raise WrongUse for any other value."""
    text = text_param(values, name) or default.value
    try:
        return type(default)(text)
    except ValueError:
        names = ", ".join(value for value in type(default))
        raise WrongUse(f"{name} must be one of {names}, not {text[:40]!r}.") from None


def bool_param(values: MultiDict[str, str], name: str, *, default: bool) -> bool:
    """Return a true-or-false parameter; raise WrongUse for any other value."""
    text = text_param(values, name).strip().casefold()
    if not text:
        return default
    if text not in ("1", "0", "true", "false"):
        raise WrongUse(f"{name} must be true or false, not {text[:40]!r}.")
    return text in ("1", "true")


def query_param(values: MultiDict[str, str]) -> str:
    """Return the query, parameter `q`, with white space collapsed; raise WrongUse when it is too long."""
    # A form may send line breaks; a run of white space counts as one space.
    found = values.getlist("q")
    if len(found) > 1:
        raise WrongUse(f"q is given {len(found)} times.", hint="Give it once.")
    return checked_text(" ".join(found[0].split()) if found else "", "A query", max_length=MAX_QUERY)


def category_param(values: MultiDict[str, str]) -> str | None:
    """Return the category, parameter `category`, or None when it is missing; raise WrongUse when it is too long."""
    return text_param(values, "category", max_length=MAX_CATEGORY) or None


def page_links(total: int, page: int, *, size: int, address: Callable[[int], str]) -> dict[str, Any]:
    """Return what the pager of a list needs: this page, the last page, and the addresses of the previous and next ones.

    `total` rows are shown `size` to a page; `address` returns the address of a page.
    """
    last = max(1, math.ceil(total / size))
    return {
        "page": page,
        "last": last,
        "previous": address(page - 1) if page > 1 else None,
        "next": address(page + 1) if page < last else None,
    }
