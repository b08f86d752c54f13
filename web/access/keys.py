"""API keys of programs, kept in the data folder: each has a name, scopes and a rate, and can be revoked.

The file holds the SHA-256 of each key only: who reads the file cannot use them. A key has 256 random bits, so that a
slow hash, which a password needs, would protect nothing.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

from indexer.work.locks import lock
from search.errors import DataFolderError, NotFound, WrongUse
from search.system.atomic_write import write_atomically

PREFIX = "memetica-"  # so that a key is told from other tokens, by us and by scanners for leaked secrets
PER_MINUTE = 120  # requests of a key, unless it was made with another rate
MOST_PER_MINUTE = 100_000
USED_EVERY = timedelta(minutes=5)  # a use is written down at most this often
_FILE = "keys.json"
_NAME = re.compile(r"[\w.@ -]{1,64}")
_WORK = "managing keys"  # the name of the lock


class Scope(StrEnum):
    """What a key may do."""

    READ = "read"  # what visitors may, also where the setting `closed` keeps visitors out
    UPLOAD = "upload"  # put pictures into the inbox, and see what became of its own
    SUGGEST = "suggest"  # get category suggestions for pictures


@dataclass(frozen=True)
class ApiKey:
    """A key: its name, the hash that it is found by, what it may do, and its times."""

    name: str
    hash: str
    scopes: tuple[Scope, ...]
    per_minute: int
    made: datetime
    used: datetime | None = None


def add_key(data: Path, name: str, scopes: Iterable[Scope], *, per_minute: int = PER_MINUTE) -> str:
    """Store a new key and return it; it cannot be shown again.

    Raises WrongUse when the name is taken or odd, when there is no scope, or for a rate below 1 a minute;
    DataFolderError when the key cannot be stored.

    >>> from web.access.keys import Scope, add_key, find_key
    >>> key = add_key(folder, "phone", [Scope.UPLOAD])
    >>> key[:9], find_key(folder, key).name
    ('memetica-', 'phone')
    """
    name = name.strip()
    if not _NAME.fullmatch(name):
        raise WrongUse(
            "A key's name has 1 to 64 letters, digits, spaces and . _ @ -", hint="Name the program that uses it."
        )
    chosen = tuple(scope for scope in Scope if scope in set(scopes))
    if not chosen:
        raise WrongUse("A key must be allowed something.", hint=f"--may takes some of {', '.join(Scope)}.")
    if not 1 <= per_minute <= MOST_PER_MINUTE:
        raise WrongUse(f"A rate is from 1 to {MOST_PER_MINUTE:,} requests a minute, not {per_minute:,}.")
    key = PREFIX + secrets.token_urlsafe(32)
    with lock(data, _WORK, seconds=20):
        known = api_keys(data)
        if any(one.name == name for one in known):
            raise WrongUse(f"There is a key named {name!r}.", hint="Choose another name, or revoke that key first.")
        made = ApiKey(name, _hash(key), chosen, per_minute, datetime.now(UTC))
        _write(data, [*known, made])
    return key


def revoke_key(data: Path, name: str) -> ApiKey:
    """Delete a key, so that it stops working at once, and return it; raise NotFound when there is none of that name.

    >>> from web.access.keys import Scope, add_key, find_key, revoke_key
    >>> key = add_key(folder, "phone", [Scope.UPLOAD])
    >>> revoke_key(folder, "phone").name, find_key(folder, key)
    ('phone', None)
    """
    with lock(data, _WORK, seconds=20):
        known = api_keys(data)
        found = next((one for one in known if one.name == name.strip()), None)
        if found is None:
            raise NotFound(f"There is no key named {name!r}.", hint="`memetica keys list` lists them.")
        _write(data, [one for one in known if one is not found])
    return found


def api_keys(data: Path) -> list[ApiKey]:
    """Return the keys, the oldest first; raise DataFolderError when the file cannot be read."""
    try:
        rows = json.loads((data / _FILE).read_text("utf-8"))
        return [_from_row(row) for row in rows]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise DataFolderError(
            f"{data / _FILE} cannot be read: {error}.",
            hint="Remove it and make the keys again: `memetica keys add`.",
        ) from error


def find_key(data: Path, key: str) -> ApiKey | None:
    """Return the stored key that a program sent, None for an unknown or revoked one; write down that it was used."""
    hashed = _hash(key)
    found = next((one for one in api_keys(data) if secrets.compare_digest(one.hash, hashed)), None)
    now = datetime.now(UTC)
    if found is not None and (found.used is None or now - found.used > USED_EVERY):
        try:
            with lock(data, _WORK, seconds=20):
                # Read again: it may have been revoked meanwhile, and must not come back.
                _write(data, [replace(one, used=now) if one.hash == hashed else one for one in api_keys(data)])
        except DataFolderError:
            pass  # a folder that cannot be written: the key works, and its last use stays unknown
    return found


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


def _from_row(row: dict[str, str]) -> ApiKey:
    return ApiKey(
        name=str(row["name"]),
        hash=str(row["hash"]),
        scopes=tuple(Scope(one) for one in row["scopes"]),
        per_minute=int(row["per_minute"]),
        made=datetime.fromisoformat(row["made"]),
        used=datetime.fromisoformat(row["used"]) if row["used"] else None,
    )


def _write(data: Path, keys: Iterable[ApiKey]) -> None:
    rows = [
        asdict(one) | {"made": one.made.isoformat(), "used": one.used.isoformat() if one.used else None} for one in keys
    ]
    write_atomically(data / _FILE, json.dumps(rows, indent=1, ensure_ascii=False), private=True)
