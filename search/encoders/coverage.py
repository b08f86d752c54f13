"""What an encoder can read: the scripts that its tokenizer knows words of, and a text's part in those scripts.

A tokenizer takes letters that it does not know for one unknown token, and texts of unknown tokens all look alike. Of
some scripts it knows the letters and no words, as MiniLM does of Cyrillic: it spells these out, and what it makes of
them says nothing. So a script counts as read only where the vocabulary has pieces of words in it. Emoji that a
vocabulary lacks have names in English, by which they are asked for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import regex
from numpy.typing import NDArray
from tokenizers import Tokenizer

from search.encoders.base import TextEncoder
from search.encoders.emoji import emoji_in, name_emoji

# MiniLM's vocabulary has 27,533 pieces of two Latin letters or more, 8 of Cyrillic and none of Han; vocabularies of
# models that read a script have thousands.
MIN_PIECES = 200
ENGLISH = "en"
MAX_LISTED = 8  # languages by their codes; more of them are counted
MIN_IDEOGRAPHS = 2000  # single letters, in scripts whose letters are words
MIN_EMOJI = 20  # MiniLM's vocabulary has none
_NAMES = (
    "Latin Greek Cyrillic Armenian Hebrew Arabic Syriac Thaana Devanagari Bengali Gurmukhi Gujarati Oriya Tamil Telugu "
    "Kannada Malayalam Sinhala Thai Lao Tibetan Myanmar Georgian Hangul Ethiopic Khmer Mongolian Han Hiragana Katakana "
    "Bopomofo"
)
SCRIPTS = tuple(_NAMES.split())
_SCRIPT = regex.compile("|".join(rf"(?P<{name}>\p{{{name}}})" for name in SCRIPTS))
_LETTER = regex.compile(r"\p{L}")
_KNOWN = regex.compile(r"[\p{L}\p{N}]")


def _byte_letters() -> dict[str, int]:
    """Return the byte that each letter of a byte-level vocabulary stands for, as GPT-2 has them."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in plain]
    return {chr(byte): byte for byte in plain} | {chr(256 + at): byte for at, byte in enumerate(others)}


@dataclass(frozen=True)
class Coverage:
    """The scripts that an encoder reads, and whether it reads emoji."""

    scripts: frozenset[str]
    has_emoji: bool = True

    def name_emoji(self, text: str) -> str:
        """Return a text with the English names of the emoji that the encoder does not read, each once.

        >>> from search.encoders.coverage import Coverage
        >>> Coverage(frozenset({"Latin"}), has_emoji=False).name_emoji("🔥😂 this is fine")
        'fire face with tears of joy this is fine'
        """
        return text if self.has_emoji else name_emoji(text)

    def readable(self, text: str) -> str:
        """Return a text without the letters of other scripts; "" when no letter or digit is left.

        Digits alone are no text where letters were taken out.

        >>> from search.encoders.coverage import Coverage
        >>> english = Coverage(frozenset({"Latin"}))
        >>> english.readable("猫 says hello"), english.readable("猫 2022"), english.readable("déjà vu")
        ('says hello', '', 'déjà vu')
        """
        if text.isascii() or not self._unread.search(text):
            return text if _KNOWN.search(text) or text.isascii() else ""
        kept = " ".join(self._unread.sub(" ", text).split())
        return kept if _LETTER.search(kept) else ""

    def share(self, text: str) -> float:
        """Return the share of a text's letters that the encoder reads, 0 to 1; 1 for a text without letters."""
        if text.isascii():
            return 1.0
        unread = sum(len(_LETTER.findall(found[0])) for found in self._unread.finditer(text))
        return 1.0 - unread / max(1, len(_LETTER.findall(text)))

    @property
    def _unread(self) -> regex.Pattern[str]:
        return _unread_letters(self.scripts)


@lru_cache(maxsize=16)
def _unread_letters(scripts: frozenset[str]) -> regex.Pattern[str]:
    """Return the pattern of letters of other scripts, with their marks."""
    read = "".join(rf"\p{{{name}}}" for name in sorted(scripts))
    # Letters that several scripts share are as the letters around them, such as the Japanese long vowel.
    shared = r"\p{Common}\p{Inherited}"
    return regex.compile(
        rf"(?:[\p{{L}}--[{read}{shared}]][\p{{M}}\u0640\u30fc\uff70\uff9e\uff9f\u3005\u200c\u200d]*)+", regex.V1
    )


EVERYTHING = Coverage(frozenset(SCRIPTS))


def coverage_of(tokenizer: Tokenizer) -> Coverage:
    """Return the scripts of which a tokenizer's vocabulary has pieces of words, or thousands of words of one letter.

    >>> from tokenizers import Tokenizer, models
    >>> vocabulary = {chr(97 + a) + chr(97 + b): 26 * a + b for a in range(26) for b in range(26)}
    >>> from search.encoders.coverage import coverage_of
    >>> coverage_of(Tokenizer(models.WordPiece(vocabulary | {"[UNK]": 676, "猫": 677}))).scripts
    frozenset({'Latin'})
    """
    # As it is pickled: JSON of this part alone, while `to_str` writes the whole vocabulary.
    splitter = tokenizer.pre_tokenizer
    is_bytes = splitter is not None and b"ByteLevel" in splitter.__getstate__()
    byte_of = _byte_letters()
    pieces: Counter[str] = Counter()
    ideographs: Counter[str] = Counter()
    emoji = 0
    for entry in tokenizer.get_vocab(with_added_tokens=False):
        piece = entry
        if is_bytes:
            try:
                piece = bytes(byte_of[letter] for letter in entry.removesuffix("</w>")).decode("utf-8")
            except (KeyError, UnicodeDecodeError):
                continue
        letters = piece.strip("#")
        if letters.isascii() and letters.isalpha():  # most pieces of most vocabularies
            (pieces if len(letters) > 1 else ideographs)["Latin"] += 1
            continue
        found = [match.lastgroup or "" for match in _SCRIPT.finditer(piece)]
        emoji += bool(emoji_in(piece))
        if len(found) > 1:
            pieces.update(set(found))
        elif found:
            ideographs.update(found)
    return Coverage(
        frozenset(name for name in SCRIPTS if pieces[name] >= MIN_PIECES or ideographs[name] >= MIN_IDEOGRAPHS),
        has_emoji=emoji >= MIN_EMOJI,
    )


def coverage_for(encoder: object) -> Coverage:
    """Return what an encoder says that it reads; everything for one that says nothing.

    >>> from search.encoders.coverage import coverage_for
    >>> coverage_for(encoder).readable("a cat")
    'a cat'
    """
    found = getattr(encoder, "coverage", None)
    return found if isinstance(found, Coverage) else EVERYTHING


def reads_english_alone(encoder: object) -> bool:
    """Return whether an encoder reads no language but English, by its card, or by its letters where that says nothing.

    >>> from search.encoders.coverage import reads_english_alone
    >>> reads_english_alone(encoder)
    False
    """
    languages = _languages(encoder)
    return languages == {ENGLISH} if languages else coverage_for(encoder).scripts == {"Latin"}


def languages_of(encoder: object) -> str:
    """Return which languages an encoder reads, in words: as its card lists them, else the letters that it reads.

    >>> from search.encoders.coverage import languages_of
    >>> languages_of(encoder)
    'every language'
    """
    if reads_english_alone(encoder):
        return "English"
    languages = _languages(encoder)
    if len(languages) > MAX_LISTED:
        return f"{len(languages)} languages"
    if languages:
        return f"the languages {', '.join(sorted(languages))}"
    scripts = coverage_for(encoder).scripts
    if scripts == EVERYTHING.scripts:
        return "every language"
    return f"languages in {', '.join(sorted(scripts))} letters" if scripts else "no language that is known here"


def _languages(encoder: object) -> set[str]:
    """Return the codes of the languages that an encoder's card lists, without "multilingual"."""
    listed = {str(one).partition("-")[0].lower() for one in getattr(encoder, "languages", ())}
    return set() if "multilingual" in listed and len(listed) == 1 else listed - {"multilingual"}


def readable_part(encoder: object, text: str) -> str:
    """Return what an encoder can read of a text; "" for nothing.

    >>> from search.encoders.coverage import readable_part
    >>> readable_part(encoder, "a cat")
    'a cat'
    """
    # Every encoder reads ASCII, and its vocabulary takes a third of a second to look through.
    return text if text.isascii() else coverage_for(encoder).readable(text)


def readable_share(encoder: object, text: str) -> float:
    """Return the share of a text's letters that an encoder can read, 0 to 1.

    >>> from search.encoders.coverage import readable_share
    >>> readable_share(encoder, "a cat")
    1.0
    """
    if text.isascii():
        return 1.0
    coverage = coverage_for(encoder)
    return coverage.share(text) if coverage.readable(text) else 0.0


def readable_rows(encoder: TextEncoder, texts: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the places of the texts that an encoder can read ([m] int64), and the rows of what it reads ([m, d]).

    >>> from search.encoders.coverage import readable_rows
    >>> places, rows = readable_rows(encoder, ["a cat", "a dog"])
    >>> places.tolist(), len(rows)
    ([0, 1], 2)
    """
    readable = [readable_part(encoder, text) for text in texts]
    places = np.array([at for at, text in enumerate(readable) if text], np.int64)
    if not len(places):
        return places, np.empty((0, encoder.dimensions), np.float32)
    return places, encoder.encode([readable[at] for at in places])


@dataclass(frozen=True)
class ReadableText:
    """What an encoder can read of a part of a query: its text, its weight, and the share of its letters (0 to 1)."""

    text: str
    weight: float
    share: float


def readable_texts(groups: Sequence[tuple[str, float]], encoder: object) -> list[ReadableText]:
    """Return what an encoder can read of weighted texts, the parts of a query; nothing where it reads none.

    Emoji that it does not read have their names.

    >>> from search.encoders.coverage import readable_texts
    >>> readable_texts([("a cat", 2.0)], encoder)
    [ReadableText(text='a cat', weight=2.0, share=1.0)]
    """
    total = sum(weight for _, weight in groups)
    named = [(coverage_for(encoder).name_emoji(text), weight) for text, weight in groups]
    found = [(readable_part(encoder, text), weight, readable_share(encoder, text)) for text, weight in named]
    read = sum(weight for text, weight, _ in found if text) / total
    return [ReadableText(text, weight, share * read) for text, weight, share in found if text]


def weighted_direction(
    encode: Callable[[Sequence[str]], NDArray[np.float32]], parts: Sequence[ReadableText]
) -> NDArray[np.float32]:
    """Return the direction ([d]) of the weighted sum of texts' embeddings, as long as the share of them that is read.

    So a query of which an encoder reads a third is at most a third as near to any meme.
    """
    vectors = encode([one.text for one in parts])
    share = sum(one.share * one.weight for one in parts) / sum(one.weight for one in parts)
    if len(parts) == 1:
        return vectors[0] if share == 1 else (vectors[0] * share).astype(np.float32)
    total = (vectors * np.array([[one.weight] for one in parts], np.float32)).sum(axis=0)
    return (total * (share / max(float(np.linalg.norm(total)), 1e-9))).astype(np.float32)
