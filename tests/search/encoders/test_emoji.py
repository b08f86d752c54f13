"""Every emoji has one name, whatever its skin tone and form."""

from __future__ import annotations

import pytest

from search.encoders.emoji import emoji_in, emoji_name, is_emoji, name_emoji
from search.index.lexical.analyzer import query_terms

NAMES = {
    "🔥": "fire",
    "❤": "red heart",
    "❤️": "red heart",
    "🇲🇽": "Mexico",
    "🇺🇸": "United States",
    "🏴󠁧󠁢󠁥󠁮󠁧󠁿": "England",
    "🏴‍☠️": "pirate flag",
    "🏳️‍🌈": "rainbow flag",
    "#️⃣": "keycap #",
    "3️⃣": "3",
    "👍🏿": "thumbs up",
    "👩🏽‍💻": "woman technologist",
    "👨‍👩‍👧": "family man woman girl",
    "❤️‍🔥": "heart on fire",
}


@pytest.mark.parametrize(("emoji", "name"), NAMES.items())
def test_each_kind_of_emoji_is_one_word_with_a_name(emoji: str, name: str) -> None:
    assert emoji_name(emoji) == name
    assert is_emoji(emoji) and len(query_terms(emoji)) == len(emoji_in(emoji)) == 1
    assert name_emoji(f"a{emoji}b") == f"a {name} b"


def test_skin_tones_and_forms_make_no_other_emoji() -> None:
    assert emoji_in("👩🏽‍💻 👩‍💻 👩🏿‍💻") == ["👩‍💻"]
    assert query_terms("👩🏽‍💻 👩‍💻 👩🏿‍💻") == query_terms("👩‍💻")
    assert query_terms("❤️ ❤") == query_terms("❤")
    assert query_terms("👩") != query_terms("👩‍💻")


def test_neighbours_are_told_apart() -> None:
    assert emoji_in("🇺🇸🇲🇽1️⃣2️⃣😂🔥") == ["🇺🇸", "🇲🇽", "1⃣", "2⃣", "😂", "🔥"]
    assert query_terms("cool😎naïve") == ["cool", "😎", "naiv"]


def test_an_emoji_that_unicode_does_not_name_has_the_names_of_its_parts() -> None:
    assert emoji_name("🧑🏿‍❤️‍🧑🏻") == "person red heart person"
    assert emoji_name("🐈‍🔥") == "cat fire"
    assert name_emoji("🇽🇽 🏽") == ""


@pytest.mark.parametrize("sign", ["©", "™", "®", "3", "#", "‼️", "é", "猫", "→"])
def test_signs_of_texts_are_no_emoji(sign: str) -> None:
    assert not is_emoji(sign) and emoji_in(sign) == [] and name_emoji(f"{sign} a").endswith(" a")
