"""What is understood of a visitor's text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.query.parser import MAX_CHARACTERS, Part, PartKind, format_parts, parse


def test_space_and_control_characters_count_for_nothing() -> None:
    assert parse("  two\n\twords\x00\x1b ").text == "two words"
    assert parse("two words").terms == parse("two  words ").terms


@pytest.mark.parametrize("nothing", ["", "   ", "\x00\n", "\u200b", '""', '"'])
def test_nothing_asked_is_empty(nothing: str) -> None:
    assert parse(nothing).is_empty and parse(nothing).parts == ()


def test_punctuation_alone_is_asked_without_terms() -> None:
    asked = parse("???")
    assert not asked.is_empty and asked.terms == ()


def test_a_pasted_essay_is_cut_and_that_is_said() -> None:
    asked = parse("word " * 100_000)
    assert len(asked.text) <= MAX_CHARACTERS and asked.shortened
    assert set(asked.text.split()) == {"word"}  # no half a word at the end
    assert not parse("word").shortened


@pytest.mark.parametrize(
    ("typed", "parts"),
    [
        ("cat dog", [Part(PartKind.WORD, "cat"), Part(PartKind.WORD, "dog")]),
        ("-cat", [Part(PartKind.WORD, "cat", excluded=True)]),
        ('-"this is fine"', [Part(PartKind.PHRASE, "this is fine", excluded=True)]),
        ("“this is fine”", [Part(PartKind.PHRASE, "this is fine")]),
        ('category:"Star Trek"', [Part(PartKind.CATEGORY, "Star Trek")]),
        ("-CATEGORY:cats", [Part(PartKind.CATEGORY, "cats", excluded=True)]),
        ("after:2022-06", [Part(PartKind.AFTER, "2022-06")]),
        ("2:cat", [Part(PartKind.WORD, "cat", weight=2)]),
        ('0.5:"some words"', [Part(PartKind.PHRASE, "some words", weight=0.5)]),
        ("2:like:17 dogs", [Part(PartKind.LIKE, "17", weight=2), Part(PartKind.WORD, "dogs")]),
        (r'"say \"cheese\""', [Part(PartKind.PHRASE, 'say "cheese"')]),
        ('""this is fine""', [Part(PartKind.PHRASE, "this is fine")]),
        ("‘my dog’s bed’", [Part(PartKind.PHRASE, "my dog’s bed")]),
        ("❝fine❞", [Part(PartKind.PHRASE, "fine")]),
        ("‘cause", [Part(PartKind.WORD, "‘cause")]),
        ("CAT OR DOG", [Part(PartKind.WORD, word) for word in ("CAT", "OR", "DOG")]),
    ],
)
def test_operators_are_understood(typed: str, parts: list[Part]) -> None:
    asked = parse(typed)
    assert asked.parts == tuple(parts) and asked.notices == ()


@pytest.mark.parametrize(
    "words", ["re: zero", "12:30", "http://example.com/x", "John 3:16", "- what", "a -- b", "C:\\x", ":-)", "e-mail"]
)
def test_what_only_looks_like_an_operator_is_words(words: str) -> None:
    asked = parse(words)
    assert asked.text == words and asked.notices == ()
    assert all(part.kind is PartKind.WORD for part in asked.parts)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("categry:cats", "category:"),
        ("since:2020", "after:"),
        ("0:cat", "weight"),
        ("99:cat", "weight"),
        ("type: gif", "right behind the colon"),
        ("3:type:gif", "has none"),
        ("cat OR dog", "all words"),
        ("cat NOT dog", "-dog leaves out"),
        ("word " * 500, "first 2,000 characters"),
    ],
)
def test_a_wrong_operator_is_explained(typed: str, said: str) -> None:
    (notice,) = parse(typed).notices
    assert said in notice


def test_only_what_is_wanted_is_read_by_the_encoder() -> None:
    asked = parse('cat -dog "on a mat" type:gif like:3')
    assert asked.text == "cat on a mat"


def test_a_part_is_left_out_by_printing_the_others() -> None:
    asked = parse('cat category:"Star Trek" -dog')
    assert asked.without(asked.parts[1]) == "cat -dog"


@given(st.text(max_size=300))
def test_any_text_parses_and_printing_and_parsing_again_is_the_same(text: str) -> None:
    asked = parse(text)
    assert parse(str(asked)).parts == asked.parts


PIECES = [
    "-",
    '"',
    ":",
    "2:",
    "0.5:",
    "1:",
    "category:",
    "type:",
    "like:",
    "re:",
    "\\",
    " ",
    "cat",
    "9",
    "“",
    "😂",
    "２",
]


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_any_mix_of_signs_is_printed_and_parsed_again(text: str) -> None:
    asked = parse(text)
    assert parse(format_parts(asked.parts)).parts == asked.parts
