"""The curator's password, as an Argon2id hash in the data folder, and the secret that the server signs with."""

from __future__ import annotations

import json
import os
import secrets
import unicodedata
from dataclasses import asdict, dataclass
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from search.errors import DataFolderError, WrongUse

LEAST_LETTERS = 10
MOST_LETTERS = 1000  # a hash of a book would keep the server busy
_FILE = "curator.json"
_SECRET = "server-secret"


@dataclass(frozen=True)
class Credentials:
    """The password's hash, and the generation of sessions: those of an earlier one have ended."""

    hash: str
    generation: str


def set_password(data: Path, password: str) -> None:
    """Keep a password in place of an earlier one, ending every session; raise WrongUse when it is no good."""
    password = _normal(password)
    if len(password) < LEAST_LETTERS:
        raise WrongUse(
            f"The password has {len(password)} letters; it needs {LEAST_LETTERS}.",
            hint="A few words in a row are easy to remember and hard to guess.",
        )
    if len(password) > MOST_LETTERS:
        raise WrongUse(f"The password has {len(password):,} letters; at most {MOST_LETTERS:,} are read.")
    _keep(data, Credentials(PasswordHasher().hash(password), secrets.token_hex(16)))


def end_sessions(data: Path) -> None:
    """Sign the curator out everywhere."""
    found = load_credentials(data)
    if found is not None:
        _keep(data, Credentials(found.hash, secrets.token_hex(16)))


def remove_password(data: Path) -> bool:
    """Forget the password, so that nobody can sign in; return whether there was one."""
    try:
        (data / _FILE).unlink()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise _unwritable(data / _FILE, error) from error
    return True


def load_credentials(data: Path) -> Credentials | None:
    """Return what is kept, or None when no password has been set; raise DataFolderError when it cannot be read."""
    try:
        return Credentials(**json.loads((data / _FILE).read_text("utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        raise DataFolderError(
            f"{data / _FILE} cannot be read: {error}.", hint="Set the password again: `memetica password`."
        ) from error


def is_password(credentials: Credentials, guess: str) -> bool:
    """Return whether a guess is the password; takes a twentieth of a second on purpose."""
    if len(guess) > MOST_LETTERS:
        return False
    try:
        return PasswordHasher().verify(credentials.hash, _normal(guess))
    except (VerificationError, InvalidHashError):
        return False


def server_secret(data: Path) -> bytes:
    """Return the data folder's secret, made at first; where none can be kept, one that ends with the process."""
    path = data / _SECRET
    try:
        found = path.read_bytes()
        if len(found) >= 32:
            return found
    except OSError:
        pass
    made = secrets.token_bytes(32)
    try:
        _write_private(path, made)
    except DataFolderError:
        return made
    return path.read_bytes()


def _normal(password: str) -> str:
    # The same letters typed on another system may come composed in another way.
    return unicodedata.normalize("NFKC", password)


def _keep(data: Path, credentials: Credentials) -> None:
    _write_private(data / _FILE, json.dumps(asdict(credentials)).encode())


def _write_private(path: Path, content: bytes) -> None:
    """Write a file that its owner alone can read, whole or not at all; raise DataFolderError."""
    aside = path.with_name(f"{path.name}.{secrets.token_hex(8)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
                out.write(content)
                out.flush()
                os.fsync(out.fileno())
            aside.replace(path)
        finally:
            aside.unlink(missing_ok=True)
    except OSError as error:
        raise _unwritable(path, error) from error


def _unwritable(path: Path, error: OSError) -> DataFolderError:
    return DataFolderError(
        f"{path} cannot be written: {error.strerror}.",
        hint="Check the data folder's permissions, or choose another with `--data`.",
    )
