"""Texts cut into passages that an encoder reads whole, each under the field that it speaks for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from search.meme import Field, Passage, Text, TextKind

SPLITTER = "passages-1"  # another name cuts everything again
# MiniLM reads 256 tokens. English has about 1.3 tokens a word; other alphabets have up to one a letter, hence both bounds.
MAX_WORDS = 150
MAX_LETTERS = 900
NAME_SOURCE = "name"

_OPENER = re.compile(
    r"\A\s*(?:okay|ok|sure|certainly|absolutely|alright|of course|here(?:'|’)?s|here is|let(?:'|’)?s|i(?:'|’)?ll)\b[^\n]*\n+",
    re.IGNORECASE,
)
_OFFER = re.compile(
    r"\n+[^\n]*\b(?:would you like me|do you want me|let me know if|shall i|if you(?:'|’)d like)\b.*\Z",
    re.IGNORECASE | re.DOTALL,
)
_HEADING = re.compile(
    r"^\s*(?:#{1,6}\s+(?P<hashes>.+?)\s*#*|(?:\d+[.)]\s*)?\*\*(?P<bold>[^*\n]{2,80}?):?\*\*:?)\s*$", re.MULTILINE
)
_MARKUP = re.compile(r"(\*\*|__|\*|`|^\s*[-*+]\s+|^\s*>\s?|^\s*\d+[.)]\s+|^\s*---+\s*$|^\s*#+\s*)", re.MULTILINE)
_SENTENCE_END = re.compile(r"(?<=[.!?…。！？])[\"'”’)\]]*\s+|\n{2,}")
_NOISE = re.compile(
    r"^(?:img|dsc|pxl|screenshot|image|photo|picture|download|received|meme|unnamed|untitled|fb|video|giphy|tumblr)?"
    r"[\s_\-()]*[\dx\s_\-()]*$",
    re.IGNORECASE,
)


def split(path: str, *, category: str, texts: Iterable[Text]) -> tuple[Passage, ...]:
    """Return what is known of a meme in pieces of at most MAX_WORDS words and MAX_LETTERS letters."""
    passages = [Passage(Field.NAME, NAME_SOURCE, readable_name(path, category=category))]
    for text in texts:
        if text.kind is TextKind.OCR:
            passages += _passages(Field.OCR, text.source, "", " ".join(text.body.split()))
        elif text.kind is TextKind.DETAILED:
            passages += _detailed(text)
        else:
            passages += _passages(Field.DESCRIPTION, text.source, "", plain(_without_courtesies(text.body)))
    return tuple(passage for passage in passages if passage.body)


def readable_name(path: str, *, category: str) -> str:
    """Return a meme's category and what its file's name says in words, without what cameras and browsers put there."""
    stem = path.rsplit("/", 1)[-1].rsplit(".", 1)[0]
    stem = re.sub(r"(?:[_.~-](?:small|fw|full|large|final|edited|copy))+$", "", stem, flags=re.IGNORECASE)
    stem = re.sub(r"~\d+$|\(\d+\)$", "", stem)
    words = re.sub(r"[_\-.~+]+", " ", stem).strip()
    return category if _NOISE.match(words) else f"{category}: {words}"


def _detailed(text: Text) -> Iterator[Passage]:
    """Yield the passages of an essay, section by section."""
    body = _without_courtesies(text.body)
    headings = list(_HEADING.finditer(body))
    if not headings or headings[0].start() > 0:
        before = body[: headings[0].start()] if headings else body
        yield from _passages(Field.VISUAL if not headings else Field.ANALYSIS, text.source, "", plain(before))
    for at, heading in enumerate(headings):
        end = headings[at + 1].start() if at + 1 < len(headings) else len(body)
        title = plain(heading["hashes"] or heading["bold"]).strip(" :")
        visual = "visual" in title.lower() or title.lower().startswith(("description", "what is seen"))
        field = Field.VISUAL if visual else Field.ANALYSIS
        yield from _passages(field, text.source, title, plain(body[heading.end() : end]))


def _without_courtesies(body: str) -> str:
    """Return a model's answer without its opener ("Okay, let's break down …") and its closing offer."""
    shorter = _OPENER.sub("", body.replace("\r\n", "\n"), count=1)
    return _OFFER.sub("", shorter) if shorter.strip() else body


def plain(markdown: str) -> str:
    """Return Markdown without its marks."""
    return _MARKUP.sub("", markdown).strip()


def _passages(field: Field, source: str, heading: str, body: str) -> list[Passage]:
    return [Passage(field, source, piece, heading) for piece in pieces(body)]


def pieces(text: str) -> list[str]:
    """Return a text cut at the ends of sentences into pieces that fit, as few as that allows."""
    found: list[str] = []
    current: list[str] = []
    for sentence in _sentences(text):
        if current and not _fits([*current, sentence]):
            found.append(" ".join(current))
            current = []
        current.append(sentence)
    if current:
        found.append(" ".join(current))
    return found


def _sentences(text: str) -> Iterator[str]:
    """Yield sentences; one that does not fit by itself is cut between words, and a word that does not, between letters."""
    for sentence in _SENTENCE_END.split(text):
        words = sentence.split()
        if not words:
            continue
        if _fits([sentence]):
            yield " ".join(words)
            continue
        piece: list[str] = []
        for word in (part for word in words for part in _letters(word)):
            if piece and not _fits([*piece, word]):
                yield " ".join(piece)
                piece = []
            piece.append(word)
        if piece:
            yield " ".join(piece)


def _letters(word: str) -> list[str]:
    # Scripts without spaces have a token a letter or more.
    room = MAX_LETTERS if word.isascii() else 200
    return [word[start : start + room] for start in range(0, len(word), room)]


def _fits(parts: Sequence[str]) -> bool:
    text = " ".join(parts)
    foreign = sum(not letter.isascii() for letter in text)
    return len(text.split()) <= MAX_WORDS and len(text) + 3 * foreign <= MAX_LETTERS
