"""An LSH index of keypoints: find the indexed pictures with the most keypoints that match those of a query.

Two descriptors that differ in few bits agree in most random samples of their bits, and only descriptors that agree in a
sample are compared (Indyk and Motwani, "Approximate nearest neighbors: towards removing the curse of dimensionality",
1998). Matches are counted by translation and scale, which a general vector index cannot do.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil, log2

import numpy as np
from numpy.typing import NDArray

from search.duplicates.keypoints.orb import OCTAVE_SCALE, Keypoints
from search.images.fingerprints import hamming

BITS = 256

INDEXED_PER_OCTAVE = 10  # keypoints of each indexed picture: 80 in all
QUERY_PER_OCTAVE = 40  # keypoints of a query: about 290 in all, because a screenshot's frame has keypoints too
SAMPLES = 8  # hash tables; benchmarks/keypoint_tables.py compares other numbers
SAMPLED_BITS = 16  # least bits of a hash
LEAST_MATCHES = 4  # pictures with fewer consistent matches are not returned
_MOST_SAMPLED_BITS = 24
_TURN = 16  # 256ths of a turn: largest rotation
_PRIME = 7919  # spreads consecutive numbers
_CROWD = 16  # keypoints of one bucket that are compared, at most
_PARTS = 256 // (2 * _TURN)  # sectors of the circle
_FAR = 64  # bits of 256: largest distance of matching descriptors
_CELL = 128.0  # pixels of a cell of translations
_HASHED = 1 << 16  # keypoints hashed at once: their descriptors fit the processor's cache

Codes = NDArray[np.uint8]  # [n, 32], pack_keypoints


def hash_bits(codes: Codes, bits: NDArray[np.int64]) -> NDArray[np.uint32]:
    """Return the number ([n] uint32) formed by some bits (at most 32) of each code ([n, 32] uint8)."""
    keys = np.zeros(len(codes), np.uint32)
    for place, bit in enumerate(bits):
        keys |= ((codes[:, bit // 8] >> (7 - bit % 8)) & 1).astype(np.uint32) << np.uint32(place)
    return keys


@dataclass(frozen=True)
class KeypointRows:
    """The strongest keypoints of many pictures, those of one picture after those of another.

    `ends` ([pictures] int64) are the positions after each picture's last keypoint; `points` ([n, 2] float32),
    `octaves`, `angles` ([n] uint8) and `descriptors` ([n, 32] uint8) are those of `Keypoints`.
    """

    ends: NDArray[np.int64]
    points: NDArray[np.float32]
    octaves: NDArray[np.uint8]
    angles: NDArray[np.uint8]
    descriptors: Codes

    @classmethod
    def of(cls, pictures: Iterable[Keypoints]) -> KeypointRows:
        """Return the strongest keypoints of pictures."""
        kept = [strongest_keypoints(keypoints, per_octave=INDEXED_PER_OCTAVE) for keypoints in pictures]
        return cls.joined(
            [cls(np.array([len(one)]), one.points, one.octaves, one.angles, one.descriptors) for one in kept]
        )

    @classmethod
    def joined(cls, parts: Sequence[KeypointRows]) -> KeypointRows:
        """Return the keypoints of several lists of pictures, one list after the other."""
        before = np.cumsum([0, *(len(part) for part in parts)])
        return cls(
            np.concatenate([np.empty(0, np.int64), *(part.ends + at for part, at in zip(parts, before, strict=False))]),
            np.concatenate([np.empty((0, 2), np.float32), *(part.points for part in parts)]),
            np.concatenate([np.empty(0, np.uint8), *(part.octaves for part in parts)]),
            np.concatenate([np.empty(0, np.uint8), *(part.angles for part in parts)]),
            np.concatenate([np.empty((0, BITS // 8), np.uint8), *(part.descriptors for part in parts)]),
        )

    def __len__(self) -> int:
        return len(self.angles)


@dataclass(frozen=True)
class HashTable:
    """Keypoints sorted by a sample of their descriptors' bits and by their angle's sector of the circle."""

    places: NDArray[np.int64]  # the sampled bits
    order: NDArray[np.int32]  # [n], positions of keypoints sorted by hash
    starts: NDArray[np.int32]  # [buckets + 1], the start of each bucket in the order, and the end

    @classmethod
    def of(cls, rows: KeypointRows, *, places: NDArray[np.int64]) -> HashTable:
        """Return the table of keypoints by these bits; making it takes about 20 bytes of memory a keypoint."""
        keys = np.empty(len(rows), np.uint64)
        for start in range(0, len(rows), _HASHED):
            some = slice(start, start + _HASHED)
            keys[some] = hash_bits(rows.descriptors[some], places) * np.uint32(_PARTS) + rows.angles[some] // (
                2 * _TURN
            )
        counts = np.bincount(keys.view(np.int64), minlength=_PARTS << len(places))
        # One sort of key and position in one number takes a tenth of the time of a stable `argsort`.
        keys <<= np.uint64(32)
        keys |= np.arange(len(rows), dtype=np.uint64)
        keys.sort()
        return cls(places, keys.astype(np.uint32).view(np.int32), np.append(0, counts.cumsum()).astype(np.int32))


def hash_tables(
    rows: KeypointRows, *, seed: int = 0, samples: int = SAMPLES, bits: int | None = None
) -> Iterable[HashTable]:
    """Yield so many hash tables of keypoints, by default by more bits in large libraries, so that buckets stay small.

    >>> [len(table.places) for table in hash_tables(KeypointRows.of([]))]
    [16, 16, 16, 16, 16, 16, 16, 16]
    """
    generator = np.random.default_rng(seed)
    for _ in range(samples):
        places = generator.choice(BITS, sampled_bits(len(rows)) if bits is None else bits, replace=False)
        yield HashTable.of(rows, places=places)


def sampled_bits(keypoints: int) -> int:
    """Return the bits of a hash with which buckets of so many keypoints have _CROWD at most on average.

    >>> sampled_bits(2_400_000), sampled_bits(80_000_000)
    (16, 20)
    """
    bits = ceil(log2(max(1, keypoints / (_PARTS * _CROWD))))
    return min(max(bits, SAMPLED_BITS), _MOST_SAMPLED_BITS)


@dataclass(frozen=True)
class KeypointIndex:
    """The keypoints of many pictures, hashed so that similar keypoints are found without comparing all."""

    owners: NDArray[np.int64]  # [pictures], a number of each; below 0: the picture is not found
    rows: KeypointRows
    tables: Sequence[HashTable]

    @classmethod
    def of(cls, rows: KeypointRows, *, owners: NDArray[np.int64], seed: int = 0) -> KeypointIndex:
        """Return the index of pictures' keypoints in memory; `owners` ([pictures] int64) are the pictures' numbers."""
        return cls(owners, rows, tuple(hash_tables(rows, seed=seed)))

    def count_matches(self, keypoints: Keypoints) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the owners ([n] int64) with at least LEAST_MATCHES matches, most first, and the matches ([n] int64).

        Matching keypoints have similar descriptors and angles. Only matches with about the same translation and scale
        are counted together.

        >>> from search.duplicates.picture import scale_picture
        >>> from PIL import Image
        >>> noise = np.random.default_rng(0).integers(0, 256, (30, 40), dtype=np.uint8)
        >>> keypoints = scale_picture(Image.fromarray(noise).resize((400, 300))).keypoints
        >>> index = KeypointIndex.of(KeypointRows.of([keypoints]), owners=np.array([7]))
        >>> owners, matches = index.count_matches(keypoints)
        >>> owners.tolist(), bool(matches[0] >= LEAST_MATCHES)
        ([7], True)
        """
        of_query, of_index = self._matching(keypoints)
        of_picture = self.owners[np.searchsorted(self.rows.ends, of_index, side="right")]
        found = of_picture >= 0
        of_query, of_index, of_picture = of_query[found], of_index[found], of_picture[found]
        octave_steps = keypoints.octaves[of_query].astype(np.int64) - self.rows.octaves[of_index]
        scales = (OCTAVE_SCALE ** octave_steps.astype(np.float32))[:, None]
        moves = keypoints.points[of_query] - scales * self.rows.points[of_index]
        owners, own = np.unique(of_picture, return_inverse=True)
        matches = np.zeros(len(owners), np.int64)
        # Cells of translation and scale, in two shifted grids: a cluster that one grid splits is whole in the other.
        for shift in (0, 1):
            cells = np.floor(moves / _CELL + shift / 2).astype(np.int64) + 64
            cell = (own * 16 + (octave_steps + 8 + shift) // 2) * 128 + cells[:, 0] % 128
            cell = cell * 128 + cells[:, 1] % 128
            # A keypoint counts once in a cell.
            once = _distinct(cell * len(keypoints) + of_query) // max(len(keypoints), 1)
            starts = np.flatnonzero(np.diff(once, prepend=-1))
            names, counts = once[starts], np.diff(starts, append=len(once))
            np.maximum.at(matches, names // (16 * 128 * 128), counts)
        enough = np.flatnonzero(matches >= LEAST_MATCHES)
        order = enough[np.argsort(-matches[enough], kind="stable")]
        return owners[order], matches[order]

    def _matching(self, keypoints: Keypoints) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the positions of a picture's keypoints and of the index's similar ones ([n] int64 each)."""
        if not len(keypoints) or not len(self.rows):
            return np.empty(0, np.int64), np.empty(0, np.int64)
        bits = np.unpackbits(keypoints.descriptors, axis=1)
        # Keypoints that are not rotated lie in one of two neighbouring sectors.
        parts = np.concatenate([keypoints.angles - np.uint8(_TURN), keypoints.angles + np.uint8(_TURN)]) // (2 * _TURN)
        angles = np.concatenate([keypoints.angles, keypoints.angles]) + np.uint8(_TURN)
        own = np.tile(np.arange(len(keypoints)), 2)
        found = []
        for table in self.tables:
            wanted = np.tile(np.dot(bits[:, table.places], 1 << np.arange(len(table.places))), 2) * _PARTS + parts
            first = table.starts[wanted]
            run = table.starts[wanted + 1] - first
            nonempty = np.flatnonzero(run)
            first, run = first[nonempty], run[nonempty]
            counts = np.minimum(run, _CROWD)
            before = counts.cumsum(dtype=np.int32) - counts
            at = np.arange(counts.sum(), dtype=np.int32)
            if len(run) and run.max() > _CROWD:
                # Sample a large bucket evenly, with another offset for each keypoint.
                at = (at - np.repeat(before, counts)) * np.repeat(run, counts) + np.repeat(
                    own[nonempty] * _PRIME % run, counts
                )
                at = np.repeat(first, counts) + at // np.repeat(counts, counts)
            else:
                at += np.repeat(first - before, counts)
            positions = table.order[at]
            upright = np.flatnonzero(np.repeat(angles[nonempty], counts) - self.rows.angles[positions] <= 2 * _TURN)
            query = np.repeat(own[nonempty], counts)[upright]
            found.append(query * len(self.rows) + positions[upright])
        of_query, of_index = np.divmod(_distinct(np.concatenate(found)), len(self.rows))
        near = hamming(keypoints.descriptors[of_query], self.rows.descriptors[of_index]) <= _FAR
        return of_query[near], of_index[near]


_STORED = np.dtype([("point", "<f4", 2), ("octave", "u1"), ("angle", "u1"), ("descriptor", "u1", BITS // 8)])


def _distinct(numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the distinct numbers (0 or more), ascending; sorting is faster than the hashes of `np.unique`."""
    numbers = np.sort(numbers)
    return numbers[np.diff(numbers, prepend=-1) != 0]


def strongest_keypoints(keypoints: Keypoints, *, per_octave: int = QUERY_PER_OCTAVE) -> Keypoints:
    """Return the strongest of a picture's keypoints in each octave: by default as many as a query uses."""
    kept = _strongest(keypoints, per_octave)
    return Keypoints(
        keypoints.points[kept], keypoints.octaves[kept], keypoints.angles[kept], keypoints.descriptors[kept]
    )


def pack_keypoints(keypoints: Keypoints) -> bytes:
    """Return keypoints as bytes, 42 each."""
    rows = np.empty(len(keypoints), _STORED)
    rows["point"], rows["octave"], rows["angle"] = keypoints.points, keypoints.octaves, keypoints.angles
    rows["descriptor"] = keypoints.descriptors
    return rows.tobytes()


def unpack_keypoints(stored: bytes) -> Keypoints:
    """Return the keypoints that `pack_keypoints` wrote; raise ValueError for bytes of another length."""
    rows = np.frombuffer(stored, _STORED)
    return Keypoints(
        rows["point"].astype(np.float32),
        rows["octave"].copy(),
        rows["angle"].copy(),
        np.ascontiguousarray(rows["descriptor"]),
    )


def _strongest(keypoints: Keypoints, per_octave: int) -> NDArray[np.int64]:
    """Return the positions of a picture's strongest keypoints in each octave, strongest first within an octave."""
    starts = np.searchsorted(keypoints.octaves, np.arange(256))
    return np.flatnonzero(np.arange(len(keypoints)) - starts[keypoints.octaves] < per_octave)
