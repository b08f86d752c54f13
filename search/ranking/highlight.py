"""Snippets: the piece of a text that matched, with the matching words in `<mark>`."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from html import escape
from itertools import chain
from string import punctuation

from search.index.lexical.analyzer import LETTERWISE_WORD, Token, is_letterwise, term_of, tokenize
from search.meme import Passage
from search.query.quotes import Quote
from search.results import Snippet

MAX_LETTERS = 180  # of a snippet, about
LEAD = 40  # letters shown before the first match, where there are as many
_CACHED_PIECES = 32_768  # of texts, between spaces: texts repeat them
_MAX_CACHED = 64  # letters of a cached piece; a text in a script without spaces is one piece


@lru_cache(maxsize=_CACHED_PIECES)
def _tokens_of(piece: str) -> tuple[Token, ...]:
    return tuple(tokenize(piece))


class _PieceTerms(dict[str, tuple[str, ...]]):
    """The terms of each piece of a text, between spaces."""

    def __missing__(self, piece: str) -> tuple[str, ...]:
        word = piece.strip(punctuation)
        if word.isascii() and word.isalnum():  # nearly all pieces
            found: tuple[str, ...] = (term_of(word),)
        else:
            found = tuple(token.term for token in tokenize(piece))
        if len(piece) <= _MAX_CACHED:
            if len(self) >= _CACHED_PIECES:
                self.clear()
            self[piece] = found
        return found


_TERMS_OF = _PieceTerms()


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
        if not self.quotes:
            return []
        known = self._phrases.get(text)
        if known is None:  # a passage is asked about when it is chosen, cut, and compared with others
            known = self._phrases[text] = []
            for start, end in sorted(span for one in self.quotes for span in one.find(text)):
                if not known or start >= known[-1][1]:
                    known.append((start, end))
        return known

    @cached_property
    def _phrases(self) -> dict[str, list[tuple[int, int]]]:
        return {}

    def count_terms(self, text: str) -> int:
        """Return the number of terms in a text."""
        return len({token.term for token in self._tokens(text)})

    def find(self, text: str) -> list[tuple[int, int]]:
        """Return the start and end of each word that matches a term, and of each quoted phrase, in order."""
        phrases = self.find_phrases(text)
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
        return [(token.start, token.end) for token in self._tokens(text)]

    def _tokens(self, text: str) -> list[Token]:
        """Return the tokens of a text that are terms, in order."""
        known = self._known.get(text)
        if known is None:
            known = self._known[text] = []
            pieces = text.split()
            # In most texts none matches: to find where each piece is takes longer.
            if not self.terms or self.terms.isdisjoint(chain.from_iterable(map(_TERMS_OF.__getitem__, pieces))):
                return known
            at = 0
            for piece in pieces:
                at = text.index(piece, at)
                if not self.terms.isdisjoint(_TERMS_OF[piece]):
                    tokens = _tokens_of(piece) if len(piece) <= _MAX_CACHED else tokenize(piece)
                    known += [Token(at + one.start, at + one.end, one.term) for one in tokens if one.term in self.terms]
                at += len(piece)
        return known

    @cached_property
    def _known(self) -> dict[str, list[Token]]:
        """The tokens of the texts that were looked through: a passage is counted, chosen and cut."""
        return {}


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
