"""Parameters of a request, parsed and checked."""

from __future__ import annotations

import math
from collections.abc import Callable
from enum import StrEnum
from typing import Any, TypeVar

from werkzeug.datastructures import MultiDict

from search.errors import WrongUse

MAX_HITS = 100
MAX_OFFSET = 10_000
MAX_LIST_OFFSET = 10_000_000  # of lists that no ranking is computed for
MAX_QUERY = 1000  # characters

EnumT = TypeVar("EnumT", bound=StrEnum)


def int_param(values: MultiDict[str, str], name: str, default: int, *, minimum: int, maximum: int) -> int:
    """Return a whole-number parameter; raise WrongUse when it is not a number or out of bounds."""
    text = values.get(name, "").strip()
    if not text:
        return default
    try:
        found = int(text)
    except ValueError:
        raise WrongUse(f"{name} must be a whole number, not {text[:40]!r}.") from None
    if not minimum <= found <= maximum:
        raise WrongUse(f"{name} must be from {minimum} to {maximum}, not {found}.")
    return found


def enum_param(values: MultiDict[str, str], name: str, default: EnumT) -> EnumT:
    """Return a parameter that is one of the values of `default`'s enum; raise WrongUse for any other value."""
    text = values.get(name) or default.value
    try:
        return type(default)(text)
    except ValueError:
        names = ", ".join(one.value for one in type(default))
        raise WrongUse(f"{name} must be one of {names}, not {text[:40]!r}.") from None


def bool_param(values: MultiDict[str, str], name: str, *, default: bool) -> bool:
    """Return a true-or-false parameter; raise WrongUse for any other value."""
    text = values.get(name, "").strip().casefold()
    if not text:
        return default
    if text not in ("1", "0", "true", "false"):
        raise WrongUse(f"{name} must be true or false, not {text[:40]!r}.")
    return text in ("1", "true")


def query_param(values: MultiDict[str, str]) -> str:
    """Return the query, parameter `q`, with white space collapsed; raise WrongUse when it is too long."""
    text = " ".join(values.get("q", "").split())
    if len(text) > MAX_QUERY:
        raise WrongUse(
            f"A query may have up to {MAX_QUERY:,} characters; this one has {len(text):,}.", hint="Shorten it."
        )
    return text


def page_links(total: int, page: int, *, size: int, address: Callable[[int], str]) -> dict[str, Any]:
    """Return what the pager of a list needs: this page, the last one, and the addresses of the pages beside it.

    `total` rows are shown `size` to a page; `address` returns the address of a page.
    """
    last = max(1, math.ceil(total / size))
    return {
        "page": page,
        "last": last,
        "previous": address(page - 1) if page > 1 else None,
        "next": address(page + 1) if page < last else None,
    }
