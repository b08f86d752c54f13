"""Every index keeps the contract: the files of this machine, and Qdrant in three forms.

These are the client's double in this process, the engine's real core behind a REST interface on a loopback port, and
a server that MEMETICA_TEST_QDRANT names, as `http://127.0.0.1:6333`; `compose.qdrant.yaml` starts three.
"""

from __future__ import annotations

import os
import uuid
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from indexer.library.scan import scan_again
from indexer.pipeline import index_library
from indexer.stages.decode import decode_memes
from indexer.work.progress import SILENT
from search.catalogue import Catalogue
from search.errors import IndexUnusable
from search.images.fingerprints import PDQ
from search.index.conditions import (
    All,
    Among,
    AnyOf,
    Begins,
    Below,
    Has,
    Holds,
    Not,
    OfType,
    Says,
    Seen,
    VariantOf,
    Where,
    Written,
)
from search.index.contract import Index, IndexStore, Near, Within, Words
from search.index.generations import TEXT_FIELDS
from search.index.lexical.analyzer import query_terms
from search.index.lexical.schema import ALL_TEXT
from search.index.local import LocalStore
from search.meme import CATEGORY_SEPARATOR, Field, MediaType, Meme
from search.ranking.facets import count_facets
from search.searcher import Searcher
from search.workspace import Workspace
from tests.search.index.index_contract import CLOSE, MAKING, Twin, says_in_a_row
from tests.support.fakes import HashingTextEncoder

SERVER = os.environ.get("MEMETICA_TEST_QDRANT", "")
WITHOUT = find_spec("qdrant_client") is None
ENGINES = (
    "local",
    pytest.param("qdrant in memory", marks=pytest.mark.skipif(WITHOUT, reason="the extra qdrant is not installed")),
    pytest.param(
        "qdrant core",
        marks=pytest.mark.skipif(WITHOUT or find_spec("qdrant_edge") is None, reason="qdrant-edge-py is not installed"),
    ),
    pytest.param(
        "qdrant server", marks=pytest.mark.skipif(WITHOUT or not SERVER, reason="MEMETICA_TEST_QDRANT names no server")
    ),
)


@contextmanager
def built(engine: str, catalogue: Catalogue, folder: Path) -> Iterator[IndexStore]:
    """A place with the index of a catalogue."""
    if engine == "local":
        found: IndexStore = LocalStore(folder / "index")
        found.build(catalogue, MAKING)
        yield found
        return
    from qdrant_client import QdrantClient

    from search.index.qdrant.connection import Connection, connect
    from search.index.qdrant.store import QdrantStore

    warnings.filterwarnings("ignore", message="Payload indexes have no effect")
    with ExitStack() as running:
        if engine == "qdrant core":
            from tests.support.qdrant_server import qdrant_server

            client = connect(running.enter_context(qdrant_server(folder / "qdrant")).url)
        else:
            client = connect(SERVER) if engine == "qdrant server" else QdrantClient(":memory:")
        alias = f"test{uuid.uuid4().hex[:8]}"
        found = QdrantStore(Connection(client, alias))
        found.build(catalogue, MAKING)
        yield found
        for one in client.get_collections().collections:
            if one.name.startswith(alias):
                client.delete_collection(one.name)


@pytest.fixture(params=ENGINES)
def store(request: pytest.FixtureRequest, workspace: Workspace, tmp_path: Path) -> Iterator[IndexStore]:
    """A place with the tiny library's index, for a test that changes it."""
    with built(request.param, workspace.catalogue, tmp_path) as found:
        yield found


@pytest.fixture(params=ENGINES, scope="module")
def kept(
    request: pytest.FixtureRequest, served: Catalogue, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[IndexStore]:
    """A place with the tiny library's index, which all tests read and none changes."""
    with built(request.param, served, tmp_path_factory.mktemp("kept")) as found:
        yield found


@pytest.fixture(scope="module")
def twin(served: Catalogue) -> Twin:
    return Twin(served)


def test_words_score_as_counted_by_hand(kept: IndexStore, twin: Twin) -> None:
    index = kept.open()
    ids = index.columns.ids
    for query in ("robot toaster", "dog in a burning room", "mondays", "xylophone"):
        terms = query_terms(query)
        for field in (ALL_TEXT, "ocr", "name"):
            [found] = index.judge([Words(tuple(terms), field)], ids)
            truth = twin.bm25(terms, field)
            for id, score in zip(ids.tolist(), found.tolist(), strict=True):
                if field != ALL_TEXT and not list(twin.passages(id, field)):
                    assert np.isnan(score)
                else:
                    assert score == pytest.approx(truth[id], abs=CLOSE), (query, field, id)
            best = index.propose([Words(tuple(terms), field)], 3)[0]
            lowest = sorted(truth.values(), reverse=True)[:3]
            assert sorted((truth[id] for id in best.tolist()), reverse=True) == pytest.approx(
                [score for score in lowest if score > 0], abs=CLOSE
            )


def test_embeddings_score_as_multiplied_by_hand(kept: IndexStore, twin: Twin) -> None:
    index = kept.open()
    ids = index.columns.ids
    assert index.whitening is not None
    direction = index.whitening(HashingTextEncoder().encode(["dog in a burning room"]))[0]
    for field in (Field.OCR, Field.NAME, Field.ANALYSIS):
        for best in (1, 3) if field is Field.ANALYSIS else (1,):
            [found] = index.judge([Near(field, direction, best)], ids)
            for id, score in zip(ids.tolist(), found.tolist(), strict=True):
                truth = twin.cosines(id, field, direction, index)[:best]
                expected = sum(truth) / len(truth) if truth else float("nan")
                assert score == pytest.approx(expected, abs=CLOSE, nan_ok=True), (field, id)
    truths = {id: twin.cosines(id, Field.OCR, direction, index) for id in ids.tolist()}
    ranked = sorted((id for id in truths if truths[id]), key=lambda id: -truths[id][0])
    assert index.propose([Near(Field.OCR, direction)], 3)[0].tolist() == ranked[:3]


def test_fields_that_others_speak_for_propose_only_memes_without_those(kept: IndexStore, twin: Twin) -> None:
    index = kept.open()
    assert index.whitening is not None
    direction = index.whitening(HashingTextEncoder().encode(["dog"]))[0]
    [found] = index.propose([Near(Field.NAME, direction, unless=(Field.OCR,))], 20)
    assert set(found.tolist()) == {meme.id for meme in twin.memes() if not list(twin.passages(meme.id, "ocr"))}


def test_fingerprints_agree_in_as_many_bits_as_counted_by_hand(kept: IndexStore, twin: Twin) -> None:
    index = kept.open()
    ids = index.columns.ids
    meme = twin.memes()[0]
    bits = np.frombuffer(twin.catalogue.pictures.fingerprints_of(meme.content_hash, PDQ)[0], np.uint8)
    for radius in (0, 62, 256):
        [found] = index.judge([Within(bits[None], radius)], ids)
        truth = [max(twin.shares(id, bits), default=0.0) for id in ids.tolist()]
        expected = [share if round(256 * (1 - share)) <= radius else float("nan") for share in truth]
        assert found.tolist() == pytest.approx(expected, abs=CLOSE, nan_ok=True)
    assert index.propose([Within(bits[None], 62)], 1)[0].tolist() == [meme.id]
    assert np.allclose(index.rows_of(meme.id, Field.LOOK) @ index.rows_of(meme.id, Field.LOOK)[0], 1, atol=1e-2)


def test_conditions_select_and_bound_what_is_proposed(kept: IndexStore, twin: Twin) -> None:
    index = kept.open()
    check_conditions(index, twin)
    burning = next(ids for where, ids in conditions(index, twin) if where == Holds(((("burn", "room"),),)))
    assert burning == {4}


def check_conditions(index: Index, twin: Twin) -> None:
    """Compare what conditions select, and what is proposed where they hold, with the catalogue's memes."""
    newest = [meme.id for meme in sorted(twin.memes(), key=lambda one: (-one.first_seen.timestamp(), -one.id))]
    some = [Near(Field.LOOK, index.rows_of(4, Field.LOOK)[0])]
    for where, truth in conditions(index, twin):
        assert set(index.select(where).tolist()) == truth, where
        if not isinstance(where, Begins):
            assert set(index.propose(some, 20, where)[0].tolist()) == truth, where
        assert index.newest(where).tolist() == [id for id in newest if id in truth]


def conditions(index: Index, twin: Twin) -> list[tuple[Where, set[int]]]:
    """Conditions of every kind, and the memes that each selects."""
    memes = twin.memes()
    middle = int(sorted(meme.first_seen for meme in memes)[len(memes) // 2].timestamp())
    dogs = {meme.id for meme in memes if meme.category.startswith("Dogs")}
    with_robot = {meme.id for meme in memes if says_in_a_row(twin, meme.id, ALL_TEXT, ["robot"])}
    late = {meme.id for meme in memes if meme.first_seen.timestamp() >= middle}
    burning = {meme.id for meme in memes if says_in_a_row(twin, meme.id, ALL_TEXT, ["burn", "room"])}
    every = {meme.id for meme in memes}
    assert dogs and with_robot and late and burning
    return [
        (Below("dogs"), dogs),
        (Below("no such category"), set()),
        (Seen(since=middle), late),
        (Seen(before=middle), every - late),
        (OfType((MediaType.IMAGE,)), {meme.id for meme in memes if meme.type is MediaType.IMAGE}),
        (Has((Field.OCR,)), {meme.id for meme in memes if list(twin.passages(meme.id, "ocr"))}),
        (Among(np.array([2, 5])), {2, 5} & every),
        (VariantOf(3), {3} & every),
        (Holds(((("robot",),),)), with_robot),
        (Holds(((("burn", "room"),),)), burning),
        (Holds(((("room", "burn"),),)), set()),
        (Written(("toaster", "medal")), {id for id in every if _spells(twin, id, {"toaster", "medal"})}),
        (Begins("가"), every if index.lexical.beginning("가") is None else set()),
        (Not(Below("dogs")), every - dogs),
        (All((Below("dogs"), Not(Holds(((("burn",),),))))), dogs - burning),
        (AnyOf((Below("dogs"), Holds(((("robot",),),)))), dogs | with_robot),
    ]


def _spells(twin: Twin, id: int, words: set[str]) -> bool:
    return any(words & set(body.lower().replace(".", " ").split()) for body, _ in twin.passages(id, ALL_TEXT))


def test_phrases_are_found_in_one_passage_with_any_word_of_each_place(kept: IndexStore, twin: Twin) -> None:
    index = kept.open()
    for sequence in (("hate", "monday"), ("monday", "hate"), ("i", "hate", "monday")):
        truth = {meme.id for meme in twin.memes() if says_in_a_row(twin, meme.id, "ocr", list(sequence))}
        assert set(index.lexical.phrase(sequence, Field.OCR, k=5)[0].tolist()) == truth
    this = tuple((word, word[:4]) for word in ("thas", "this", "thus"))
    many = (*((f"fine{at}", f"fine{at}") for at in range(20)), ("fine", "fine"))
    said = Says((((("this", "this"),), (("is", "is"),), (("fine", "fine"),)),))
    from_the_category = Says((((("dogs", "dog"),), (("fine", "fine"),)),))
    assert index.select(from_the_category).tolist() == [4], "a quote may go from the category on into the name"
    assert index.select(Says((((("fine", "fine"),), (("dogs", "dog"),)),))).tolist() == []
    assert index.select(Says((((("dog", "dog"),), (("fine", "fine"),)),))).tolist() == [], "another form of a word"
    assert index.select(said).tolist() == index.select(Says(((this, (("is", "is"),), many),))).tolist() == [4]


def test_words_are_counted_and_names_found(kept: IndexStore, twin: Twin) -> None:
    index = kept.open()
    truth = {
        term: sum(says_in_a_row(twin, meme.id, ALL_TEXT, [term]) for meme in twin.memes())
        for term in ("robot", "dog", "xylophon")
    }
    assert index.frequencies(list(truth)) == truth
    assert len(index.lexical) == len(twin.memes()) == index.manifest.memes
    assert index.lexical.vocabulary["robot"] == sum(_spells(twin, meme.id, {"robot"}) for meme in twin.memes())
    assert index.lexical.named("FINE.PNG").ids.tolist() == [4] and index.lexical.named("FINE.PNG").is_whole
    assert index.lexical.named("nothing.png").ids.tolist() == []
    assert index.lexical.held(["robot"], np.array([4]))[0].tolist() == [says_in_a_row(twin, 4, ALL_TEXT, ["robot"])]


def test_columns_have_what_facets_count(kept: IndexStore, twin: Twin) -> None:
    index, memes = kept.open(), twin.memes()
    facets = count_facets(index.columns, index.columns.ids)
    assert facets["type"] == {"image": sum(meme.type is MediaType.IMAGE for meme in memes)}
    years = [meme.first_seen.year for meme in memes]
    assert facets["year"] == {str(year): years.count(year) for year in sorted(set(years), reverse=True)}
    assert facets["category"]["Dogs"] == sum(meme.category.split(" - ")[0] == "Dogs" for meme in memes)


def test_conditions_facets_and_numbers_of_rows_hold_after_changes(store: IndexStore, workspace: Workspace) -> None:
    catalogue, library = workspace.catalogue, workspace.library
    said, gone = catalogue.memes.get(6), catalogue.memes.get(5)
    (library / f"{said.path}.txt").write_text("a robot in a burning room hates mondays", "utf-8")
    for file in (library / gone.path).parent.glob(f"{Path(gone.path).name}*"):
        file.unlink()
    for name in ("Dogs/added.png", "Cats/added too.png", "Cats/again.png"):
        (library / name).parent.mkdir(exist_ok=True)
        draw_strokes(library / name)
    index_library(workspace, progress=SILENT, load_encoder=lambda _: HashingTextEncoder())
    added = [catalogue.memes.at(name).id for name in ("Dogs/added.png", "Cats/added too.png", "Cats/again.png")]
    for ids in ([6, gone.id, added[0]], [6], added[1:], added[:2]):
        store.put(catalogue, ids, least_weight=MAKING.least_weight)
    store.drop(catalogue, [6, added[2]])
    store.put(catalogue, [6, added[2]], least_weight=MAKING.least_weight)
    index, twin = store.open(), Twin(catalogue)
    assert index.columns.variants(added[0]).tolist() == sorted(added)
    check_conditions(index, twin)
    memes = {meme.id: meme for meme in twin.memes()}
    for collapse in (False, True):
        facets = count_facets(index.columns, index.columns.ids, collapse=collapse)
        assert facets["category"] == counted_by_hand(memes, index, lambda meme: branches(meme.category), collapse)
        assert facets["type"] == counted_by_hand(memes, index, lambda meme: [meme.type.value], collapse)
        assert facets["year"] == counted_by_hand(memes, index, lambda meme: [str(meme.first_seen.year)], collapse)
    assert facets["category"]["Cats"] == sum("Cats" in branches(one.category) for one in memes.values()) - 1
    rows = {field: index.count_rows(field) for field in (*TEXT_FIELDS, Field.LOOK)}
    store.build(catalogue, MAKING)
    assert rows == {field: store.open().count_rows(field) for field in rows}


def counted_by_hand(
    memes: Mapping[int, Meme], index: Index, values: Callable[[Meme], list[str]], collapse: bool
) -> dict[str, int]:
    """How many memes have each value; with `collapse`, how many of which none stands for another with that value."""
    columns = index.columns
    found: dict[str, set[int]] = {}
    for id, meme in memes.items():
        [row] = columns.rows(np.array([id]))
        for value in values(meme):
            found.setdefault(value, set()).add(int(columns.variant_of[row]) if collapse else id)
    return {value: len(ids) for value, ids in found.items()}


def branches(category: str) -> list[str]:
    """A category and those that it is in."""
    parts = category.split(CATEGORY_SEPARATOR)
    return [CATEGORY_SEPARATOR.join(parts[:end]) for end in range(1, len(parts) + 1)]


def draw_strokes(file: Path) -> None:
    """Write a picture that is like all others of this function."""
    picture = Image.new("RGB", (150, 110), "gold")
    pen = ImageDraw.Draw(picture)
    for step in range(5):
        pen.line((10, 10 + 20 * step, 130 - 11 * step, 100), fill="black", width=4)
    picture.save(file)


def test_an_added_a_changed_and_a_vanished_meme_are_seen_by_whoever_opens_next(
    store: IndexStore, workspace: Workspace
) -> None:
    twin = Twin(workspace.catalogue)
    before, name = store.open(), store.live()
    store.drop(workspace.catalogue, [4])
    without = store.open()
    assert store.live() != name and without.name == store.live()
    assert without.select(Holds(((("burn", "room"),),))).tolist() == []
    assert 4 not in without.propose([Words(("dog",))], 20)[0].tolist() and 4 not in without.newest().tolist()
    # tantivy counts the words of a removed meme until it merges segments, so that its scores are a little lower.
    is_exact = not isinstance(store, LocalStore)
    assert not is_exact or without.frequencies(["burn"]) == {"burn": before.frequencies(["burn"])["burn"] - 1}
    assert len(before.columns) == 9, "what was opened before stays as it was"
    manifest = store.put(workspace.catalogue, [4, 5], least_weight=MAKING.least_weight)
    again = store.open()
    assert manifest.memes == len(again.columns) == 9 and manifest.changed == 3
    assert again.select(Holds(((("burn", "room"),),))).tolist() == [4]
    truth = twin.bm25(["burn"], ALL_TEXT)
    if is_exact:
        assert again.judge([Words(("burn",))], np.array([4]))[0][0] == pytest.approx(truth[4], abs=CLOSE)
        assert again.frequencies(["burn", "robot"]) == before.frequencies(["burn", "robot"])
    gone = workspace.library / twin.catalogue.memes.get(5).path
    for file in gone.parent.glob(f"{gone.name}*"):
        file.unlink()
    index_library(workspace, progress=SILENT, load_encoder=lambda _: HashingTextEncoder())
    store.put(workspace.catalogue, [5], least_weight=MAKING.least_weight)
    assert twin.memes() and 5 not in {meme.id for meme in twin.memes()}
    assert 5 not in store.open().columns.ids.tolist()


def test_an_added_variant_joins_the_meme_that_stands_for_its_like(store: IndexStore, workspace: Workspace) -> None:
    ids = []
    for name in ("one", "other", "third"):
        draw_strokes(workspace.library / "Cats" / f"{name}.png")
        scan_again(workspace.library, workspace.catalogue, [f"Cats/{name}.png"])
        ids.append(workspace.catalogue.memes.at(f"Cats/{name}.png").id)
    decode_memes(workspace, progress=SILENT)
    store.put(workspace.catalogue, ids[:1], least_weight=MAKING.least_weight)
    store.put(workspace.catalogue, ids[1:], least_weight=MAKING.least_weight)
    columns = store.open().columns
    assert columns.variants(ids[1]).tolist() == ids
    assert columns.variant_of[columns.rows(np.array(ids))].tolist() == [ids[0]] * 3
    store.drop(workspace.catalogue, ids[:1])
    assert store.open().columns.variants(ids[1]).tolist() == ids[1:]
    # What comes as the one that stands for its like leaves joins those that stay.
    store.drop(workspace.catalogue, ids[2:])
    store.put(workspace.catalogue, ids[:1], least_weight=MAKING.least_weight)
    gone = workspace.library / "Cats/other.png"
    gone.unlink()
    scan_again(workspace.library, workspace.catalogue, ["Cats/other.png"])
    assert store.open().columns.variant_of[-2:].tolist() == [ids[1], ids[1]]
    store.put(workspace.catalogue, ids[1:], least_weight=MAKING.least_weight)
    assert store.open().columns.variants(ids[2]).tolist() == [ids[0], ids[2]]


def test_a_build_is_seen_whole_or_not_at_all(store: IndexStore, workspace: Workspace) -> None:
    before = store.live()
    seen: list[str | None] = []
    store.build(workspace.catalogue, MAKING, on_part=lambda: seen.append(store.live()))
    assert set(seen) == {before}
    assert store.live() not in (None, before)

    def fail() -> None:
        raise RuntimeError("the power is gone")

    live = store.live()
    with pytest.raises(RuntimeError):
        store.build(workspace.catalogue, MAKING, on_part=fail)
    assert store.live() == live and len(store.open().columns) == 9


def test_two_writers_at_a_time_lose_nothing(store: IndexStore, workspace: Workspace) -> None:
    if isinstance(store, LocalStore):
        pytest.skip("a lock of the data folder lets one process build at a time")
    inner: list[str | None] = []

    def other() -> None:
        if not inner:
            inner.append(None)
            store.build(workspace.catalogue, MAKING)
            inner[0] = store.live()

    store.build(workspace.catalogue, MAKING, on_part=other)
    assert store.live() != inner[0], "the last to end is live"
    assert len(store.open().columns) == 9
    store.drop(workspace.catalogue, [1])
    store.drop(workspace.catalogue, [2])
    assert store.open().columns.ids.tolist() == [3, 4, 5, 6, 7, 8, 9]


def test_search_answers_alike_wherever_the_index_lies(store: IndexStore, workspace: Workspace) -> None:
    LocalStore(workspace.index).build(workspace.catalogue, MAKING)
    queries = (
        "dog in a burning room",
        '"this is fine"',
        "robot -toaster",
        "category:dogs dog",
        "fine.png",
        "mondys",
        '"dogs fine"',
    )
    with (
        Searcher(workspace, text_encoder=HashingTextEncoder()) as local,
        Searcher(workspace, text_encoder=HashingTextEncoder(), index=store.open()) as other,
    ):
        other._store = store
        for query in queries:
            one, two = local.search(query, collapse=True), other.search(query, collapse=True)
            assert [hit.meme.id for hit in one] == [hit.meme.id for hit in two], query
            assert [hit.score for hit in two] == pytest.approx([hit.score for hit in one], abs=CLOSE)
            assert [hit.reasons for hit in one] == [hit.reasons for hit in two]
            assert (one.total, one.facets, one.understood) == (two.total, two.facets, two.understood)
        similar = [hit.meme.id for hit in other.similar(4)]
        assert similar == [hit.meme.id for hit in local.similar(4)]


def test_no_index_yet_is_told(kept: IndexStore, tmp_path: Path) -> None:
    empty: IndexStore = LocalStore(tmp_path / "empty")
    if not isinstance(kept, LocalStore):
        from search.index.qdrant.connection import Connection
        from search.index.qdrant.store import QdrantStore

        assert isinstance(kept, QdrantStore)
        empty = QdrantStore(Connection(kept._connection.client, "nothing-here"))
    assert empty.live() is None
    with pytest.raises(IndexUnusable, match="no index"):
        empty.open()
