"""Names of the exported files: the library's own where every common host can hold them, a safe one elsewhere."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from pathlib import PurePosixPath

from search.meme import name_key

# Windows refuses most of these, Netlify `#` and `?`; servers disagree on how often they decode `%`.
_UNSAFE = re.compile('[\x00-\x1f\x7f<>:"|?*\\\\#%]')
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(?:\..*)?", re.IGNORECASE | re.DOTALL)
MAX_BYTES = 200  # of a name: file systems hold 255, and a page's name is longer than its file's
MOST_BYTES = 255  # what file systems hold
_MAX_ENDING = 20  # characters that are kept at the end of a name that is cut


def safe_name(name: str) -> str:
    """Return the name of a file or folder as Windows, macOS, Linux and hosts of static sites can hold it.

    A name that changes gets eight digits of its hash before its ending, so that no two become one.

    >>> safe_name("monday.png"), safe_name("what?.png"), safe_name("CON.png")
    ('monday.png', 'what_-1288e034.png', '_CON-b92d86cf.png')
    """
    found = _UNSAFE.sub("_", unicodedata.normalize("NFC", name)).rstrip(". ")
    if _RESERVED.fullmatch(found) or found.startswith(".") or not found:
        found = "_" + found.lstrip(".")
    if len(found.encode()) > MAX_BYTES:
        found = _cut(found)
    return found if found == unicodedata.normalize("NFC", name) else marked(found, name)


def short_name(name: str) -> str:
    """Return the name of a file that every file system can hold: it is cut, and marked, beyond MOST_BYTES.

    >>> short_name("what?.png"), len(short_name("x" * 300 + ".png"))
    ('what?.png', 200)
    """
    return name if len(name.encode("utf-8", "surrogatepass")) <= MOST_BYTES else marked(_cut(name), name)


def marked(name: str, original: str) -> str:
    """Return a name with eight digits of the hash of `original` before its ending."""
    digits = hashlib.sha256(original.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    ending = PurePosixPath(name).suffix
    return f"{name.removesuffix(ending) if ending else name}-{digits}{ending}"


def _cut(name: str) -> str:
    ending = PurePosixPath(name).suffix[:_MAX_ENDING]
    kept = name.removesuffix(ending).encode()[: MAX_BYTES - len(ending.encode()) - 9]
    return kept.decode("utf-8", "ignore").rstrip(". ") + ending


class Names:
    """Gives each exported file a path that no other has, also on a host that ignores case.

    Whoever asks first gets the plain name, so ask in an order that does not change when memes are added. With `exact`,
    names that not every host can hold stay.
    """

    def __init__(self, *, exact: bool = False) -> None:
        self._safe = short_name if exact else safe_name
        self._files: set[str] = set()
        self._folders: set[str] = set()

    def take_folder(self, path: str) -> str:
        """Return the path of a new folder that shares no name with another, as near to `path` as possible.

        >>> names = Names()
        >>> names.take_folder("memes/Cats"), names.take_folder("memes/cats")
        ('memes/Cats', 'memes/cats-6b9045ef')
        """
        attempt = ""
        while True:
            *above, last = path.split("/")
            parts = [*map(self._safe, above), marked(self._safe(last), path + attempt) if attempt else self._safe(last)]
            found = "/".join(parts)
            if name_key(found) not in self._folders and name_key(found) not in self._files:
                return self.take(f"{found}/index.html").removesuffix("/index.html")
            attempt += "/"

    def take(self, path: str) -> str:
        """Return the path of a new file, as near to `path` as possible; of `/`-separated names.

        >>> names = Names()
        >>> names.take("memes/Cats/a.png"), names.take("memes/cats/A.png")
        ('memes/Cats/a.png', 'memes/cats/A-adf2e648.png')
        """
        parts = [self._safe(part) for part in path.split("/")]
        for attempt in range(100):
            key = name_key("/".join(parts))
            above = [key[:at] for at, character in enumerate(key) if character == "/"]
            if key not in self._files and key not in self._folders and not self._files.intersection(above):
                self._files.add(key)
                self._folders.update(above)
                return "/".join(parts)
            if self._files.intersection(above):  # a folder has the name of a page or a file
                clash = next(at for at, folder in enumerate(above) if folder in self._files)
                parts[clash] = marked(parts[clash], "/".join(path.split("/")[: clash + 1]) + "/" * attempt)
            else:
                parts[-1] = marked(self._safe(path.split("/")[-1]), path + "/" * attempt)
        raise AssertionError(f"no free name for {path}")
