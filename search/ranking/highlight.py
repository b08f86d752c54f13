"""Snippets: the piece of a text that matched, with the matching words in `<mark>`."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from html import escape

from search.index.analyzer import LETTERWISE_WORD, Token, is_letterwise, tokenize
from search.meme import Passage
from search.query.quotes import Quote
from search.results import Snippet

MAX_LETTERS = 180  # of a snippet, about
LONG = 7  # letters of a stem from which it may have an apostrophe anywhere
LEAD = 40  # letters shown before the first match, where there are as many


_ASCII_WORD = re.compile(r"[A-Za-z0-9](?:'?[A-Za-z0-9])*")
# Words outside ASCII may be spelled otherwise than their terms: what has such a letter is always looked at.
_WORD_OR_LETTER = re.compile(rf"{_ASCII_WORD.pattern}|[^\x00-\x7f]")

# Terms that not all their words begin with, by the English stemmer's own list: "dying", "skies".
_IRREGULAR = {"die": ("di", "dy"), "lie": ("li", "ly"), "tie": ("ti", "ty"), "sky": ("ski", "sky")}


@lru_cache(maxsize=16_384)
def _tokens_of(piece: str) -> tuple[Token, ...]:
    """Return the tokens of a word, which texts repeat."""
    return tuple(tokenize(piece))


def _beginnings(term: str) -> tuple[str, ...]:
    """Return how all words of a term begin: the last letter may be another one ("cry", "using")."""
    if term in _IRREGULAR:
        return _IRREGULAR[term]
    is_whole = len(term) < 3 or (len(term) == 3 and term[-1] not in "ei")
    return (term if is_whole else term[:-1],)


def _loose(stem: str) -> str:
    """Return a pattern of a stem with apostrophes where words have them: o'clock, they're, don't, rock'n'roll."""
    letters = [re.escape(letter) for letter in stem]
    # Anywhere in all of them would be right too; the pattern of a long query would take a millisecond to make.
    places = {1, len(letters) - 2, len(letters) - 1} if len(letters) < LONG else range(1, len(letters))
    return "".join(f"['’]?{letter}" if at and at in places else letter for at, letter in enumerate(letters))


class _StemsOfWords(dict[str, tuple[str, ...]]):
    """The stems that each ASCII word begins with, and its parts after apostrophes: l'homme, o'clock."""

    def __init__(self, stems: tuple[str, ...]) -> None:
        super().__init__()
        self.stems = stems
        self._seen: set[str] = set()
        self._likely: set[str] = set()

    def likely(self, words: set[str]) -> set[str]:
        """Return those words that begin with a stem, and all beyond ASCII."""
        new = words - self._seen  # texts about one query share most words
        self._likely.update(word for word in new if not word.isascii() or self[word])
        self._seen |= new
        return words & self._likely

    def __missing__(self, word: str) -> tuple[str, ...]:
        lower = word.lower()
        if "'" not in lower and not lower.startswith(self.stems):  # nearly all words
            self[word] = ()
            return ()
        parts = lower.split("'")
        begun = ["".join(parts[at:]) for at in range(len(parts))]
        # Nearly all words begin with none, which one call tells.
        found = self[word] = tuple(
            next(stem for stem in self.stems if one.startswith(stem)) for one in begun if one.startswith(self.stems)
        )
        return found


@dataclass(frozen=True)
class Highlighter:
    """Finds the words of a text that match any of a query's terms, and whole phrases that were quoted.

    In a text that says a quoted phrase, the words of quoted phrases are marked only as part of one.

    >>> Highlighter(frozenset({"robot"})).find("Two robots")
    [(4, 10)]
    """

    terms: frozenset[str]
    quotes: tuple[Quote, ...] = ()

    @cached_property
    def _unquoted(self) -> Highlighter:
        """The highlighter of the terms that are in no quoted phrase."""
        return Highlighter(self.terms.difference(*(one.terms for one in self.quotes)))

    def find_phrases(self, text: str) -> list[tuple[int, int]]:
        """Return the start and end of each quoted phrase in a text, in order and without overlaps."""
        found: list[tuple[int, int]] = []
        for start, end in sorted(span for one in self.quotes for span in one.find(text)):
            if not found or start >= found[-1][1]:
                found.append((start, end))
        return found

    @cached_property
    def _stems(self) -> list[str]:
        # A term is nearly always a word without its ending: a quick filter before the real analysis, which costs a
        # hundred times more.
        return sorted({stem for term in self.terms for stem in _beginnings(term)}, key=len, reverse=True)

    @cached_property
    def _stems_of(self) -> _StemsOfWords | None:
        """The stems by word of an ASCII text; None where one of them is not of letters and digits alone."""
        stems = tuple(stem for stem in self._stems if stem.isascii())
        return _StemsOfWords(stems) if all(stem.isalnum() for stem in stems) else None

    @cached_property
    def _likely(self) -> re.Pattern[str]:
        # To compile it takes some milliseconds for a long query: only stems with other signs than letters need it.
        return re.compile(rf"(?<![A-Za-z0-9])((?i:{'|'.join(map(_loose, self._stems))}))|[^\x00-\x7f]")

    def count_terms(self, text: str) -> int:
        """Return the number of terms in a text; for ASCII texts an estimate by the beginnings of its words."""
        if not self.terms:
            return 0
        if not text.isascii():
            return len(
                {token.term for piece, _ in self._likely_pieces(text) for token in _tokens_of(piece)} & self.terms
            )
        stems_of = self._stems_of
        if stems_of is None:
            return len({found.lower().replace("'", "") for found in self._likely.findall(text)})
        return len({stem for word in stems_of.likely(set(_ASCII_WORD.findall(text))) for stem in stems_of[word]})

    def find(self, text: str) -> list[tuple[int, int]]:
        """Return the start and end of each word that matches a term, and of each quoted phrase, in order."""
        phrases = self.find_phrases(text) if self.quotes else []
        if phrases:
            words = self._unquoted.find(text)
            outside = [word for word in words if all(word[1] <= one[0] or word[0] >= one[1] for one in phrases)]
            return sorted([*phrases, *outside])
        if not self.terms:
            return []
        if text.isascii() or not self._letters:
            return self._words(text)
        return _whole_runs(text, self._words(text), has_runs=len(self._letters) > 1)

    @cached_property
    def _letters(self) -> list[str]:
        """The terms of scripts without spaces between words."""
        return [term for term in self.terms if is_letterwise((term,))]

    def _words(self, text: str) -> list[tuple[int, int]]:
        """Return the start and end of each token that is a term."""
        return [
            (offset + token.start, offset + token.end)
            for piece, offset in self._likely_pieces(text)
            for token in _tokens_of(piece)
            if token.term in self.terms
        ]

    def _likely_pieces(self, text: str) -> Iterator[tuple[str, int]]:
        """Yield the words that may match a term, each with its start."""
        stems_of = self._stems_of
        if stems_of is None:
            places = ((match.start(), match.end()) for match in self._likely.finditer(text))
        else:
            # Most texts have none, and repeat their words.
            pattern = _ASCII_WORD if text.isascii() else _WORD_OR_LETTER
            words = stems_of.likely(set(pattern.findall(text)))
            found = pattern.finditer(text) if words else ()
            places = ((match.start(), match.end()) for match in found if match[0] in words)
        done = 0
        for start, end in places:
            if start < done:
                continue
            while start > done and not text[start - 1].isspace():
                start -= 1
            while end < len(text) and not text[end].isspace():
                end += 1
            yield text[start:end], start
            done = end


def _whole_runs(text: str, words: Sequence[tuple[int, int]], *, has_runs: bool) -> list[tuple[int, int]]:
    """Return words with neighbouring letters of scripts without spaces joined.

    A single letter says little: where the query has several (`has_runs`) and the text has some in a row, single ones
    are left out.
    """
    found: list[tuple[int, int, int]] = []  # start, end, letters
    for start, end in words:
        is_letter = LETTERWISE_WORD.fullmatch(text, start, end) is not None
        if is_letter and found and found[-1][1] == start and found[-1][2]:
            found[-1] = (found[-1][0], end, found[-1][2] + 1)
        else:
            found.append((start, end, int(is_letter)))
    if has_runs and any(letters > 1 for _, _, letters in found):
        found = [one for one in found if one[2] != 1]
    return [(start, end) for start, end, _ in found]


def best_snippet(passages: Sequence[Passage], highlighter: Highlighter) -> Snippet | None:
    """Return a snippet of the passage with the most terms, the first of equals; None when no passage has any.

    A passage that says a quoted phrase comes before all others.

    >>> from search.meme import Field
    >>> passages = [Passage(Field.OCR, "ocr", "a cat"), Passage(Field.OCR, "ocr", "a robot & a cat")]
    >>> best_snippet(passages, Highlighter(frozenset({"robot", "cat"}))).html
    'a <mark>robot</mark> &amp; a <mark>cat</mark>'
    """
    if len(passages) == 1:
        marked = highlighter.find(passages[0].body)
        return _cut(passages[0], marked) if marked else None
    for passage in passages if highlighter.quotes else ():
        if highlighter.find_phrases(passage.body):
            return make_snippet(passage, highlighter)
    counts = {place: count for place, one in enumerate(passages) if (count := highlighter.count_terms(one.body))}
    for place in sorted(counts, key=lambda one: -counts[one]):
        # Counts are estimates: "on" begins as "one" does.
        if marked := highlighter.find(passages[place].body):
            return _cut(passages[place], marked)
    return None


def make_snippet(passage: Passage, highlighter: Highlighter) -> Snippet:
    """Return the piece of a passage with most matches, or its beginning; HTML-escaped, each matching word in <mark>.

    >>> from search.meme import Field
    >>> make_snippet(Passage(Field.OCR, "ocr", "1 < 2"), Highlighter(frozenset())).html
    '1 &lt; 2'
    """
    return _cut(passage, highlighter.find(passage.body))


def _cut(passage: Passage, marked: Sequence[tuple[int, int]]) -> Snippet:
    text = passage.body
    start, end = _window(text, marked)
    parts = ["… " if start else ""]
    at = start
    words: dict[str, str] = {}
    for first, last in marked:
        if start <= first and last <= end:
            parts += [escape(text[at:first]), "<mark>", escape(text[first:last]), "</mark>"]
            at = last
            words.setdefault(stem_key(text[first:last]), " ".join(text[first:last].split()))
    parts += [escape(text[at:end]), " …" if end < len(text) else ""]
    return Snippet(passage.field, passage.source, "".join(parts), tuple(words.values()))


def _window(text: str, marked: Collection[tuple[int, int]]) -> tuple[int, int]:
    """Return the start and end of the MAX_LETTERS letters with most matches, cut between words."""
    if len(text) <= MAX_LETTERS + LEAD:
        return 0, len(text)
    start = 0
    most = 0
    for first, _ in marked:
        count = sum(first <= other and last <= first + MAX_LETTERS - LEAD for other, last in marked)
        if count > most:
            start, most = first, count
    start = max(0, start - LEAD)
    if start:
        # On to the next word; a text without spaces is cut anywhere.
        space = text.find(" ", start, start + LEAD)
        start = space + 1 if space >= 0 else start
    end = min(len(text), start + MAX_LETTERS)
    if end < len(text):
        space = text.rfind(" ", start + MAX_LETTERS - LEAD, end)
        end = space if space > 0 else end
    return start, end


def stem_key(words: str) -> str:
    """Return what words have in common with their other forms: "Dogs" has the key of "dog".

    >>> stem_key("Dogs") == stem_key("dog")
    True
    """
    return " ".join(token.term for token in _tokens_of(words)) or words.casefold()
