"""An answer of a search as JSON, and back: what one process of Memetica hands to another of the same version.

The HTTP API's rows leave out what a command prints, and pickles run code of whoever wrote them. A dataclass is the list
of its fields' values, in their order.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import PurePath
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

from search.results import Answer


def answer_to_json(answer: Answer) -> str:
    """Return an answer as JSON; raise TypeError for a value that JSON does not have.

    >>> from web.local.answer_json import answer_from_json, answer_to_json
    >>> answer = searcher.search("dog")
    >>> answer_from_json(answer_to_json(answer)) == answer
    True
    """
    return json.dumps(_plain(answer), ensure_ascii=False, separators=(",", ":"))


def answer_from_json(text: str) -> Answer:
    """Return the answer that `answer_to_json` wrote; raise ValueError when it is none of this version."""
    try:
        found: Answer = _typed(Answer, json.loads(text))
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"no answer of this version: {error}") from error
    return found


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return [_plain(getattr(value, one.name)) for one in fields(value)]
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(one) for one in value]
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if isinstance(value, PurePath) else value


def _typed(kind: Any, value: Any) -> Any:
    """Return a value of a type, from what `_plain` made of it."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin is UnionType:
        return None if value is None else _typed(inner[0], value)
    if origin is tuple:
        return tuple(_typed(inner[0], one) for one in value)
    if origin is not None:  # Mapping
        return {_typed(inner[0], key): _typed(inner[1], one) for key, one in value.items()}
    if is_dataclass(kind):
        return kind(*(_typed(own, one) for own, one in zip(_field_types(kind), value, strict=True)))  # type: ignore[operator,arg-type]
    if kind is datetime:
        return datetime.fromisoformat(value)
    return kind(value)


@lru_cache
def _field_types(kind: type) -> tuple[Any, ...]:
    hints = get_type_hints(kind)
    return tuple(hints[one.name] for one in fields(kind))
