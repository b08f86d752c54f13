"""An LSH index of keypoints: find the indexed pictures with the most keypoints that match those of a query.

Two descriptors that differ in few bits agree in most random samples of their bits, and only descriptors that agree in a
sample are compared (Indyk and Motwani, "Approximate nearest neighbors: towards removing the curse of dimensionality",
1998). Matches are counted by translation and scale, which a general vector index cannot do.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from search.duplicates.keypoints import OCTAVE_SCALE, Keypoints
from search.images.fingerprints import hamming

BITS = 256

INDEXED_PER_OCTAVE = 10  # keypoints of each indexed picture: 80 in all
QUERY_PER_OCTAVE = 40  # keypoints of a query: about 290 in all, because a screenshot's frame has keypoints too
SAMPLES = 12  # hash tables
SAMPLED_BITS = 16  # bits of a hash
LEAST_MATCHES = 4  # pictures with fewer consistent matches are not returned
_TURN = 16  # 256ths of a turn: largest rotation
_PRIME = 7919  # spreads consecutive numbers
_CROWD = 16  # keypoints of one bucket that are compared, at most
_PARTS = 256 // (2 * _TURN)  # sectors of the circle
_PLACES = 1 << np.arange(SAMPLED_BITS)
_FAR = 64  # bits of 256: largest distance of matching descriptors
_CELL = 128.0  # pixels of a cell of translations

Codes = NDArray[np.uint8]  # [n, 32], pack_keypoints


def hash_bits(codes: Codes, bits: NDArray[np.int64]) -> NDArray[np.uint32]:
    """Return the number ([n] uint32) formed by some bits (at most 32) of each code ([n, 32] uint8)."""
    keys = np.zeros(len(codes), np.uint32)
    for place, bit in enumerate(bits):
        keys |= ((codes[:, bit // 8] >> (7 - bit % 8)) & 1).astype(np.uint32) << np.uint32(place)
    return keys


@dataclass(frozen=True)
class KeypointIndex:
    """The keypoints of many pictures, hashed so that similar keypoints are found without comparing all."""

    owners: NDArray[np.int32]  # [n], ascending
    points: NDArray[np.float32]
    octaves: NDArray[np.uint8]
    angles: NDArray[np.uint8]
    descriptors: Codes
    places: tuple[NDArray[np.int64], ...]  # for each hash table, the sampled bits
    orders: tuple[NDArray[np.int32], ...]  # for each hash table, keypoints sorted by hash
    starts: tuple[NDArray[np.int32], ...]  # for each hash table, the start of each bucket in its order, and the end
    ordered_angles: tuple[NDArray[np.uint8], ...]  # for each hash table, the angles in its order

    @classmethod
    def of(cls, pictures: list[Keypoints], *, owners: NDArray[np.int64], seed: int = 0) -> KeypointIndex:
        """Return the index of pictures' keypoints; `owners` ([n] int64, ascending) are the pictures' numbers."""
        chosen = [_strongest(keypoints, INDEXED_PER_OCTAVE) for keypoints in pictures]
        owner = np.repeat(owners, [len(kept) for kept in chosen]).astype(np.int32)

        def joined(name: str, empty: NDArray) -> NDArray:
            parts = [getattr(keypoints, name)[kept] for keypoints, kept in zip(pictures, chosen, strict=True)]
            return np.concatenate(parts) if parts else empty

        descriptors = joined("descriptors", np.empty((0, BITS // 8), np.uint8))
        angles = joined("angles", np.empty(0, np.uint8))
        generator = np.random.default_rng(seed)
        places, orders, starts = [], [], []
        for _ in range(SAMPLES):
            places.append(generator.choice(BITS, SAMPLED_BITS, replace=False))
            key = hash_bits(descriptors, places[-1]) * np.uint32(_PARTS) + angles // (2 * _TURN)
            orders.append(np.argsort(key, kind="stable").astype(np.int32))
            counts = np.bincount(key, minlength=_PARTS << SAMPLED_BITS)
            starts.append(np.concatenate([[0], counts.cumsum()]).astype(np.int32))
        return cls(
            owner,
            joined("points", np.empty((0, 2), np.float32)),
            joined("octaves", np.empty(0, np.uint8)),
            angles,
            descriptors,
            tuple(places),
            tuple(orders),
            tuple(starts),
            tuple(angles[order] for order in orders),
        )

    def count_matches(self, keypoints: Keypoints) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the owners ([n] int64) with at least LEAST_MATCHES matches, most first, and the matches ([n] int64).

        Matching keypoints have similar descriptors and angles. Only matches with about the same translation and scale
        are counted together.

        >>> from search.duplicates.picture import scale_picture
        >>> from PIL import Image
        >>> noise = np.random.default_rng(0).integers(0, 256, (30, 40), dtype=np.uint8)
        >>> keypoints = scale_picture(Image.fromarray(noise).resize((400, 300))).keypoints
        >>> owners, matches = KeypointIndex.of([keypoints], owners=np.array([7])).count_matches(keypoints)
        >>> owners.tolist(), bool(matches[0] >= LEAST_MATCHES)
        ([7], True)
        """
        of_query, of_index = self._matching(keypoints)
        if not len(of_query):
            return np.empty(0, np.int64), np.empty(0, np.int64)
        octave_steps = keypoints.octaves[of_query].astype(np.int64) - self.octaves[of_index]
        scales = (OCTAVE_SCALE ** octave_steps.astype(np.float32))[:, None]
        moves = keypoints.points[of_query] - scales * self.points[of_index]
        matches = np.zeros(int(self.owners[-1]) + 1, np.int64)
        # Cells of translation and scale, in two shifted grids: a cluster that one grid splits is whole in the other.
        for shift in (0, 1):
            cells = np.floor(moves / _CELL + shift / 2).astype(np.int64) + 64
            cell = (self.owners[of_index].astype(np.int64) * 16 + (octave_steps + 8 + shift) // 2) * 128 + cells[
                :, 0
            ] % 128
            cell = cell * 128 + cells[:, 1] % 128
            # A keypoint counts once in a cell.
            once = _distinct(cell * len(keypoints) + of_query) // len(keypoints)
            starts = np.flatnonzero(np.diff(once, prepend=-1))
            names, counts = once[starts], np.diff(starts, append=len(once))
            np.maximum.at(matches, names // (16 * 128 * 128), counts)
        owners = np.flatnonzero(matches >= LEAST_MATCHES)
        order = np.argsort(-matches[owners], kind="stable")
        return owners[order], matches[owners[order]]

    def _matching(self, keypoints: Keypoints) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the positions of a picture's keypoints and of the index's similar ones ([n] int64 each)."""
        if not len(keypoints):
            return np.empty(0, np.int64), np.empty(0, np.int64)
        bits = np.unpackbits(keypoints.descriptors, axis=1)
        # Keypoints that are not rotated lie in one of two neighbouring sectors.
        parts = np.concatenate([keypoints.angles - np.uint8(_TURN), keypoints.angles + np.uint8(_TURN)]) // (2 * _TURN)
        angles = np.concatenate([keypoints.angles, keypoints.angles]) + np.uint8(_TURN)
        own = np.tile(np.arange(len(keypoints)), 2)
        found = []
        for places, order, starts, ordered in zip(
            self.places, self.orders, self.starts, self.ordered_angles, strict=True
        ):
            wanted = np.tile(np.dot(bits[:, places], _PLACES), 2) * _PARTS + parts
            first = starts[wanted]
            run = starts[wanted + 1] - first
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
            upright = np.flatnonzero(np.repeat(angles[nonempty], counts) - ordered[at] <= 2 * _TURN)
            query = np.repeat(own[nonempty], counts)[upright]
            found.append(query * len(self.owners) + order[at[upright]])
        of_query, of_index = np.divmod(_distinct(np.concatenate(found)), max(len(self.owners), 1))
        near = hamming(keypoints.descriptors[of_query], self.descriptors[of_index]) <= _FAR
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
