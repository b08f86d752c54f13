"""Keys of file names: what a name is compared by when somebody searches for a file by its name.

Names by cameras, phones and browsers (`IMG_20240224_213805`, `download (26)`) say nothing about a meme and are left out
of its readable name. To whoever has the name, it is the key: the index keeps every whole name and its parts here.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import unquote

import numpy as np

from search.index.vectors.owners import Ids
from search.meme import is_code

ENDING = re.compile(
    r"\.(?:jpe?g|jfif|png|apng|gif|webp|avif|bmp|tiff?|heic|heif|svg|mp4|m4v|mov|webm|mkv|avi|jxl|3g[2p]|flv|wmv|mpe?g|m2?ts|ogv)$"
)
_SPACES = re.compile(r"\s+")
# What people change or lose when they copy a name by hand: signs between words, and accents.
_LOOSE = re.compile(r"[\W_]+")
_WORDS = re.compile(r"[^\W\d_]+|\d+")
_RUNS = re.compile(r"[^\W_]+")
_QUOTES = "\"'“”„‟‘’«»‹›「」『』＂`"
MIN_CODE = 3  # digits from which a part of a name can be looked up, as a code can
MIN_PREFIX = 5  # characters from which the beginning of a code stands for the code
MAX_NAME_BYTES = 255  # of a file's name, on every usual file system


def no_ids() -> Ids:
    """Return ids of no memes.

    >>> from search.index.lexical.file_names import no_ids
    >>> no_ids().tolist()
    []
    """
    return np.empty(0, np.int64)


@dataclass(frozen=True)
class NamedMemes:
    """The rising ids of the memes that a text is the file name of.

    `is_whole`: of their whole names, not of a part. `is_verbatim`: as the text stands, with all its signs.
    """

    ids: Ids = field(default_factory=no_ids)
    is_whole: bool = False
    is_verbatim: bool = False

    def __bool__(self) -> bool:
        return len(self.ids) > 0


class NameForm(StrEnum):
    """The forms of a file's name, the most exact first."""

    PATH = "path"  # category and name
    NAME = "name"
    STEM = "stem"  # the name without its ending
    LOOSE = "loose"  # the letters and digits of the stem


def exact_key(text: str) -> str:
    """Return a name in one Unicode form and case, without invisible characters and repeated spaces.

    >>> exact_key("De\\u0301ja\\u0300  VU.PNG") == exact_key("d\\u00e9j\\u00e0 vu.png")
    True
    """
    if text.isascii() and text.isprintable():  # nearly all queries, each of which may be a name
        return _SPACES.sub(" ", text.lower()).strip()
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    visible = "".join(one for one in folded if one.isspace() or not unicodedata.category(one).startswith("C"))
    return _SPACES.sub(" ", visible).strip()


def loose_key(text: str) -> str:
    """Return the letters and digits of a name without accents; "" for a name of other signs alone.

    >>> loose_key("Déjà_vu (2)")
    'dejavu2'
    """
    key = exact_key(text)
    if key.isascii():
        return _LOOSE.sub("", key)
    bare = "".join(one for one in unicodedata.normalize("NFKD", key) if not unicodedata.combining(one))
    return _LOOSE.sub("", bare)


def without_ending(name: str) -> str:
    """Return a key without the ending of a picture or a video.

    >>> without_ending("fine.jpg"), without_ending("version 1.5")
    ('fine', 'version 1.5')
    """
    return ENDING.sub("", name) or name


def name_keys(path: str) -> list[str]:
    """Return the keys of a meme's path, each with its form before it.

    >>> name_keys("Dogs/This_is fine.PNG")
    ['path:dogs/this_is fine.png', 'name:this_is fine.png', 'stem:this_is fine', 'loose:thisisfine']
    """
    whole, name = exact_key(path), exact_key(path.rsplit("/", 1)[-1])
    stem = name.rpartition(".")[0] or name
    keys = {NameForm.PATH: whole, NameForm.NAME: name, NameForm.STEM: stem, NameForm.LOOSE: loose_key(stem)}
    return [f"{form.value}:{key}" for form, key in keys.items() if key]


def asked_keys(text: str) -> Iterator[list[str]]:
    """Yield the keys of what somebody typed as a file's name, as lists of equally exact ones, the most exact first.

    A name may stand in quotes, after folders, and as part of an address of the site.

    >>> list(asked_keys('"fine.png"'))[1]
    ['name:fine.png', 'path:fine.png']
    """
    typed = exact_key(text)
    variants = list(dict.fromkeys(one for one in _variants(typed) if one))
    for one in variants:
        yield [f"{NameForm.NAME.value}:{one}", f"{NameForm.PATH.value}:{one}"]
    for one in variants:
        yield [f"{NameForm.STEM.value}:{one}"]
    last = variants[-1] if variants else ""
    stem = without_ending(last)
    if stem != last:
        yield [f"{NameForm.STEM.value}:{stem}"]
    for one in dict.fromkeys((last, stem)):
        if key := loose_key(one):
            yield [f"{NameForm.LOOSE.value}:{key}"]


def _variants(typed: str) -> Iterator[str]:
    """Yield what is typed, then without quotes, decoded, and without the folders before it; the last is the barest."""
    yield typed
    bare = typed.strip(_QUOTES + " ")
    yield bare
    if "://" in bare or bare.endswith(".html"):
        bare = re.sub(r"[?#].*$", "", bare).removesuffix(".html")
        yield bare
    if "%" in bare:
        bare = exact_key(unquote(bare))
        yield bare
    if "\\" in bare and "/" not in bare:
        bare = bare.replace("\\", "/")
        yield bare
    if "/" in bare:
        # `memes/Dogs/fine.png` and longer paths end in the path that the library knows.
        parts = [part for part in bare.split("/") if part]
        if len(parts) > 2:
            yield "/".join(parts[-2:])
        if parts:
            yield parts[-1]


def name_parts(name: str) -> list[str]:
    """Return the parts of a file's name: its runs of letters and digits, and the letters and the digits of each.

    >>> name_parts("TC00715 a.JPG")
    ['tc00715', 'a', 'jpg', 'tc', '00715']
    """
    plain = exact_key(name.rsplit("/", 1)[-1])
    return list(dict.fromkeys([*_RUNS.findall(plain), *_WORDS.findall(plain)]))


def name_words(path: str) -> str:
    """Return the words and codes of a file's name, without its ending.

    >>> name_words("Cats/smug_wizard-22.jpg")
    'smug wizard 22'
    """
    name = path.rsplit("/", 1)[-1]
    return " ".join(re.split(r"[\s_\-.~+()\[\]]+", name.rpartition(".")[0] or name)).strip()


def code_parts(text: str) -> list[str]:
    """Return the parts of what was typed if it is codes, as in names by cameras; [] for words.

    >>> code_parts("IMG_0017"), code_parts("5n4mg"), code_parts("two dogs")
    (['img', '0017'], ['5n4mg'], [])
    """
    parts = _RUNS.findall(exact_key(text).strip(_QUOTES))
    return list(dict.fromkeys(parts)) if any(map(is_code_part, parts)) else []


def is_code_part(part: str) -> bool:
    """Return whether a part of a name is looked up as one: it has many digits, or no readable name has it.

    >>> is_code_part("0017"), is_code_part("5n4mg"), is_code_part("r2d2")
    (True, True, False)
    """
    return is_code(part) or sum(one.isdecimal() for one in part) >= MIN_CODE
