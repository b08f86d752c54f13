"""The nouns: a meme, its texts, and the closed sets of values that describe them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

CATEGORY_SEPARATOR = " - "  # between the parts of a category's name, the parent first: "TV - Star Trek"


class MediaType(StrEnum):
    """What a meme's file is to its viewer; an animated WebP, AVIF or PNG is a GIF here."""

    IMAGE = "image"
    GIF = "gif"
    VIDEO = "video"


class Field(StrEnum):
    """The places where a meme can be recognised. Each ranks alone; fusion joins their scores."""

    NAME = "name"  # file name without its extension, and category
    OCR = "ocr"  # what the meme says
    DESCRIPTION = "description"  # simple descriptions
    VISUAL = "visual"  # the "Visual Description" of detailed analyses
    ANALYSIS = "analysis"  # every other heading of detailed analyses
    PICTURE = "picture"  # the image encoder's embedding
    LOOK = "look"  # fingerprints and layout, without any model


class TextKind(StrEnum):
    """What a text about a meme is."""

    OCR = "ocr"
    SIMPLE = "simple-description"
    DETAILED = "detailed-analysis"
    OTHER = "other"


class Stage(StrEnum):
    """The indexer's stages, in order."""

    SCAN = "scan"
    MEDIA = "media"
    OCR = "ocr"
    DESCRIBE = "describe"
    EMBED = "embed"
    PICTURES = "pictures"
    BUILD = "build"
    DUPLICATES = "duplicates"


class KeepBy(StrEnum):
    """What decides which of several duplicates is kept."""

    PIXELS = "pixels"
    COMPRESSION = "compression"
    FIRST_SEEN = "first_seen"
    METADATA = "metadata"


class Sort(StrEnum):
    """The order of an answer's hits."""

    RELEVANCE = "relevance"
    NEWEST = "newest"


class Likeness(StrEnum):
    """What two similar memes have in common."""

    LOOK = "look"
    MEANING = "meaning"
    WORDS = "words"
    ALL = "all"


@dataclass(frozen=True)
class Meme:
    """One file of the library. `id` is stable and never reused; `path` is relative to the library, with `/`."""

    id: int
    path: str
    category: str
    content_hash: str  # SHA-256 of the file's bytes, hexadecimal
    type: MediaType
    first_seen: datetime  # aware, UTC
    size: int  # bytes
    width: int | None = None  # pixels as shown, after EXIF orientation; None until decoded
    height: int | None = None
    frames: int | None = None
    seconds: float | None = None  # duration of a GIF or a video
    placeholder: str = ""  # a data: URI of a few dozen bytes, shown blurred until the thumbnail comes
    has_thumbnail: bool = False

    @property
    def name(self) -> str:
        """The file's name, with its extension."""
        return self.path.rsplit("/", 1)[-1]

    def __repr__(self) -> str:
        # Short: a list of memes is read by people, and a placeholder is a hundred letters of base64.
        return f"<Meme {self.id} {self.path!r}>"


@dataclass(frozen=True)
class Text:
    """One text about a meme, by one source: a model's name, an OCR engine's, or a sidecar's label."""

    kind: TextKind
    source: str
    body: str
    sidecar: str | None = None  # path relative to the library; None when Memetica made the text
    made_at: datetime | None = None


@dataclass(frozen=True)
class Passage:
    """A piece of a text that an encoder can read whole."""

    field: Field
    source: str
    body: str
    heading: str = ""


@dataclass(frozen=True)
class Failure:
    """What could not be done, why, and what mends it. `subject` is a path or a model's name."""

    stage: Stage
    subject: str
    reason: str
    hint: str
    failed_at: datetime
    attempts: int
    source: str = ""  # the model or the engine that failed, where there is a choice of them
