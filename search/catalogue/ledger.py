"""Export and import the ledger of verdicts as JSON Lines, for backups and for other data folders."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from search.catalogue.verdicts import Verdict, VerdictKind, least_contents
from search.errors import WrongUse

_HASH = re.compile(r"[0-9a-f]{64}")
_UID = re.compile(r"[0-9a-f]{16}")


def verdict_row(verdict: Verdict) -> dict[str, Any]:
    """Return a verdict as a JSON object."""
    return {
        "id": verdict.uid,
        "verdict": verdict.kind.value,
        "contents": list(verdict.contents),
        "keep": verdict.keep,
        "undoes": verdict.undoes,
        "paths": list(verdict.paths),
        "note": verdict.note,
        "about": verdict.about,
        "at": verdict.made_at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
    }


def read_verdicts(lines: Iterable[str]) -> Iterator[Verdict]:
    """Yield the verdicts of exported lines; raise WrongUse with the line's number at the first invalid one."""
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            yield _verdict(json.loads(line))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise WrongUse(
                f"Line {number} is not a verdict: {error}.", hint="Import a file that `memetica verdict export` wrote."
            ) from error


def _verdict(row: dict[str, Any]) -> Verdict:
    contents, keep, undoes = row["contents"], row.get("keep"), row.get("undoes")
    kind = VerdictKind(row["verdict"])
    if not isinstance(contents, list) or len(contents) < least_contents(kind) or not all(map(_is_hash, contents)):
        raise ValueError("`contents` must be two or more content hashes, or one for a verdict not about duplicates")
    if not _UID.fullmatch(row["id"]) or not (undoes is None or _UID.fullmatch(undoes)):
        raise ValueError("`id` and `undoes` must be 16 hexadecimal digits")
    if not (keep is None or _is_hash(keep)):
        raise ValueError("`keep` must be a content hash")
    if (kind is VerdictKind.UNDONE) != (undoes is not None):
        raise ValueError("`undoes` is required for the verdict `undone` and allowed for no other")
    made_at = datetime.fromisoformat(row["at"])
    return Verdict(
        uid=row["id"],
        kind=kind,
        contents=tuple(sorted(contents)),
        made_at=(made_at if made_at.tzinfo else made_at.replace(tzinfo=UTC)).astimezone(UTC),
        keep=keep,
        undoes=undoes,
        paths=tuple(str(path) for path in row.get("paths", ())),
        note=str(row.get("note", "")),
        about=str(row.get("about", "")),
    )


def _is_hash(value: object) -> bool:
    return isinstance(value, str) and _HASH.fullmatch(value) is not None
