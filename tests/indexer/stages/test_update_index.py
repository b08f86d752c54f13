"""Extending the index: as good as built anew, for what comes, what changes and what goes."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from indexer.library.scan import scan_again
from indexer.stages.build_index import build_index
from indexer.stages.decode import decode_memes
from indexer.stages.update_index import update_index
from indexer.work.progress import SILENT
from search.catalogue import Catalogue, open_catalogue
from search.index import columns_files, parts
from search.index.columns import MemeColumns, update_columns
from search.index.generations import TEXT_FIELDS, live_folder, live_generation
from search.index.lexical.schema import ALL_TEXT
from search.index.local import LocalIndex
from search.index.variants import NEAR, find_representative
from search.index.vectors import binary, codes, dense_writer
from search.index.vectors.dense import DenseIndex
from search.index.vectors.dense_writer import build_dense, extend_dense
from search.meme import Field
from search.searcher import Searcher
from search.settings import Settings
from search.workspace import Workspace
from tests.support.fakes import HashingTextEncoder
from tests.support.query_plans import plan_of, scans, traced_statements
from tests.support.tiny import TINY

ENCODER = HashingTextEncoder()


@pytest.fixture(autouse=True)
def _rows_go_into_a_second_part(monkeypatch: pytest.MonkeyPatch) -> None:
    """Extend these small libraries as large ones are."""
    monkeypatch.setattr(columns_files, "ONE_FILE_UP_TO", 0)
    for module in (dense_writer, binary):
        monkeypatch.setattr(module, "ONE_PART_UP_TO", 0)
    for module in (dense_writer, binary, columns_files):
        monkeypatch.setattr(module, "MERGED_SHARE", 10)


def add(settings: Settings, catalogue: Catalogue, path: str, *, words: str, color: str = "gold") -> int:
    """Put a meme with a text beside it into the library and the catalogue, and return its id."""
    file = settings.library / path
    file.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.new("RGB", (150, 110), color)
    pen = ImageDraw.Draw(picture)
    for step in range(5):
        pen.line((10, 10 + 20 * step, 130 - 11 * step, 100), fill="black", width=4)
    picture.save(file)
    file.with_name(f"{file.name}.txt").write_text(words, "utf-8")
    scan_again(settings.library, catalogue, [path])
    decode_memes(Workspace(settings, catalogue), progress=SILENT)
    return catalogue.memes.at(path).id


def built_anew(settings: Settings, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> LocalIndex:
    """Return an index built anew with the whitening of the live one, which an extension keeps."""
    kept = LocalIndex.open(settings.data / "index").whitening
    monkeypatch.setattr(parts, "fit_whitening", lambda parts, dimensions: kept)
    build_index(Workspace(settings, catalogue), text_encoder=ENCODER.name, force=True)
    return LocalIndex.open(settings.data / "index")


def assert_same(one: LocalIndex, other: LocalIndex) -> None:
    assert (one.manifest.memes, one.manifest.rows) == (other.manifest.memes, other.manifest.rows)
    assert one.columns.categories == other.columns.categories
    for column in ("ids", "first_seen", "category", "type", "variant_of"):
        assert getattr(one.columns, column).tolist() == getattr(other.columns, column).tolist(), column
    assert {field: has.tolist() for field, has in one.columns.has.items()} == {
        field: has.tolist() for field, has in other.columns.has.items()
    }
    for first, second in (
        (one.looks, other.looks),
        *((one.dense[field], other.dense[field]) for field in TEXT_FIELDS),
    ):
        assert first.owners.tolist() == second.owners.tolist()
        assert np.allclose(first.all_rows(), second.all_rows(), atol=1e-3)  # float16, multiplied in other batches
    bits = np.frombuffer(bytes(range(32)), np.uint8)
    for first, second in zip(one.fingerprints.within(bits, 256), other.fingerprints.within(bits, 256), strict=True):
        assert first.tolist() == second.tolist()
    vocabulary = other.lexical.vocabulary
    assert len(one.lexical) == len(other.lexical)
    for word in [*vocabulary, "nobody"]:
        for field in (ALL_TEXT, Field.OCR, Field.NAME):
            found, expected = (index.lexical.search([word], field, k=50) for index in (one, other))
            assert found[0].tolist() == expected[0].tolist(), (word, field)
            assert found[1] == pytest.approx(expected[1], abs=1e-6)


def test_what_comes_is_indexed_as_if_all_were_built_anew(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, words in enumerate(("a gold medal for laziness", "who is a lazy boy", "привет")):
        id = add(
            workspace.settings, workspace.catalogue, f"Åffen/new {number}.png", words=words, color=f"#f0{number}0a0"
        )
        manifest = update_index(workspace, [id], encoder=ENCODER)
        assert manifest.changed == number + 1
    extended = LocalIndex.open(workspace.index)
    assert extended.manifest.memes == len(TINY) + 3
    assert_same(extended, built_anew(workspace.settings, workspace.catalogue, monkeypatch))


def test_no_whole_table_is_read_for_one_meme(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    id = add(workspace.settings, workspace.catalogue, "Cats/new.png", words="zebra")
    ran = traced_statements(monkeypatch)
    with open_catalogue(workspace.settings) as catalogue:
        update_index(Workspace(workspace.settings, catalogue), [id], encoder=ENCODER)
    assert any("passages" in statement for statement in ran) and any("memes" in statement for statement in ran)
    assert scans(workspace, ran, through_indexes=True) == []


def test_of_the_descriptions_of_all_memes_a_few_are_read(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = traced_statements(monkeypatch)
    with open_catalogue(workspace.settings) as catalogue:
        assert len(catalogue.embeddings.sample_of_field(ENCODER.name, Field.DESCRIPTION, limit=3)) == 3
    [plan] = [plan_of(workspace, statement) for statement in ran if "vector" in statement]
    assert plan[0] == "SCAN passages USING INDEX passages_by_meme"  # until the limit is reached
    assert not any("TEMP" in step for step in plan), plan


def test_what_changes_and_what_goes_is_too(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    fine, toaster = (workspace.catalogue.memes.at(path) for path in ("Dogs/fine.png", "Robots/toaster.png"))
    (workspace.library / "Dogs/fine.png.txt").write_text("everything is wonderful", "utf-8")
    (workspace.library / toaster.path).unlink()
    scan_again(workspace.library, workspace.catalogue, [fine.path, toaster.path])
    update_index(workspace, [fine.id, toaster.id], encoder=ENCODER)
    extended = LocalIndex.open(workspace.index)
    assert extended.columns.rows(np.array([fine.id])).tolist() == [extended.columns.ids.tolist().index(fine.id)]
    assert toaster.id not in extended.columns.ids
    # A word's rarity still counts what left until segments are merged: the order of memes is the same, not each score.
    anew = built_anew(workspace.settings, workspace.catalogue, monkeypatch)
    for word in ("wonderful", "fine", "toaster", "robot"):
        assert extended.lexical.search([word], k=9)[0].tolist() == anew.lexical.search([word], k=9)[0].tolist()
    for field in TEXT_FIELDS:
        assert np.allclose(extended.dense[field].all_rows(), anew.dense[field].all_rows(), atol=1e-3)
    assert extended.manifest.rows == anew.manifest.rows
    assert extended.columns.ids.tolist() == anew.columns.ids.tolist()


def test_a_searcher_that_was_open_finds_what_came_and_the_generation_before_stays_as_it_was(
    workspace: Workspace,
) -> None:
    searcher = Searcher(workspace, text_encoder=ENCODER)
    before = live_folder(workspace.index)
    files = {file: file.read_bytes() for file in before.rglob("*") if file.is_file()}
    id = add(workspace.settings, workspace.catalogue, "Cats/xylophone.png", words="zebra crossing")
    update_index(workspace, [id], encoder=ENCODER)
    assert searcher.search("zebra crossing").hits[0].meme.id == id
    assert searcher.search("xylophone").hits[0].meme.id == id
    assert {file: file.read_bytes() for file in before.rglob("*") if file.is_file()} == files


def test_the_next_whole_build_does_not_take_an_extended_index_for_its_own(workspace: Workspace) -> None:
    id = add(workspace.settings, workspace.catalogue, "Cats/new.png", words="zebra")
    extended = update_index(workspace, [id], encoder=ENCODER)
    assert extended.changed == 1
    whole = build_index(workspace, text_encoder=ENCODER.name)
    assert (whole.changed, whole.revision) == (0, workspace.catalogue.revision())


def test_done_twice_it_holds_each_meme_once(workspace: Workspace) -> None:
    id = add(workspace.settings, workspace.catalogue, "Cats/new.png", words="zebra")
    for _ in range(2):
        update_index(workspace, [id], encoder=ENCODER)
    index = LocalIndex.open(workspace.index)
    assert index.columns.ids.tolist().count(id) == 1
    assert index.lexical.search(["zebra"], k=9)[0].tolist() == [id]
    assert index.looks.owners.tolist().count(id) == 1


@pytest.mark.parametrize("trouble", ["none", "damaged", "other encoder"])
def test_what_cannot_be_extended_is_built(workspace: Workspace, trouble: str) -> None:
    index = workspace.index
    if trouble == "none":
        shutil.rmtree(index)
    elif trouble == "damaged":
        (live_folder(index) / "manifest.json").write_text("{")
    else:
        build_index(workspace, text_encoder="other")
    id = add(workspace.settings, workspace.catalogue, "Cats/new.png", words="zebra")
    # What is not embedded by this encoder elsewhere is no reason to lack the meme.
    manifest = update_index(workspace, [id], encoder=ENCODER)
    assert (manifest.text_encoder, manifest.memes, manifest.changed) == (ENCODER.name, len(TINY) + 1, 0)


def test_a_variant_joins_the_one_that_stands_for_its_like(workspace: Workspace) -> None:
    ids = [add(workspace.settings, workspace.catalogue, f"Cats/{name}.png", words=name) for name in ("one", "other")]
    for id in ids:
        update_index(workspace, [id], encoder=ENCODER)
    table = LocalIndex.open(workspace.index).columns
    assert table.variant_of[table.rows(np.array(ids))].tolist() == [ids[0], ids[0]]
    (workspace.library / "Cats/one.png").unlink()
    scan_again(workspace.library, workspace.catalogue, ["Cats/one.png"])
    update_index(workspace, ids[:1], encoder=ENCODER)
    table = LocalIndex.open(workspace.index).columns
    assert table.variants(ids[1]).tolist() == [ids[1]]


def test_the_most_alike_of_those_that_are_near_enough_stands() -> None:
    draw = np.random.default_rng(5)
    bits = draw.permutation(np.repeat(np.array([0, 1], np.uint8), 128))
    look = np.array([1, 0, 0], np.float32)
    looks = np.array([[0.95, 0.312, 0], [0.99, 0.141, 0], [0.999, 0.0447, 0], [0.5, 0.866, 0]], np.float32)
    flipped = {10: NEAR, 11: 3, 12: NEAR + 1, 13: 0}

    def fingerprint_of(id: int) -> np.ndarray:
        other = bits.copy()
        other[: flipped[id]] ^= 1
        return np.packbits(other)

    ids = np.array([10, 11, 12, 13])
    assert find_representative(look, np.packbits(bits), ids=ids, looks=looks, fingerprint_of=fingerprint_of) == 11
    assert (
        find_representative(look, np.packbits(bits), ids=ids[2:], looks=looks[2:], fingerprint_of=fingerprint_of)
        is None
    )
    flat = np.zeros(32, np.uint8)
    assert find_representative(look, flat, ids=ids, looks=looks, fingerprint_of=lambda id: flat) is None


def table(ids: list[int], categories: list[str], variant_of: list[int], fields: dict[Field, list[int]]) -> MemeColumns:
    names = tuple(sorted(set(categories)))
    return MemeColumns(
        ids=np.array(ids),
        first_seen=np.array([100 + id for id in ids]),
        category=np.array([names.index(one) for one in categories], np.int32),
        type=np.zeros(len(ids), np.int8),
        has={field: np.isin(ids, of) for field, of in fields.items()},
        categories=names,
        variant_of=np.array(variant_of),
    )


def test_a_changed_table_names_just_the_categories_that_are_left() -> None:
    old = table([1, 3, 5], ["B", "A", "D"], [1, 1, 5], {Field.OCR: [1, 5]})
    new = table([2, 5], ["C", "A"], [2, 1], {Field.OCR: [2], Field.LOOK: [5]})
    found = update_columns(old, new, without=np.array([1, 2, 5]))
    assert found.ids.tolist() == [2, 3, 5]
    assert [found.categories[code] for code in found.category] == ["C", "A", "A"]
    assert found.categories == ("A", "C")
    assert found.variant_of.tolist() == [2, 3, 3]
    assert found.first_seen.tolist() == [102, 103, 105]
    assert {field: has.tolist() for field, has in found.has.items()} == {
        Field.OCR: [True, False, False],
        Field.LOOK: [False, False, True],
    }


@pytest.mark.parametrize("owner", [900, 3])
def test_a_large_index_answers_as_a_small_one_does_after_it_was_extended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: int
) -> None:
    monkeypatch.setattr(codes, "CODED_FROM", 400)
    monkeypatch.setattr(dense_writer, "ONE_PART_UP_TO", 400)
    draw = np.random.default_rng(3)
    rows = draw.standard_normal((600, 16)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    owners = np.sort(draw.integers(10, 800, 600))
    build_dense(tmp_path / "old", rows, owners=owners)
    new = np.eye(16, dtype=np.float32)[:2]
    count = extend_dense(
        tmp_path / "old", tmp_path / "new", new, owners=np.array([owner, owner]), without=np.array([owner])
    )
    index = DenseIndex.open(tmp_path / "new", dimensions=16)
    assert count == len(index) == 602
    assert index.main.codes is not None and index.main.codes.rows == 600
    for direction in new:
        ids, scores = index.search(direction, 3)
        assert (ids[0], scores[0]) == (owner, pytest.approx(1, abs=1e-3))


def test_the_time_of_building_is_told(workspace: Workspace) -> None:
    begun = datetime.now(UTC)
    id = add(workspace.settings, workspace.catalogue, "Cats/new.png", words="zebra")
    manifest = update_index(workspace, [id], encoder=ENCODER)
    assert begun <= manifest.built_at <= datetime.now(UTC)
    assert manifest.generation == live_generation(workspace.index)


def test_an_engine_that_does_not_answer_stops_no_update_and_builds_nothing_anew(
    workspace: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("qdrant_client", reason="the extra qdrant is not installed")
    elsewhere = Workspace(replace(workspace.settings, index_engine="qdrant:http://127.0.0.1:9"), workspace.catalogue)
    id = add(elsewhere.settings, elsewhere.catalogue, "Dogs/new.png", words="a zebra in the office")
    assert update_index(elsewhere, [id], encoder=ENCODER).changed == 1  # extended, not built
    assert "does not answer" in caplog.text and "`memetica index`" in caplog.text
    with Searcher(elsewhere, text_encoder=ENCODER) as searcher:
        assert searcher.search("zebra")[0].meme.id == id
