"""Whitening compared with what it promises: no common direction, and no effect where there is nothing to judge by."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from search.errors import IndexUnusable
from search.index.vectors.whitening import Whitening, fit_whitening, read_whitening, write_whitening

DIMENSIONS = 16


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def rows_with_a_common_direction(count: int) -> np.ndarray:
    random = np.random.default_rng(0)
    return unit(random.standard_normal((count, DIMENSIONS)) * np.linspace(0.2, 1, DIMENSIONS) + 3)


def test_what_all_rows_share_is_gone() -> None:
    rows = rows_with_a_common_direction(20_000)
    assert (rows[:100] @ rows[100:200].T).mean() > 0.9
    whitened = fit_whitening([rows], dimensions=DIMENSIONS)(rows)
    assert abs((whitened[:1000] @ whitened[1000:2000].T).mean()) < 0.03


def test_directions_come_out_more_even() -> None:
    rows = rows_with_a_common_direction(20_000)
    before, after = (np.linalg.eigvalsh(np.cov(some.T)) for some in (rows, fit_whitening([rows], dimensions=16)(rows)))
    # The first is the length itself, which unit rows do not have.
    assert after[-1] / after[1] < 0.5 * before[-1] / before[1]


def test_rows_are_of_length_one_and_float32() -> None:
    rows = rows_with_a_common_direction(300)
    whitened = fit_whitening([rows.astype(np.float16)], dimensions=DIMENSIONS)(rows.astype(np.float16))
    assert whitened.dtype == np.float32
    assert np.linalg.norm(whitened, axis=1) == pytest.approx(np.ones(300), abs=1e-5)


def test_the_parts_count_as_one() -> None:
    rows = rows_with_a_common_direction(500)
    whole = fit_whitening([rows], dimensions=DIMENSIONS)
    parts = fit_whitening([rows[:123], rows[:0], rows[123:]], dimensions=DIMENSIONS)
    assert parts.mean == pytest.approx(whole.mean, abs=1e-6)
    assert parts.matrix == pytest.approx(whole.matrix, abs=1e-4)


def test_without_rows_products_stay_as_they_were() -> None:
    rows = rows_with_a_common_direction(50)
    assert fit_whitening([], dimensions=DIMENSIONS)(rows) == pytest.approx(rows, abs=1e-5)


def test_a_few_rows_change_little() -> None:
    rows = rows_with_a_common_direction(9)
    whitened = fit_whitening([rows], dimensions=DIMENSIONS)(rows)
    assert (whitened * rows).sum(axis=1).min() > 0.98


def test_a_row_that_is_the_mean_has_a_direction_too() -> None:
    mean = unit(np.ones((1, DIMENSIONS)))
    whitened = Whitening(mean[0], np.eye(DIMENSIONS, dtype=np.float32))(mean)
    assert np.linalg.norm(whitened) == pytest.approx(1)


def test_what_was_written_is_read(tmp_path: Path) -> None:
    whitening = fit_whitening([rows_with_a_common_direction(50)], dimensions=DIMENSIONS)
    write_whitening(tmp_path / "whitening.npz", whitening)
    found = read_whitening(tmp_path / "whitening.npz", dimensions=DIMENSIONS)
    assert (found.mean == whitening.mean).all() and (found.matrix == whitening.matrix).all()


@pytest.mark.parametrize("damage", ["missing", "cut", "other dimensions"])
def test_a_file_that_cannot_be_used_says_what_mends_it(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "whitening.npz"
    write_whitening(path, fit_whitening([], dimensions=DIMENSIONS))
    if damage == "missing":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(IndexUnusable) as caught:
        read_whitening(path, dimensions=8 if damage == "other dimensions" else DIMENSIONS)
    assert "memetica index" in caught.value.hint
