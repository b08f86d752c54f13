"""Read sidecar texts in the library's format, and write them: whole or not at all, never over an existing file."""

from __future__ import annotations

import codecs
import os
import re
import unicodedata
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from indexer.library.files import write_new
from indexer.library.format import EXTENSIONS, MemeFile, SidecarFile, unreadable
from indexer.library.links import open_file
from search.errors import LibraryError, UnreadableFile, WrongUse
from search.meme import Text, TextKind

_UNSAFE = re.compile(r"[^\w.+-]", re.ASCII)
# With a model named `a.png`, the sidecar `cat.png.a.png.….txt` would belong to a meme named `cat.png.a.png`.
_EXTENSION = re.compile(
    r"\.(?=(?:" + "|".join(extension[1:] for extension in EXTENSIONS) + r")(?:\.|$))", re.IGNORECASE
)


OCR_SOURCE = "tesseract-ocr"  # the source shown for the library's OCR sidecars
LEGACY_SIMPLE = {"llama3.2-vision", "llama-3.2-vision", "qwen2.5vl", "vision", "qwen3.5-9b"}
LEGACY_DETAILED = {"gemma3-27b-vision"}
MAX_SIDECAR_BYTES = 1_000_000

_ISO_TIME = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?: ?(?:Z|[+-]\d\d(?::?\d\d)?))?)?")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def read_sidecar(library: Path, sidecar: SidecarFile, *, follow_links: bool = False) -> Text:
    """Return a sidecar's text with its kind, its source and the time of its file; raise UnreadableFile."""
    kind, source = kind_of(sidecar.label)
    body = _read(library, sidecar.path, follow_links=follow_links)
    return Text(kind, source, body, sidecar=sidecar.path, made_at=_utc(sidecar.mtime_ns))


def kind_of(label: str) -> tuple[TextKind, str]:
    """Return the kind and the source of a sidecar's text from its label."""
    if not label:
        return TextKind.OCR, OCR_SOURCE
    for kind in (TextKind.SIMPLE, TextKind.DETAILED):
        if label == kind or label.endswith(f".{kind}"):
            return kind, label.removesuffix(f".{kind}")
    if label in LEGACY_SIMPLE:
        return TextKind.SIMPLE, label
    if label in LEGACY_DETAILED:
        return TextKind.DETAILED, label
    return TextKind.OTHER, label


def read_first_seen(
    library: Path, found: MemeFile, *, follow_links: bool = False
) -> tuple[datetime, Literal["sidecar", "mtime"]]:
    """Return the time (UTC) when a meme was first seen, and its origin: its sidecar or its file's modification time.

    A time without a zone is UTC; text after the time is ignored.
    """
    if found.first_seen is not None:
        try:
            written = _ISO_TIME.search(_read(library, found.first_seen.path, follow_links=follow_links))
            if written is not None:
                time = datetime.fromisoformat(re.sub(r" (?=[Z+-])", "", written[0]))
                return (time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)), "sidecar"
        except (UnreadableFile, ValueError, OverflowError):
            pass  # use the file's modification time, as the library's format specifies
    return _utc(found.mtime_ns), "mtime"


def _utc(nanoseconds: int) -> datetime:
    """Return the UTC time of a timestamp in nanoseconds; 1970 for a timestamp beyond the range of datetime."""
    try:
        return _EPOCH + timedelta(microseconds=nanoseconds // 1000)
    except OverflowError:
        return _EPOCH


def _read(library: Path, path: str, *, follow_links: bool) -> str:
    """Return the content of a text file in any usual encoding; raise UnreadableFile."""
    try:
        with open_file(library, path, follow_links=follow_links) as opened:
            raw = opened.read(MAX_SIDECAR_BYTES + 1)
    except OSError as error:
        raise unreadable(error) from error
    if len(raw) > MAX_SIDECAR_BYTES:
        raise UnreadableFile(
            f"It is too long for a sidecar: more than {MAX_SIDECAR_BYTES:,} bytes.",
            hint="Shorten it or remove it.",
        )
    plain = _decoded(raw).replace("\0", "").replace("\r\n", "\n").strip()
    return unicodedata.normalize("NFC", plain)  # as words are typed


def _decoded(raw: bytes) -> str:
    # UTF-16 only with a byte order mark; cp1252 has five undefined bytes, latin-1 has none.
    wide = raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    for encoding in (*(("utf-16",) if wide else ()), "utf-8-sig", "cp1252"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    return raw.decode("latin-1")


def safe_name(model: str) -> str:
    """Return a model's name as used in sidecars' file names; raise WrongUse for a name without letters or digits.

    >>> safe_name("qwen3.5:4b-q8_0")
    'qwen3.5_4b-q8_0'
    """
    safe = _EXTENSION.sub("_", _UNSAFE.sub("_", model.strip())).strip(".")
    if not any(map(str.isalnum, safe)):
        raise WrongUse(f"{model!r} is not a model's name: it has no letters or digits.")
    return safe


def sidecar_path(meme: Path, source: str, kind: TextKind) -> Path:
    """Return the path of a meme's sidecar by a source and kind, existing or not.

    >>> sidecar_path(Path("Cats/a.png"), "qwen", TextKind.SIMPLE).as_posix()
    'Cats/a.png.qwen.simple-description.txt'
    """
    return meme.with_name(f"{meme.name}.{source}.{kind}.txt")


def write_sidecar(path: Path, text: str) -> bool:
    """Write a sidecar whole and return True; return False when the path exists.

    Raises LibraryError when the folder cannot be written.

    >>> write_sidecar(folder / "a.png.qwen.simple-description.txt", "A cat.")
    True
    >>> write_sidecar(folder / "a.png.qwen.simple-description.txt", "Another cat.")
    False
    """
    if os.path.lexists(path):
        return False
    try:
        return write_new(path, f"{text.rstrip()}\n".encode())
    except OSError as error:
        raise LibraryError(
            f"{path} cannot be written: {error.strerror}.",
            hint="The text is kept in the catalogue. Check the folder's permissions and its disk.",
        ) from error
