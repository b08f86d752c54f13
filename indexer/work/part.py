"""Parts of a library that several machines index: each does the contents whose hash falls into its part."""

from __future__ import annotations

import re
from dataclasses import dataclass

from search.errors import WrongUse

MOST = 100_000  # parts


@dataclass(frozen=True)
class Part:
    """One of several parts of a library, numbered from 1.

    >>> [Part.parse(f"{number}/3").has("c0ffee") for number in (1, 2, 3)]
    [False, True, False]
    """

    number: int
    of: int

    @classmethod
    def parse(cls, text: str) -> Part:
        """Return the part that is written as `3/16`; raise WrongUse for anything else."""
        found = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text, re.ASCII)
        number, of = map(int, found.groups()) if found else (0, 0)
        if not 1 <= number <= of <= MOST:
            raise WrongUse(f"There is no part {text!r}.", hint="Write it as 3/16: the third of sixteen parts.")
        return cls(number, of)

    def has(self, content_hash: str) -> bool:
        """Return whether a content (hexadecimal hash) is in this part."""
        return int(content_hash[-12:], 16) % self.of == self.number - 1


def in_part(part: Part | None, content_hash: str) -> bool:
    """Return whether a content is to be worked on; without a part, each is."""
    return part is None or part.has(content_hash)
