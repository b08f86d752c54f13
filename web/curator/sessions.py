"""The curator's sessions, kept in the data folder: each can be ended wherever its cookie was copied to.

The cookie holds a random id, of which the file holds the SHA-256 only: who reads the file cannot sign in with it.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from indexer.work.locks import lock
from search.errors import DataFolderError
from search.system.atomic_write import write_atomically
from web.curator.passwords import load_password

LIFETIME = timedelta(days=14)  # from the curator's last visit
LONGEST = timedelta(days=90)  # from sign-in, whatever the visits: a stolen cookie does not work for ever
MOST_SESSIONS = 50  # the one that was seen longest ago ends first
SEEN_EVERY = timedelta(minutes=5)  # a visit is written down at most this often
_FILE = "sessions.json"
_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("CriOS/", "Chrome"),
    ("FxiOS/", "Firefox"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
)
_SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)


@dataclass(frozen=True)
class SessionRecord:
    """A session: the hash of its id, its times, the browser in words and its address, and the password's generation."""

    key: str
    begun: datetime
    seen: datetime
    browser: str
    address: str
    generation: str


def begin_session(data: Path, *, generation: str, user_agent: str, address: str) -> str:
    """Store a new session and return its id, for the cookie; raise DataFolderError when it cannot be stored."""
    id = secrets.token_urlsafe(32)
    now = datetime.now(UTC)
    made = SessionRecord(_key(id), now, now, browser_name(user_agent), address[:64], generation)
    with lock(data, "signing in", seconds=20):
        kept = sorted(live_sessions(data), key=lambda one: one.seen)[-(MOST_SESSIONS - 1) :]
        _write(data, [*kept, made])
    return id


def find_session(data: Path, id: str) -> SessionRecord | None:
    """Return the live session with an id, None when it has ended; write down that it was seen."""
    key = _key(id)
    found = next((one for one in live_sessions(data) if secrets.compare_digest(one.key, key)), None)
    if found is not None and datetime.now(UTC) - found.seen > SEEN_EVERY:
        try:
            with lock(data, "signing in", seconds=20):
                now = datetime.now(UTC)
                # Read again: it may have been ended meanwhile, and must not come back.
                _write(data, [_seen(one, now) if one.key == key else one for one in live_sessions(data)])
        except DataFolderError:
            pass  # a folder that cannot be written any more; the session lasts as long as it would have
    return found


def live_sessions(data: Path) -> list[SessionRecord]:
    """Return the sessions that have not ended, the latest seen first; raise DataFolderError for a damaged file."""
    record = load_password(data)
    if record is None:
        return []
    try:
        rows = json.loads((data / _FILE).read_text("utf-8"))
        stored = [
            SessionRecord(**row | {name: datetime.fromisoformat(row[name]) for name in ("begun", "seen")})
            for row in rows
        ]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise DataFolderError(
            f"{data / _FILE} cannot be read: {error}.", hint="Remove it: the curator then has to sign in again."
        ) from error
    now = datetime.now(UTC)
    live = [
        one
        for one in stored
        if one.generation == record.generation and now - one.seen < LIFETIME and now - one.begun < LONGEST
    ]
    return sorted(live, key=lambda one: one.seen, reverse=True)


def end_session(data: Path, key: str) -> bool:
    """End the session with the hash of an id, wherever its cookie was copied to; return whether there was one."""
    with lock(data, "signing in", seconds=20):
        live = live_sessions(data)
        kept = [one for one in live if one.key != key]
        _write(data, kept)
    return len(kept) < len(live)


def end_other_sessions(data: Path, key: str) -> int:
    """End every session but one; return how many were ended."""
    with lock(data, "signing in", seconds=20):
        live = live_sessions(data)
        kept = [one for one in live if one.key == key]
        _write(data, kept)
    return len(live) - len(kept)


def browser_name(user_agent: str) -> str:
    """Return a browser in plain words from its `User-Agent`.

    >>> browser_name("Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0")
    'Firefox on Linux'
    """
    browser = next((name for mark, name in _BROWSERS if mark in user_agent), "")
    system = next((name for mark, name in _SYSTEMS if mark in user_agent), "")
    if not browser and not system:
        return "An unknown browser"
    return f"{browser or 'A browser'} on {system}" if system else browser


def _key(id: str) -> str:
    return hashlib.sha256(id.encode()).hexdigest()


def _seen(one: SessionRecord, now: datetime) -> SessionRecord:
    return SessionRecord(one.key, one.begun, now, one.browser, one.address, one.generation)


def _write(data: Path, sessions: list[SessionRecord]) -> None:
    rows = [asdict(one) | {"begun": one.begun.isoformat(), "seen": one.seen.isoformat()} for one in sessions]
    write_atomically(data / _FILE, json.dumps(rows, indent=1), private=True)
