"""What moves is compared frame by frame."""

from __future__ import annotations

import pytest

from search.duplicates.compare_frames import compare_frames
from search.duplicates.comparison import PreparedPicture, prepare
from search.evidence import Tier
from tests.support.duplicated import OTHER_WORDS, captioned, encoded, scene


def _film(seeds: range, *, quality: int | None = None, words: tuple[str, str] | None = None) -> list[PreparedPicture]:
    frames = [captioned(scene(seed), words) if words else captioned(scene(seed)) for seed in seeds]
    return [prepare(encoded(frame, quality) if quality else frame) for frame in frames]


def test_a_film_encoded_again_is_the_same() -> None:
    found = compare_frames(_film(range(3)), _film(range(3), quality=40))
    assert found.tier is Tier.SAME and found.frames == 3


def test_films_that_share_one_frame_are_variants_and_no_duplicates() -> None:
    assert compare_frames(_film(range(3)), [*_film(range(1)), *_film(range(7, 9))]).tier is Tier.VARIANT


def test_a_still_of_a_film_does_not_replace_it() -> None:
    film, still = _film(range(3)), _film(range(1, 2), quality=70)
    assert compare_frames(film, still).tier is Tier.VARIANT
    assert compare_frames(still, film).tier is Tier.VARIANT


def test_another_film_is_nothing_and_another_text_a_variant() -> None:
    assert compare_frames(_film(range(2)), _film(range(5, 7))).tier is None
    assert compare_frames(_film(range(2)), _film(range(2), words=OTHER_WORDS)).tier is Tier.VARIANT


def test_a_content_without_pictures_is_refused() -> None:
    with pytest.raises(ValueError, match="without frames"):
        compare_frames([], _film(range(1)))
