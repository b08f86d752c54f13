"""The index of keypoints in files, which processes map into memory: 6 kB of disk a picture, and hardly any memory.

The folder holds one generation of files, and `CURRENT`, which names it and has the SHA-256 of its manifest. The files
can be made again from the catalogue: what is missing, damaged or of another version is no error.
"""

from __future__ import annotations

import json
import mmap
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from search.duplicates.keypoints.index import (
    BITS,
    INDEXED_PER_OCTAVE,
    SAMPLES,
    HashTable,
    KeypointIndex,
    KeypointRows,
    hash_tables,
)
from search.images.fingerprints import PDQ
from search.index.checksums import damaged_files, file_checksums, sha256_of
from search.index.verified import VERIFIED, VerifiedFiles
from search.system.atomic_write import write_atomically
from search.system.processes import is_running

KEYPOINTS = "corners-2"  # the algorithm's name in the catalogue
CURRENT = "CURRENT"
MANIFEST = "manifest.json"
VERSION = [1, PDQ, KEYPOINTS, INDEXED_PER_OCTAVE, SAMPLES]  # files that differ in any of these are made again
_BUILDING = "building-"
_PICTURES = 10_000  # copied at once
HASH_BYTES = 32  # of a content's SHA-256


@dataclass(frozen=True)
class StoredKeypoints:
    """The keypoints of many pictures: frames of contents, those of one content after each other, in files.

    `hashes` ([pictures, 32] uint8) are the contents' SHA-256, `bits` ([pictures, 32] uint8) the pictures' fingerprints:
    a content that was decoded into other pictures has others.
    """

    hashes: NDArray[np.uint8]
    bits: NDArray[np.uint8]
    rows: KeypointRows
    tables: tuple[HashTable, ...]

    def index(self, owners: NDArray[np.int64]) -> KeypointIndex:
        """Return the index with the numbers of the pictures ([pictures] int64), below 0 for those that are gone."""
        return KeypointIndex(owners, self.rows, self.tables)

    def parts(self, kept: NDArray[np.bool_]) -> Iterator[Part]:
        """Yield the pictures that are kept ([pictures] bool), some thousands at a time."""
        for start in range(0, len(self.hashes), _PICTURES):
            end = min(start + _PICTURES, len(self.hashes))
            first = int(self.rows.ends[start - 1]) if start else 0
            lengths = np.diff(self.rows.ends[start:end], prepend=first)
            own, some = kept[start:end], slice(first, int(self.rows.ends[end - 1]))
            chosen = np.repeat(own, lengths)
            rows = KeypointRows(
                lengths[own].cumsum(),
                self.rows.points[some][chosen],
                self.rows.octaves[some][chosen],
                self.rows.angles[some][chosen],
                self.rows.descriptors[some][chosen],
            )
            yield Part(self.hashes[start:end][own], self.bits[start:end][own], rows)


@dataclass(frozen=True)
class Part:
    """Some of the pictures that are written: see `StoredKeypoints`."""

    hashes: NDArray[np.uint8]
    bits: NDArray[np.uint8]
    rows: KeypointRows


def open_stored(folder: Path) -> StoredKeypoints | None:
    """Return the keypoints in a folder; None if there are none, or if they are damaged or of another version."""
    try:
        name, _, manifest_hash = (folder / CURRENT).read_text("ascii").strip().partition(" ")
        generation = folder / name
        if not name.isalnum() or sha256_of(generation / MANIFEST) != manifest_hash:
            return None
        manifest = json.loads((generation / MANIFEST).read_text("utf-8"))
        if manifest["version"] != VERSION:
            return None
        if damaged_files(generation, manifest["files"], verified=VerifiedFiles(folder / VERIFIED)):
            return None
        tables = tuple(
            HashTable(
                _mapped(generation / f"places-{at}", np.int64),
                _mapped(generation / f"order-{at}", np.int32),
                _mapped(generation / f"starts-{at}", np.int32),
            )
            for at in range(SAMPLES)
        )
        rows = KeypointRows(
            _mapped(generation / "ends", np.int64),
            _mapped(generation / "points", np.float32, columns=2),
            _mapped(generation / "octaves", np.uint8),
            _mapped(generation / "angles", np.uint8),
            _mapped(generation / "descriptors", np.uint8, columns=BITS // 8),
        )
        hashes = _mapped(generation / "hashes", np.uint8, columns=HASH_BYTES)
        return StoredKeypoints(hashes, _mapped(generation / "bits", np.uint8, columns=BITS // 8), rows, tables)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_stored(folder: Path, parts: Iterable[Part]) -> StoredKeypoints | None:
    """Write pictures' keypoints and their hash tables in place of those in the folder, and return them opened.

    A process that is killed leaves the ones before. Returns None when they cannot be read again; raises OSError or
    DataFolderError when they cannot be written.
    """
    name = os.urandom(8).hex()
    building = folder / f"{_BUILDING}{os.getpid()}-{name}"
    building.mkdir(parents=True)
    try:
        _write_rows(building, parts)
        rows = KeypointRows(
            _mapped(building / "ends", np.int64, in_order=True),
            np.empty((0, 2), np.float32),
            np.empty(0, np.uint8),
            _mapped(building / "angles", np.uint8, in_order=True),
            _mapped(building / "descriptors", np.uint8, columns=BITS // 8, in_order=True),
        )
        for at, table in enumerate(hash_tables(rows)):
            table.places.tofile(building / f"places-{at}")
            table.order.tofile(building / f"order-{at}")
            table.starts.tofile(building / f"starts-{at}")
        manifest = {"version": VERSION, "files": file_checksums(building, known={}, known_in=None)}
        (building / MANIFEST).write_text(json.dumps(manifest, indent=1), "utf-8")
        manifest_hash = sha256_of(building / MANIFEST)
        building.rename(folder / name)
        write_atomically(folder / CURRENT, f"{name} {manifest_hash}\n", durable=False)
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise
    _remove_others(folder, name)
    return open_stored(folder)


def _write_rows(folder: Path, parts: Iterable[Part]) -> None:
    names = ("hashes", "bits", "ends", "points", "octaves", "angles", "descriptors")
    files: dict[str, BinaryIO] = {}
    try:
        for name in names:
            files[name] = (folder / name).open("wb")
        written = 0
        for part in parts:
            rows = part.rows
            columns = (part.hashes, part.bits, rows.ends + written, rows.points, rows.octaves, rows.angles)
            for name, column in zip(names, (*columns, rows.descriptors), strict=True):
                files[name].write(np.ascontiguousarray(column).data)
            written += len(rows)
    finally:
        for file in files.values():
            file.close()


def _remove_others(folder: Path, name: str) -> None:
    """Remove all generations but one, and what killed processes have left. Whoever has mapped a file keeps it."""
    for other in folder.iterdir():
        if not other.is_dir() or other.name == name:
            continue
        with suppress(ValueError):
            if other.name.startswith(_BUILDING) and is_running(int(other.name.split("-")[1])):
                continue
        shutil.rmtree(other, ignore_errors=True)


def _mapped(file: Path, dtype: type[np.generic], *, columns: int = 0, in_order: bool = False) -> NDArray:
    """Return the numbers in a file as an array, [n] or [n, columns], that is mapped into memory.

    `in_order`: it is read from its beginning to its end, not row by row in any order.
    """
    shape = (-1, columns) if columns else (-1,)
    with file.open("rb") as opened:
        if not os.fstat(opened.fileno()).st_size:
            return np.empty(0, dtype).reshape(shape)
        mapped = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)
    if hasattr(mmap, "MADV_RANDOM") and not in_order:
        # Queries look at single rows: what lies beside them would be read for nothing where memory is short.
        mapped.madvise(mmap.MADV_RANDOM)
    return np.frombuffer(mapped, dtype).reshape(shape)
