"""Quoted phrases: what counts as saying one, on a small library whose texts are known."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest

from search.evaluation.known_items import with_ocr_errors
from search.index.lexical.index import LexicalIndex
from search.index.lexical.writer import Document, build_lexical
from search.meme import Field
from search.query.quotes import make_quote, memes_saying
from search.searcher import Searcher
from tests.support.small_library import searched_library

OCR = {
    "Work/monday.png": "I hate\nMONDAYS so much",
    "Work/damaged.png": "i hate mondavs so rnuch",
    "Work/glued.png": "IHATE MONDAYS somuch",
    "Work/other.png": "I love Mondays so much, I hate nothing",
    "Work/walk.png": "one does not simply walk into mordor",
    "Work/talk.png": "one does not simply talk to mordor",
    "Work/dogs.png": "dogs are better",
    "Work/dog.png": "a dog is better than a cat",
    "Work/cafe.png": "the café is open, don't panic",
    "Work/blue.png": "keep out",
    "Work/split.png": "my key board is broken",
    "Chinese/one.png": "猫咪不想上班",
    "Chinese/two.png": "上班的猫很想咪",
    "Work/be.png": "to be or not to be",
    "Work/run.png": "yousawnothinghere today",
    "Work/lost.png": "found happy turtles yesterday",
    "Work/name1.png": "bananos at the party",
    "Work/name2.png": "bananos at the party again",
    "Work/name3.png": "more bananos at the party",
}
DESCRIPTIONS = {"Work/blue.png": "of the office, says a sign.", "Work/dogs.png": 'The text reads: "cats are worse".'}


@pytest.fixture(scope="module")
def searcher(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Searcher]:
    folder: Path = tmp_path_factory.mktemp("quotes")
    with searched_library(folder, OCR, descriptions=DESCRIPTIONS, apart=timedelta(days=1)) as (found, _):
        yield found


def matches(searcher: Searcher, query: str) -> set[str]:
    answer = searcher.search(query, k=100)
    found = {hit.path for hit in answer if hit.certain}
    assert len(found) == answer.total == answer.understood.certain
    return {path.split("/")[1].removesuffix(".png") for path in found}


@pytest.mark.parametrize(
    ("query", "said_by"),
    [
        ('"i hate mondays"', {"monday", "damaged", "glued"}),
        ('"hate mondays so much"', {"monday", "damaged"}),  # over a line's end
        ('"I HATE MONDAYS"', {"monday", "damaged", "glued"}),
        ('"i hate mondyas"', {"monday", "damaged", "glued"}),  # a slip
        ('"mondays"', {"monday", "damaged", "glued", "other"}),
        ('"simply walk"', {"walk"}),  # two words that exist are never the same
        ('"simply talk"', {"talk"}),
        ('"dogs"', {"dogs"}),  # nor are two forms of a word
        ('"dog"', {"dog"}),
        ('"cafe is open"', {"cafe"}),
        ('"CAFÉ IS OPEN"', {"cafe"}),
        ('"dont panic"', {"cafe"}),
        ('"don\'t panic"', {"cafe"}),
        ('"my keyboard is broken"', {"split"}),
        ('"keep out of the office"', set()),  # half in the picture, half in the description
        ('"out of"', set()),
        ('"cats are worse"', {"dogs"}),  # a description quotes the picture
        ('"to be or not to be"', {"be"}),
        ('"not to"', {"be"}),
        ('"work"', set()),  # the category says nothing
        ('"猫咪"', {"one"}),
        ("「猫咪不想」", {"one"}),
        ('"咪猫"', set()),
        ('"one does not" "into mordor"', {"walk"}),
        ('"one does not simply" -"into mordor"', {"talk"}),
        ('-"one does not" "mordor"', set()),
        ('"so much" hate', {"monday", "damaged", "other"}),  # words beside a phrase are asked for too …
        ('"so much" the', {"monday", "damaged", "glued", "other"}),  # … except those that say nothing
        ('"so much" category:chinese', set()),
        ('"so much" after:2024-01-03', {"glued", "other"}),
        ('"hate mondays so"', {"monday", "damaged"}),
        ('"monday.png"', {"monday"}),  # a file's name
        ('"nobody ever wrote this"', set()),
        ('"you saw nothing here"', {"run"}),  # four words run together
        ('"bananas at the party"', set()),  # what three memes write is a word of its own …
        ('"bananos at the party"', {"name1", "name2", "name3"}),
        ('"found a happy turtles"', {"lost"}),  # OCR lost a word of one letter …
        ('"found a happy"', set()),  # … which a shorter phrase does not allow for
        ('"or nqt to"', {"be"}),  # two neighbours put a slip in a short word right
        ('"nqt to"', set()),  # one does not
    ],
)
def test_what_says_a_phrase_matches_and_nothing_else(searcher: Searcher, query: str, said_by: set[str]) -> None:
    assert matches(searcher, query) == said_by


def test_what_says_a_phrase_and_lacks_the_words_beside_it_comes_before_what_lacks_the_phrase(
    searcher: Searcher,
) -> None:
    saying = {f"Work/{name}.png" for name in ("monday", "damaged", "glued", "other")}
    answer = searcher.search('"so much" cat dog better', k=100)
    assert answer.understood.asks_more and len(answer) > len(saying)
    assert {hit.path for hit in answer[: len(saying)]} == saying
    assert all(hit.path in saying for hit in answer if hit.certain)
    # A sentence that quotes describes: as ever, only what says the phrase matches, and what fits it best comes first.
    answer = searcher.search('the joke is "so much" simply walk mordor cake cat dog better', k=100)
    weaker = answer[answer.total :]
    assert [hit.score for hit in weaker] == sorted((hit.score for hit in weaker), reverse=True)
    assert {hit.path for hit in answer[: len(saying)]} != saying
    assert all(hit.path in saying for hit in answer if hit.certain)


@pytest.mark.parametrize(
    "query",
    [
        "“simply walk”",
        "„simply walk“",
        "«simply walk»",
        "« simply walk »",
        "»simply walk«",
        "「simply walk」",
        "『simply walk』",
        "＂simply walk＂",
        '"simply walk".',
        '("simply walk")',
        '"simply walk", mordor',
    ],
)
def test_any_pair_of_quotation_marks_quotes(searcher: Searcher, query: str) -> None:
    assert searcher.search(query).understood.phrases == ("simply walk",)
    assert matches(searcher, query) == {"walk"}


@pytest.mark.parametrize("query", ['"simply walk', 'simply walk"', "it's simply walk"])
def test_a_single_quotation_mark_quotes_nothing(searcher: Searcher, query: str) -> None:
    assert searcher.search(query).understood.phrases == ()


def test_a_letter_alone_is_not_taken_for_another(tmp_path: Path) -> None:
    build_lexical(tmp_path / "letters", [Document(1, {Field.OCR: "an e flat"}), Document(2, {Field.OCR: "l am fine"})])
    index = LexicalIndex.open(tmp_path / "letters")
    assert memes_saying(make_quote("c++", index), index).tolist() == []
    assert memes_saying(make_quote("I am fine", index), index).tolist() == [2]  # its neighbors tell


def test_quotes_without_a_word_are_left_out_and_that_is_said(searcher: Searcher) -> None:
    answer = searcher.search('"!!!" dog')
    assert answer.understood.phrases == () and "“!!!” has no word to look for." in answer.understood.notices
    assert "Work/dog.png" in [hit.path for hit in answer if hit.certain]


def test_similar_words_follow_what_says_the_phrase(searcher: Searcher) -> None:
    answer = searcher.search('"i love mondays"')
    assert [hit.path for hit in answer[:1]] == ["Work/other.png"] and answer.total == 1
    assert "Work/monday.png" in [hit.path for hit in answer[1:]] and answer.weaker == len(answer) - 1


def test_verbatim_puts_no_slip_right(searcher: Searcher) -> None:
    assert searcher.search('"i hate mondyas"', verbatim=True).total == 0
    assert searcher.search('"i hate mondays"', verbatim=True).total == 3


@pytest.mark.parametrize(
    ("query", "snippet"),
    [
        ('"i hate mondays"', "<mark>I hate MONDAYS</mark> so much"),
        ('"simply walk" mordor', "one does not <mark>simply walk</mark> into <mark>mordor</mark>"),
        ('"better than a cat"', "a dog is <mark>better than a cat</mark>"),
    ],
)
def test_a_phrase_is_marked_as_a_phrase(searcher: Searcher, query: str, snippet: str) -> None:
    assert searcher.search(query)[0].snippets[0].html == snippet


def test_ten_damaged_forms_of_a_word_all_say_it(tmp_path: Path) -> None:
    damaged = [f"{'wednesday'[:at]}x{'wednesday'[at + 1 :]}" for at in range(9)] + ["vvednesday"]
    texts = [f"this is the {word} of the week" for word in ["wednesday", *damaged]]
    build_lexical(tmp_path / "words", (Document(id, {Field.OCR: text}) for id, text in enumerate(texts, start=1)))
    index = LexicalIndex.open(tmp_path / "words")
    assert len(memes_saying(make_quote("the wednesday of", index), index)) >= 10


def test_a_text_damaged_as_ocr_does_still_says_its_phrases(tmp_path: Path) -> None:
    captions = json.loads((Path(__file__).parents[2] / "quality/fixture/memes.json").read_text("utf-8"))
    generator = Random(5)
    clean = {f"A/{number:03}.png": meme["ocr"].replace("\n", " ").lower() for number, meme in enumerate(captions)}
    damaged = {path: with_ocr_errors(text, generator) for path, text in clean.items()}
    with searched_library(tmp_path, damaged, apart=timedelta(days=1)) as (searcher, _):
        lexical = searcher.index.lexical
        found = false = asked = 0
        for path, text in clean.items():
            words = text.split()
            if len(words) < 3:
                continue
            phrase = " ".join(words[:5])
            asked += 1
            ids = memes_saying(make_quote(phrase, lexical), lexical).tolist()
            paths = {hit.path for hit in searcher.search(f'"{phrase}"') if hit.certain}
            assert len(ids) == len(paths)
            found += path in paths
            false += len({other for other in paths if phrase not in clean[other]})
        assert asked >= 20
        assert found >= 0.9 * asked
        assert false == 0


@pytest.mark.parametrize(
    ("query", "said_by"),
    [
        ('"remote is it normal"', {"is_it_normal"}),  # from the category on into the name
        ('"work remote is it"', {"is_it_normal"}),
        ('"work remote"', set()),  # the category alone is not said by each of its memes
        ('"remote"', {"sign"}),
        ('"remote normal"', set()),
    ],
)
def test_a_phrase_may_begin_in_the_category_and_end_in_the_name(tmp_path: Path, query: str, said_by: set[str]) -> None:
    documents = [
        Document(1, {Field.NAME: "Work - Remote: is it normal"}, "Work - Remote/is_it_normal.png"),
        Document(2, {Field.NAME: "Work - Remote: no", Field.OCR: "a remote control"}, "Work - Remote/sign.png"),
    ]
    build_lexical(tmp_path / "words", documents)
    index = LexicalIndex.open(tmp_path / "words")
    found = memes_saying(make_quote(query.strip('"'), index), index)
    assert {documents[id - 1].path.split("/")[1].removesuffix(".png") for id in found.tolist()} == said_by


def test_a_phrase_may_begin_with_the_last_eight_words_of_a_category_and_no_more(tmp_path: Path) -> None:
    category = "one two three four five six seven eight nine"
    document = Document(1, {Field.NAME: f"{category}: signpost"}, f"{category}/signpost.png")
    build_lexical(tmp_path / "words", [document])
    index = LexicalIndex.open(tmp_path / "words")
    words = category.split()
    said = [bool(len(memes_saying(make_quote(" ".join([*words[-n:], "signpost"]), index), index))) for n in (7, 8, 9)]
    assert said == [True, True, False]


@pytest.mark.parametrize(
    ("phrase", "said"),
    [
        ("and it", False),  # "and its", and "it" elsewhere
        ("and its", True),
        ("the dog", False),  # "the dogs", and "dog" in the description
        ("the dogs", True),
        ("me said", False),
        ("meme said", True),
        ("walk home", False),  # "walked home" and "walk"
        ("day one", False),  # "days one" in the name, and "day"
        ("cats day", False),  # from the category "Cat" into the name
        ("cat days", True),
        ("los gato", False),
        ("los gatos", True),
        ("mã số", True),
        ("má số", False),  # "má" stands elsewhere
        ("кота нет", False),
        ("кот нет", True),
        ("2 cats", False),
        ("2nd cats", True),
        ("猫猫", True),
        ("猫犬", False),
        ("🔥 fire", False),
        ("🔥 fires", True),
    ],
)
def test_another_form_of_a_word_does_not_say_it_where_the_meme_has_the_word_elsewhere(
    tmp_path: Path, phrase: str, said: bool
) -> None:
    ocr = "the cat and its bowl\nthe dogs\nmeme said\nwalked home\nlos gatos\nmã số\nкот нет\n2nd cats\n猫猫\n🔥 fires"
    elsewhere = "it is me, a dog on a walk all day\nthe end\ngato\nmá\nкота\n2 fire 犬"
    document = Document(1, {Field.OCR: ocr, Field.DESCRIPTION: elsewhere}, "Cat/days one.png")
    build_lexical(tmp_path / "words", [document])
    index = LexicalIndex.open(tmp_path / "words")
    assert memes_saying(make_quote(phrase, index), index).tolist() == ([1] if said else [])
    assert bool(make_quote(phrase, index).find(f"{ocr}\n\n{elsewhere}\n\ndays one")) == (said and phrase != "cat days")


def test_words_too_long_for_the_index_keep_the_places_of_the_others(tmp_path: Path) -> None:
    build_lexical(tmp_path / "words", [Document(1, {Field.OCR: f"so {'x' * 70} much"})])
    index = LexicalIndex.open(tmp_path / "words")
    assert memes_saying(make_quote("so much", index), index).tolist() == []


def test_a_phrase_goes_on_where_its_text_was_split_for_the_encoder_and_not_into_another_text(tmp_path: Path) -> None:
    words = [f"word{number}" for number in range(200)]
    ocr, descriptions = {"Work/long.png": " ".join(words)}, {"Work/long.png": "three four"}
    with searched_library(tmp_path, ocr, descriptions=descriptions, apart=timedelta(days=1)) as (found, _):
        index = found.index.lexical
        lost = [pair for pair in pairwise(words) if not len(memes_saying(make_quote(" ".join(pair), index), index))]
        assert lost == []
        assert not len(memes_saying(make_quote("word199 three", index), index))
        assert not len(memes_saying(make_quote("four word0", index), index))
