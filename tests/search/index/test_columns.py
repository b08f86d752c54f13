"""The table of memes compared with the list it was made of."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from search.errors import IndexUnusable
from search.index import columns_files
from search.index.columns import (
    MemeColumns,
    are_among,
    make_columns,
    read_columns,
    union,
    update_columns,
    write_columns,
)
from search.meme import Field, MediaType, Meme

START = datetime(2024, 1, 1, tzinfo=UTC)


def meme(id: int, category: str, *, days: int, type: MediaType = MediaType.IMAGE) -> Meme:
    return Meme(id, f"{category}/{id}.png", category, str(id), type, START + timedelta(days=days), 1)


MEMES = [
    meme(2, "TV - Star Trek", days=3, type=MediaType.GIF),
    meme(3, "TVs", days=9),
    meme(5, "TV", days=9),
    meme(8, "Cats", days=1, type=MediaType.VIDEO),
    meme(9, "TV - Star Trek - Picard", days=0),
]


@pytest.fixture
def table() -> MemeColumns:
    return make_columns(MEMES, fields={Field.OCR: np.array([3, 9]), Field.LOOK: np.array([], np.int64)})


def test_the_newest_come_first_and_of_one_second_the_higher_id(table: MemeColumns) -> None:
    assert table.newest.tolist() == [5, 3, 2, 8, 9]
    assert table.newest_of(np.array([9, 2, 3])).tolist() == [3, 2, 9]


def test_a_union_has_each_number_once_in_rising_order() -> None:
    draw = np.random.default_rng(0)
    for sizes in ((0,), (0, 0), (1,), (5, 0, 3), (40, 60), (300, 2, 700)):
        parts = [draw.integers(-50, 400, size) for size in sizes]
        assert union(*parts).tolist() == sorted({one for part in parts for one in part.tolist()})


@pytest.mark.parametrize("apart", [1, 10_000])
def test_rows_and_unions_of_ids_however_far_apart(apart: int) -> None:
    table = make_columns([replace(one, id=one.id * apart) for one in MEMES], fields={})
    assert table.rows(table.ids[[3, 0, 4]]).tolist() == [3, 0, 4]
    assert table.union(table.ids[[4, 1]], table.ids[[1, 2]]).tolist() == table.ids[[1, 2, 4]].tolist()
    assert table.mask(table.ids[[4, 1]]).tolist() == [False, True, False, False, True]


@pytest.mark.parametrize("count", [0, 1, 5, 150])
def test_few_and_many_ids_are_ordered_and_joined_alike(count: int) -> None:
    random = np.random.default_rng(count)
    table = make_columns([meme(id, "Cats", days=int(random.integers(9))) for id in range(1, 200)], fields={})
    some, others = (random.choice(table.ids, count, replace=False) for _ in range(2))
    assert table.newest_of(some).tolist() == [id for id in table.newest.tolist() if id in some]
    assert table.union(some, others).tolist() == sorted({*some.tolist(), *others.tolist()})


@pytest.mark.parametrize("count", [0, 1, 40])
def test_ids_among_others_are_told(count: int) -> None:
    random = np.random.default_rng(3)
    ids, rising = random.integers(0, 60, 30), np.unique(random.integers(10, 50, count))
    assert are_among(ids, rising).tolist() == [id in rising for id in ids.tolist()]


@pytest.mark.parametrize(
    ("category", "ids"),
    [
        ("TV", [2, 5, 9]),
        ("tv - star trek", [2, 9]),
        ("TV - Star Trek - Picard", [9]),
        ("TVs", [3]),
        (" Cats ", [8]),
    ],
)
def test_a_category_holds_those_below_it(table: MemeColumns, category: str, ids: list[int]) -> None:
    found = table.in_category(category)
    assert found is not None and found.tolist() == ids


@pytest.mark.parametrize("category", ["T", "Dogs", "", "TV - "])
def test_a_category_that_is_none_is_not_an_empty_one(table: MemeColumns, category: str) -> None:
    assert table.in_category(category) is None


def test_a_parent_without_memes_of_its_own_holds_its_children() -> None:
    found = make_columns(MEMES[:1], fields={}).in_category("TV")
    assert found is not None and found.tolist() == [2]


def test_what_a_field_alone_speaks_for_is_told(table: MemeColumns) -> None:
    found = make_columns(
        MEMES, fields={Field.NAME: table.ids, Field.OCR: np.array([3, 9]), Field.VISUAL: np.array([8])}
    )
    assert found.ids_with(Field.NAME, without=(Field.OCR, Field.VISUAL)).tolist() == [2, 5]
    assert found.ids_with(Field.OCR, without=()).tolist() == [3, 9]


def test_rows_are_the_places_of_ids(table: MemeColumns) -> None:
    assert table.ids[table.rows(np.array([9, 3]))].tolist() == [9, 3]
    assert table.has[Field.OCR][table.rows(np.array([9, 8, 3]))].tolist() == [True, False, True]


def test_variants_are_those_with_the_same_representative() -> None:
    table = make_columns(MEMES, fields={}, representatives={8: 3, 9: 2, 5: 3})
    assert [table.variants(id).tolist() for id in (2, 3, 5, 8, 9)] == [[2, 9], [3, 5, 8], [3, 5, 8], [3, 5, 8], [2, 9]]
    alone = make_columns(MEMES, fields={})
    assert [alone.variants(one.id).tolist() for one in MEMES] == [[one.id] for one in MEMES]


@pytest.mark.parametrize("id", [1, 4, 10, 20_000])
def test_a_meme_that_is_newer_than_the_table_has_no_variants_in_it(table: MemeColumns, id: int) -> None:
    """The catalogue has a new meme before the index is built again."""
    assert table.variants(id).tolist() == []


def test_what_was_written_is_read(table: MemeColumns, tmp_path: Path) -> None:
    write_columns(tmp_path / "memes.npz", table)
    found = read_columns(tmp_path / "memes.npz")
    assert found.categories == table.categories
    for column in ("ids", "first_seen", "category", "type"):
        assert (getattr(found, column) == getattr(table, column)).all()
    assert {field: column.tolist() for field, column in found.has.items()} == {
        Field.OCR: [False, True, False, False, True],
        Field.LOOK: [False] * 5,
    }


def test_an_empty_table_is_written_and_read(tmp_path: Path) -> None:
    write_columns(tmp_path / "memes.npz", make_columns([], fields={Field.OCR: np.array([], np.int64)}))
    found = read_columns(tmp_path / "memes.npz")
    assert len(found) == 0 and found.newest.tolist() == [] and found.in_category("TV") is None


@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04 and no more"])
def test_a_damaged_table_says_what_mends_it(table: MemeColumns, tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "memes.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(IndexUnusable) as caught:
        read_columns(path)
    assert "memetica index" in caught.value.hint


def random_columns(ids: np.ndarray, draw: np.random.Generator) -> MemeColumns:
    categories = tuple(sorted({f"{letter}" for letter in draw.choice(list("ABCDEFGH"), 3)}))
    return MemeColumns(
        ids=ids,
        first_seen=draw.integers(0, 1000, len(ids)),
        category=draw.integers(0, len(categories), len(ids)).astype(np.int32),
        type=draw.integers(0, 3, len(ids)).astype(np.int8),
        has={field: draw.random(len(ids)) < 0.5 for field in (Field.OCR, Field.NAME)},
        categories=categories,
        variant_of=ids.copy(),
    )


@pytest.mark.parametrize("seed", range(6))
def test_columns_in_two_files_are_those_of_one_however_often_they_were_extended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    draw = np.random.default_rng(seed)
    whole = random_columns(np.unique(draw.integers(1, 90, 60)), draw)
    whole.variant_of[:] = whole.ids[draw.integers(0, 8, len(whole))]  # stars of variants
    whole.variant_of[:8] = whole.ids[:8]
    write_columns(tmp_path / "memes.npz", whole)
    monkeypatch.setattr(columns_files, "ONE_FILE_UP_TO", 0)
    monkeypatch.setattr(columns_files, "MERGED_SHARE", 0.7)
    source, were_two = tmp_path, 0
    for step in range(8):
        without = np.unique(draw.integers(1, 110, int(draw.integers(1, 6))))
        new = random_columns(without[draw.random(len(without)) < 0.6], draw)
        truth = update_columns(whole, new, without=without)
        (folder := tmp_path / f"{step}").mkdir()
        written = columns_files.extend_columns(source, folder, new, without=without)
        were_two += (folder / columns_files.ADDED).exists()
        for found in (written, columns_files.open_columns(folder)):
            assert found.ids.tolist() == truth.ids.tolist() and found.categories == truth.categories
            for name in ("first_seen", "category", "type", "variant_of"):
                assert getattr(found, name).tolist() == getattr(truth, name).tolist(), name
                assert getattr(found, name).dtype == getattr(truth, name).dtype
            assert {field: has.tolist() for field, has in found.has.items()} == {
                field: has.tolist() for field, has in truth.has.items()
            }
        whole, source = truth, folder
    assert were_two >= 3


@pytest.mark.parametrize("file", [columns_files.ADDED, columns_files.REMOVED])
def test_a_damaged_second_file_is_said_to_be_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str) -> None:
    monkeypatch.setattr(columns_files, "ONE_FILE_UP_TO", 0)
    draw = np.random.default_rng(1)
    write_columns(tmp_path / "memes.npz", random_columns(np.arange(60), draw))
    (tmp_path / "new").mkdir()
    columns_files.extend_columns(tmp_path, tmp_path / "new", random_columns(np.arange(2), draw), without=np.arange(2))
    (tmp_path / "new" / file).write_bytes(b"no columns")
    with pytest.raises(IndexUnusable, match="damaged"):
        columns_files.open_columns(tmp_path / "new")
