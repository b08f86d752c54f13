"""Candidates: what is alike is among them, by each way of looking."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from search.duplicates import candidates, near_fingerprints
from search.duplicates.candidates import Candidates, Signature, signature_of
from search.duplicates.rare_words import significant_words
from search.index.vectors.dense import DenseIndex
from search.index.vectors.dense_writer import build_dense
from tests.support.duplicated import EDITS, captioned, scene

COUNT = 14


@pytest.fixture(scope="module")
def library() -> Candidates:
    """Fourteen scenes, each with a text of its own."""
    features = [
        signature_of([captioned(scene(seed))], text=f"unusual{seed} zebra{seed} words{seed} here")
        for seed in range(COUNT)
    ]
    return Candidates.of([f"{seed:064}" for seed in range(COUNT)], features)


@pytest.mark.parametrize("edit", EDITS)
def test_the_original_of_an_edited_copy_is_the_first_candidate(library: Candidates, edit: str) -> None:
    assert library.find(signature_of([EDITS[edit](captioned(scene(6)))]))[0] == 6


def test_rare_shared_words_make_a_candidate_of_another_picture(library: Candidates) -> None:
    elsewhere = signature_of([scene(99)], text="zebra4 words4 unusual4 and more")
    assert 4 in library.find(elsewhere)
    common = Signature(elsewhere.bits, elsewhere.other_bits, (), (), significant_words("here here zebra4"))
    assert 4 not in library.find(common)


def test_what_an_image_encoder_sees_in_both_makes_a_candidate(tmp_path: Path) -> None:
    # The last meme is a copy of the first's content; of the one before it no content is known.
    rows = np.eye(4, dtype=np.float32)[[0, 1, 2, 3, 0]]
    build_dense(tmp_path / "pictures", rows, owners=np.array([10, 11, 12, 13, 14]))
    seen, place_of = DenseIndex.open(tmp_path / "pictures", dimensions=4), {10: 0, 11: 1, 12: 2, 14: 0}
    drawn = [signature_of([scene(seed)]) for seed in range(3)]
    library = Candidates.of([f"{seed:064}" for seed in range(3)], drawn, image_index=seen, place_of=place_of)
    nothing = np.empty((0, 32), np.uint8)

    def found(cosine: float) -> list[int]:
        row = np.array([[cosine, 0, (1 - cosine**2) ** 0.5, 0]], np.float32)
        return library.find(Signature(nothing, nothing, (), (), embeddings=row))

    assert found(0.9) == [0] and found(0.2) == [2] and found(0.7) == []
    assert library.find(Signature(nothing, nothing, (), ())) == []
    nobody = np.eye(4, dtype=np.float32)[[3]]
    assert library.find(Signature(nothing, nothing, (), (), embeddings=nobody)) == []


@pytest.mark.parametrize("block", [3, 100])
def test_many_at_once_find_the_near_fingerprints_that_one_at_a_time_does(
    monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    pictures = [captioned(scene(seed)) for seed in range(8)]
    pictures += [EDITS["a poorer JPEG"](pictures[2]), EDITS["a mirror image"](pictures[3])]
    features = [signature_of([picture]) for picture in pictures]
    library = Candidates.of([f"{place:064}" for place in range(len(pictures))], features)
    find = library.finder(range(len(pictures)), signatures=features.__getitem__)
    each = {place: find(place) for place in range(len(pictures))}
    monkeypatch.setattr(candidates, "BULK", 1)
    monkeypatch.setattr(near_fingerprints, "BLOCK", block)
    at_once = library.finder(range(len(pictures)), signatures=features.__getitem__)
    assert {place: set(at_once(place)) for place in each} == {place: set(found) for place, found in each.items()}
    assert each[2][0] == 8 and each[8][0] == 2 and 9 in each[3] and 3 in each[9]
    assert all(place not in found for place, found in each.items())


def test_an_empty_library_has_no_candidates() -> None:
    assert Candidates.of([], []).find(signature_of([scene(1)], text="some words here")) == []
