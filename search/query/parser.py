"""The query language: words, phrases, operators and weights.

    query    = { part }                    separated by spaces
    part     = [ "-" | weight ":" ] [ operator ":" ] value
    operator = "category" | "before" | "after" | "type" | "tag" | "has" | "like" | "variants"
    value    = '"' letters '"' | letters without spaces
    weight   = a number above 0 and up to 10, before a value that does not begin with a digit

Text that fits none of these is read as words: every text is a query. Within quotes a backslash escapes a letter.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum

import regex

from search.encoders.emoji import emoji_in, emoji_words, is_emoji
from search.index.lexical.analyzer import is_stop_word, query_terms

MAX_CHARACTERS = 2000  # of a query; encoders read less
MAX_WEIGHT = 10.0
MIN_SIMILARITY = 0.82  # of two names; below, a word before a colon is not a misspelled operator


class PartKind(StrEnum):
    """The kind of a part of a query; the value of an operator is its name."""

    WORD = "word"
    PHRASE = "phrase"
    CATEGORY = "category"
    BEFORE = "before"
    AFTER = "after"
    TYPE = "type"
    TAG = "tag"
    HAS = "has"
    LIKE = "like"
    VARIANTS = "variants"


OPERATORS = tuple(kind for kind in PartKind if kind not in (PartKind.WORD, PartKind.PHRASE))
# Names of the operators in other search engines.
ALIASES = {"since": "after", "until": "before", "filetype": "type", "folder": "category", "similar": "like"}


@dataclass(frozen=True)
class Part:
    """One part of a query: its kind, its value without quotes, whether it excludes, and its weight."""

    kind: PartKind
    value: str
    excluded: bool = False
    weight: float = 1.0

    @property
    def is_text(self) -> bool:
        """Whether the part is words to search for."""
        return self.kind in (PartKind.WORD, PartKind.PHRASE) and not self.excluded

    def __str__(self) -> str:
        """The part as it can be typed."""
        value = self.value
        if self.kind is PartKind.PHRASE or (self.kind is not PartKind.WORD and not _BARE.fullmatch(value)):
            value = '"' + re.sub(r'(["\\])', r"\\\1", value) + '"'
        name = "" if self.kind in (PartKind.WORD, PartKind.PHRASE) else f"{self.kind.value}:"
        weight = "" if self.weight == 1 else f"{self.weight:g}:"
        return ("-" if self.excluded else weight) + name + value


@dataclass(frozen=True)
class Query:
    """A parsed query: the words for the encoder, their terms in the lexical index, and all parts.

    Emoji without words have the terms of their names too.

    `notices` has a sentence for each part that looks like an operator and was read as words.
    """

    text: str
    terms: tuple[str, ...]
    shortened: bool = False
    parts: tuple[Part, ...] = ()
    notices: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether there are no words to search for."""
        return not self.text

    @property
    def phrases(self) -> tuple[Part, ...]:
        """The quoted parts, to be found word for word."""
        return tuple(part for part in self.parts if part.kind is PartKind.PHRASE and part.is_text)

    @property
    def is_weighted(self) -> bool:
        """Whether some words have another weight than 1."""
        return any(part.weight != 1 for part in self.parts if part.is_text)

    def groups(self) -> list[tuple[str, float]]:
        """Return the words grouped by weight, as (text, weight), in order of appearance."""
        found: dict[float, list[str]] = {}
        for part in self.parts:
            if part.is_text:
                found.setdefault(part.weight, []).append(part.value)
        return [(" ".join(values), weight) for weight, values in found.items()]

    def __str__(self) -> str:
        """The query as it can be typed; parsed, it gives the same parts."""
        return format_parts(self.parts)

    def without(self, part: Part) -> str:
        """Return the query as it can be typed, without one part."""
        return format_parts([one for one in self.parts if one != part])


_WEIGHT = r"[0-9]{1,3}(?:\.[0-9]{1,2})?"
_QUOTED = re.compile(
    rf'[(\[{{]*(?P<lead>-?(?:{"|".join(OPERATORS)}):|-|{_WEIGHT}:(?:like:)?)?"(?P<value>(?:[^"\\]|\\.)*)"'
    r"[.,;:!?…)\]}]*(?=\s|$)",
    re.IGNORECASE,
)
_PIECE = re.compile(rf"{_QUOTED.pattern}|\S+", re.IGNORECASE)
_LEAD = re.compile(
    rf"(?:(?P<minus>-)(?=[^-]|$)|(?P<weight>{_WEIGHT}):(?=[^\W\d]|[^\x00-\x7f]|$))?(?:(?P<name>[A-Za-z]+):)?"
)
_BARE = re.compile(r'[^\s"\\]+')
_JOINERS = "\u200c\u200d"  # within words of Persian and Indic scripts, and within emoji
_TAGS = r"[\U000e0020-\U000e007f]"  # of a region after a black flag, as England's; elsewhere they are hidden text
_KEPT = regex.compile(rf"[{_JOINERS}]|{_TAGS}")
_HIDDEN = regex.compile(rf"(?<!🏴{_TAGS}*){_TAGS}")
# Letters and signs in another width or typeface, as some keyboards and fonts of posts have them.
_FANCY = regex.compile(r"[\uff01-\uffee\U0001d400-\U0001d7ff]|(?=\p{L})[\u2102-\u2134]")
_INVISIBLE = str.maketrans(dict.fromkeys("\u00ad\u200e\u200f\u2060\u2066\u2067\u2068\u2069\ufeff", ""))
_MARKS = str.maketrans(
    dict.fromkeys("“”„‟«»‹›＂〝〞❝❞", '"') | dict.fromkeys("「『", ' "') | dict.fromkeys("」』", '" ')
)
# ‘this way’, which may hold apostrophes: within a word, ’ is one.
_SINGLE_MARKS = re.compile(r"(?<![\w’])‘((?:[^‘’]|’(?=\w))+)’(?!\w)")
_REPEATED_MARKS = re.compile(r'(?<!\\)"{2,}')


def parse(text: str) -> Query:
    """Return the parsed query: without control characters and repeated spaces, cut to MAX_CHARACTERS.

    Letters in another width or typeface ("ｄｏｇ", "𝒹𝑜𝑔") are the usual ones.

    >>> [(part.kind.value, part.value) for part in parse('dog -cat type:gif "so good"').parts]
    [('word', 'dog'), ('word', 'cat'), ('type', 'gif'), ('phrase', 'so good')]
    >>> str(parse("2:dog  type:gif"))
    '2:dog type:gif'
    """
    visible = _HIDDEN.sub("", text[: 2 * MAX_CHARACTERS].translate(_INVISIBLE))
    usual = _FANCY.sub(lambda found: unicodedata.normalize("NFKC", found[0]), visible)
    plain = "".join(
        " " if unicodedata.category(one).startswith(("C", "Z")) and not _KEPT.match(one) else one
        for one in unicodedata.normalize("NFC", usual)
    )
    marked = _SINGLE_MARKS.sub(r'"\1"', plain).translate(_MARKS)
    joined = " ".join(_REPEATED_MARKS.sub('"', marked).split())
    shortened = len(joined) > MAX_CHARACTERS or len(text) > 2 * MAX_CHARACTERS
    notices: list[str] = []
    read = joined[:MAX_CHARACTERS]
    if len(joined) > MAX_CHARACTERS and joined[MAX_CHARACTERS] != " ":
        read = read.rpartition(" ")[0] or read  # not half a word
    parts = [_part(match, notices) for match in _PIECE.finditer(read.strip())]
    known = [part for part in parts if part is not None]
    if shortened:
        notices.append(f"The query is long: its first {MAX_CHARACTERS:,} characters were searched for.")
    return make_query(known, shortened=shortened, notices=[*notices, *_of_other_languages(known)])


def _of_other_languages(parts: Sequence[Part]) -> list[str]:
    """Return a sentence for each OR and NOT in capitals, which are operators in other search engines."""
    words = [part.value if part.kind is PartKind.WORD else "" for part in parts]
    if not any(word != word.upper() for word in words):
        return []  # somebody writes everything in capitals
    found = []
    if "OR" in words[1:-1]:
        found.append("“OR” was read as a word: what matches has all words.")
    if "NOT" in words[:-1]:
        following = parts[words.index("NOT") + 1]
        found.append(f"“NOT” was read as a word: -{following} leaves out what has the word.")
    return found


def make_query(parts: Sequence[Part], *, shortened: bool = False, notices: Sequence[str] = ()) -> Query:
    """Return the query of these parts.

    >>> make_query([Part(PartKind.WORD, "dog"), Part(PartKind.TYPE, "gif")]).text
    'dog'
    """
    text = " ".join(part.value for part in parts if part.is_text)
    terms = dict.fromkeys(query_terms(text))
    if not text.isascii() and all(map(is_emoji, terms)):
        names = " ".join(map(emoji_words, emoji_in(text))).split()
        terms |= dict.fromkeys(query_terms(" ".join(word for word in names if not is_stop_word(word))))
    return Query(text, tuple(terms), shortened, tuple(parts), tuple(notices))


def plain_query(text: str) -> Query:
    """Return the query for these words; operators in them are read as words.

    >>> [part.kind.value for part in plain_query("type:gif").parts]
    ['word']
    """
    return make_query([Part(PartKind.WORD, word) for word in text.split()])


def format_parts(parts: Sequence[Part]) -> str:
    """Return parts as they can be typed; parsed again, they are the same.

    >>> format_parts([Part(PartKind.CATEGORY, "Star Trek", excluded=True)])
    '-category:"Star Trek"'
    """
    return " ".join(map(str, parts))


def _part(match: re.Match[str], notices: list[str]) -> Part | None:
    """Return the part that a piece of a query is, None for an empty one; add to `notices` what could not be used."""
    if match["value"] is None:
        # A quotation mark without a second one is dropped.
        piece = match[0].replace('"', "")
        lead = _lead(piece)
        value = piece[lead.end() :]
    else:
        lead = _lead(match["lead"] or "")
        piece = match[0]
        value = " ".join(re.sub(r"\\(.)", r"\1", match["value"]).split())
        if value and not query_terms(value):
            notices.append(f"“{value}” has no word to look for.")
    quoted = match["value"] is not None
    if not quoted and not value and not lead["name"]:
        return Part(PartKind.WORD, piece) if piece else None
    name = (lead["name"] or "").casefold()
    if name and name not in OPERATORS:
        meant = [ALIASES[name]] if name in ALIASES else get_close_matches(name, OPERATORS, n=1, cutoff=MIN_SIMILARITY)
        if meant and value and not value.startswith("//"):
            notices.append(f"There is no operator {name}:, so “{piece}” was read as words. Did you mean {meant[0]}:?")
    elif name and not value:
        notices.append(f"{name}: needs its value right behind the colon, so it was read as a word.")
    weight = float(lead["weight"] or 1)
    if not 0 < weight <= MAX_WEIGHT:
        notices.append(f"The weight of “{piece}” was read as 1: weights are above 0 and at most {MAX_WEIGHT:g}.")
        weight = 1.0
    excluded = bool(lead["minus"])
    if name not in OPERATORS or not value:
        if not quoted:
            value = piece[lead.start("name") :] if name else value
        return Part(PartKind.PHRASE if quoted else PartKind.WORD, value, excluded, weight) if value else None
    if weight != 1 and name != PartKind.LIKE:
        notices.append(f"The weight of “{piece}” was left out: words and like: have weights, {name}: has none.")
        weight = 1.0
    return Part(PartKind(name), value, excluded, weight)


def _lead(piece: str) -> re.Match[str]:
    found = _LEAD.match(piece)
    assert found is not None  # every piece of it is optional
    return found
