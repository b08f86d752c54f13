"""Generations of the index on disk: each is written into a temporary folder, synced, and made live by one rename.

Each has a manifest that records its sources and the SHA-256 of every file. `CURRENT` names the live generation and has
the SHA-256 of its manifest, so that no damaged file is ever searched: readers compare all of them (see `checksums`).
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from search.errors import DataFolderError, IndexUnusable
from search.index.checksums import Checksums, file_checksums, sha256_of
from search.meme import Field
from search.system.atomic_write import write_atomically

FORMAT = 14  # of a generation's files
# Formats that are still searched, until `memetica index` has built the index again; a format that is not listed is
# refused. 3 has no checksums; 3 and 4 have no file names in the lexical index; in those before 6, words beyond ASCII
# have other terms, and texts are embedded that the encoder cannot read; those before 7 do not know where Korean words
# begin; those before 8 have no second parts of vectors; in those before 9, phrases end with a passage and with the
# category; in those before 10, a phrase is said by other forms of its words where the meme has the words elsewhere; in
# those before 11, all rows are scanned, as their vectors have no codes or others; those before 12 have no second parts
# of columns and fingerprints, and no files of the vocabulary; those before 13 have no term vectors, 13 no files of
# frequent terms.
READABLE_FORMATS = (3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14)
CHECKED_SINCE = 4  # the first format with checksums
KEPT = 2  # generations: a running server may still read the one before the live one

# The files and folders of a generation, and CURRENT beside the generations.
TEXT_FIELDS = (Field.NAME, Field.OCR, Field.DESCRIPTION, Field.VISUAL, Field.ANALYSIS)
CURRENT = "CURRENT"
MANIFEST = "manifest.json"
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
    files: Checksums = field(default_factory=dict)  # of every file of the generation except the manifest
    format: int = FORMAT
    sha256: str = field(default="", compare=False)  # of the file it was read from; not written in it

    @property
    def name(self) -> str:
        """The generation's name, and the beginning of its checksum: numbers begin anew in an index that was removed."""
        return _full_name(self.generation, self.sha256)


def _full_name(generation: str, manifest_hash: str) -> str:
    return f"{generation}-{manifest_hash[:12]}" if manifest_hash else generation


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
        name = next_name(index)
        for entry in (*building.rglob("*"), building):
            if entry.is_dir() or entry.stat().st_nlink == 1:  # a hard link's file was synced with its own generation
                _sync(entry)
        manifest_hash = sha256_of(building / MANIFEST)
        building.rename(index / name)
        _sync(index)
        write_atomically(index / CURRENT, f"{name} {manifest_hash}\n")
    except OSError as error:
        shutil.rmtree(building, ignore_errors=True)
        raise DataFolderError(
            f"The index cannot be written in {index}: {error.strerror or error}.",
            hint="Free disk space or check the folder's permissions; the previous index is still in use. Then run "
            "`memetica index`.",
        ) from error
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise
    _remove_old(index, live=name)


def link_folder(source: Path, target: Path, *, copied: Collection[str] = (), without: Collection[str] = ()) -> None:
    """Make a new folder with the files of another, by hard links where the disk supports them.

    Files named in `copied` are copied, and those in `without` left out.
    Linked files must never be written again, in either folder.
    """
    target.mkdir(parents=True)
    for file in source.iterdir():
        if file.is_dir():
            link_folder(file, target / file.name)
        elif file.name in without:
            continue
        elif file.name in copied:
            shutil.copyfile(file, target / file.name)
        else:
            link_file(file, target / file.name)


def link_file(source: Path, target: Path) -> None:
    """Give a file a second name by a hard link, or copy it where the disk does not support them."""
    try:
        target.hardlink_to(source)
    except OSError:
        shutil.copyfile(source, target)


def next_name(index: Path) -> str:
    """Return the name of the next generation in an index folder."""
    if not index.is_dir():
        return f"{1:06}"
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
    return _current(index)[0] or None


def live_name(index: Path) -> str | None:
    """Return the `name` of the live generation's manifest, which no other generation has; None when there is none."""
    generation, manifest_hash = _current(index)
    return _full_name(generation, manifest_hash) if generation else None


def _current(index: Path) -> tuple[str, str]:
    """Return the live generation's name and the SHA-256 of its manifest; both are empty when there is none."""
    try:
        name, _, manifest_hash = (index / CURRENT).read_text("ascii").strip().partition(" ")
    except FileNotFoundError:
        return "", ""
    except (OSError, UnicodeDecodeError) as error:
        raise IndexUnusable(f"{index / CURRENT} cannot be read: {error}.", hint=_HINT) from error
    return name, manifest_hash


def write_manifest(folder: Path, manifest: Manifest, *, source: tuple[Path, Manifest] | None = None) -> None:
    """Write a generation's manifest, with the checksums of the files that are in the folder now.

    `source` is another generation: the checksums of files that are hard links to its files are copied.
    """
    known = {} if source is None else source[1].files
    files = file_checksums(folder, known=known, known_in=None if source is None else source[0])
    written = asdict(replace(manifest, files=files, format=FORMAT)) | {"built_at": manifest.built_at.isoformat()}
    del written["generation"], written["sha256"]
    (folder / MANIFEST).write_text(json.dumps(written, indent=1), "utf-8")


def read_manifest(folder: Path, *, sha256: str = "") -> Manifest:
    """Return the manifest in a generation's folder; raise IndexUnusable when it is missing, damaged or outdated.

    `sha256` is its checksum in CURRENT, and empty for a generation that is not the live one or has none.
    """
    try:
        body = (folder / MANIFEST).read_bytes()
        written = json.loads(body)
        found = written["format"]
        if found not in READABLE_FORMATS:
            raise IndexUnusable(f"The index has the format {found}; this Memetica reads {FORMAT}.", hint=_HINT)
        built_at = datetime.fromisoformat(written["built_at"]).astimezone(UTC)
        manifest = Manifest(**(written | {"built_at": built_at, "generation": folder.name, "sha256": sha256}))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise IndexUnusable(f"The index in {folder} is damaged: {error}.", hint=_HINT) from error
    if sha256 and hashlib.sha256(body).hexdigest() != sha256:
        raise IndexUnusable(
            f"The index in {folder} is damaged: {MANIFEST} is not the one that was written.", hint=_HINT
        )
    return manifest


def live_folder(index: Path) -> Path:
    """Return the live generation's folder; raise IndexUnusable when there is none."""
    return _folder(index, _current(index)[0])


def _folder(index: Path, name: str) -> Path:
    if not name:
        raise IndexUnusable("There is no index yet.", hint=_HINT)
    if not name.isdigit() or not (index / name).is_dir():
        raise IndexUnusable(f"The index generation {name} is missing from {index}.", hint=_HINT)
    return index / name


def read_live(index: Path) -> tuple[Path, Manifest]:
    """Return the live generation's folder and manifest; raise IndexUnusable when there is none or it is damaged.

    The manifest's own checksum is verified; `verify_files` verifies the other files.
    """
    name, manifest_hash = _current(index)
    folder = _folder(index, name)
    manifest = read_manifest(folder, sha256=manifest_hash)
    if manifest.format >= CHECKED_SINCE and not manifest_hash:
        raise IndexUnusable(f"{index / CURRENT} is damaged: it has no checksum.", hint=_HINT)
    return folder, manifest


def live_manifest(index: Path) -> Manifest | None:
    """Return the live generation's manifest; None when there is none or it cannot be read.

    >>> from search.index import live_manifest
    >>> live_manifest(workspace.index).memes
    9
    """
    try:
        return read_live(index)[1]
    except IndexUnusable:
        return None


def live_image_encoder(index: Path) -> str:
    """Return the name of the image encoder that the live generation was made with, empty without one."""
    live = live_manifest(index)
    return "" if live is None else live.image_encoder


def live_text_encoder(index: Path) -> str:
    """Return the name of the text encoder that the live generation was made with, empty without a generation."""
    live = live_manifest(index)
    return "" if live is None else live.text_encoder
