"""The curator's password, kept as an Argon2id hash in the data folder, and the secret that signs the cookies."""

from __future__ import annotations

import json
import secrets
import unicodedata
from dataclasses import asdict, dataclass
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from search.errors import DataFolderError, WrongUse
from search.system.atomic_write import write_atomically

MIN_LETTERS = 10
MAX_LETTERS = 1000  # hashing a very long text would keep the server busy
_FILE = "curator.json"
_SECRET = "server-secret"


@dataclass(frozen=True)
class PasswordRecord:
    """The hash of the password, and the generation of its sessions; a session of another generation has ended."""

    hash: str
    generation: str


def set_password(data: Path, password: str) -> None:
    """Store a password, replacing an earlier one, and end every session; raise WrongUse for a bad length."""
    password = _normalize(password)
    if len(password) < MIN_LETTERS:
        raise WrongUse(
            f"The password has {len(password)} characters; it needs at least {MIN_LETTERS}.",
            hint="A few words in a row are easy to remember and hard to guess.",
        )
    if len(password) > MAX_LETTERS:
        raise WrongUse(
            f"The password has {len(password):,} characters; it may have up to {MAX_LETTERS:,}.", hint="Shorten it."
        )
    _write_record(data, PasswordRecord(PasswordHasher().hash(password), secrets.token_hex(16)))


def end_sessions(data: Path) -> None:
    """Sign the curator out of every browser."""
    record = load_password(data)
    if record is not None:
        _write_record(data, PasswordRecord(record.hash, secrets.token_hex(16)))


def remove_password(data: Path) -> bool:
    """Delete the password, so that nobody can sign in; return whether there was one."""
    try:
        (data / _FILE).unlink()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise _unwritable(data / _FILE, error) from error
    return True


def load_password(data: Path) -> PasswordRecord | None:
    """Return the stored record, or None when no password is set; raise DataFolderError when it cannot be read."""
    try:
        return PasswordRecord(**json.loads((data / _FILE).read_text("utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        raise DataFolderError(
            f"{data / _FILE} cannot be read: {error}.", hint="Set the password again: `memetica password`."
        ) from error


def verify_password(record: PasswordRecord, password: str) -> bool:
    """Return whether a password matches; Argon2id takes about 50 ms on purpose, to slow down guessing."""
    if len(password) > MAX_LETTERS:
        return False
    try:
        return PasswordHasher().verify(record.hash, _normalize(password))
    except (VerificationError, InvalidHashError):
        return False


def load_or_create_secret(data: Path) -> bytes:
    """Return the data folder's signing secret, created at the first call.

    In a folder that cannot be written the secret lasts as long as the process: sessions end with a restart.
    """
    path = data / _SECRET
    try:
        found = path.read_bytes()
        if len(found) >= 32:
            return found
    except OSError:
        pass
    made = secrets.token_bytes(32)
    try:
        write_atomically(path, made, private=True)
    except DataFolderError:
        return made
    return path.read_bytes()


def _normalize(password: str) -> str:
    # Another system may encode the same typed letters as other code points.
    return unicodedata.normalize("NFKC", password)


def _write_record(data: Path, record: PasswordRecord) -> None:
    write_atomically(data / _FILE, json.dumps(asdict(record)), private=True)


def _unwritable(path: Path, error: OSError) -> DataFolderError:
    return DataFolderError(
        f"{path} cannot be written: {error.strerror}.",
        hint="Check the data folder's permissions, or choose another with `--data`.",
    )
