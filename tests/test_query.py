"""What is understood of a visitor's text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.query import MAX_CHARACTERS, parse


def test_space_and_control_characters_count_for_nothing() -> None:
    assert parse("  two\n\twords\x00\x1b ").text == "two words"
    assert parse("two words").terms == parse("two  words ").terms


@pytest.mark.parametrize("nothing", ["", "   ", "\x00\n", "\u200b"])
def test_nothing_asked_is_empty(nothing: str) -> None:
    assert parse(nothing).is_empty


def test_punctuation_alone_is_asked_without_terms() -> None:
    asked = parse("???")
    assert not asked.is_empty and asked.terms == ()


def test_a_pasted_essay_is_cut_and_that_is_said() -> None:
    asked = parse("word " * 100_000)
    assert len(asked.text) <= MAX_CHARACTERS and asked.shortened
    assert not parse("word").shortened


@given(st.text(max_size=300))
def test_no_text_raises_and_understanding_twice_changes_nothing(text: str) -> None:
    asked = parse(text)
    assert parse(asked.text) == asked
