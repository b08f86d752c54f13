"""What a meme is called on the site: what it says, or what it shows, and never its file's name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from search.meme import MediaType, Meme
from web.context import site

MAX_TITLE = 90  # characters
MAX_ALT = 200
LEAST_LETTERS = 0.6  # of the characters of a text; OCR that reads patterns as text has more signs
_NOUNS = {MediaType.IMAGE: "Meme", MediaType.GIF: "GIF", MediaType.VIDEO: "Video"}
_SENTENCE_END = re.compile(r"(?<=[.!?…。！？])\s")


@dataclass(frozen=True)
class Title:
    """The names of a meme: `text` as a heading, `alt` for those who do not see it, `says` what stands in the picture.

    `says` is empty where nothing that can be read stands in it.
    """

    text: str
    alt: str
    says: str = ""


def title_of(meme: Meme, *, description: str = "", caption: str = "") -> Title:
    """Return the names of a meme, from its newest description and what OCR read in it.

    >>> meme = searcher.search("a dog in a burning room")[0].meme
    >>> title_of(meme, caption="THIS IS FINE\\nreally").text
    '“THIS IS FINE really”'
    >>> title_of(meme, description="A dog in a room on fire. It smiles.").text
    'A dog in a room on fire.'
    >>> title_of(meme).text
    'Meme in Dogs'
    """
    noun, says = _NOUNS[meme.type], _readable(caption)
    shown = " ".join(description.split())
    nothing_known = f"{noun} in {meme.category}"
    if says:
        text = f"“{shorten(says, MAX_TITLE)}”"
    else:
        text = shorten(_SENTENCE_END.split(shown)[0], MAX_TITLE) or nothing_known
    spoken = f"{noun} that says: “{shorten(says, MAX_ALT)}”" if says else nothing_known
    return Title(text, shorten(shown, MAX_ALT) or spoken, says)


def titles_of(memes: Sequence[Meme]) -> dict[int, Title]:
    """Return the names of memes of the library, by id."""
    texts, ids = site().catalogue.texts, [meme.id for meme in memes]
    descriptions, captions = texts.alt_texts(ids), texts.captions(ids)
    return {
        meme.id: title_of(meme, description=descriptions.get(meme.id, ""), caption=captions.get(meme.id, ""))
        for meme in memes
    }


def shorten(text: str, length: int) -> str:
    """Return a text of at most `length` characters, cut between words.

    >>> shorten("one does not simply", 12)
    'one does…'
    """
    if len(text) <= length:
        return text
    cut = text[: length - 1]
    at_space = cut.rfind(" ")
    return cut[: at_space if at_space > length // 2 else None].rstrip(" ,;:.–-") + "…"


def _readable(caption: str) -> str:
    """Return an OCR text on one line; empty when it is mostly signs, which are patterns that were read as text."""
    text = " ".join(caption.split())
    solid = [character for character in text if not character.isspace()]
    letters = sum(character.isalnum() for character in solid)
    return text if letters >= 2 and letters >= LEAST_LETTERS * len(solid) else ""
