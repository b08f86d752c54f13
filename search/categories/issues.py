"""Findings about categories: what may be wrong, what would mend it, and which of them are settled."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Ailment(StrEnum):
    """What may be wrong."""

    MISFILED = "misfiled"
    CONFUSED = "confused"
    NEAR_EMPTY = "near-empty"
    GROUP = "group"


@dataclass(frozen=True)
class Finding:
    """Something that looks wrong: what would mend it is to move `memes` (content hashes) to the category `target`.

    `category` is where they are; `target` is empty where only the curator can name it. `shown` are memes of the target
    that speak for it. `score` ranks findings of a kind.
    """

    kind: Ailment
    category: str
    target: str
    memes: tuple[str, ...]
    evidence: str
    score: float
    shown: tuple[str, ...] = ()

    @property
    def about(self) -> str:
        """What a verdict on it is about: the same as long as the same is proposed."""
        if self.kind is Ailment.MISFILED:
            return f"{self.kind}: {self.category}"
        if self.kind is Ailment.CONFUSED:
            return f"{self.kind}: {' | '.join(sorted((self.category, self.target)))}"
        return f"{self.kind}: {self.category}"

    @property
    def key(self) -> str:
        """A name for it: the same for the same finding about the same memes."""
        said = "\n".join((self.kind, self.category, self.target, *sorted(self.memes)))
        return hashlib.sha256(said.encode()).hexdigest()[:16]


def still_open(found: Sequence[Finding], settled: Collection[tuple[str, frozenset[str]]]) -> Iterator[Finding]:
    """Yield the findings that no verdict settles: `settled` are what verdicts are about, and their content hashes.

    Of a group, a verdict on half of its memes settles it: groups grow, and lose some.
    """
    for one in found:
        mine = frozenset(one.memes)
        verdicts = [contents for about, contents in settled if about == one.about]
        if one.kind in (Ailment.CONFUSED, Ailment.NEAR_EMPTY):
            if not verdicts:
                yield one
        elif not any(len(mine & contents) * 2 >= len(mine) for contents in verdicts):
            yield one
