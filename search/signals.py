"""The ranking's signals: each names a way to compare a query with a meme and the field that is compared."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import total_ordering

from search.meme import Field


class SignalKind(StrEnum):
    """How a signal compares a query with a meme."""

    DESCRIPTOR = "image.descriptor"  # color layout and PDQ fingerprints of two images
    SEMANTIC = "semantic"  # text embeddings
    IMAGE_TEXT = "image.text"  # the query's words and the meme's image, by an image encoder
    IMAGE_IMAGE = "image.image"  # two images, by an image encoder
    PHRASE = "phrase"  # the same words in sequence
    LEXICAL = "lexical"  # BM25


@total_ordering
@dataclass(frozen=True)
class Signal:
    """One signal of a ranking; `field` is None when all fields' text is searched together.

    >>> str(Signal(SignalKind.SEMANTIC, Field.OCR))
    'semantic.ocr'
    """

    kind: SignalKind
    field: Field | None = None

    @classmethod
    def parse(cls, name: str) -> Signal:
        """Return the signal of a name, as in the setting `weights`; raise ValueError for an unknown name.

        >>> Signal.parse("lexical.all").field is None
        True
        """
        found = _BY_NAME.get(name)
        if found is None:
            raise ValueError(f"there is no signal {name!r}; there are {', '.join(sorted(_BY_NAME))}")
        return found

    def __str__(self) -> str:
        if self.kind in (SignalKind.DESCRIPTOR, SignalKind.IMAGE_TEXT, SignalKind.IMAGE_IMAGE):
            return self.kind.value
        return f"{self.kind.value}.{self.field.value if self.field is not None else 'all'}"

    def __lt__(self, other: Signal) -> bool:
        return _PLACES[self] < _PLACES[other]


_TEXT = (Field.ANALYSIS, Field.DESCRIPTION, Field.NAME, Field.OCR, Field.VISUAL)

LEXICAL_ALL = Signal(SignalKind.LEXICAL)
LEXICAL_OCR = Signal(SignalKind.LEXICAL, Field.OCR)
PHRASE_OCR = Signal(SignalKind.PHRASE, Field.OCR)
DESCRIPTOR = Signal(SignalKind.DESCRIPTOR, Field.LOOK)
IMAGE_TEXT = Signal(SignalKind.IMAGE_TEXT, Field.PICTURE)
IMAGE_IMAGE = Signal(SignalKind.IMAGE_IMAGE, Field.PICTURE)

# Every signal, in the order in which scores are added: sums of floats depend on the order.
SIGNALS = (
    DESCRIPTOR,
    *(Signal(SignalKind.SEMANTIC, field) for field in _TEXT),
    IMAGE_TEXT,
    IMAGE_IMAGE,
    PHRASE_OCR,
    LEXICAL_ALL,
    *(Signal(SignalKind.LEXICAL, field) for field in _TEXT),
)
_PLACES = {signal: place for place, signal in enumerate(SIGNALS)}
_BY_NAME = {str(signal): signal for signal in SIGNALS}


def semantic(field: Field) -> Signal:
    """Return the signal of a field's text embeddings."""
    return Signal(SignalKind.SEMANTIC, field)


def lexical(field: Field | None) -> Signal:
    """Return the lexical signal of a field, or of all text for None."""
    return Signal(SignalKind.LEXICAL, field)
