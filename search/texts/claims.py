"""Extract the claims of a text that another text can contradict: quotes, colours, numbers and denials."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType

from rapidfuzz import fuzz


def _words(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


COLORS = _words(
    "black white grey gray red orange yellow green blue purple violet pink brown golden silver blond blonde beige "
    "turquoise teal"
)
NUMBERS: Mapping[str, str] = MappingProxyType(
    {
        "one": "1",
        "two": "2",
        "three": "3",
        "four": "4",
        "five": "5",
        "six": "6",
        "seven": "7",
        "eight": "8",
        "nine": "9",
        "ten": "10",
        "eleven": "11",
        "twelve": "12",
    }
)
_SAME_COLOR = MappingProxyType({"gray": "grey", "blonde": "blond"})
_COLOR_VALUES: Mapping[str, str] = MappingProxyType({color: _SAME_COLOR.get(color, color) for color in COLORS})
# Words that may stand between a colour or number and its noun; and words that are no noun.
_BETWEEN = _words(
    "large small big little tall short long young old older elderly male female cartoon animated bright dark light "
    "pale deep plain solid striped wide different separate other additional identical similar anthropomorphic and"
)
_NO_NOUN = _words(
    "of in on at with to for from by is are was were has have that which who while against near over under behind as "
    "or the a an this these those its their his her it he she they them where appears appear looks seems standing "
    "sitting lying wearing holding side top bottom left right another more most"
)
_NOT_DENIED = _NO_NOUN | _words(
    "only just visible clear clearly specific other longer sure necessarily fully very directly entirely particularly "
    "quite obvious additional apparent much many even shown seen present included"
)

_MARK = re.compile(r'["“”«»„]')
_QUOTE = re.compile(r'“[^”]+”|«[^»]+»|„[^“”]+[“”]|"[^"]*"')
# Words that introduce a quote of the meme's text; a film's title in quotation marks has no such word before it.
_ANNOUNCED = re.compile(
    r"\b(?:text|read|say|said|caption|label|word|writ|sign|quot|speech|bubble|dialog|tweet|post|comment|message|phrase|"
    r"overlay|line|stat|headline|ask|exclaim|shout|repl|respond)",
    re.IGNORECASE,
)
_ANNOUNCED_WITHIN = 80  # letters before the quote
_TEXT_HEADING = re.compile(
    r"^\s*#{1,6}[^\n]{0,20}\btext\b[\s:*]*\n(?P<body>.*?)(?=^\s*#{1,6}\s|\Z)",
    re.IGNORECASE | re.MULTILINE | re.DOTALL,
)
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_NEGATED = re.compile(r"\b(?:no|without(?:\s+any)?|lacks?|lacking|not|isn't|aren't)\s+(?:an?\s+|the\s+)?([a-z]{4,})")

# A quote is compared a few words at a time: the other text may have them in another order or misread some.
CHUNK_WORDS = 4
CHUNK_LETTERS = 5  # shorter chunks occur in any text and are ignored
ALIKE = 72.0  # of 100: chunks of different memes of one template are below it, OCR errors above


@dataclass(frozen=True)
class Claims:
    """The claims of a text: its quotes, the colours and numbers of its nouns, and the words that it denies."""

    quoted: tuple[str, ...]
    colors: Mapping[str, frozenset[str]]
    numbers: Mapping[str, frozenset[str]]
    denied: frozenset[str]
    asserted: frozenset[str]  # all words that it does not deny
    letters: str  # all letters and digits of the text, lower case


def claims_of(text: str, *, is_ocr: bool = False) -> Claims:
    """Return the claims of a text; the only claim of an OCR text is a quote of itself.

    >>> claims = claims_of("Two brown dogs sleep. There is no sandwich.")
    >>> claims.numbers, claims.colors, sorted(claims.denied)
    ({'dog': frozenset({'2'})}, {'dog': frozenset({'brown'})}, ['sandwich'])
    """
    if is_ocr:
        return Claims((text,), {}, {}, frozenset(), frozenset(), letters_of(text))
    quoted = tuple(quotes(text))
    said = _spoken(text, quoted)
    words = [match[0] for match in _WORD.finditer(said)]
    asserted = frozenset(match[0] for match in _WORD.finditer(_NEGATED.sub(" ", said)))
    return Claims(
        quoted=quoted,
        colors=_said_of(words, _COLOR_VALUES),
        numbers=_said_of(words, NUMBERS),
        denied=frozenset(_NEGATED.findall(said)) - _NOT_DENIED - asserted,
        asserted=asserted,
        letters=letters_of(text),
    )


def _spoken(text: str, quoted: tuple[str, ...]) -> str:
    """Return a text in lower case with its quotes blanked out, every word at its position.

    A quoted "NO CAT IS BLUE" is text of the meme, not a denial by the description.
    """
    said = _TEXT_HEADING.sub(_blank, text)
    for quote in quoted:
        said = said.replace(quote, " " * len(quote))
    said = _QUOTE.sub(_blank, said)
    small = said.lower()
    return small if len(small) == len(said) else said  # İ has two letters in lower case


def _blank(match: re.Match[str]) -> str:
    return " " * len(match[0])


def disputed_spans(text: str, other: str, *, is_ocr: bool = False, other_is_ocr: bool = False) -> list[tuple[int, int]]:
    """Return the spans of a text that another text contradicts, as (start, end) character positions, in order.

    If both texts quote, a span is a few quoted words of which the other has none. Between descriptions, a span is
    also a colour, number or denial that the other excludes. Spans do not touch each other.

    >>> disputed_spans("A brown dog sleeps.", "A black dog sleeps.")
    [(2, 11)]
    """
    ours, theirs = claims_of(text, is_ocr=is_ocr), claims_of(other, is_ocr=other_is_ocr)
    found = list(_quoted_elsewhere(text, ours, theirs)) if theirs.quoted else []
    if not (is_ocr or other_is_ocr):
        found += _excluded(_spoken(text, ours.quoted), ours, theirs)
    joined: list[tuple[int, int]] = []
    for start, end in sorted(found):
        if joined and not text[joined[-1][1] : start].strip(" \t\r\n.,;:!?-"):
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def _quoted_elsewhere(text: str, ours: Claims, theirs: Claims) -> Iterator[tuple[int, int]]:
    """Yield the spans of a text's quotes, a few words at a time, that another text does not contain."""
    for quote in ours.quoted:
        place = text.find(quote)
        words = list(_WORD.finditer(quote))
        for start in range(0, len(words), CHUNK_WORDS):
            chunk = words[start : start + CHUNK_WORDS]
            if found_share((" ".join(word[0] for word in chunk),), theirs.letters) == 0:
                yield place + chunk[0].start(), place + chunk[-1].end()


def _excluded(said: str, ours: Claims, theirs: Claims) -> Iterator[tuple[int, int]]:
    """Yield the spans of colours, numbers and denials in a description that another description excludes."""
    words = list(_WORD.finditer(said))
    spelled = [word[0].lower() for word in words]
    for values, mine, other in (
        (_COLOR_VALUES, ours.colors, theirs.colors),
        (NUMBERS, ours.numbers, theirs.numbers),
    ):
        for at, noun_at, noun in _nouns(spelled, values):
            if noun in other and noun in mine and not mine[noun] & other[noun]:
                yield words[at].start(), words[noun_at].end()
    for match in _NEGATED.finditer(said):
        if match[1] in ours.denied & theirs.asserted:
            yield match.span()
    for at, word in enumerate(spelled):
        if word in ours.asserted & theirs.denied:
            yield words[at].span()


def quotes(text: str) -> Iterator[str]:
    """Yield the quotes of a description: text in quotation marks, or under a heading that announces the meme's text."""
    for section in _TEXT_HEADING.finditer(text):
        yield section["body"]
    for paragraph in re.split(r"\n\s*\n", _TEXT_HEADING.sub("\n\n", text)):
        marks = [match.start() for match in _MARK.finditer(paragraph)]
        for before, mark in pairwise([-1, *marks]):
            # Quotes are nested without different marks, so all from the first announced one to the last mark is quoted.
            if _ANNOUNCED.search(paragraph[max(before + 1, mark - _ANNOUNCED_WITHIN) : mark]):
                yield paragraph[mark : marks[-1]]
                break


def letters_of(text: str) -> str:
    """Return a text's letters and digits in lower case."""
    return "".join(filter(str.isalnum, text.lower()))


def found_share(quoted: tuple[str, ...], letters: str) -> float | None:
    """Return the share of quoted letters that another text contains, allowing for OCR errors; None without quotes."""
    total = found = 0
    for quote in quoted:
        words = [match[0] for match in _WORD.finditer(quote)]
        for start in range(0, len(words), CHUNK_WORDS):
            chunk = letters_of("".join(words[start : start + CHUNK_WORDS]))
            if len(chunk) < CHUNK_LETTERS:
                continue
            total += len(chunk)
            # `partial_ratio` would find a chunk that is longer than the text by a part of itself.
            if len(letters) >= 0.8 * len(chunk) and fuzz.partial_ratio(chunk, letters, score_cutoff=ALIKE):
                found += len(chunk)
    return found / total if total else None


def conflicts(one: Claims, other: Claims) -> tuple[str, ...]:
    """Return phrases on details in which two descriptions conflict; each begins with the first one's claim."""
    found = []
    for ours, theirs in ((one.colors, other.colors), (one.numbers, other.numbers)):
        for noun in sorted(ours.keys() & theirs.keys()):
            if not ours[noun] & theirs[noun]:
                found.append(f"{_listed(ours[noun])} {noun}, not {_listed(theirs[noun])}")
    found += [f"not {word}" for word in sorted(one.denied & other.asserted)]
    found += [word for word in sorted(one.asserted & other.denied)]
    return tuple(found)


def _listed(words: frozenset[str]) -> str:
    return " or ".join(sorted(words))


def _said_of(words: list[str], values: Mapping[str, str]) -> dict[str, frozenset[str]]:
    """Return the values that words give to each noun: "two young men" gives two to man."""
    found: dict[str, set[str]] = {}
    for at, _, noun in _nouns(words, values):
        found.setdefault(noun, set()).add(values[words[at]])
    return {noun: frozenset(said) for noun, said in found.items()}


def _nouns(words: list[str], values: Mapping[str, str]) -> Iterator[tuple[int, int, str]]:
    """Yield (position of a value, position of its noun, noun in the singular) for each value among lower-case words."""
    for at, word in enumerate(words):
        if word not in values:
            continue
        for noun_at, noun in enumerate(words[at + 1 : at + 4], at + 1):
            if noun in _BETWEEN or noun in COLORS:
                continue
            if noun not in _NO_NOUN and len(noun) > 2 and noun not in NUMBERS:
                yield at, noun_at, _singular(noun)
            break


def _singular(noun: str) -> str:
    irregular = {"men": "man", "women": "woman", "people": "person", "children": "child"}
    if noun in irregular:
        return irregular[noun]
    return noun[:-1] if noun.endswith("s") and not noun.endswith("ss") else noun
