"""Emoji of one or more code points, and their names in English.

The names are the short ones of Unicode's CLDR, from the list of the package `emoji` 2.16 ("keycap 3" is "3" here), each
for a sequence without skin tones and variation selectors, in which emoji are compared.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from importlib import resources

import regex

# Not all pictographs: ©, ® and ™ are signs of texts, and what is no symbol is a letter or punctuation ("ℹ", "‼").
_PICTURE = r"[[\p{Extended_Pictographic}&&\p{So}]--[©®™]]"
_CHANGED = rf"{_PICTURE}[\ufe0f\p{{Emoji_Modifier}}\U000e0020-\U000e007f]*"  # its form, its skin, or a region's letters

# A flag, a keycap, or pictures joined to one, as UTS #51 has them; with regex.V1.
EMOJI = rf"\p{{Regional_Indicator}}{{2}}|[0-9#*]\ufe0f?\u20e3|{_CHANGED}(?:\u200d{_CHANGED})*"

_EMOJI = regex.compile(EMOJI, regex.V1)
_UNNAMED = regex.compile(r"[\p{Emoji_Modifier}\p{Regional_Indicator}\u200d\ufe0f\u20e3]", regex.V1)
_FORM = regex.compile(r"[\p{Emoji_Modifier}\ufe0f]", regex.V1)


def emoji_in(text: str) -> list[str]:
    """Return the distinct emoji of a text in order of appearance, without skin tones and variation selectors.

    >>> from search.encoders.emoji import emoji_in
    >>> len(emoji_in("👩🏽‍💻👩‍💻 at 3️⃣ 🇲🇽"))
    3
    """
    return [] if text.isascii() else list(dict.fromkeys(_FORM.sub("", one) for one in _EMOJI.findall(text)))


def is_emoji(word: str) -> bool:
    """Return whether a word of a text, or its term, is an emoji.

    >>> from search.encoders.emoji import is_emoji
    >>> is_emoji("🏴‍☠️"), is_emoji("3️⃣"), is_emoji("3"), is_emoji("café")
    (True, True, False, False)
    """
    return not word.isascii() and _EMOJI.match(word) is not None


def emoji_name(emoji: str) -> str:
    """Return the English name of an emoji; the names of its parts where Unicode has none for all, "" for no name.

    >>> from search.encoders.emoji import emoji_name
    >>> emoji_name("👩🏽‍💻"), emoji_name("🇲🇽"), emoji_name("❤️‍🔥")
    ('woman technologist', 'Mexico', 'heart on fire')
    """
    plain = _FORM.sub("", emoji)
    known = _names().get(plain)
    if known is not None:
        return known
    parts = plain.split("\u200d")
    if len(parts) > 1:
        return " ".join(filter(None, map(emoji_name, parts)))
    return unicodedata.name(plain[0], "").lower() if _EMOJI.fullmatch(plain[0]) else ""


def emoji_words(emoji: str) -> str:
    """Return the words by which texts say what an emoji shows: its name without the "face" at its end.

    >>> from search.encoders.emoji import emoji_words
    >>> emoji_words("🐱"), emoji_words("🔥")
    ('cat', 'fire')
    """
    return emoji_name(emoji).removesuffix(" face")


def name_emoji(text: str) -> str:
    """Return a text with the names of its emoji, each once, in place of them.

    >>> from search.encoders.emoji import name_emoji
    >>> name_emoji("🔥🔥😂 this is fine")
    'fire face with tears of joy this is fine'
    """
    if text.isascii() or not (_EMOJI.search(text) or _UNNAMED.search(text)):
        return text
    named: set[str] = set()

    def name_of(found: regex.Match[str]) -> str:
        name = emoji_name(found[0])
        if name in named:
            return " "
        named.add(name)
        return f" {name} "

    return " ".join(_UNNAMED.sub("", _EMOJI.sub(name_of, text)).split())


@lru_cache(maxsize=1)
def _names() -> dict[str, str]:
    """Return the names of the emoji that Unicode recommends for interchange."""
    lines = (resources.files("search.encoders") / "emoji_names.txt").read_text("utf-8").splitlines()
    return dict(line.split("\t") for line in lines)
