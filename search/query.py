"""What a visitor can ask, and what is understood of it."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from search.words import terms

MAX_CHARACTERS = 2000  # of a query; more is no description of a meme, and encoders read less


@dataclass(frozen=True)
class Query:
    """A query as understood: the text that the encoder reads, and its terms as the word index holds them."""

    text: str
    terms: tuple[str, ...]
    shortened: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether nothing was asked."""
        return not self.text


def parse(asked: str) -> Query:
    """Return what a visitor's text asks for: control characters and needless space gone, cut to MAX_CHARACTERS."""
    plain = "".join(
        " " if unicodedata.category(one).startswith(("C", "Z")) and one != "\u200d" else one
        for one in asked[: 2 * MAX_CHARACTERS]
    )
    text = " ".join(plain.split())
    shortened = len(text) > MAX_CHARACTERS or len(asked) > 2 * MAX_CHARACTERS
    text = text[:MAX_CHARACTERS].strip()
    return Query(text, tuple(terms(text)), shortened)
