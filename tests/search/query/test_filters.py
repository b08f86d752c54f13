"""What operators leave of the tiny library, compared with what is known of it by heart."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from search.catalogue import Catalogue
from search.results import Answer
from search.searcher import Searcher
from search.settings import Settings
from search.workspace import Workspace
from tests.support.fakes import HashingTextEncoder
from tests.support.tiny import TINY

KITTEN, FINE, TOASTER, SILENT = "Cats - Kittens/small.png", "Dogs/fine.png", "Robots/toaster.png", "Robots/no words.png"
ALL = {one.path for one in TINY}
CATS = {path for path in ALL if path.startswith("Cats")}


@pytest.fixture
def searcher(served_settings: Settings, served: Catalogue) -> Iterator[Searcher]:
    yield Searcher(Workspace(served_settings, served), text_encoder=HashingTextEncoder())


def paths(answer: Answer) -> list[str]:
    return [hit.meme.path for hit in answer.hits]


def id_of(served: Catalogue, path: str) -> int:
    return served.memes.at(path).id


@pytest.mark.parametrize(
    ("query", "left"),
    [
        ("category:cats", CATS),
        ("category:CATS -category:kittens", CATS - {KITTEN}),
        ("category:Kittens", {KITTEN}),  # the last part alone
        ("category:cats category:dogs", CATS | {path for path in ALL if path.startswith("Dogs")}),
        ("after:2024-02", {"Cats/monday.png"}),
        ("after:2024 before:2024-03", ALL - {"Cats/monday.png"}),
        ("before:2024", set()),
        ("after:2024-03-01 before:2024/3/2", {"Cats/monday.png"}),
        ("type:image", ALL),
        ("type:gif|video", set()),
        ("-has:ocr", {KITTEN, SILENT}),
        ("-has:description", {SILENT}),
        ("has:ocr|description", ALL - {SILENT}),
        ("-toaster category:robots", {"Robots/😂 50%.png", SILENT}),
        ('-"this is fine" category:dogs', {'Dogs/it\'s "good" #1?.png'}),
    ],
)
def test_filters_alone_leave_what_fits_and_no_other(searcher: Searcher, query: str, left: set[str]) -> None:
    found = searcher.search(query)
    assert set(paths(found)) == left and found.total == len(left)


def test_only_filters_come_newest_first(searcher: Searcher) -> None:
    assert paths(searcher.search("type:image"))[0] == "Cats/monday.png"


def test_filters_work_inside_the_ranking(searcher: Searcher) -> None:
    assert set(paths(searcher.search("dog category:robots"))) <= {path for path in ALL if path.startswith("Robots")}
    assert paths(searcher.search("burning room -category:dogs category:cats"))  # the best are elsewhere
    assert FINE not in paths(searcher.search("dog -burning"))


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("dog category:Katz", "Cats"),
        ("dog type:jpeg", "image, gif, video"),
        ("dog has:sound", "ocr, description"),
        ("dog before:soon", "2024-06-30"),
        ("dog after:2024-02-31", "2024-06-30"),
        ("dog -before:2024", "minus"),
        ("dog like:fine", "number"),
        ("dog like:99999", "no meme 99999"),
        ("dog -like:1", "unlike"),
        ("dog -???", "no word"),
        ("dog categry:cats", "category:"),
    ],
)
def test_what_is_wrong_is_said_and_the_rest_still_answers(searcher: Searcher, query: str, said: str) -> None:
    found = searcher.search(query)
    assert FINE in paths(found)
    notices = found.understood.notices
    assert len(notices) == 1 and said in notices[0]


def test_filters_that_leave_nothing_say_so(searcher: Searcher) -> None:
    found = searcher.search("dog before:2000")
    assert found.total == 0 and "No meme fits" in str(found.understood.notices)


def test_like_alone_is_what_is_similar(searcher: Searcher, served: Catalogue) -> None:
    id = id_of(served, FINE)
    expected = [(hit.meme.id, hit.score) for hit in searcher.similar(id, k=30).hits]
    found = searcher.search(f"like:{id}")
    assert [(hit.meme.id, hit.score) for hit in found.hits[: found.total]] == expected
    assert len(found.hits) > found.total  # what is less similar follows


def test_like_this_but_with_that(searcher: Searcher, served: Catalogue) -> None:
    like = f"like:{id_of(served, FINE)}"
    alone, both = paths(searcher.search(like)), paths(searcher.search(f"{like} toaster"))
    assert both.index(TOASTER) < alone.index(TOASTER) and FINE not in both
    assert paths(searcher.search(f"0.01:{like} toaster"))[0] == TOASTER


def test_weights_move_the_ranking(searcher: Searcher) -> None:
    assert paths(searcher.search("5:kitten 0.1:robot"))[0] == KITTEN
    assert paths(searcher.search("0.1:kitten 5:toaster"))[0] == TOASTER


def test_quoted_words_are_found_word_for_word(searcher: Searcher) -> None:
    found = searcher.search('"is fine"')
    assert paths(found)[0] == FINE and "<mark>" in found.hits[0].snippets[0].html


def test_facets_count_the_whole_answer_with_parents(searcher: Searcher) -> None:
    facets = searcher.search("type:image", k=1).facets
    assert facets["category"] == {"Cats": 3, "Robots": 3, "Dogs": 2, "Cats - Kittens": 1, "Собаки": 1}
    assert facets["year"] == {"2024": 9} and facets["type"] == {"image": 9}


def test_a_slip_is_put_right_unless_taken_as_it_is_spelt(searcher: Searcher) -> None:
    assert searcher.search("burnin room").understood.showing == "burning room"
    assert searcher.search("burnin room", verbatim=True).understood.showing == ""
