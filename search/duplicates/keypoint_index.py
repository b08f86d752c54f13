"""The index of corners: those of a picture, seen again, vote for the pictures of a library.

Two descriptors that differ in few bits agree in most random samples of their bits, and only those that agree in a
sample are looked at (Indyk and Motwani, "Approximate nearest neighbors: towards removing the curse of dimensionality",
1998). A vote says as well how a picture was moved and scaled, which no general index of vectors knows of.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from search.duplicates.keypoints import OCTAVE_SCALE, Corners
from search.images.fingerprints import hamming

BITS = 256

CORNERS_AN_OCTAVE = 10  # of each picture in the index: 80 corners
ASKING_AN_OCTAVE = 40  # of each picture that asks: about 290, because a screenshot's frame has corners of its own
SAMPLES = 12
SAMPLED_BITS = 16
LEAST_VOTES = 4
_TURN = 16  # 256ths of a turn
_PRIME = 7919  # spreads numbers that follow one another
_CROWD = 16  # corners that agree in a sample, beyond which only some of them are looked at
_PARTS = 256 // (2 * _TURN)  # of the circle
_PLACES = 1 << np.arange(SAMPLED_BITS)
_FAR = 64  # bits
_CELL = 128.0  # pixels

Codes = NDArray[np.uint8]  # [n, 32], packed


def sampled(codes: Codes, bits: NDArray[np.int64]) -> NDArray[np.uint32]:
    """Return, for each code ([n, 32] uint8), the number ([n] uint32) that its bits at some places make, at most 32."""
    keys = np.zeros(len(codes), np.uint32)
    for place, bit in enumerate(bits):
        keys |= ((codes[:, bit // 8] >> (7 - bit % 8)) & 1).astype(np.uint32) << np.uint32(place)
    return keys


@dataclass(frozen=True)
class CornerIndex:
    """The corners of many pictures, each of which votes for its picture when it is seen again."""

    owners: NDArray[np.int32]  # [n], rising
    points: NDArray[np.float32]
    octaves: NDArray[np.uint8]
    angles: NDArray[np.uint8]
    descriptors: Codes
    places: tuple[NDArray[np.int64], ...]  # the bits of each sample
    orders: tuple[NDArray[np.int32], ...]  # for each sample, corners by the number that its bits make
    starts: tuple[NDArray[np.int32], ...]  # for each sample, where in its order each number begins, and the end
    ordered_angles: tuple[NDArray[np.uint8], ...]  # for each sample, the angles in its order

    @classmethod
    def of(cls, pictures: list[Corners], *, owners: NDArray[np.int64], seed: int = 0) -> CornerIndex:
        """Return the index of pictures' corners; `owners` ([n] int64, rising) says whose each picture is."""
        chosen = [_strongest(corners, CORNERS_AN_OCTAVE) for corners in pictures]
        owner = np.repeat(owners, [len(kept) for kept in chosen]).astype(np.int32)

        def joined(name: str, empty: NDArray) -> NDArray:
            parts = [getattr(corners, name)[kept] for corners, kept in zip(pictures, chosen, strict=True)]
            return np.concatenate(parts) if parts else empty

        descriptors = joined("descriptors", np.empty((0, BITS // 8), np.uint8))
        angles = joined("angles", np.empty(0, np.uint8))
        generator = np.random.default_rng(seed)
        places, orders, starts = [], [], []
        for _ in range(SAMPLES):
            places.append(generator.choice(BITS, SAMPLED_BITS, replace=False))
            key = sampled(descriptors, places[-1]) * np.uint32(_PARTS) + angles // (2 * _TURN)
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

    def votes(self, corners: Corners) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the owners ([n] int64) that at least LEAST_VOTES of a picture's corners speak for, and the votes
        ([n] int64), most first.

        Corners vote together when they look alike, are not turned and agree about how the picture was moved and scaled.
        """
        mine, theirs = self._alike(corners)
        if not len(mine):
            return np.empty(0, np.int64), np.empty(0, np.int64)
        grown = corners.octaves[mine].astype(np.int64) - self.octaves[theirs]
        scales = (OCTAVE_SCALE ** grown.astype(np.float32))[:, None]
        moves = corners.points[mine] - scales * self.points[theirs]
        votes = np.zeros(int(self.owners[-1]) + 1, np.int64)
        # Cells of move and scale, laid twice so that what one lay cuts the other holds whole.
        for lay in (0, 1):
            cells = np.floor(moves / _CELL + lay / 2).astype(np.int64) + 64
            cell = (self.owners[theirs].astype(np.int64) * 16 + (grown + 8 + lay) // 2) * 128 + cells[:, 0] % 128
            cell = cell * 128 + cells[:, 1] % 128
            # A corner votes once in a cell.
            once = _distinct(cell * len(corners) + mine) // len(corners)
            starts = np.flatnonzero(np.diff(once, prepend=-1))
            names, counts = once[starts], np.diff(starts, append=len(once))
            np.maximum.at(votes, names // (16 * 128 * 128), counts)
        owners = np.flatnonzero(votes >= LEAST_VOTES)
        order = np.argsort(-votes[owners], kind="stable")
        return owners[order], votes[owners[order]]

    def _alike(self, corners: Corners) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the places of a picture's corners and of the index's that look alike ([n] int64 each)."""
        if not len(corners):
            return np.empty(0, np.int64), np.empty(0, np.int64)
        bits = np.unpackbits(corners.descriptors, axis=1)
        # What is not turned lies in one of two neighbouring parts of the circle.
        parts = np.concatenate([corners.angles - np.uint8(_TURN), corners.angles + np.uint8(_TURN)]) // (2 * _TURN)
        angles = np.concatenate([corners.angles, corners.angles]) + np.uint8(_TURN)
        own = np.tile(np.arange(len(corners)), 2)
        found = []
        for places, order, starts, ordered in zip(
            self.places, self.orders, self.starts, self.ordered_angles, strict=True
        ):
            wanted = np.tile(np.dot(bits[:, places], _PLACES), 2) * _PARTS + parts
            first = starts[wanted]
            run = starts[wanted + 1] - first
            some = np.flatnonzero(run)
            first, run = first[some], run[some]
            counts = np.minimum(run, _CROWD)
            before = counts.cumsum(dtype=np.int32) - counts
            at = np.arange(counts.sum(), dtype=np.int32)
            if len(run) and run.max() > _CROWD:
                # Of a long run every so many-th, others for each corner, so that all pictures in it get as many votes.
                at = (at - np.repeat(before, counts)) * np.repeat(run, counts) + np.repeat(
                    own[some] * _PRIME % run, counts
                )
                at = np.repeat(first, counts) + at // np.repeat(counts, counts)
            else:
                at += np.repeat(first - before, counts)
            upright = np.flatnonzero(np.repeat(angles[some], counts) - ordered[at] <= 2 * _TURN)
            asking = np.repeat(own[some], counts)[upright]
            found.append(asking * len(self.owners) + order[at[upright]])
        mine, theirs = np.divmod(_distinct(np.concatenate(found)), max(len(self.owners), 1))
        near = hamming(corners.descriptors[mine], self.descriptors[theirs]) <= _FAR
        return mine[near], theirs[near]


_STORED = np.dtype([("point", "<f4", 2), ("octave", "u1"), ("angle", "u1"), ("descriptor", "u1", BITS // 8)])


def _distinct(numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return each of some numbers of 0 or more once, rising; sorting them is quicker than the hashes of `np.unique`."""
    numbers = np.sort(numbers)
    return numbers[np.diff(numbers, prepend=-1) != 0]


def strongest_corners(corners: Corners, *, an_octave: int = ASKING_AN_OCTAVE) -> Corners:
    """Return the strongest of a picture's corners in each octave; as many as it asks an index with, unless told."""
    kept = _strongest(corners, an_octave)
    return Corners(corners.points[kept], corners.octaves[kept], corners.angles[kept], corners.descriptors[kept])


def packed(corners: Corners) -> bytes:
    """Return corners as bytes, 42 each."""
    rows = np.empty(len(corners), _STORED)
    rows["point"], rows["octave"], rows["angle"] = corners.points, corners.octaves, corners.angles
    rows["descriptor"] = corners.descriptors
    return rows.tobytes()


def unpacked(stored: bytes) -> Corners:
    """Return the corners that `packed` made bytes of; raise ValueError when these are none."""
    rows = np.frombuffer(stored, _STORED)
    return Corners(
        rows["point"].astype(np.float32),
        rows["octave"].copy(),
        rows["angle"].copy(),
        np.ascontiguousarray(rows["descriptor"]),
    )


def _strongest(corners: Corners, an_octave: int) -> NDArray[np.int64]:
    """Return the places of a picture's strongest corners in each octave; they come strongest first."""
    starts = np.searchsorted(corners.octaves, np.arange(256))
    return np.flatnonzero(np.arange(len(corners)) - starts[corners.octaves] < an_octave)
