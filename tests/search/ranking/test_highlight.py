"""Snippets compared with the text that they are cut from."""

from __future__ import annotations

import html
import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.index.lexical.analyzer import is_letterwise, query_terms, tokenize
from search.meme import Field, Passage
from search.ranking.highlight import LEAD, MAX_LETTERS, Highlighter, best_snippet, make_snippet


def passage(body: str) -> Passage:
    return Passage(Field.DESCRIPTION, "gemma", body)


def shown(body: str, query: str) -> str:
    return make_snippet(passage(body), Highlighter(frozenset(query_terms(query)))).html


def test_matching_words_are_marked_in_any_form() -> None:
    assert shown("A cat complained; CATS complain.", "complaining cats") == (
        "A <mark>cat</mark> <mark>complained</mark>; <mark>CATS</mark> <mark>complain</mark>."
    )


@pytest.mark.parametrize(
    ("body", "query", "expected"),
    [
        ("Déjà vu, encore", "deja", "<mark>Déjà</mark> vu, encore"),
        ("you DON'T say", "dont", "you <mark>DON&#x27;T</mark> say"),
        ("I'm here", "im", "<mark>I&#x27;m</mark> here"),
        ("happy times", "happiness", "<mark>happy</mark> times"),
        ("left/right turn", "right", "left/<mark>right</mark> turn"),
        ("Кот и ПЁС", "кот", "<mark>Кот</mark> и ПЁС"),
        ("the category", "cat", "the category"),
        ("I tried and cried", "try", "I <mark>tried</mark> and cried"),
        ("crying babies", "cry", "<mark>crying</mark> babies"),
        ("using it", "use", "<mark>using</mark> it"),
        ("dying under gray skies", "die sky", "<mark>dying</mark> under gray <mark>skies</mark>"),
    ],
)
def test_what_the_index_finds_is_what_is_marked(body: str, query: str, expected: str) -> None:
    assert shown(body, query) == expected


def test_a_word_is_named_once_in_whatever_forms_it_stands() -> None:
    found = make_snippet(passage("Dogs, a dog and DOGS with a cat"), Highlighter(frozenset(query_terms("dog cats"))))
    assert found.words == ("Dogs", "cat")
    assert found.html.count("<mark>") == 4


def test_text_is_escaped_and_only_marks_are_markup() -> None:
    assert shown('<script>alert("cat")</script> & cat', "cat") == (
        "&lt;script&gt;alert(&quot;<mark>cat</mark>&quot;)&lt;/script&gt; &amp; <mark>cat</mark>"
    )


def test_a_long_text_is_cut_where_most_words_match() -> None:
    filler = "nothing to see here " * 40
    found = shown(f"a dog. {filler} the dog bites the postman {filler}", "dog bites postman")
    assert "<mark>dog</mark> <mark>bites</mark> the <mark>postman</mark>" in found
    assert found.startswith("… ") and found.endswith(" …")


def test_without_a_match_the_beginning_is_shown() -> None:
    body = "It begins here. " + "And it goes on. " * 40
    found = shown(body, "zebra")
    assert found.startswith("It begins here.") and found.endswith(" …")
    assert "<mark>" not in found


def test_the_passage_with_most_terms_is_the_best() -> None:
    passages = [passage("a cat"), passage("a cat and a dog"), passage("dog, cat")]
    both = best_snippet(passages, Highlighter(frozenset(query_terms("dog cat"))))
    assert both is not None and both.html == "a <mark>cat</mark> and a <mark>dog</mark>"
    # "On" begins as the stem of "one" does, and is none.
    one = best_snippet([passage("On a mat, on and on"), passage("one cat")], Highlighter(frozenset(query_terms("one"))))
    assert one is not None and one.words == ("one",)
    assert best_snippet([passage("On a mat"), passage("on a cat")], Highlighter(frozenset({"one"}))) is None
    assert best_snippet(passages, Highlighter(frozenset(query_terms("zebra")))) is None
    assert best_snippet(passages, Highlighter(frozenset())) is None
    assert best_snippet(passages[:1], Highlighter(frozenset(query_terms("zebra")))) is None


def test_words_are_marked_as_the_analyzer_splits_texts() -> None:
    draw = random.Random(1)
    letters = "aB1'’ -.,(é\u0301中文กำ한😂\u200d\u00ad\t\n\u00a0\u3000ßК\x01_\x1c\x85\u2028"
    for _ in range(3000):
        text = "".join(draw.choice(letters) for _ in range(draw.randint(0, 14)))
        tokens = [token for token in tokenize(text) if token.term]
        terms = frozenset(token.term for token in tokens if draw.random() < 0.6 and not is_letterwise((token.term,)))
        expected = [(token.start, token.end) for token in tokens if token.term in terms]
        assert Highlighter(terms).find(text) == expected
        assert Highlighter(terms).count_terms(text) == len(terms)


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("Don't look up", "dont"),
        ("it is nine o’clock", "oclock"),
        ("They're here", "theyre"),
        ("rock'n'roll", "rocknroll"),
    ],
)
def test_apostrophes_count_for_nothing(text: str, query: str) -> None:
    found = make_snippet(passage(text), Highlighter(frozenset(query_terms(query))))
    assert found.html.count("<mark>") == 1


texts = st.text(alphabet=st.sampled_from("abcdé <>&'\"\n漢字ñI İ.-"), max_size=400)
spaced_texts = st.text(alphabet=st.sampled_from("abcdé <>&'\"\nжñI İ.-"), max_size=400)


@given(texts, texts)
def test_a_snippet_without_its_marks_is_a_piece_of_the_text(body: str, query: str) -> None:
    found = shown(body, query)
    plain = html.unescape(re.sub(r"</?mark>", "", found)).removeprefix("… ").removesuffix(" …")
    assert plain in body
    assert len(plain) <= MAX_LETTERS + LEAD


@given(spaced_texts, spaced_texts)
def test_every_marked_word_is_a_term_and_every_term_of_a_short_text_is_marked(body: str, query: str) -> None:
    body = body[:MAX_LETTERS]
    wanted = frozenset(query_terms(query))
    marked = [html.unescape(word) for word in re.findall(r"<mark>(.*?)</mark>", shown(body, query), re.DOTALL)]
    assert marked == [body[token.start : token.end] for token in tokenize(body) if token.term in wanted]


@pytest.mark.parametrize(
    ("body", "query", "marked"),
    [
        ("我真的很喜欢猫咪", "喜欢猫", ["喜欢猫"]),  # letters in a row are one mark
        ("我真的很喜欢狗，猫在哪里", "喜欢猫", ["喜欢"]),  # a single letter says nothing beside two
        ("猫在哪里", "喜欢猫", ["猫"]),
        ("น้ำแข็งเย็น", "แข็ง", ["แข็ง"]),
        ("고양이가 잔다", "고양이", ["고양이"]),
        ("Η ΓΑΤΑ ΜΟΥ", "γάτα", ["ΓΑΤΑ"]),
        ("كِتَابٌ جديد", "كتاب", ["كِتَابٌ"]),
        ("ﾗｰﾒﾝ と ガム", "ラーメン", ["ﾗｰﾒﾝ"]),
    ],
)
def test_what_is_marked_in_scripts_other_than_latin(body: str, query: str, marked: list[str]) -> None:
    assert re.findall(r"<mark>(.*?)</mark>", shown(body, query)) == marked
