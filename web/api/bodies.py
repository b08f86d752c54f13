"""JSON bodies of the API: an object with known keys and types, or a clear error."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from flask import request

from search.errors import MemeticaError, WrongUse
from search.meme import Meme
from web.context import site
from web.params import checked_text

MAX_TEXT = 1000  # characters of a note or a reason
MAX_PATH = 4096  # characters of a path in the library
MAX_ITEMS = 1000  # memes of one verdict
_NAMES: Mapping[type, str] = {str: "a text", list: "a list"}


class NotJson(MemeticaError):
    """The body of a request is not sent as JSON."""

    code = "unsupported_media_type"
    status = 415


def json_object(*, required: Mapping[str, type], optional: Mapping[str, type] | None = None) -> dict[str, Any]:
    """Return the JSON object of the current request.

    `required` and `optional` map its keys to `str` or `list`; an optional key that is null is left out. Raises NotJson
    for another content type. Raises WrongUse when the body is not an object, when a key is missing, unknown or given
    twice, or when a value has another type. Texts may have any length; `text_of` checks them.
    """
    if not request.is_json:
        raise NotJson("The body is not JSON.", hint="Send an object with the header `Content-Type: application/json`.")
    body = _parsed(request.get_data(cache=False))
    allowed = {**required, **(optional or {})}
    if not isinstance(body, dict):
        raise WrongUse(f"Send a JSON object with {_listed(required)}.")
    unknown = sorted(set(body) - set(allowed))
    if unknown:
        raise WrongUse(
            f"There is no key {checked_text(unknown[0], 'A key', max_length=100)!r} here.",
            hint=f"The keys are {_listed(allowed)}.",
        )
    found = {}
    for key, kind in allowed.items():
        value = body.get(key)
        if value is None and key not in required:
            continue
        if not isinstance(value, kind):
            problem = f"`{key}` is missing" if key not in body else f"`{key}` must be {_NAMES[kind]}"
            raise WrongUse(f"{problem}.", hint=f"Send a JSON object with {_listed(required)}.")
        found[key] = value
    return found


def text_of(body: Mapping[str, Any], key: str, *, max_length: int = MAX_TEXT) -> str:
    """Return a text of a body, empty when it is missing; raise WrongUse when it is too long or cannot be stored."""
    return checked_text(body.get(key, ""), f"`{key}`", max_length=max_length)


def _parsed(raw: bytes) -> Any:
    try:
        return json.loads(raw.decode("utf-8"), object_pairs_hook=_without_repeats, parse_constant=_not_a_number)
    except RecursionError:
        raise WrongUse("The JSON is nested too deeply.") from None
    except ValueError:  # not JSON, not UTF-8, or a number with thousands of digits
        raise WrongUse("The body is not valid JSON in UTF-8.") from None


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise WrongUse("A key is given twice.", hint="Give each key once.")
    return found


def _not_a_number(text: str) -> Any:
    raise ValueError(text)  # NaN and Infinity are not JSON


def _listed(keys: Mapping[str, type]) -> str:
    return " and ".join(f"`{key}`" for key in keys)


def named_meme(named: Any) -> Meme:
    """Return the meme that a body names by its id or its path; raise NotFound, or WrongUse for anything else."""
    if isinstance(named, float) and named.is_integer():
        named = int(named)  # JSON has one kind of number: 2.0 is 2
    if isinstance(named, int) and not isinstance(named, bool):
        return site().catalogue.memes.get(named)
    if isinstance(named, str):
        return site().catalogue.memes.at(checked_text(named, "A path", max_length=MAX_PATH))
    raise WrongUse("Name a meme by its id or its path.")
