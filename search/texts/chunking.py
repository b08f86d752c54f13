"""Split texts into passages that fit a text encoder, each with its field."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence

from search.meme import Field, Passage, Text, TextKind, is_code

SPLITTER = "passages-3"  # a new name splits every text again
# MiniLM reads 256 tokens, two of which enclose the text. That is about 190 words of English.
MAX_WORDS = 150
MAX_TOKENS = 250  # by `token_upper_bound`
NAME_SOURCE = "name"

# "Okay, let's break down this meme.": courtesies, then at most one sentence about the task, none about the picture.
_OPENER = re.compile(
    r"""\A\s*(?:(?:okay|ok|sure(?:\ thing)?|certainly|absolutely|alright|of\ course|great|yes)\b
           (?:\s*[,.!:—]+\s*|\s+(?=here|let|i['’]ll)))*
        (?:(?:here(?:['’]s|\ is|\ are)|let(?:['’]s|\ me|\ us)|i(?:['’]ll|\ will|\ can)|below\ is)\b[^\n.:!]*
           \b(?:analy\w+|break\w*|descri\w+|look|dive|delve|explor\w+|examin\w+|unpack\w*|overview|interpret\w+)\b
           [^\n.:!]*(?:[.:!…]+|\n|\Z))?""",
    re.IGNORECASE | re.VERBOSE,
)
_OFFER = re.compile(
    r"""(?:\n|(?<=[.!?])[ ]|\A)[\s*_-]*
        (?:would\ you\ like\ me|do\ you\ want\ me|let\ me\ know\ if|shall\ i\b|feel\ free\ to\ ask|i\ hope\ this\ helps
           |if\ you(?:['’]d|\ would)\ like,?\ (?:me|i)\b)""",
    re.IGNORECASE | re.VERBOSE,
)
_OFFER_LETTERS = 800  # letters at the end in which an offer is searched; earlier matches are about the meme
_HEADING = re.compile(
    r"""^[ ]{0,3}(?:(?P<marks>\#{1,6})[ ]+(?P<hashes>[^\n]+?)[ ]*\#*
                 |(?:\d+[.)][ ]*)?\*\*(?:\d+[.)][ ]*)?(?P<bold>[^*\n]{2,80}?):?\*\*:?
                 |(?<=\n\n)\d+[.)][ ]+(?P<number>[A-Z][^\n.!?:]{2,60}):?(?=[ ]*\n[ ]*\n))[ ]*$""",
    re.MULTILINE | re.VERBOSE,
)
_RUN_IN = re.compile(r"^[ ]{0,3}(?:\d+[.)][ ]*)?\*\*(?P<bold>[^*\n]{2,80}?)(?::\*\*|\*\*:)", re.MULTILINE)
_BELOW_HASHES = 7  # the level of a heading that is none of Markdown's six
_LINK = re.compile(r"!?\[([^\]\n]*)\]\([^)\s]*\)")
_MARKUP = re.compile(r"(\*\*|__|\*|`|^\s*[-*+]\s+|^\s*>\s?|^\s*\d+[.)]\s+|^\s*---+\s*$|^\s*#+\s*)", re.MULTILINE)
_SENTENCE_END = re.compile(r"(?<=[.!?…])\s+|(?<=[.!?…][\"'”’)\]])\s+|(?<=[。！？])|\n{2,}")
# Words in file names by cameras, phones and browsers. Words that are also used for memes ("meme", "funny") are dropped
# only when no other words remain.
_DEVICE = re.compile(
    r"img|dsc[fn]?|pxl|vid|mov|mvi|wa|screenshots?|screencapture|images?|photos?|pictures?|pics?|downloads?|received|"
    r"memes?|unnamed|untitled|unknown|fb|giphy|tumblr|saved|shared|from|chat|copy|of|video|file|n|o|b|tenor|gif|inline",
    re.IGNORECASE,
)
_UUID = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b|\bIMG-\d+-WA\d+", re.IGNORECASE)
_YEAR = re.compile(r"(?:19|20)\d\d")
# The tokens of a word: English words have three or more letters per token, punctuation marks one, and each syllable of
# Hangul is split into several tokens.
_COSTS = re.compile(r"(?P<word>[A-Za-z]+)|(?P<digits>\d+)|(?P<hangul>[\uac00-\ud7af]+)|(?P<other>\S)")


def split_passages(path: str, *, category: str, texts: Iterable[Text]) -> tuple[Passage, ...]:
    """Return a meme's name and texts as passages that an encoder of 256 tokens reads whole.

    >>> from search.meme import Text, TextKind
    >>> text = Text(TextKind.OCR, "rapidocr", "this is\\nfine")
    >>> for passage in split_passages("Dogs/burning_room.png", category="Dogs", texts=[text]):
    ...     print(passage.field.value, passage.source, passage.body)
    name name Dogs: burning room
    ocr rapidocr this is fine
    """
    passages = [Passage(Field.NAME, NAME_SOURCE, readable_name(path, category=category))]
    for text in texts:
        if text.kind is TextKind.OCR:
            passages += _passages(Field.OCR, text.source, "", " ".join(text.body.split()))
        elif text.kind is TextKind.DETAILED:
            passages += _detailed(text)
        else:
            passages += _passages(Field.DESCRIPTION, text.source, "", strip_markdown(_without_courtesies(text.body)))
    return tuple(passage for passage in passages if passage.body)


def readable_name(path: str, *, category: str) -> str:
    """Return a meme's category and the words of its file's name, without words and codes by cameras and browsers."""
    # A Mac writes Korean names in single letters, which no query consists of.
    stem = unicodedata.normalize("NFC", path.rsplit("/", 1)[-1].rsplit(".", 1)[0])
    stem = re.sub(r"(?:[_.~-](?:small|fw|full|large|final|edited|copy))+$", "", stem, flags=re.IGNORECASE)
    stem = re.sub(r"~\d+$|\(\d+\)$", "", stem)
    stem = _UUID.sub(" ", stem)
    words = [word for word in re.sub(r"[_\-.~+()\[\]]+", " ", stem).split() if not is_code(word)]
    words = [word for word in words if not word.isdecimal() or len(word) < 4 or _YEAR.fullmatch(word)]
    has_words = any(not word.isdecimal() and not _DEVICE.fullmatch(word) for word in words)
    return f"{category}: {' '.join(words)}" if has_words else category


def _detailed(text: Text) -> Iterator[Passage]:
    """Yield the passages of a detailed description, section by section; sections below a visual heading are visual."""
    body = _without_courtesies(text.body)
    headings = list(_HEADING.finditer(body)) or list(_RUN_IN.finditer(body))
    before = body[: headings[0].start()] if headings else body
    yield from _passages(Field.ANALYSIS if headings else Field.VISUAL, text.source, "", strip_markdown(before))
    visual_level: int | None = None
    for at, heading in enumerate(headings):
        end = headings[at + 1].start() if at + 1 < len(headings) else len(body)
        parts = heading.groupdict()
        title = strip_markdown(parts.get("hashes") or parts.get("number") or parts["bold"]).strip(" :")
        level = len(parts.get("marks") or "") or _BELOW_HASHES
        if visual_level is None or level <= visual_level:
            says_so = "visual" in title.lower() or title.lower().startswith(("description", "what is seen"))
            visual_level = level if says_so else None
        field = Field.ANALYSIS if visual_level is None else Field.VISUAL
        yield from _passages(field, text.source, title, strip_markdown(body[heading.end() : end]))


def _without_courtesies(body: str) -> str:
    """Return a model's answer without its opener ("Okay, let's break down …") and its closing offer."""
    whole = body.replace("\r\n", "\n")
    shorter = _OPENER.sub("", whole, count=1)
    for offer in _OFFER.finditer(shorter, max(0, len(shorter) - _OFFER_LETTERS)):
        if not _HEADING.search(shorter, offer.end()):
            shorter = shorter[: offer.start()]
            break
    return shorter if shorter.strip() else whole


def strip_markdown(markdown: str) -> str:
    """Return Markdown without its markup."""
    return _MARKUP.sub("", _LINK.sub(r"\1", markdown)).strip()


def _passages(field: Field, source: str, heading: str, body: str) -> list[Passage]:
    return [Passage(field, source, piece, heading) for piece in split_to_fit(body)]


def split_to_fit(text: str) -> list[str]:
    """Return a text split at the ends of sentences into as few pieces as fit the encoder."""
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
    """Yield sentences; too long sentences are split between words, too long words between letters."""
    for sentence in _SENTENCE_END.split(text):
        words = sentence.split()
        if not words:
            continue
        if _fits([sentence]):
            yield " ".join(words)
            continue
        piece: list[str] = []
        for part in (part for word in words for part in _letters(word)):
            if piece and not _fits([*piece, part]):
                yield " ".join(piece)
                piece = []
            piece.append(part)
        if piece:
            yield " ".join(piece)


def _letters(word: str) -> list[str]:
    """Return a word in parts that fit the encoder, as one part if possible."""
    room = MAX_TOKENS // 2  # no letter costs more than two tokens
    return [word] if _fits([word]) else [word[start : start + room] for start in range(0, len(word), room)]


def _fits(parts: Sequence[str]) -> bool:
    text = " ".join(parts)
    return len(text.split()) <= MAX_WORDS and token_upper_bound(text) <= MAX_TOKENS


def token_upper_bound(text: str) -> int:
    """Return an upper bound of MiniLM's tokens in a text of any script; letters in random order may have more.

    >>> token_upper_bound("one does not simply")
    6
    """
    tokens = 0.0
    for found in _COSTS.finditer(text):
        match found.lastgroup:
            case "word":
                tokens += max(1.0, len(found[0]) / 3)
            case "digits":
                tokens += max(1.0, len(found[0]) * 0.75)
            case "hangul":
                tokens += 2 * len(found[0])
            case _:
                tokens += 1
    return math.ceil(tokens)
