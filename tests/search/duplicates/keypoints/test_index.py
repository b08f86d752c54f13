"""The index of keypoints, against a look at all of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import ImageOps

from search.duplicates.keypoints.index import (
    KeypointIndex,
    KeypointRows,
    pack_keypoints,
    strongest_keypoints,
    unpack_keypoints,
)
from search.duplicates.keypoints.orb import Keypoints
from search.duplicates.picture import scale_picture
from search.images.fingerprints import View
from tests.support.duplicated import EDITS, captioned, scene


def test_packed_corners_come_back() -> None:
    keypoints = strongest_keypoints(scale_picture(captioned(scene(1))).keypoints)
    again = unpack_keypoints(pack_keypoints(keypoints))
    for name in ("points", "octaves", "angles", "descriptors"):
        assert (getattr(again, name) == getattr(keypoints, name)).all()
    assert 80 <= len(keypoints) <= 320
    assert len(unpack_keypoints(b"")) == 0


@pytest.mark.parametrize("edit", ["cropped at one side", "a screenshot", "a caption bar", "half the size"])
def test_corners_vote_for_the_picture_that_they_come_from(edit: str) -> None:
    pictures = [captioned(scene(seed)) for seed in range(12)]
    index = KeypointIndex.of(KeypointRows.of([scale_picture(one).keypoints for one in pictures]), owners=np.arange(12))
    for owner in (0, 5, 11):
        owners, matches = index.count_matches(
            strongest_keypoints(scale_picture(EDITS[edit](pictures[owner])).keypoints)
        )
        assert owners[0] == owner and matches[0] == matches.max()


@pytest.mark.parametrize("turn", [0, 3, 118, 250])
def test_a_little_turn_is_allowed_wherever_the_circle_ends(turn: int) -> None:
    keypoints = scale_picture(captioned(scene(2))).keypoints
    index = KeypointIndex.of(KeypointRows.of([_turned(keypoints, turn)]), owners=np.arange(1))
    assert (
        index.count_matches(_turned(keypoints, turn + 12))[1][0] == index.count_matches(_turned(keypoints, turn))[1][0]
    )
    assert len(index.count_matches(_turned(keypoints, turn + 40))[0]) == 0


def test_of_very_many_that_look_alike_none_is_passed_over() -> None:
    keypoints = scale_picture(captioned(scene(2))).keypoints
    index = KeypointIndex.of(KeypointRows.of([keypoints] * 200), owners=np.arange(200))
    owners, matches = index.count_matches(keypoints)
    assert sorted(owners) == list(range(200)) and matches.max() < len(keypoints) / 2


def _turned(keypoints: Keypoints, turn: int) -> Keypoints:
    return replace(keypoints, angles=keypoints.angles + np.uint8(turn % 256))


def test_a_mirror_image_matches_its_picture() -> None:
    scaled = [scale_picture(captioned(scene(seed))) for seed in range(12)]
    index = KeypointIndex.of(KeypointRows.of([one.keypoints for one in scaled]), owners=np.arange(12))
    mirrored = scale_picture(ImageOps.mirror(captioned(scene(5))))
    owners, matches = index.count_matches(mirrored.seen(View(mirrored=True)).keypoints)
    assert owners[0] == 5 and matches[0] > 3 * matches[1:].max(initial=0)
    assert index.count_matches(mirrored.keypoints)[1].max(initial=0) < matches[0] / 3


def test_an_index_of_nothing_is_asked_without_harm() -> None:
    index = KeypointIndex.of(KeypointRows.of([]), owners=np.empty(0, np.int64))
    assert len(index.count_matches(scale_picture(scene(1)).keypoints)[0]) == 0
