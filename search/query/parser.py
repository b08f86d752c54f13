"""What a visitor can ask: words, phrases, operators and weights, parsed by one grammar at every door.

    query    = { part }                    parts stand apart by spaces
    part     = [ "-" | weight ":" ] [ operator ":" ] value
    operator = "category" | "before" | "after" | "type" | "has" | "like" | "variants"
    value    = '"' letters '"' | letters without spaces
    weight   = a number above 0 and up to 10, before what begins with no digit

Whatever fits nowhere is words: any text can be asked. Within quotes a backslash takes the next letter as it is.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum

from search.index.analyzer import query_terms

MAX_CHARACTERS = 2000  # of a query; more is no description of a meme, and encoders read less
MAX_WEIGHT = 10.0
NEAR = 0.82  # of two names; below, a word before a colon is a word and no slip of an operator


class Kind(StrEnum):
    """What a part of a query is; an operator's value is its name."""

    WORD = "word"
    PHRASE = "phrase"
    CATEGORY = "category"
    BEFORE = "before"
    AFTER = "after"
    TYPE = "type"
    HAS = "has"
    LIKE = "like"
    VARIANTS = "variants"


OPERATORS = tuple(kind for kind in Kind if kind not in (Kind.WORD, Kind.PHRASE))
# What other search engines call an operator.
ELSEWHERE = {"since": "after", "until": "before", "filetype": "type", "folder": "category", "similar": "like"}


@dataclass(frozen=True)
class Part:
    """One part of a query: what it is, its value without quotes, and how it counts."""

    kind: Kind
    value: str
    excluded: bool = False
    weight: float = 1.0

    @property
    def is_text(self) -> bool:
        """Whether the part says in words what a meme should be."""
        return self.kind in (Kind.WORD, Kind.PHRASE) and not self.excluded

    def __str__(self) -> str:
        """The part as it can be typed."""
        value = self.value
        if self.kind is Kind.PHRASE or (self.kind is not Kind.WORD and not _BARE.fullmatch(value)):
            value = '"' + re.sub(r'(["\\])', r"\\\1", value) + '"'
        name = "" if self.kind in (Kind.WORD, Kind.PHRASE) else f"{self.kind.value}:"
        weight = "" if self.weight == 1 else f"{self.weight:g}:"
        return ("-" if self.excluded else weight) + name + value


@dataclass(frozen=True)
class Query:
    """A query as understood: the words that the encoder reads, their terms as the word index holds them, its parts.

    `notices` has a sentence for each thing that looks like an operator and is read as words.
    """

    text: str
    terms: tuple[str, ...]
    shortened: bool = False
    parts: tuple[Part, ...] = ()
    notices: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether no words are asked for."""
        return not self.text

    @property
    def phrases(self) -> tuple[Part, ...]:
        """The parts that are to be found word for word."""
        return tuple(part for part in self.parts if part.kind is Kind.PHRASE and part.is_text)

    @property
    def is_weighted(self) -> bool:
        """Whether some words count more than others."""
        return any(part.weight != 1 for part in self.parts if part.is_text)

    def groups(self) -> list[tuple[str, float]]:
        """Return the words by their weights, in order of appearance: text and weight."""
        found: dict[float, list[str]] = {}
        for part in self.parts:
            if part.is_text:
                found.setdefault(part.weight, []).append(part.value)
        return [(" ".join(values), weight) for weight, values in found.items()]

    def __str__(self) -> str:
        """The query as it can be typed; parsed, it gives the same parts."""
        return printed(self.parts)

    def without(self, part: Part) -> str:
        """Return the query as it can be typed, one part left out."""
        return printed([one for one in self.parts if one != part])


_WEIGHT = r"[0-9]{1,3}(?:\.[0-9]{1,2})?"
_QUOTED = re.compile(
    rf'(?P<lead>-?(?:{"|".join(OPERATORS)}):|-|{_WEIGHT}:(?:like:)?)?"(?P<value>(?:[^"\\]|\\.)*)"(?=\s|$)',
    re.IGNORECASE,
)
_PIECE = re.compile(rf"{_QUOTED.pattern}|\S+", re.IGNORECASE)
_LEAD = re.compile(
    rf"(?:(?P<minus>-)(?=[^-]|$)|(?P<weight>{_WEIGHT}):(?=[^\W\d]|[^\x00-\x7f]|$))?(?:(?P<name>[A-Za-z]+):)?"
)
_BARE = re.compile(r'[^\s"\\]+')
_MARKS = dict.fromkeys(map(ord, "“”„‟"), '"')


def parse(asked: str) -> Query:
    """Return what a visitor's text asks for: control characters and needless space gone, cut to MAX_CHARACTERS."""
    plain = "".join(
        " " if unicodedata.category(one).startswith(("C", "Z")) and one != "\u200d" else one
        for one in asked[: 2 * MAX_CHARACTERS]
    )
    text = " ".join(plain.translate(_MARKS).split())
    shortened = len(text) > MAX_CHARACTERS or len(asked) > 2 * MAX_CHARACTERS
    notices: list[str] = []
    parts = [_part(match, notices) for match in _PIECE.finditer(text[:MAX_CHARACTERS].strip())]
    return query_of([part for part in parts if part is not None], shortened=shortened, notices=notices)


def query_of(parts: Sequence[Part], *, shortened: bool = False, notices: Sequence[str] = ()) -> Query:
    """Return the query that these parts make."""
    text = " ".join(part.value for part in parts if part.is_text)
    return Query(text, tuple(query_terms(text)), shortened, tuple(parts), tuple(notices))


def words_only(text: str) -> Query:
    """Return the query for these words, none of them an operator."""
    return query_of([Part(Kind.WORD, word) for word in text.split()])


def printed(parts: Sequence[Part]) -> str:
    """Return parts as they can be typed; parsed again, they are the same."""
    return " ".join(map(str, parts))


def _part(match: re.Match[str], notices: list[str]) -> Part | None:
    """Return what one piece of a query is, None for nothing at all; say in `notices` what it is not."""
    if match["value"] is None:
        # A quotation mark without its fellow says nothing.
        piece = match[0].replace('"', "")
        lead = _lead(piece)
        value = piece[lead.end() :]
    else:
        lead = _lead(match["lead"] or "")
        piece = match[0]
        value = " ".join(re.sub(r"\\(.)", r"\1", match["value"]).split())
    quoted = match["value"] is not None
    if not quoted and not value and not lead["name"]:
        return Part(Kind.WORD, piece) if piece else None
    name = (lead["name"] or "").casefold()
    if name and name not in OPERATORS:
        meant = [ELSEWHERE[name]] if name in ELSEWHERE else get_close_matches(name, OPERATORS, n=1, cutoff=NEAR)
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
        return Part(Kind.PHRASE if quoted else Kind.WORD, value, excluded, weight) if value else None
    if weight != 1 and name != Kind.LIKE:
        notices.append(f"The weight of “{piece}” was left out: words and like: have weights, {name}: has none.")
        weight = 1.0
    return Part(Kind(name), value, excluded, weight)


def _lead(piece: str) -> re.Match[str]:
    found = _LEAD.match(piece)
    assert found is not None  # every piece of it is optional
    return found
