"""The basic data types: a meme, its texts, and the enumerations that describe them."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

CATEGORY_SEPARATOR = " - "  # between the parts of a category's name, the parent first: "TV - Star Trek"
# At least five letters and digits that take turns, or a long hexadecimal run. "r2d2", "2020s" and "covid19" are words.
_CODE = re.compile(
    r"(?=\w*\d)(?=\w*[^\W\d_])(?!\d{1,4}[^\W\d_]+$|[^\W\d_]+\d{1,4}$)\w{5,}|[0-9a-f]{12,}", re.IGNORECASE
)


def is_code(word: str) -> bool:
    """Return whether a word of a file's name is a code, which says nothing about the meme.

    >>> is_code("5n4mg"), is_code("covid19"), is_code("dog")
    (True, False, False)
    """
    return _CODE.fullmatch(word) is not None


# After a letter: which of its forms is meant.
_VARIATION_SELECTORS = {chr(code) for code in range(0xFE00, 0xFE10)}


def name_key(name: str) -> str:
    """Return what two names have in common that people read as the same: composed letters, no capitals, single spaces.

    A Mac writes é as two code points, keyboards as one; Turkish writes I as ı and İ as i; Japanese keyboards write wide
    letters and half-width kana; a heart is one with and without the mark that makes it colored. Spaces at the ends of a
    name and doubled ones cannot be seen.

    >>> name_key("E\u0301COLE") == name_key("\u00e9cole"), name_key("\u0130zmir") == name_key("izmir")
    (True, True)
    >>> name_key("\uff23\uff41\uff54") == name_key("cat"), name_key("\u2764\ufe0f") == name_key("\u2764")
    (True, True)
    """
    if name.isascii():
        return " ".join(name.lower().split())
    plain = "".join(_of_usual_width(one) for one in name if one not in _VARIATION_SELECTORS)
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFD", plain).casefold())
    return " ".join(unicodedata.normalize("NFC", folded.replace("i\u0307", "i").replace("\u0131", "i")).split())


def _of_usual_width(letter: str) -> str:
    is_other = unicodedata.east_asian_width(letter) in "FH" and letter != "\u20a9"  # the sign of won is as it is
    return unicodedata.normalize("NFKC", letter) if is_other else letter


class MediaType(StrEnum):
    """How a meme's file is shown; an animated WebP, AVIF or PNG counts as a GIF."""

    IMAGE = "image"
    GIF = "gif"
    VIDEO = "video"


class Field(StrEnum):
    """The parts of a meme that can match a query. Each field is scored separately; fusion combines the scores."""

    NAME = "name"  # file name without its extension, and category
    OCR = "ocr"  # the text in the picture
    DESCRIPTION = "description"  # simple descriptions
    VISUAL = "visual"  # the "Visual Description" of detailed analyses
    ANALYSIS = "analysis"  # every other heading of detailed analyses
    PICTURE = "picture"  # the image encoder's embedding
    LOOK = "look"  # fingerprints and color layout, without any model


class TextKind(StrEnum):
    """The kinds of texts about a meme."""

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
    """The criteria that decide which of several duplicates is kept, in the order of the default rule."""

    WHOLE = "whole"  # a file that is not damaged
    TRANSPARENCY = "transparency"
    SOURCE = "source"  # the one that the others were made from, by the traces in their pixels
    PIXELS = "pixels"
    COMPRESSION = "compression"
    FIRST_SEEN = "first_seen"
    BORDER = "border"  # the one without; after the dates: a source whose plain side was cropped off looks like a copy
    PLAYS = "plays"  # in every browser
    METADATA = "metadata"


class Sort(StrEnum):
    """How the hits of an answer are sorted."""

    RELEVANCE = "relevance"
    NEWEST = "newest"


class Likeness(StrEnum):
    """The kinds of similarity between two memes."""

    TEMPLATE = "template"  # the same picture, with the same or other words
    LOOK = "look"
    MEANING = "meaning"
    WORDS = "words"
    ALL = "all"


BROWSER_CODECS = {"h264", "vp8", "vp9", "av1"}  # of videos, by FFmpeg's names
# Content types that no usual browser shows, or only one: HEIF and JPEG XL in Safari.
_NOT_IN_BROWSERS = {
    *("image/heic", "image/jxl", "image/tiff"),
    *("video/x-matroska", "video/x-msvideo", "video/x-ms-wmv", "video/x-flv", "video/mpeg", "video/mp2t", "video/ogg"),
}


def plays_in_browsers(type: MediaType, content_type: str, codec: str) -> bool:
    """Return whether all usual browsers show a file of this content type and codec; True where they are not known.

    >>> plays_in_browsers(MediaType.IMAGE, "image/heic", "heic"), plays_in_browsers(MediaType.IMAGE, "image/png", "png")
    (False, True)
    """
    if content_type in _NOT_IN_BROWSERS:
        return False
    return type is not MediaType.VIDEO or not codec or codec in BROWSER_CODECS


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
    placeholder: str = ""  # a data: URI of a few dozen bytes, shown blurred until the thumbnail is loaded
    has_thumbnail: bool = False
    content_type: str = ""  # by the content, for HTTP: "image/jpeg"; empty until decoded
    codec: str = ""  # "jpeg", "webp-lossless", "h264" …; empty until decoded
    transparent: bool = False  # whether some of its pixels are
    share_decoded: float = 1.0  # how much of it is there; below 1 when its end is missing
    damage: str = ""  # what is damaged though it is shown; empty for a sound file

    @property
    def name(self) -> str:
        """The file's name, with its extension."""
        return self.path.rsplit("/", 1)[-1]

    @property
    def plays_in_browsers(self) -> bool:
        """Whether all usual browsers show it; not HEIC, TIFF or AVI, nor a video in HEVC, ProRes or MPEG-4 part 2."""
        return plays_in_browsers(self.type, self.content_type, self.codec)

    def __repr__(self) -> str:
        # Short, because lists of memes are printed and a placeholder is a hundred letters of base64.
        return f"<Meme {self.id} {self.path!r}>"


@dataclass(frozen=True)
class Text:
    """One text about a meme; its source is the name of a model or of an OCR engine, or a sidecar's label."""

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
    """A failed step of a stage, its reason, and a hint on how to fix it. `subject` is a path or a model's name."""

    stage: Stage
    subject: str
    reason: str
    hint: str
    failed_at: datetime
    attempts: int
    source: str = ""  # the model or engine that failed, for stages that offer several
