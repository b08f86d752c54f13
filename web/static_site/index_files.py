"""What the files of the indexes in the browser have in common: folded words, compressed JSON, numbered parts."""

from __future__ import annotations

import gzip
import hashlib
import json
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Any

# Letters that Unicode does not take apart, as people without them on their keyboards type them.
_LETTERS = {"ß": "ss", "ς": "σ", "đ": "d", "ø": "o", "ł": "l", "æ": "ae", "œ": "oe", "ı": "i"}
_FOLDED = str.maketrans(_LETTERS)


def fold(word: str) -> str:
    """Return a word as a query in the browser is looked up: in lower case, without accents of Latin letters.

    `fold` in words.js does the same.

    >>> fold("Café"), fold("STRASSE") == fold("straße"), fold("Đen")
    ('cafe', True, 'den')
    """
    apart = unicodedata.normalize("NFD", unicodedata.normalize("NFKC", word).lower().translate(_FOLDED))
    return unicodedata.normalize("NFC", "".join(one for one in apart if not "\u0300" <= one <= "\u036f"))


def packed(content: Any) -> bytes:
    """Return JSON, compressed: not every host compresses, and every browser can decompress.

    >>> len(packed(list(range(1000)))) < 2500
    True
    """
    return gzip.compress(json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode(), 9, mtime=0)


# 90 characters that JSON and UTF-8 have as one byte: the first half ends a number, the second half goes before others.
_DIGITS = "".join(chr(code) for code in range(35, 127) if chr(code) not in "\\'")
_BASE = len(_DIGITS) // 2


def as_text(numbers: Iterable[int]) -> str:
    """Return numbers from 0 on as a text of few bytes, most of them one each; `numbersOf` in words.js reads it.

    >>> as_text([0, 1, 44]), as_text([45])
    ('#$P', 'Q$')
    """
    found = []
    for number in numbers:
        while number >= _BASE:
            number, digit = divmod(number, _BASE)
            found.append(_DIGITS[_BASE + digit])
        found.append(_DIGITS[number])
    return "".join(found)


# How many letters a word shares with the one before it; words themselves have no capitals.
_SHARED = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def front_coded(words: Iterable[str]) -> str:
    """Return words in lower case, in the order of their letters, as one text: each without what the one before it has.

    Before each stands a capital for the number of letters left out, A for none; `wordsIn` in words.js reads it.

    >>> front_coded(["cat", "catnip", "dog"])
    'AcatDnipAdog'
    """
    found, last = [], ""
    for word in words:
        most = min(len(word), len(last), len(_SHARED) - 1)
        # A letter beyond U+FFFF is two for scripts of browsers.
        same = next((at for at in range(most) if word[at] != last[at] or word[at] > "\uffff"), most)
        found.append(_SHARED[same] + word[same:])
        last = word
    return "".join(found)


class Parts:
    """The numbered files of an index, which have one name: tables then hold no name of each.

    The name is made from the contents of all, so that a browser never mixes the parts of two exports.

    >>> parts = Parts("phrases/")
    >>> parts.add({"a": 1}), parts.add({"b": 2})
    (0, 1)
    >>> name, files = parts.name(), dict(parts.files())
    >>> sorted(files) == [f"{name}-0.dat", f"{name}-1.dat"], name.startswith("phrases/")
    (True, True)
    """

    def __init__(self, folder: str = "") -> None:
        self._folder = folder
        self._contents: list[bytes] = []
        self._digest = hashlib.sha256()

    def add(self, content: Any) -> int:
        """Add a part, and return its number."""
        raw = packed(content)
        self._contents.append(raw)
        self._digest.update(hashlib.sha256(raw).digest())
        return len(self._contents) - 1

    def name(self) -> str:
        """Return the beginning of the names of all parts; call it when all have been added."""
        return f"{self._folder}{self._digest.hexdigest()[:16]}"

    def files(self) -> Iterator[tuple[str, bytes]]:
        """Yield the path and the content of each part."""
        return ((f"{self.name()}-{number}.dat", raw) for number, raw in enumerate(self._contents))


def shortest_after(before: str, key: str) -> str:
    """Return the shortest beginning of a key that comes after the key before it.

    >>> shortest_after("mondays", "monkey"), shortest_after("", "a"), shortest_after("mon", "monday")
    ('monk', 'a', 'mond')
    """
    same = next((at for at, (one, two) in enumerate(zip(before, key, strict=False)) if one != two), len(before))
    return key[: same + 1]
