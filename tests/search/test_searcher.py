"""The searcher over the tiny library: what is found, why, in which order, and what happens when the index changes."""

from __future__ import annotations

import re
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from indexer.pipeline import index_library
from indexer.stages.build_index import build_index
from indexer.stages.embed_texts import split_texts
from indexer.work.progress import SILENT
from search.catalogue import Catalogue, open_catalogue
from search.errors import DataFolderError, IndexUnusable, ModelUnavailable, NotFound, UnreadableFile, WrongUse
from search.index.generations import live_folder
from search.meme import Field, Likeness, Sort
from search.ranking.retrievers import phrase_retrievers
from search.results import Answer
from search.searcher import Searcher
from search.settings import Settings
from search.signals import Signal
from search.workspace import Workspace
from tests.support.fakes import HashingTextEncoder
from tests.support.tiny import TINY, draw_tiny_library


@dataclass(frozen=True)
class Home:
    """A library indexed once for all tests that only read."""

    settings: Settings
    catalogue: Catalogue
    searcher: Searcher


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    folder = tmp_path_factory.mktemp("tiny")
    settings = Settings(
        library=draw_tiny_library(folder / "memes"),
        data=folder / "data",
        ocr_engine="none",
        text_encoder=HashingTextEncoder.name,
    )
    with open_catalogue(settings) as catalogue:
        index_library(Workspace(settings, catalogue), progress=SILENT, load_encoder=lambda _: HashingTextEncoder())
        yield Home(settings, catalogue, Searcher(Workspace(settings, catalogue), text_encoder=HashingTextEncoder()))


@pytest.fixture
def searcher(home: Home) -> Searcher:
    return home.searcher


@pytest.fixture
def fresh(workspace: Workspace) -> Searcher:
    """A searcher over a library of its own, for tests that change it."""
    return Searcher(workspace, text_encoder=HashingTextEncoder())


def paths(answer: Answer) -> list[str]:
    return [hit.meme.path for hit in answer.hits]


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ("this is fine", "Dogs/fine.png"),
        ("burning room", "Dogs/fine.png"),
        ("привет", "Собаки/пёс.png"),
        ("laughing robots", "Robots/😂 50%.png"),
        ("broken toaster wrench", "Robots/toaster.png"),
        ("keyboard", "Cats/keyboard cat.jpg"),
        ("kitten asleep in a shoe", "Cats - Kittens/small.png"),
        ("resignaton typping", "Cats/keyboard cat.jpg"),  # misspelt: pieces of words are alike
    ],
)
def test_a_meme_is_found_by_what_it_says_shows_or_is_called(searcher: Searcher, query: str, path: str) -> None:
    assert paths(searcher.search(query))[0] == path


def test_scores_fall_and_shares_add_up(searcher: Searcher) -> None:
    answer = searcher.search("orange cat glares at a laptop")
    scores = [hit.score for hit in answer.hits]
    assert scores == sorted(scores, reverse=True) and scores[-1] > 0
    for hit in answer.hits:
        assert sum(hit.explanation.values()) == pytest.approx(1)
        assert list(hit.explanation.values()) == sorted(hit.explanation.values(), reverse=True)


def test_a_quote_says_that_it_was_the_quote(searcher: Searcher) -> None:
    hit = searcher.search("i hate mondays").hits[0]
    assert next(iter(hit.explanation)) is Field.OCR
    assert hit.snippets[0].field is Field.OCR
    assert hit.snippets[0].html == "<mark>I</mark> <mark>hate</mark> <mark>mondays</mark>"
    assert hit.snippets[0].source == "tesseract-ocr"


def test_a_quote_word_for_word_comes_before_the_same_words_apart(home: Home) -> None:
    catalogue = home.catalogue
    assert home.searcher.search("is a good").hits[0].meme.path == 'Dogs/it\'s "good" #1?.png'
    index = home.searcher.index
    ids = index.columns.ids
    [retriever] = phrase_retrievers(index, ["i", "hate", "monday"])
    assert ids[retriever.score(ids, []) == 1].tolist() == [catalogue.memes.at("Cats/monday.png").id]
    assert phrase_retrievers(index, ["hate", "i", "monday"]) == []
    assert phrase_retrievers(index, ["hate", "monday"]) == [], "two words are no quote"


def test_a_slip_of_the_finger_is_said_and_put_right(searcher: Searcher) -> None:
    answer = searcher.search("i hate mondyas")
    assert paths(answer)[0] == "Cats/monday.png"
    assert answer.understood.spelling == {"mondyas": ("mondays",)}
    assert "<mark>mondays</mark>" in answer.hits[0].snippets[0].html
    assert searcher.search("i hate mondays").understood.spelling == {}


def test_a_description_is_shown_under_its_models_name(searcher: Searcher) -> None:
    [snippet] = [one for one in searcher.search("burning room").hits[0].snippets if one.field is Field.DESCRIPTION]
    assert snippet.source == "tiny-artist"
    assert snippet.html == "A dog drinks coffee in a <mark>burning</mark> <mark>room</mark>."


def test_nothing_asked_gives_the_newest_first(searcher: Searcher, home: Home) -> None:
    answer = searcher.search("")
    assert paths(answer) == [meme.path for meme in home.catalogue.memes.freshest(30)]
    assert answer.total == len(TINY)


def test_a_category_holds_its_children(searcher: Searcher) -> None:
    assert set(paths(searcher.search("", category="Cats"))) == {
        "Cats/monday.png",
        "Cats/keyboard cat.jpg",
        "Cats - Kittens/small.png",
    }
    found = searcher.search("robot dog cat", category="cats - kittens")
    assert paths(found) == ["Cats - Kittens/small.png"] and (found.total, found.weaker) == (0, 1)


def test_an_unknown_category_is_said(searcher: Searcher) -> None:
    with pytest.raises(NotFound, match="Fish"):
        searcher.search("robot", category="Fish")


def test_pages_make_up_the_whole(searcher: Searcher) -> None:
    whole = searcher.search("robot dog", k=100)
    pages = [searcher.search("robot dog", k=2, offset=offset) for offset in range(0, len(whole) + 2, 2)]
    assert [path for page in pages for path in paths(page)] == paths(whole)
    assert {(page.total, page.weaker) for page in pages} == {(whole.total, whole.weaker)}
    assert whole.total + whole.weaker == len(whole)


def test_newest_first_keeps_the_same_memes(searcher: Searcher) -> None:
    by_relevance = searcher.search("robot dog", k=100)
    by_age = searcher.search("robot dog", k=100, sort=Sort.NEWEST)
    assert set(paths(by_age)) == set(paths(by_relevance))
    for certain in (True, False):
        times = [hit.meme.first_seen for hit in by_age.hits if hit.certain is certain]
        assert times == sorted(times, reverse=True)


@pytest.mark.parametrize("wrong", [{"k": 0}, {"k": -1}, {"offset": -1}, {"sort": "oldest"}])
def test_a_page_or_order_that_cannot_be_is_wrong_use(searcher: Searcher, wrong: dict) -> None:
    with pytest.raises(WrongUse):
        searcher.search("robot", **wrong)


@pytest.mark.parametrize("junk", ['"(]', "AND OR NOT", "a:b^2~", "* ? \\", "\x00", "‮", "x" * 10_000, "漢字かな", "🙈"])
def test_no_text_breaks_the_search(searcher: Searcher, junk: str) -> None:
    answer = searcher.search(junk)
    assert len(answer.hits) == min(answer.total + answer.weaker, 30)


def test_the_picture_itself_is_found_by_its_picture(searcher: Searcher, home: Home) -> None:
    for tiny in TINY:
        picture = Image.open(home.settings.library / tiny.path)
        answer = searcher.search(image=picture)
        assert paths(answer)[0] == tiny.path
        assert answer.hits[0].explanation == {Field.LOOK: 1.0}
        assert answer.understood.has_image


def test_operators_and_words_count_beside_a_picture(searcher: Searcher, home: Home) -> None:
    picture = Image.open(home.settings.library / "Cats/monday.png")
    assert "Cats/monday.png" not in paths(searcher.search("-category:cats", image=picture))
    dogs = searcher.search("burning room category:dogs", image=picture)
    assert paths(dogs)[0] == "Dogs/fine.png" and all(path.startswith("Dogs/") for path in paths(dogs))
    assert paths(searcher.search("9:toaster", image=picture))[0] == "Robots/toaster.png"


def test_hits_say_which_of_them_answer(searcher: Searcher) -> None:
    found = searcher.search("a dog drinks coffee in a burning room")
    flags = [hit.certain for hit in found.hits]
    assert flags[0] and flags == sorted(flags, reverse=True)
    assert sum(flags) == found.understood.certain == found.total
    assert found.weaker == len(found) - found.total > 0
    newest = searcher.search("a dog drinks coffee in a burning room", sort=Sort.NEWEST)
    assert {hit.meme.id for hit in newest.hits if hit.certain} == {hit.meme.id for hit in found.hits if hit.certain}


def test_a_mirrored_picture_is_found_too(searcher: Searcher, home: Home) -> None:
    picture = Image.open(home.settings.library / "Robots/toaster.png").transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    assert "Robots/toaster.png" in paths(searcher.search(image=picture))[:3]


def test_words_and_picture_both_count(searcher: Searcher, home: Home) -> None:
    picture = Image.open(home.settings.library / "Cats/monday.png")
    by_picture = {hit.meme.path: hit for hit in searcher.search(image=picture).hits}
    by_both = {hit.meme.path: hit for hit in searcher.search("burning room", image=picture).hits}
    assert by_both["Cats/monday.png"].score < by_picture["Cats/monday.png"].score
    shares = by_both["Dogs/fine.png"].explanation
    assert shares[Field.LOOK] > 0 and shares[Field.DESCRIPTION] > 0


@pytest.mark.parametrize("by", Likeness)
def test_a_meme_is_never_its_own_relative(searcher: Searcher, home: Home, by: Likeness) -> None:
    for meme in home.catalogue.memes.everything():
        answer = searcher.similar(meme.id, by=by)
        assert meme.path not in paths(answer)
        assert len(answer.hits) == min(answer.total + answer.weaker, 12)


def test_a_copy_is_the_nearest_relative_by_everything(fresh: Searcher, workspace: Workspace) -> None:
    folder = workspace.library / "Dogs"
    for file in list(folder.glob("fine.png*")):
        shutil.copy(file, folder / file.name.replace("fine", "copy"))
    index_library(workspace, progress=SILENT, load_encoder=lambda _: HashingTextEncoder())
    meme = workspace.catalogue.memes.at("Dogs/fine.png")
    for by in Likeness:
        assert paths(fresh.similar(meme.id, by=by))[0] == "Dogs/copy.png", by


def test_an_unknown_meme_or_likeness_is_said(searcher: Searcher) -> None:
    with pytest.raises(NotFound):
        searcher.similar(10_000)
    with pytest.raises(WrongUse):
        searcher.similar(1, by="smell")


def test_a_new_generation_is_switched_to_and_requests_go_on(fresh: Searcher, workspace: Workspace) -> None:
    stop = threading.Event()
    wrong: list[object] = []

    def ask() -> None:
        while not stop.is_set():
            try:
                if paths(fresh.search("this is fine"))[0] != "Dogs/fine.png":
                    wrong.append("another hit")
            except Exception as error:
                wrong.append(error)

    asking = [threading.Thread(target=ask) for _ in range(3)]
    for thread in asking:
        thread.start()
    names = [build_index(workspace, text_encoder=HashingTextEncoder.name, force=True).generation for _ in range(4)]
    stop.set()
    for thread in asking:
        thread.join()
    assert wrong == []
    assert fresh.status().generation == names[-1]
    assert fresh.reload_if_changed() is False


def test_a_meme_that_vanished_since_the_build_is_no_hit(fresh: Searcher, tiny_indexed: Catalogue) -> None:
    before = len(fresh.search("dog", k=100))
    tiny_indexed.memes.mark_vanished([tiny_indexed.memes.at("Dogs/fine.png").id])
    answer = fresh.search("dog", k=100)
    assert "Dogs/fine.png" not in paths(answer)
    assert answer.total + answer.weaker == len(answer.hits) == before - 1
    assert fresh.search("").total == len(TINY) - 1
    assert not fresh.status().fresh


def test_a_damaged_new_generation_does_not_stop_the_old_one(fresh: Searcher, workspace: Workspace) -> None:
    build_index(workspace, text_encoder=HashingTextEncoder.name, force=True)
    (live_folder(workspace.index) / "memes.npz").write_bytes(b"no table")
    assert paths(fresh.search("this is fine"))[0] == "Dogs/fine.png"
    assert "memetica index" in fresh.status().missing[0]


def test_an_index_that_was_removed_and_built_again_under_the_same_number_is_switched_to(
    fresh: Searcher, workspace: Workspace
) -> None:
    index, before = workspace.index, live_folder(workspace.index).name
    shutil.rmtree(index)
    assert paths(fresh.search("this is fine"))[0] == "Dogs/fine.png"
    workspace.catalogue.memes.mark_vanished([workspace.catalogue.memes.at("Dogs/fine.png").id])
    build_index(workspace, text_encoder=HashingTextEncoder.name)
    assert live_folder(index).name == before
    assert fresh.reload_if_changed() and len(fresh.index.columns) == len(TINY) - 1
    assert not fresh.reload_if_changed()


def test_an_index_that_is_copied_back_slowly_is_switched_to_once_it_is_whole(
    fresh: Searcher, workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("search.index.live.AGAIN_SECONDS", 0.0)
    build_index(workspace, text_encoder=HashingTextEncoder.name, force=True)
    file = live_folder(workspace.index) / "memes.npz"
    file.rename(tmp_path / "later")
    assert not fresh.reload_if_changed() and "memetica index" in fresh.status().missing[0]
    (tmp_path / "later").rename(file)
    assert fresh.reload_if_changed() and fresh.index.manifest.generation == file.parent.name
    assert not any("cannot be used" in sentence for sentence in fresh.status().missing)


def test_no_index_and_another_encoder_say_what_mends_it(workspace: Workspace) -> None:
    class Other(HashingTextEncoder):
        name = "other"

    with pytest.raises(IndexUnusable, match="hashing-words-1") as caught:
        Searcher(workspace, text_encoder=Other())
    assert "memetica index" in caught.value.hint
    shutil.rmtree(workspace.index)
    with pytest.raises(IndexUnusable, match="no index"):
        Searcher(workspace, text_encoder=HashingTextEncoder())


def test_a_missing_text_encoder_is_said(workspace: Workspace) -> None:
    with pytest.raises(ModelUnavailable):
        Searcher(workspace)


def test_texts_that_were_never_embedded_are_found_by_their_words(workspace: Workspace) -> None:
    split_texts(workspace.catalogue)
    unknown = HashingTextEncoder()
    unknown.name = "never-used"  # type: ignore[misc]
    build_index(workspace, text_encoder="never-used")
    searcher = Searcher(workspace, text_encoder=unknown)
    assert paths(searcher.search("this is fine"))[0] == "Dogs/fine.png"
    assert any("words alone" in sentence for sentence in searcher.status().missing)


def test_deleting_the_index_loses_nothing(fresh: Searcher, workspace: Workspace) -> None:
    queries = ("this is fine", "orange cat", "robot")
    before = [[(hit.meme.id, hit.score) for hit in fresh.search(query).hits] for query in queries]
    shutil.rmtree(workspace.index)
    build_index(workspace, text_encoder=HashingTextEncoder.name)
    again = Searcher(workspace, text_encoder=HashingTextEncoder())
    assert [[(hit.meme.id, hit.score) for hit in again.search(query).hits] for query in queries] == before


def test_weights_of_the_settings_rank(home: Home) -> None:
    names = replace(home.settings, weights={Signal.parse("lexical.name"): 1.0})
    searcher = Searcher(Workspace(names, home.catalogue), text_encoder=HashingTextEncoder())
    assert paths(searcher.search("fine"))[0] == "Dogs/fine.png"
    # What holds the words matches by any weights, and is all that is found.
    assert [(hit.path, hit.score) for hit in searcher.search("burning room")] == [("Dogs/fine.png", 0)]


def test_every_candidate_has_the_score_of_a_brute_force_over_all(searcher: Searcher, home: Home) -> None:
    alone = Searcher(
        Workspace(replace(home.settings, weights={Signal.parse("semantic.description"): 1.0}), home.catalogue),
        text_encoder=HashingTextEncoder(),
    )
    encoder = HashingTextEncoder()
    index = alone.index
    assert index.whitening is not None
    query = index.whitening(encoder.encode(["a robot laughs"]))[0]
    rows = list(home.catalogue.texts.passages(Field.DESCRIPTION))
    stored = encoder.encode([row.passage.body for row in rows]).astype(np.float16)
    products = index.whitening(stored).astype(np.float16).astype(np.float32) @ query
    expected = {row.meme_id: float(product) for row, product in zip(rows, products, strict=True) if product > 0}
    found = {hit.meme.id: hit.score for hit in alone.search("a robot laughs").hits}
    assert found == pytest.approx(expected, abs=1e-4)


def test_status_counts_what_is_there(searcher: Searcher) -> None:
    status = searcher.status()
    assert status.fresh and status.memes == len(TINY)
    assert status.rows["words.ocr"] == sum(bool(tiny.ocr) for tiny in TINY)
    assert status.rows["looks"] == status.rows["fingerprints"] == len(TINY)
    without = sum(not tiny.description for tiny in TINY)
    assert any(
        sentence.startswith(f"{without} of {len(TINY)} memes have no description") for sentence in status.missing
    )


def test_the_index_can_be_read_from_a_read_only_folder(home: Home) -> None:
    searcher = Searcher(Workspace(home.settings, home.catalogue), text_encoder=HashingTextEncoder())
    before = sorted(path.name for path in (home.settings.data / "index").rglob("*"))
    searcher.search("robot")
    assert sorted(path.name for path in (home.settings.data / "index").rglob("*")) == before


def test_a_searcher_over_a_workspace_leaves_it_open_and_one_that_opened_it_closes_it(home: Home) -> None:
    searcher = Searcher(Workspace(home.settings, home.catalogue), text_encoder=HashingTextEncoder())
    searcher.close()
    searcher.close()
    assert home.catalogue.memes.count() == len(TINY)
    with pytest.raises(WrongUse, match="closed"):
        searcher.search("robot")
    with Searcher.open(settings=home.settings, text_encoder=HashingTextEncoder()) as owner:
        catalogue = owner._workspace.catalogue
        assert owner.search("robot").total > 0
    assert catalogue is not home.catalogue
    with pytest.raises(WrongUse, match="name the data folder"):
        Searcher.open("elsewhere", settings=home.settings)


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda one: one.search("cat", k="5"), "k='5'"),
        (lambda one: one.search("cat", k=2.5), "k=2.5"),
        (lambda one: one.search("cat", k=0), "from 1 on"),
        (lambda one: one.similar(1, offset=None), "offset=None"),
        (lambda one: one.search(None), "A query is a text, not None"),
        (lambda one: one.search(["cat"]), r"not \['cat'\]"),
        (lambda one: one.search(b"cat"), "not b'cat'"),
        (lambda one: one.search(image=np.zeros((4, 4, 3), np.uint8)), "fromarray"),
        (lambda one: one.search(image=b"\x89PNG"), "BytesIO"),
        (lambda one: one.similar(None), "not as None"),
    ],
    ids=range(10),
)
def test_an_argument_of_another_type_is_wrong_use(
    ask: Callable[[Searcher], object], said: str, searcher: Searcher
) -> None:
    """What is said ends with the hint, as a traceback does."""
    with pytest.raises(WrongUse, match=said):
        ask(searcher)


def test_a_picture_may_be_named_by_a_text(searcher: Searcher, home: Home) -> None:
    picture = home.settings.library / "Dogs/fine.png"
    assert paths(searcher.search(image=str(picture))) == paths(searcher.search(image=picture))


def test_a_folder_around_a_data_folder_says_where_it_is(home: Home) -> None:
    around = home.settings.data.parent / "around"
    around.mkdir()
    (around / "data").symlink_to(home.settings.data, target_is_directory=True)
    with pytest.raises(DataFolderError, match=f"There is one in {around / 'data'}"):
        Searcher.open(around)


def test_a_meme_may_be_named_by_itself_a_hit_its_id_or_its_path(searcher: Searcher, home: Home) -> None:
    hit = searcher.search("this is fine")[0]
    expected = paths(searcher.similar(hit.meme.id))
    for named in (hit, hit.meme, hit.path, Path(hit.path), home.settings.library / hit.path, np.int64(hit.meme.id)):
        assert paths(searcher.similar(named)) == expected


def test_an_image_may_be_a_path(searcher: Searcher, home: Home, tmp_path: Path) -> None:
    assert searcher.search(image=home.settings.library / "Dogs/fine.png")[0].path == "Dogs/fine.png"
    (tmp_path / "x.png").write_bytes(b"no image")
    with pytest.raises(UnreadableFile):
        searcher.search(image=tmp_path / "x.png")


def test_an_answer_is_a_sequence_with_a_short_repr(searcher: Searcher) -> None:
    answer = searcher.search("robot", k=2)
    assert len(answer) == 2 and list(answer) == list(answer.hits) and answer[0] in answer
    assert answer[:1] == (answer[0],) and answer[-1] is answer.hits[1]
    assert re.fullmatch(r"<Answer 2 of \d+ matches and \d+ weaker for 'robot' in \d+ ms>", repr(answer))
    assert repr(answer[0].meme) == f"<Meme {answer[0].meme.id} {answer[0].path!r}>" and len(repr(answer[0])) < 120
    assert not searcher.search("type:video")


def test_an_answer_in_a_notebook_shows_thumbnails_and_escapes_everything(searcher: Searcher) -> None:
    html = searcher.search('"good" <script>')._repr_html_()
    assert html.count('<img src="data:image/webp;base64,') == html.count("<figure") > 0
    assert "<script>" not in html and "&lt;script&gt;" in html
    assert "it&#x27;s &quot;good&quot; #1?.png" in html
    assert "http" not in html


@pytest.mark.parametrize(
    ("query", "keys"),
    [
        ("robot", ["text", "sort", "typed", "operators", "certain"]),
        ("", ["text", "sort", "typed", "operators"]),
        (
            "burnin room type:gif type:x",
            ["text", "sort", "typed", "operators", "notices", "spelling", "showing", "certain"],
        ),
    ],
)
def test_the_json_of_what_was_understood_keeps_its_keys(searcher: Searcher, query: str, keys: list[str]) -> None:
    assert list(searcher.search(query).understood.to_json()) == keys
    assert list(searcher.similar(1).understood.to_json()) == ["like", "path", "by", "certain"]


def test_scores_rank_as_the_search_does(searcher: Searcher) -> None:
    for query in ("robot", "2:robot dog", "like:1", "dog -coffee type:image", "type:image", '"this is fine"'):
        assert searcher.scores(query).rank() == [hit.meme.id for hit in searcher.search(query, k=100)], query
