"""Words that an OCR engine has run together, put apart by how frequent words are."""

from __future__ import annotations

import re
from functools import lru_cache
from importlib import resources

from symspellpy import SymSpell

LONGEST_TRUSTED = 7  # letters: a shorter word is left as it was read; see benchmarks/ocr.py
# Contractions as they look without their apostrophe, at about the frequency of their parts in the dictionary's corpus.
_CONTRACTIONS = (
    "aint arent cant couldnt didnt doesnt dont hadnt hasnt havent hes im isnt itll its ive lets shes shouldnt thats "
    "theres theyll theyre theyve wasnt weve werent whats wheres whos wont wouldnt yall youd youll youre youve"
).split()
_CONTRACTION_COUNT = 50_000_000
_LETTERS = re.compile(r"[A-Za-z]+(?:['’][A-Za-z]+)*")
_APOSTROPHES = "'’"


def with_spaces(text: str) -> str:
    """Return a text with each unknown long word put apart into known words, where it can be; letters and case stay."""
    return _LETTERS.sub(lambda match: _apart(match[0]), text)


def known(word: str) -> bool:
    """Return whether a word is in the dictionary, in any case and without its apostrophes."""
    return _bare(word) in _dictionary().words


def _apart(word: str) -> str:
    bare = _bare(word)
    if len(bare) <= LONGEST_TRUSTED or bare in _dictionary().words:
        return word
    segmented = _dictionary().word_segmentation(bare, max_edit_distance=0, max_segmentation_word_length=20)
    parts = segmented.segmented_string.split()
    if "".join(parts) != bare or not all(part in _dictionary().words for part in parts):
        return word
    pieces, at = [], 0
    for part in parts:
        end, left = at, len(part)
        while end < len(word) and (left or word[end] in _APOSTROPHES):
            left -= word[end] not in _APOSTROPHES
            end += 1
        pieces.append(word[at:end])
        at = end
    return " ".join(pieces)


def _bare(word: str) -> str:
    return "".join(letter for letter in word.lower() if letter not in _APOSTROPHES)


@lru_cache(maxsize=1)
def _dictionary() -> SymSpell:
    speller = SymSpell(max_dictionary_edit_distance=0, prefix_length=7)
    words = resources.files("symspellpy") / "frequency_dictionary_en_82_765.txt"
    with resources.as_file(words) as path:
        speller.load_dictionary(str(path), term_index=0, count_index=1)
    for word in _CONTRACTIONS:
        speller.create_dictionary_entry(word, _CONTRACTION_COUNT)
    return speller
