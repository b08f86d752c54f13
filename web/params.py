"""What an address asks for, checked once."""

from __future__ import annotations

from enum import StrEnum
from typing import TypeVar

from werkzeug.datastructures import MultiDict

from search.errors import WrongUse

MAX_HITS = 100
MAX_OFFSET = 10_000
MAX_QUERY = 1000

Choice = TypeVar("Choice", bound=StrEnum)


def number(values: MultiDict[str, str], name: str, default: int, *, least: int, most: int) -> int:
    """Return a whole number that an address names; raise WrongUse when it is none or out of bounds."""
    text = values.get(name, "").strip()
    if not text:
        return default
    try:
        found = int(text)
    except ValueError:
        raise WrongUse(f"{name} must be a whole number, not {text[:40]!r}.") from None
    if not least <= found <= most:
        raise WrongUse(f"{name} must be from {least} to {most}, not {found}.")
    return found


def choice(values: MultiDict[str, str], name: str, default: Choice) -> Choice:
    """Return one of a closed set that an address names; raise WrongUse when it is none."""
    text = values.get(name) or default.value
    try:
        return type(default)(text)
    except ValueError:
        names = ", ".join(one.value for one in type(default))
        raise WrongUse(f"{name} must be one of {names}, not {text[:40]!r}.") from None


def flag(values: MultiDict[str, str], name: str, *, default: bool) -> bool:
    """Return a yes or no that an address gives; raise WrongUse when it is neither."""
    text = values.get(name, "").strip().casefold()
    if not text:
        return default
    if text not in ("1", "0", "true", "false"):
        raise WrongUse(f"{name} must be true or false, not {text[:40]!r}.")
    return text in ("1", "true")


def query(values: MultiDict[str, str]) -> str:
    """Return the words that an address asks for; raise WrongUse when there are too many."""
    text = " ".join(values.get("q", "").split())
    if len(text) > MAX_QUERY:
        raise WrongUse(f"A query may have {MAX_QUERY:,} letters; this one has {len(text):,}.", hint="Shorten it.")
    return text
