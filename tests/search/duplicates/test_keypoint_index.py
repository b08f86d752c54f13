"""The index of corners, against a look at all of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import ImageOps

from search.duplicates.keypoint_index import CornerIndex, packed, strongest_corners, unpacked
from search.duplicates.keypoints import Corners
from search.duplicates.picture import view_of
from tests.support.duplicated import EDITS, captioned, scene


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
