"""Near codes by samples, and the index of corners, against a look at all of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from duplicated import EDITS, captioned, scene
from PIL import ImageOps

from search.duplicates.alignment import Corners, view_of
from search.duplicates.sampling import CornerIndex, near_pairs, packed, strongest_corners, unpacked
from search.fingerprints import hamming


def _codes(count: int, *, copies: int, flipped: int, seed: int = 0) -> np.ndarray:
    """Return random codes, the last of them copies of the first with some bits flipped."""
    generator = np.random.default_rng(seed)
    codes = generator.integers(0, 256, (count, 32), dtype=np.uint8)
    for at in range(copies):
        bits = np.unpackbits(codes[at])
        bits[generator.choice(256, flipped, replace=False)] ^= 1
        codes[count - 1 - at] = np.packbits(bits)
    return codes


def _all_pairs(codes: np.ndarray, radius: int) -> set[tuple[int, int]]:
    distances = hamming(codes[:, None], codes)
    first, second = np.nonzero(np.triu(distances <= radius, 1))
    return set(zip(first.tolist(), second.tolist(), strict=True))


@pytest.mark.parametrize(("radius", "flipped"), [(0, 0), (8, 3), (31, 24), (48, 40)])
def test_the_pairs_are_those_that_a_look_at_all_finds(radius: int, flipped: int) -> None:
    codes = _codes(600, copies=80, flipped=flipped)
    pairs, distances = near_pairs(codes, radius)
    assert {tuple(pair) for pair in pairs.tolist()} == _all_pairs(codes, radius)
    assert (distances == hamming(codes[pairs[:, 0]], codes[pairs[:, 1]])).all()


def test_many_equal_codes_are_found_and_do_not_explode() -> None:
    codes = np.zeros((300, 32), np.uint8)
    pairs, distances = near_pairs(codes, 0)
    assert len(pairs) >= 299 and not distances.any()


def test_no_codes_have_no_pairs_and_others_are_refused() -> None:
    assert near_pairs(np.empty((0, 32), np.uint8), 31)[0].shape == (0, 2)
    with pytest.raises(ValueError, match="not \\[n, 32\\]"):
        near_pairs(np.zeros((4, 8), np.uint8), 3)


def test_packed_corners_come_back() -> None:
    corners = strongest_corners(view_of(captioned(scene(1))).corners)
    again = unpacked(packed(corners))
    for name in ("points", "octaves", "angles", "descriptors"):
        assert (getattr(again, name) == getattr(corners, name)).all()
    assert 80 <= len(corners) <= 320
    assert len(unpacked(b"")) == 0


@pytest.mark.parametrize("edit", ["cropped at one side", "a screenshot", "a caption bar", "half the size"])
def test_corners_vote_for_the_picture_that_they_come_from(edit: str) -> None:
    pictures = [captioned(scene(seed)) for seed in range(12)]
    index = CornerIndex.of([view_of(one).corners for one in pictures], owners=np.arange(12))
    for owner in (0, 5, 11):
        owners, votes = index.votes(strongest_corners(view_of(EDITS[edit](pictures[owner])).corners))
        assert owners[0] == owner and votes[0] == votes.max()


@pytest.mark.parametrize("turn", [0, 3, 118, 250])
def test_a_little_turn_is_allowed_wherever_the_circle_ends(turn: int) -> None:
    corners = view_of(captioned(scene(2))).corners
    index = CornerIndex.of([_turned(corners, turn)], owners=np.arange(1))
    assert index.votes(_turned(corners, turn + 12))[1][0] == index.votes(_turned(corners, turn))[1][0]
    assert len(index.votes(_turned(corners, turn + 40))[0]) == 0


def test_of_very_many_that_look_alike_none_is_passed_over() -> None:
    corners = view_of(captioned(scene(2))).corners
    index = CornerIndex.of([corners] * 200, owners=np.arange(200))
    owners, votes = index.votes(corners)
    assert sorted(owners) == list(range(200)) and votes.max() < len(corners) / 2


def _turned(corners: Corners, turn: int) -> Corners:
    return replace(corners, angles=corners.angles + np.uint8(turn % 256))


def test_a_mirror_image_votes_for_its_picture() -> None:
    views = [view_of(captioned(scene(seed))) for seed in range(12)]
    index = CornerIndex.of([one.corners for one in views], owners=np.arange(12))
    mirrored = view_of(ImageOps.mirror(captioned(scene(5))))
    owners, votes = index.votes(mirrored.mirrored_corners)
    assert owners[0] == 5 and votes[0] > 3 * votes[1:].max(initial=0)
    assert index.votes(mirrored.corners)[1].max(initial=0) < votes[0] / 3


def test_an_index_of_nothing_is_asked_without_harm() -> None:
    index = CornerIndex.of([], owners=np.empty(0, np.int64))
    assert len(index.votes(view_of(scene(1)).corners)[0]) == 0
