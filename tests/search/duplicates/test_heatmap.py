"""The draw_heatmap as a picture."""

from __future__ import annotations

import numpy as np

from search.duplicates.heatmap import draw_heatmap
from tests.support.duplicated import EDITS, ONE_WORD_CHANGED, captioned, scene


def _redness(picture: np.ndarray) -> np.ndarray:
    return picture[..., 0].astype(int) - picture[..., 1:].max(axis=-1)


def test_it_is_red_where_the_words_differ_and_grey_elsewhere() -> None:
    shown = draw_heatmap(captioned(scene(9)), captioned(scene(9), ONE_WORD_CHANGED))
    assert shown is not None and max(shown.size) <= 480
    redness = _redness(np.asarray(shown))
    assert redness[: len(redness) // 5].max() > 60 and redness[len(redness) // 3 : -len(redness) // 4].max() < 60


def test_what_only_the_second_shows_is_dark() -> None:
    picture = captioned(scene(9))
    shown = draw_heatmap(picture, EDITS["a white border"](picture))
    assert shown is not None
    levels = np.asarray(shown.convert("L"))
    assert levels[:6].mean() < 140 < levels.max()


def test_pictures_that_do_not_fit_have_none() -> None:
    assert draw_heatmap(captioned(scene(1)), captioned(scene(2))) is None
