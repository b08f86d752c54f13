"""Words that another one contains or resembles: beginnings of Korean words, words that differ by accents, and the words
that join others in English."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from search.query.language import accents_tell_apart
from search.results import Place
from search.searcher import Searcher
from tests.support.fakes import LatinTextEncoder
from tests.support.small_library import searched_library

KOREAN = {
    "K/work.png": "할 일이 많다",
    "K/mail.png": "메일이면 충분하다",
    "K/this.png": "이 회의가 길다",
    "K/cat.png": "고양이는 잔다",
    "K/lost.png": "집에서일하라고하는데",  # OCR lost the spaces
}
ROOM = "phòng trống không người ở nhà"
VIETNAMESE = {
    **{f"V/room{number}.png": ROOM for number in range(3)},
    **{f"V/inside{number}.png": "ngủ trong lúc họp" for number in range(3)},
    "V/lost.png": "mèo uống ca phê",  # cà lost its accent, and is no word without it
    "V/coffee.png": "máy cà phê vẫn hỏng đã lâu rồi",
    "V/others.png": "sếp nói đừng buồn trời sẽ nắng đẹp hơn mật khẩu quên thư điện tử",
}
ENGLISH = {
    "E/is.png": "it is what it is",
    "E/what.png": "what happened yesterday",
    "E/office.png": "an office at night",
    "E/wifi.png": "no wifi at sea",
    "E/hyphen.png": "ask for the Wi-Fi",
}


@pytest.fixture(scope="module")
def searcher(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Searcher]:
    folder = tmp_path_factory.mktemp("borders")
    with searched_library(folder, KOREAN | VIETNAMESE, apart=timedelta(days=1), encoder=LatinTextEncoder()) as (
        found,
        _,
    ):
        yield found


@pytest.fixture(scope="module")
def english(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Searcher]:
    folder = tmp_path_factory.mktemp("english")
    with searched_library(folder, ENGLISH, apart=timedelta(days=1)) as (found, _):
        yield found


def matches(searcher: Searcher, query: str) -> set[str]:
    answer = searcher.search(query, k=100)
    return {hit.path.partition("/")[2].removesuffix(".png") for hit in answer[: answer.total]}


@pytest.mark.parametrize(
    ("query", "right"),
    [
        ("일이", {"work"}),
        ('"일이"', {"work"}),  # not within 메일이면
        ('"이"', {"this"}),
        ("고양이", {"cat"}),  # the text has a particle behind it
        ('"고양이"', {"cat"}),
        ('"일하라고"', {"lost"}),  # too long to be within another word by chance
        ("일하라고 하는데", {"lost"}),
        ("많다 -메일", {"work"}),
    ],
)
def test_a_short_korean_word_begins_a_word(searcher: Searcher, query: str, right: set[str]) -> None:
    assert matches(searcher, query) == right


def test_only_the_beginning_of_a_word_is_marked(searcher: Searcher) -> None:
    [hit] = searcher.search('"일이"', k=1)
    assert "할 <mark>일이</mark> 많다" in hit.snippets[0].html


def test_most_words_of_the_library_have_accents(searcher: Searcher, english: Searcher) -> None:
    assert accents_tell_apart(searcher.index.lexical) and not accents_tell_apart(english.index.lexical)


ROOMS, INSIDE = {"room0", "room1", "room2"}, {"inside0", "inside1", "inside2"}


@pytest.mark.parametrize(
    ("query", "right"),
    [
        ("trống", ROOMS),
        ('"trống"', ROOMS),  # "trong" has not lost its accents: it is another word
        ("trong", INSIDE),
        ('"trong"', INSIDE),
        ('"phong trong"', ROOMS),  # typed without accents: "phong" is no word
        ('"cà phê"', {"lost", "coffee"}),
        ("ca phe", {"lost", "coffee"}),
        ("-trong trống", ROOMS),
    ],
)
def test_where_accents_tell_words_apart_a_word_is_not_the_one_without_them(
    searcher: Searcher, query: str, right: set[str]
) -> None:
    assert matches(searcher, query) == right


@pytest.mark.parametrize(
    ("query", "right"),
    [("it is what it is", {"is"}), ("what", {"is", "what"}), ("the office", {"office"}), ("what is it", {"is"})],
)
def test_words_that_join_others_count_where_no_other_says_anything(
    english: Searcher, query: str, right: set[str]
) -> None:
    assert matches(english, query) == right


@pytest.mark.parametrize("query", ["wi-fi", '"wi-fi"'])
def test_a_word_with_a_hyphen_is_the_same_without(english: Searcher, query: str) -> None:
    assert matches(english, query) == {"wifi", "hyphen"}
    texts = {hit.path: hit.reasons[0] for hit in english.search(query)[:2]}
    assert texts["E/wifi.png"].words == ("wifi",) and texts["E/wifi.png"].place is Place.OCR
    assert texts["E/hyphen.png"].words == (("Wi-Fi",) if '"' in query else ("Wi", "Fi"))


def test_signs_and_emoji_are_of_no_language(english: Searcher) -> None:
    for query in ("🐸", "???", "24/7"):
        assert english.search(query).understood.notices == ()
