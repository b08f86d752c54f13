"""What an export holds: memes with their dates and texts, and what cannot be brought, with the reason."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from search.errors import WrongUse

TAGS, NOTES, SOURCES = "tags", "notes", "sources"  # labels of sidecars


@dataclass(frozen=True)
class ImportedMeme:
    """A file of an export, the category and name that it suggests, and its texts by the label of their sidecar.

    `first_seen` is aware; None leaves the file's modification time, which a copy keeps.
    """

    file: Path
    category: str
    name: str
    first_seen: datetime | None = None
    texts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class NotImported:
    """Something of an export that is not brought: a file or an entry, and why."""

    what: str
    reason: str


Found = ImportedMeme | NotImported


def load_json(file: Path) -> Any:
    """Return the content of a JSON file; raise WrongUse when it cannot be read."""
    try:
        return json.loads(file.read_text("utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise WrongUse(f"{file} cannot be read as JSON: {error}.") from error


def text_at(entry: Any, key: str) -> str:
    """Return the text or number under a key of a JSON object as text, empty for anything else.

    >>> text_at({"id": 7, "tags": []}, "id"), text_at({"id": 7, "tags": []}, "tags"), text_at(None, "id")
    ('7', '', '')
    """
    value = entry.get(key) if isinstance(entry, dict) else None
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""


def objects_at(entry: Any, key: str) -> list[dict[str, Any]]:
    """Return the JSON objects of a list under a key of a JSON object; none for anything else.

    >>> objects_at({"tags": [{"names": ["cat"]}, None]}, "tags"), objects_at({"tags": 7}, "tags")
    ([{'names': ['cat']}], [])
    """
    value = entry.get(key) if isinstance(entry, dict) else None
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def parsed_time(text: object) -> datetime | None:
    """Return an ISO 8601 time or a date as an aware time, UTC where it has no zone; None for anything else.

    >>> parsed_time("2021-05-04T03:02:01.000Z").isoformat(), parsed_time("2021-05-04").isoformat(), parsed_time("soon")
    ('2021-05-04T03:02:01+00:00', '2021-05-04T00:00:00+00:00', None)
    """
    if not isinstance(text, str):
        return None
    try:
        found = datetime.fromisoformat(text.strip())
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def listed(values: Iterable[object]) -> str:
    """Return the texts among values, each once, as a line with commas."""
    texts = [one.strip() for one in values if isinstance(one, str)]
    return ", ".join(dict.fromkeys(one for one in texts if one))


def texts_of(**by_label: str) -> dict[str, str]:
    """Return the texts that are not empty, by label; `__` in a name stands for a dot, `_` for a hyphen.

    A NUL character, which no text file has, is left out.
    """
    kept = {label: body.replace("\0", "").strip() for label, body in by_label.items()}
    return {label.replace("__", ".").replace("_", "-"): body for label, body in kept.items() if body}
