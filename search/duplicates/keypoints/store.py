"""Open the index of a library's keypoints: what lies in files, and in memory what has come since."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain, groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from search.duplicates.keypoints.files import HASH_BYTES, Part, StoredKeypoints, open_stored, write_stored
from search.duplicates.keypoints.index import BITS, KeypointIndex, KeypointRows, unpack_keypoints
from search.errors import DataFolderError

CHANGED = 1000  # contents that come and pictures that go before files are written again …
CHANGED_SHARE = 0.02  # … or this share of the contents, if that is more
_LOADED = 1000  # contents loaded at once

Frames = Mapping[str, Sequence[bytes]]  # by a content's hash, the PDQ fingerprint of each of its frames
Load = Callable[[str], Sequence[bytes]]  # a content's packed keypoints, by frame


def open_keypoints(folder: Path | None, frames: Frames, *, load: Load) -> list[KeypointIndex]:
    """Return the indexes in which all keypoints of these contents are; a picture's owner is its content's position.

    Files in `folder` are used as far as they have the contents' frames, and written again after many changes. Without
    a folder, and where it cannot be written, the keypoints are in memory.
    """
    stored = None if folder is None else open_stored(folder)
    owners, missing = _owners(stored, frames)
    changed = len(missing) + int((owners < 0).sum())
    if folder is not None and changed > max(CHANGED, CHANGED_SHARE * len(frames)):
        kept = [] if stored is None else stored.parts(owners >= 0)
        try:
            written = write_stored(folder, chain(kept, _parts(missing, frames, load=load)))
        except (OSError, DataFolderError):
            written = None
        if written is not None:
            stored, (owners, missing) = written, _owners(written, frames)
    indexes = [] if stored is None else [stored.index(owners)]
    if missing:
        place_of = {content: place for place, content in enumerate(frames)}
        fresh = np.repeat([place_of[content] for content in missing], [len(frames[content]) for content in missing])
        rows = KeypointRows.joined([part.rows for part in _parts(missing, frames, load=load)])
        indexes.append(KeypointIndex.of(rows, owners=fresh))
    return indexes


def _owners(stored: StoredKeypoints | None, frames: Frames) -> tuple[NDArray[np.int64], list[str]]:
    """Return the position of each stored picture's content ([pictures] int64), -1 for none, and contents not stored."""
    if stored is None:
        return np.empty(0, np.int64), list(frames)
    place_of = {content: place for place, content in enumerate(frames)}
    owners = np.full(len(stored.hashes), -1, np.int64)
    hashes, bits = stored.hashes.tobytes().hex(), stored.bits.tobytes()
    digits, size = 2 * stored.hashes.shape[1], BITS // 8
    for content, run in groupby(range(len(owners)), key=lambda at: hashes[digits * at : digits * (at + 1)]):
        first, *others = run
        end = first + 1 + len(others)
        if content in frames and b"".join(frames[content]) == bits[size * first : size * end]:
            owners[first:end] = place_of.pop(content, -1)
    return owners, list(place_of)


def _parts(contents: Sequence[str], frames: Frames, *, load: Load) -> Iterator[Part]:
    """Yield what is written of contents, some thousands of pictures at a time."""
    for start in range(0, len(contents), _LOADED):
        some = contents[start : start + _LOADED]
        hashes = np.frombuffer(bytes.fromhex("".join(content * len(frames[content]) for content in some)), np.uint8)
        bits = np.frombuffer(b"".join(row for content in some for row in frames[content]), np.uint8)
        rows = KeypointRows.of(
            unpack_keypoints(blob) for content in some for blob in _by_frame(load(content), len(frames[content]))
        )
        yield Part(hashes.reshape(-1, HASH_BYTES), bits.reshape(-1, BITS // 8), rows)


def _by_frame(blobs: Sequence[bytes], count: int) -> list[bytes]:
    """Return the keypoints of so many frames; frames whose keypoints are not known have none."""
    return [*blobs[:count], *[b""] * (count - len(blobs))]
