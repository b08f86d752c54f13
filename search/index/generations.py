"""Generations of the index on disk: each is written into a temporary folder, synced, and made live by one rename.

Each has a manifest that records its sources.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from search.atomic_write import write_atomically
from search.errors import DataFolderError, IndexUnusable
from search.meme import Field

FORMAT = 3  # of a generation's files; an index with another number is built again
KEPT = 2  # generations: a running server may still read the one before the live one

# The files and folders of a generation, in addition to manifest.json.
TEXT_FIELDS = (Field.NAME, Field.OCR, Field.DESCRIPTION, Field.VISUAL, Field.ANALYSIS)
COLUMNS = "memes.npz"
LEXICAL = "words"
DENSE = "meanings"  # a folder of vectors for each of TEXT_FIELDS
WHITENING = "whitening.npz"
LOOKS = "looks"
FINGERPRINTS = "fingerprints"
PICTURES = "pictures"  # only with an image encoder

_HINT = "Run `memetica index`."


@dataclass(frozen=True)
class Manifest:
    """The sources of a generation: `encoders` has each encoder's dimensions, `rows` each part's number of rows.

    `revision` is the catalogue's at the last whole build; `changed` counts the memes that were updated since.
    """

    generation: str  # the folder's name; not written in the file
    built_at: datetime
    revision: int
    splitter: str
    text_encoder: str
    image_encoder: str
    encoders: Mapping[str, int]
    memes: int
    rows: Mapping[str, int]
    changed: int = 0


@contextmanager
def new_generation(index: Path) -> Iterator[Path]:
    """Yield a folder to write a generation into; it becomes the live one when the `with` block succeeds.

    The block must write `manifest.json`. When it raises, the folder is removed. Raises DataFolderError when the index
    folder cannot be written.
    """
    building = index / f"building-{os.getpid()}"
    try:
        index.mkdir(parents=True, exist_ok=True)
        for leftover in index.glob("building-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        for leftover in index.glob(".memetica-*.part"):
            leftover.unlink(missing_ok=True)
        building.mkdir()
        yield building
        name = _next_name(index)
        for entry in (*building.rglob("*"), building):
            _sync(entry)
        building.rename(index / name)
        _sync(index)
        write_atomically(index / "CURRENT", name + "\n")
    except OSError as error:
        shutil.rmtree(building, ignore_errors=True)
        raise DataFolderError(
            f"The index cannot be written in {index}: {error.strerror or error}.",
            hint="Free disk space or check the folder's permissions; the previous index is still in use.",
        ) from error
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise
    _remove_old(index, live=name)


def link_folder(source: Path, target: Path, *, copied: Collection[str] = ()) -> None:
    """Make a new folder with the files of another, by hard links where the disk supports them; `copied` are copied.

    Linked files must never be written again, in either folder.
    """
    target.mkdir(parents=True)
    for file in source.iterdir():
        if file.name in copied:
            shutil.copyfile(file, target / file.name)
        else:
            link_file(file, target / file.name)


def link_file(source: Path, target: Path) -> None:
    """Give a file a second name by a hard link, or copy it where the disk does not support them."""
    try:
        target.hardlink_to(source)
    except OSError:
        shutil.copyfile(source, target)


def _next_name(index: Path) -> str:
    numbers = [int(folder.name) for folder in index.iterdir() if folder.is_dir() and folder.name.isdigit()]
    return f"{max(numbers, default=0) + 1:06}"


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _remove_old(index: Path, *, live: str) -> None:
    names = sorted(folder.name for folder in index.iterdir() if folder.is_dir() and folder.name.isdigit())
    for name in names[:-KEPT]:
        if name != live:
            shutil.rmtree(index / name, ignore_errors=True)


def live_generation(index: Path) -> str | None:
    """Return the name of the live generation, None when there is none."""
    try:
        return (index / "CURRENT").read_text("ascii").strip() or None
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise IndexUnusable(f"{index / 'CURRENT'} cannot be read: {error}.", hint=_HINT) from error


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write a generation's manifest."""
    written = {"format": FORMAT} | asdict(manifest) | {"built_at": manifest.built_at.isoformat()}
    del written["generation"]
    (folder / "manifest.json").write_text(json.dumps(written, indent=1), "utf-8")


def read_manifest(folder: Path) -> Manifest:
    """Return the manifest in a generation's folder; raise IndexUnusable when it is missing, damaged or outdated."""
    try:
        written = json.loads((folder / "manifest.json").read_text("utf-8"))
        found = written.pop("format")
        if found != FORMAT:
            raise IndexUnusable(f"The index has the format {found}; this Memetica reads {FORMAT}.", hint=_HINT)
        built_at = datetime.fromisoformat(written["built_at"]).astimezone(UTC)
        return Manifest(**(written | {"built_at": built_at, "generation": folder.name}))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise IndexUnusable(f"The index in {folder} is damaged: {error}.", hint=_HINT) from error


def live_folder(index: Path) -> Path:
    """Return the live generation's folder; raise IndexUnusable when there is none."""
    name = live_generation(index)
    if name is None:
        raise IndexUnusable("There is no index yet.", hint=_HINT)
    if not name.isdigit() or not (index / name).is_dir():
        raise IndexUnusable(f"The index generation {name} is missing from {index}.", hint=_HINT)
    return index / name


def live_manifest(index: Path) -> Manifest | None:
    """Return the live generation's manifest; None when there is none or it cannot be read.

    >>> from search.index import live_manifest
    >>> live_manifest(workspace.index).memes
    9
    """
    try:
        return read_manifest(live_folder(index))
    except IndexUnusable:
        return None


def live_image_encoder(index: Path) -> str:
    """Return the name of the image encoder that the live generation was made with, empty without one."""
    live = live_manifest(index)
    return "" if live is None else live.image_encoder
