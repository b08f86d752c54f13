"""The vector indexes against brute force over the same rows."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import search.index.vectors.binary
import search.index.vectors.codes
import search.index.vectors.dense
import search.index.vectors.dense_writer
from search.errors import IndexUnusable
from search.images.fingerprints import hamming
from search.index.vectors.binary import BinaryIndex, build_binary, extend_binary, near_pairs
from search.index.vectors.dense import DenseIndex
from search.index.vectors.dense_writer import build_dense, extend_dense
from search.index.vectors.threads import set_index_threads

DIMENSIONS = 24
CODED_DIMENSIONS = 128  # the more, the nearer are the estimates of codes


def unit_rows(count: int, *, seed: int, dimensions: int = DIMENSIONS) -> np.ndarray:
    rows = np.random.default_rng(seed).standard_normal((count, dimensions)).astype(np.float32)
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float16)


def some_owners(count: int, *, seed: int) -> np.ndarray:
    """Rising ids with gaps, of which some own many rows."""
    return np.sort(np.random.default_rng(seed).geometric(0.01, count)).astype(np.int64) * 3


def built(folder: Path, rows: np.ndarray, owners: np.ndarray) -> DenseIndex:
    build_dense(folder, rows, owners=owners)
    return DenseIndex.open(folder, dimensions=rows.shape[1])


def by_meme(rows: np.ndarray, owners: np.ndarray, query: np.ndarray) -> dict[int, list[float]]:
    """Each meme's similarities in double precision, best first."""
    found: dict[int, list[float]] = {}
    for owner, row in zip(owners.tolist(), rows.astype(np.float64), strict=True):
        found.setdefault(owner, []).append(float(row @ query.astype(np.float64)))
    return {owner: sorted(similarities, reverse=True) for owner, similarities in found.items()}


def assert_nearest(found: tuple[np.ndarray, np.ndarray], truth: dict[int, float], k: int) -> None:
    ids, scores = found
    assert scores.tolist() == pytest.approx(sorted(truth.values(), reverse=True)[:k], abs=1e-5)
    assert [truth[id] for id in ids.tolist()] == pytest.approx(scores.tolist(), abs=1e-5)
    assert len(set(ids.tolist())) == len(ids)
    pairs = list(zip((-scores).tolist(), ids.tolist(), strict=True))
    assert pairs == sorted(pairs)


@pytest.fixture(scope="module")
def rows() -> np.ndarray:
    return unit_rows(3000, seed=1)


@pytest.fixture(scope="module")
def owners() -> np.ndarray:
    return some_owners(3000, seed=2)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory, rows: np.ndarray, owners: np.ndarray) -> DenseIndex:
    return built(tmp_path_factory.mktemp("vectors") / "ocr", rows, owners)


@pytest.fixture(scope="module")
def query() -> np.ndarray:
    return unit_rows(1, seed=3)[0].astype(np.float32)


@pytest.mark.parametrize("k", [1, 10, 200, 100_000])
def test_a_search_gives_each_meme_by_its_nearest_row(index, rows, owners, query, k) -> None:
    truth = {owner: best[0] for owner, best in by_meme(rows, owners, query).items()}
    assert_nearest(index.search(query, k), truth, k)


@pytest.mark.parametrize("share", [0.0, 0.005, 0.02, 0.3, 1.0])
@pytest.mark.parametrize("k", [1, 15, 100_000])
def test_a_filter_restricts_before_the_nearest_are_chosen(index, rows, owners, query, share, k) -> None:
    every = np.unique(owners)
    allowed = every[np.random.default_rng(4).random(len(every)) < share]
    allowed = np.sort(np.append(allowed, [1, 10**9]))  # ids that own nothing
    truth = {owner: best[0] for owner, best in by_meme(rows, owners, query).items() if owner in set(allowed.tolist())}
    assert_nearest(index.search(query, k, allowed=allowed), truth, k)


@pytest.mark.parametrize("best", [1, 3])
def test_scores_are_the_means_of_the_best_rows_in_the_order_asked(index, rows, owners, query, best) -> None:
    truth = by_meme(rows, owners, query)
    ids = np.random.default_rng(5).permutation(np.append(np.unique(owners), [1, 2, 10**9]))
    found = index.scores(query, ids=ids, best=best)
    for id, score in zip(ids.tolist(), found.tolist(), strict=True):
        if id in truth:
            assert score == pytest.approx(np.mean(truth[id][:best]), abs=1e-5)
        else:
            assert np.isnan(score)


@pytest.mark.parametrize("apart", [1, 1000])
def test_rows_are_found_however_far_apart_the_ids_are(tmp_path: Path, rows, owners, query, apart: int) -> None:
    index = built(tmp_path / "ocr", rows, owners * apart)
    truth = by_meme(rows, owners * apart, query)
    ids = np.array([-1, 0, 1, *truth, max(truth) + 1, max(truth) + 99])
    best = [truth[id][0] if id in truth else np.nan for id in ids.tolist()]
    assert index.scores(query, ids=ids).tolist() == pytest.approx(best, abs=1e-5, nan_ok=True)
    assert [len(index.rows_of(int(id))) for id in ids] == [len(truth.get(id, ())) for id in ids.tolist()]


def test_scores_are_those_of_the_search_to_the_last_bit(index, query) -> None:
    ids, similarities = index.search(query, 300)
    assert index.scores(query, ids=ids).tolist() == similarities.tolist()
    allowed = np.sort(ids)
    assert index.search(query, 300, allowed=allowed)[1].tolist() == similarities.tolist()


def test_rows_come_back_as_they_were_given(index, rows, owners) -> None:
    for id in np.unique(owners)[:20].tolist():
        assert np.array_equal(index.rows_of(id), rows[owners == id].astype(np.float32))
    assert index.rows_of(1).shape == (0, DIMENSIONS)


def test_copies_tie_and_the_lowest_ids_come_first_wherever_the_list_is_cut(tmp_path: Path, query) -> None:
    other = unit_rows(50, seed=6)
    same = np.repeat(query[None].astype(np.float16), 400, axis=0)
    index = built(tmp_path / "ocr", np.concatenate([other, same]), np.arange(450, dtype=np.int64))
    for k in (1, 3, 150, 400):
        assert index.search(query, k)[0].tolist() == list(range(50, 50 + k))
    assert index.search(query, 3, allowed=np.arange(100, 450))[0].tolist() == [100, 101, 102]


def test_a_meme_with_all_the_nearest_rows_does_not_hide_the_others(tmp_path: Path, query) -> None:
    near = np.repeat(query[None].astype(np.float16), 500, axis=0)
    far = unit_rows(10, seed=7)
    index = built(tmp_path / "ocr", np.concatenate([near, far]), np.array([4] * 500 + list(range(5, 15)), np.int64))
    truth = {4: 1.0} | {5 + at: float(row.astype(np.float64) @ query) for at, row in enumerate(far)}
    ids, _ = index.search(query, 11)
    assert ids.tolist() == sorted(truth, key=lambda id: -truth[id])


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 60), st.integers(1, 12), st.integers(1, 70), st.integers(0, 2**32 - 1))
def test_any_small_index_agrees_with_brute_force(count: int, memes: int, k: int, seed: int) -> None:
    rows = unit_rows(count, seed=seed, dimensions=4)
    owners = np.sort(np.random.default_rng(seed).integers(0, memes, count))
    query = unit_rows(1, seed=seed + 1, dimensions=4)[0].astype(np.float32)
    with TemporaryDirectory() as folder:
        index = built(Path(folder) / "ocr", rows, owners)
        assert_nearest(
            index.search(query, k), {owner: best[0] for owner, best in by_meme(rows, owners, query).items()}, k
        )


@pytest.fixture(scope="module")
def coded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, np.ndarray, np.ndarray]:
    """The folder of an index with codes, and its rows and owners: clusters, several rows a meme."""
    draw = np.random.default_rng(8)
    centers = draw.standard_normal((2000, CODED_DIMENSIONS))
    rows = centers[draw.integers(0, 2000, 12_000)] + 0.7 * draw.standard_normal((12_000, CODED_DIMENSIONS))
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float16)
    owners = np.sort(draw.integers(0, 6000, 12_000))
    folder = tmp_path_factory.mktemp("coded") / "ocr"
    with with_codes_from(2000):
        build_dense(folder, rows, owners=owners)
    return folder, rows, owners


@contextmanager
def with_codes_from(rows: int) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search.index.vectors.codes, "CODED_FROM", rows)
        yield


def test_a_search_by_codes_gives_the_nearest_of_all_rows_with_their_exact_scores(coded) -> None:
    folder, rows, owners = coded
    index = DenseIndex.open(folder, dimensions=CODED_DIMENSIONS)
    wide = np.unique(owners)[: len(np.unique(owners)) * 3 // 4]
    for place in np.random.default_rng(9).choice(12_000, 20):
        query = rows[place].astype(np.float32)
        truth = {owner: best[0] for owner, best in by_meme(rows, owners, query).items()}
        for k in (3, 10):
            assert_nearest(index.search(query, k), truth, k)
        left = {id: score for id, score in truth.items() if id in set(wide.tolist())}
        assert_nearest(index.search(query, 3, allowed=wide), left, 3)
        assert_nearest(index.search(query, 10, allowed=index.select(wide)), left, 10)
    # Filters that leave few rows, or those that the codes do not propose, and questions for all memes.
    assert_nearest(index.search(query, 100_000), truth, 100_000)
    far = np.sort(sorted(truth, key=lambda id: truth[id])[: len(truth) // 2])
    for allowed in (np.unique(owners)[::10], far):
        left = {id: truth[id] for id in allowed.tolist()}
        assert_nearest(index.search(query, 25, allowed=allowed), left, 25)


def test_most_searches_by_codes_compare_few_of_the_rows(coded, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, rows, _ = coded
    index = DenseIndex.open(folder, dimensions=CODED_DIMENSIONS)
    scans: list[int] = []
    scan = search.index.vectors.dense._scan
    monkeypatch.setattr(search.index.vectors.dense, "_scan", lambda part, *rest: scans.append(1) or scan(part, *rest))
    for place in range(0, 12_000, 300):
        index.search(rows[place].astype(np.float32), 3)
    assert len(scans) < 10  # of 40


def test_equal_rows_are_not_lost_between_codes_and_answer(tmp_path: Path) -> None:
    rows = unit_rows(3000, seed=31, dimensions=CODED_DIMENSIONS)
    rows[500:2500] = rows[500]
    with with_codes_from(2000):
        index = built(tmp_path / "ocr", rows, np.arange(3000))
        ids, scores = index.search(rows[500].astype(np.float32), 20)
    assert ids.tolist() == list(range(500, 520)) and scores == pytest.approx(np.ones(20), abs=1e-3)


def test_an_extended_index_searches_by_codes_and_among_its_new_rows(coded, tmp_path: Path) -> None:
    folder, rows, owners = coded
    gone = np.unique(owners)[::40]
    new = unit_rows(40, seed=33, dimensions=CODED_DIMENSIONS)
    with pytest.MonkeyPatch.context() as patch, with_codes_from(2000):
        patch.setattr(search.index.vectors.dense_writer, "ONE_PART_UP_TO", 0)
        changed = np.concatenate([gone, 100_000 + np.arange(40)])
        extend_dense(folder, tmp_path / "new", new, owners=100_000 + np.arange(40), without=changed)
        index = DenseIndex.open(tmp_path / "new", dimensions=CODED_DIMENSIONS)
        assert index.main.codes is not None and index.added is not None
        kept = ~np.isin(owners, gone)
        every, own = np.concatenate([rows[kept], new]), np.concatenate([owners[kept], 100_000 + np.arange(40)])
        for query in (rows[owners == gone[3]][0], new[7], rows[70]):
            truth = {id: best[0] for id, best in by_meme(every, own, query.astype(np.float32)).items()}
            assert_nearest(index.search(query.astype(np.float32), 15), truth, 15)


def test_codes_are_read_from_a_folder_that_was_removed_since(coded, tmp_path: Path) -> None:
    folder, rows, owners = coded
    shutil.copytree(folder, tmp_path / "ocr")
    index = DenseIndex.open(tmp_path / "ocr", dimensions=CODED_DIMENSIONS)
    shutil.rmtree(tmp_path / "ocr")
    assert index.search(rows[5].astype(np.float32), 1)[0].tolist() == [int(owners[5])]


@pytest.mark.parametrize("damage", ["empty", "cut", "noise", "others"])
def test_damaged_codes_are_said_to_be_so(coded, tmp_path: Path, damage: str) -> None:
    folder, rows, _ = coded
    shutil.copytree(folder, tmp_path / "ocr")
    file = tmp_path / "ocr" / search.index.vectors.codes.CODES_FILE
    whole = file.read_bytes()
    with with_codes_from(2000):
        if damage == "others":
            file.unlink()
            search.index.vectors.codes.write_codes(file, np.concatenate([rows, rows]))
        else:
            file.write_bytes({"empty": b"", "cut": whole[: len(whole) // 2], "noise": bytes(reversed(whole))}[damage])
        with pytest.raises(IndexUnusable, match=r"damaged|do not match"):
            DenseIndex.open(tmp_path / "ocr", dimensions=CODED_DIMENSIONS).search(rows[5].astype(np.float32), 1)


def test_rows_of_odd_dimensions_have_no_codes_and_are_searched(tmp_path: Path) -> None:
    rows = unit_rows(3000, seed=34, dimensions=7)
    with with_codes_from(2000):
        index = built(tmp_path / "ocr", rows, np.arange(3000))
        assert index.main.codes is None
        assert index.search(rows[5].astype(np.float32), 1)[0].tolist() == [5]


def test_an_index_from_before_these_codes_is_searched_without_its_own(tmp_path: Path, rows, owners, query) -> None:
    before = built(tmp_path / "ocr", rows, owners).search(query, 20)
    (tmp_path / "ocr" / "codes.faiss").write_bytes(b"an inverted file")
    after = DenseIndex.open(tmp_path / "ocr", dimensions=DIMENSIONS).search(query, 20)
    assert after[0].tolist() == before[0].tolist() and after[1].tolist() == before[1].tolist()


@pytest.fixture(scope="module")
def two_parts(tmp_path_factory: pytest.TempPathFactory, rows, owners) -> tuple[DenseIndex, np.ndarray, np.ndarray]:
    """An index that was extended three times without writing its rows again; and its rows and owners, as one part."""
    folder = tmp_path_factory.mktemp("extended")
    build_dense(folder / "0", rows, owners=owners)
    ids = np.unique(owners)
    live_rows, live_owners = rows, owners
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search.index.vectors.dense_writer, "ONE_PART_UP_TO", 0)
        for step, (changed, added) in enumerate(
            [(ids[5:9], ids[5:8]), (np.array([1_000_001, *ids[5:6]]), np.array([1_000_001])), (ids[20:22], ids[:0])]
        ):
            changed, own = np.sort(changed), np.sort(np.repeat(added, 3))
            new = unit_rows(len(own), seed=40 + step)
            kept = ~np.isin(live_owners, changed)
            live_rows, live_owners = np.concatenate([live_rows[kept], new]), np.concatenate([live_owners[kept], own])
            order = np.argsort(live_owners, kind="stable")
            live_rows, live_owners = live_rows[order], live_owners[order]
            count = extend_dense(folder / f"{step}", folder / f"{step + 1}", new, owners=own, without=changed)
            assert count == len(live_owners)
            assert (folder / f"{step + 1}" / "rows.faiss").samefile(folder / "0" / "rows.faiss")
    return DenseIndex.open(folder / "3", dimensions=DIMENSIONS), live_rows, live_owners


def test_an_index_in_two_parts_answers_as_one_of_the_same_rows(tmp_path: Path, two_parts, query) -> None:
    index, rows, owners = two_parts
    whole = built(tmp_path / "whole", rows, owners)
    assert index.added is not None and len(index.removed) and len(index) == len(whole)
    assert (index.owners == whole.owners).all() and (index.all_rows() == whole.all_rows()).all()
    assert (index.sample(7) == whole.sample(7)).all()
    ids = np.unique(owners)
    few, many = ids[::50], np.union1d(ids[::2], ids[-3:])
    for direction in (query, *rows[[0, 40, -1]].astype(np.float32)):
        for allowed in (None, few, many):
            for k in (1, 10, len(ids)):
                found, truth = index.search(direction, k, allowed=allowed), whole.search(direction, k, allowed=allowed)
                assert found[0].tolist() == truth[0].tolist() and found[1].tolist() == truth[1].tolist()
        chosen = index.search(direction, 10, allowed=index.select(many))
        assert chosen[0].tolist() == whole.search(direction, 10, allowed=many)[0].tolist()
        for best in (1, 3):
            asked = np.array([*ids[::7], ids[-1], 1_000_001, 4])
            assert np.array_equal(
                index.scores(direction, ids=asked, best=best),
                whole.scores(direction, ids=asked, best=best),
                equal_nan=True,
            )
    for id in (int(ids[0]), int(ids[-1]), 1_000_001, 4):
        assert (index.rows_of(id) == whole.rows_of(id)).all()


def test_many_changes_make_one_part_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows, owners) -> None:
    monkeypatch.setattr(search.index.vectors.dense_writer, "ONE_PART_UP_TO", 0)
    build_dense(tmp_path / "old", rows, owners=owners)
    gone = np.unique(owners)[::2]
    count = extend_dense(tmp_path / "old", tmp_path / "new", rows[:0], owners=owners[:0], without=gone)
    index = DenseIndex.open(tmp_path / "new", dimensions=DIMENSIONS)
    assert index.added is None and len(index) == count == np.count_nonzero(~np.isin(owners, gone))


def test_a_damaged_second_part_is_said_to_be_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows, owners) -> None:
    monkeypatch.setattr(search.index.vectors.dense_writer, "ONE_PART_UP_TO", 0)
    build_dense(tmp_path / "old", rows, owners=owners)
    extend_dense(tmp_path / "old", tmp_path / "new", rows[:1], owners=owners[:1], without=owners[:1])
    for file in ("removed.npy", "added/owners.npy", "added/rows.faiss"):
        damaged = shutil.copytree(tmp_path / "new", tmp_path / file.replace("/", "-"))
        (damaged / file).write_bytes(b"no index")
        with pytest.raises(IndexUnusable, match="damaged"):
            DenseIndex.open(damaged, dimensions=DIMENSIONS)


def test_an_empty_index_finds_nothing(tmp_path: Path, query) -> None:
    index = built(tmp_path / "ocr", np.empty((0, DIMENSIONS), np.float16), np.empty(0, np.int64))
    assert len(index) == 0
    assert index.search(query, 5)[0].tolist() == []
    assert index.search(query, 5, allowed=np.array([3]))[0].tolist() == []
    assert np.isnan(index.scores(query, ids=np.array([3, 4]))).all()
    assert index.rows_of(3).shape == (0, DIMENSIONS)


@pytest.mark.parametrize("k", [0, -1])
def test_nothing_asked_for_is_nothing_found(index, query, k) -> None:
    assert index.search(query, k)[0].tolist() == []
    assert index.search(query, k, allowed=np.array([3]))[0].tolist() == []


def test_other_dimensions_are_refused_by_name(tmp_path: Path, index, rows, owners) -> None:
    build_dense(tmp_path / "ocr", rows, owners=owners)
    with pytest.raises(IndexUnusable, match="have 24 dimensions; the encoder has 25"):
        DenseIndex.open(tmp_path / "ocr", dimensions=25)
    for shape in ((25,), (1, 24), ()):
        with pytest.raises(IndexUnusable, match="does not fit an index of 24"):
            index.search(np.zeros(shape, np.float32), 5)
        with pytest.raises(IndexUnusable, match="does not fit an index of 24"):
            index.scores(np.zeros(shape, np.float32), ids=np.array([3]))


@pytest.mark.parametrize("file", ["rows.faiss", "owners.npy"])
@pytest.mark.parametrize("damage", ["gone", "empty", "cut", "noise", "header"])
def test_a_missing_or_damaged_index_is_said_to_be_so(tmp_path: Path, rows, owners, file, damage) -> None:
    build_dense(tmp_path / "ocr", rows, owners=owners)
    path = tmp_path / "ocr" / file
    whole = path.read_bytes()
    if damage == "gone":
        path.unlink()
    else:
        noise = np.random.default_rng(9).bytes(len(whole))
        path.write_bytes(
            {"empty": b"", "cut": whole[: len(whole) // 2], "noise": noise, "header": whole[:4] + noise[4:]}[damage]
        )
    with pytest.raises(IndexUnusable):
        DenseIndex.open(tmp_path / "ocr", dimensions=DIMENSIONS)


def test_files_of_two_indexes_do_not_pass_for_one(tmp_path: Path, rows, owners) -> None:
    build_dense(tmp_path / "one", rows, owners=owners)
    build_dense(tmp_path / "two", rows[:-1], owners=owners[:-1])
    shutil.copy(tmp_path / "two" / "owners.npy", tmp_path / "one" / "owners.npy")
    with pytest.raises(IndexUnusable, match="do not fit"):
        DenseIndex.open(tmp_path / "one", dimensions=DIMENSIONS)


def test_rows_that_break_the_promise_are_refused(tmp_path: Path, rows, owners) -> None:
    nan = rows.copy()
    nan[5, 5] = np.nan
    for bad, belonging in (
        (rows * np.float16(2), owners),
        (nan, owners),
        (rows, owners[::-1].copy()),
        (rows, owners[:-1]),
        (rows[0], owners[:1]),
    ):
        with pytest.raises(ValueError):
            build_dense(tmp_path / "ocr", bad, owners=belonging)
    assert not (tmp_path / "ocr").exists()


def test_threads_get_what_one_thread_gets(index, rows) -> None:
    set_index_threads(1)
    queries = list(rows[:60].astype(np.float32))
    alone = [index.search(one, 20)[0].tolist() for one in queries]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda one: index.search(one, 20)[0].tolist(), queries * 3)) == alone * 3


def test_an_index_whose_folder_is_removed_goes_on_answering(tmp_path: Path, rows, owners, query) -> None:
    index = built(tmp_path / "ocr", rows, owners)
    before = index.search(query, 20)[0].tolist()
    shutil.rmtree(tmp_path / "ocr")
    assert index.search(query, 20)[0].tolist() == before
    assert np.array_equal(index.rows_of(int(owners[0])), rows[owners == owners[0]].astype(np.float32))


FINGERPRINTS = np.random.default_rng(10).integers(0, 256, (500, 32), dtype=np.uint8)
FINGERPRINTS[100:140] = FINGERPRINTS[100]  # copies
FINGERPRINTS[200] = FINGERPRINTS[100] ^ np.eye(32, dtype=np.uint8)[3]  # one bit away


def differing(bits: np.ndarray, owners: np.ndarray) -> list[tuple[int, int]]:
    """(bits that differ, meme) of each meme's nearest fingerprint, nearest first, ties by id, counted bit by bit."""
    distances = (np.unpackbits(FINGERPRINTS, axis=1) != np.unpackbits(bits)).sum(axis=1)
    return sorted((int(distances[owners == owner].min()), owner) for owner in np.unique(owners).tolist())


@pytest.fixture(scope="module")
def fingerprint_owners() -> np.ndarray:
    return some_owners(500, seed=11)


@pytest.fixture(scope="module")
def fingerprints(tmp_path_factory: pytest.TempPathFactory, fingerprint_owners: np.ndarray) -> BinaryIndex:
    folder = tmp_path_factory.mktemp("binary") / "fingerprints"
    build_binary(folder, FINGERPRINTS, owners=fingerprint_owners)
    return BinaryIndex.open(folder)


@pytest.mark.parametrize("k", [0, 1, 5, 50, 10_000])
def test_the_nearest_fingerprints_come_first_each_meme_once(fingerprints, fingerprint_owners, k) -> None:
    for bits in (FINGERPRINTS[100], FINGERPRINTS[7] ^ np.uint8(3)):
        ids, distances = fingerprints.search(bits, k)
        truth = differing(bits, fingerprint_owners)[:k]
        assert list(zip(distances.tolist(), ids.tolist(), strict=True)) == truth


@pytest.mark.parametrize("radius", [-1, 0, 1, 31, 110, 128, 256, 1000])
def test_a_radius_includes_its_border(fingerprints, fingerprint_owners, radius) -> None:
    for bits in (FINGERPRINTS[100], FINGERPRINTS[7] ^ np.uint8(3)):
        ids, distances = fingerprints.within(bits, radius)
        truth = [pair for pair in differing(bits, fingerprint_owners) if pair[0] <= radius]
        assert list(zip(distances.tolist(), ids.tolist(), strict=True)) == truth


def test_fingerprints_in_two_parts_answer_as_one_of_the_same(tmp_path: Path, monkeypatch, fingerprint_owners) -> None:
    build_binary(tmp_path / "0", FINGERPRINTS, owners=fingerprint_owners)
    ids = np.unique(fingerprint_owners)
    bits, owners = FINGERPRINTS, fingerprint_owners
    monkeypatch.setattr(search.index.vectors.binary, "ONE_PART_UP_TO", 0)
    for step, (changed, added) in enumerate(
        [(ids[5:9], ids[5:8]), (np.array([*ids[5:6], 1_000_001]), np.array([1_000_001])), (ids[20:22], ids[:0])]
    ):
        own = np.repeat(added, 3)
        new = np.random.default_rng(step).integers(0, 256, (len(own), 32), dtype=np.uint8)
        kept = ~np.isin(owners, changed)
        bits, owners = np.concatenate([bits[kept], new]), np.concatenate([owners[kept], own])
        order = np.argsort(owners, kind="stable")
        bits, owners = bits[order], owners[order]
        target = tmp_path / f"{step + 1}"
        assert extend_binary(tmp_path / f"{step}", target, new, owners=own, without=changed) == len(owners)
        assert (target / "index.faiss").samefile(tmp_path / "0" / "index.faiss")
    build_binary(tmp_path / "whole", bits, owners=owners)
    index, whole = BinaryIndex.open(target), BinaryIndex.open(tmp_path / "whole")
    assert index.added is not None and len(index) == len(whole) == len(owners)
    for query in (FINGERPRINTS[100], bits[-1], bits[0]):
        for radius in (0, 100, 256):
            for one, other in zip(index.within(query, radius), whole.within(query, radius), strict=True):
                assert one.tolist() == other.tolist()
        assert index.search(query, 9)[0].tolist() == whole.search(query, 9)[0].tolist()


def test_many_changed_fingerprints_make_one_part_again(tmp_path: Path, monkeypatch, fingerprint_owners) -> None:
    monkeypatch.setattr(search.index.vectors.binary, "ONE_PART_UP_TO", 0)
    build_binary(tmp_path / "old", FINGERPRINTS, owners=fingerprint_owners)
    gone = np.unique(fingerprint_owners)[::2]
    extend_binary(tmp_path / "old", tmp_path / "new", FINGERPRINTS[:0], owners=gone[:0], without=gone)
    index = BinaryIndex.open(tmp_path / "new")
    assert index.added is None and len(index) == np.count_nonzero(~np.isin(fingerprint_owners, gone))


def test_an_empty_index_of_fingerprints_finds_nothing(tmp_path: Path) -> None:
    build_binary(tmp_path / "none", np.empty((0, 32), np.uint8), owners=np.empty(0, np.int64))
    index = BinaryIndex.open(tmp_path / "none")
    assert index.search(FINGERPRINTS[0], 5)[0].tolist() == []
    assert index.within(FINGERPRINTS[0], 256)[0].tolist() == []


def test_a_fingerprint_of_another_length_is_refused(tmp_path: Path, fingerprints) -> None:
    with pytest.raises(IndexUnusable, match="does not fit an index of 256 bits"):
        fingerprints.search(np.zeros(8, np.uint8), 5)
    with pytest.raises(ValueError):
        build_binary(tmp_path / "bad", FINGERPRINTS, owners=np.arange(3))


@pytest.mark.parametrize("file", ["index.faiss", "owners.npy"])
def test_damaged_fingerprints_are_said_to_be_so(tmp_path: Path, fingerprint_owners, file) -> None:
    build_binary(tmp_path / "bits", FINGERPRINTS, owners=fingerprint_owners)
    path = tmp_path / "bits" / file
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(IndexUnusable):
        BinaryIndex.open(tmp_path / "bits")


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


@pytest.mark.parametrize("hashed_beyond", [10, 1000])
def test_many_equal_codes_are_found_and_do_not_explode(monkeypatch: pytest.MonkeyPatch, hashed_beyond: int) -> None:
    monkeypatch.setattr(search.index.vectors.binary, "HASHED_BEYOND", hashed_beyond)
    pairs, distances = near_pairs(np.zeros((300, 32), np.uint8), 0)
    assert set(pairs.ravel().tolist()) == set(range(300)) and not distances.any()
    assert len(pairs) <= 300 * search.index.vectors.binary.MOST_NEAR


@pytest.mark.slow
def test_hashed_codes_find_nearly_all_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search.index.vectors.binary, "HASHED_BEYOND", 1000)
    codes = _codes(4000, copies=1000, flipped=20)
    pairs, distances = near_pairs(codes, 31)
    found, wanted = {tuple(pair) for pair in pairs.tolist()}, _all_pairs(codes, 31)
    assert found <= wanted and len(found) >= 0.99 * len(wanted) >= 900
    assert (distances == hamming(codes[pairs[:, 0]], codes[pairs[:, 1]])).all()


def test_no_codes_have_no_pairs_and_others_are_refused() -> None:
    assert near_pairs(np.empty((0, 32), np.uint8), 31)[0].shape == (0, 2)
    with pytest.raises(ValueError, match="not \\[n, bytes\\]"):
        near_pairs(np.zeros((4, 8), np.int64), 3)
