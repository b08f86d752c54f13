"""Issues of a library's categories: the kinds, the proposed fixes, and the selection of unsettled ones."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum


class IssueKind(StrEnum):
    """The kinds of issues in the categories of a library."""

    MISFILED = "misfiled"
    CONFUSED = "confused"
    NEAR_EMPTY = "near-empty"
    GROUP = "group"


@dataclass(frozen=True)
class Issue:
    """A possible mistake. The proposed fix is to move `memes` (content hashes) to the category `target`.

    `category` is the memes' category; `target` is empty if only the curator can name it. `shown` are memes that
    illustrate the issue. `score` ranks issues of a kind.

    >>> issue = Issue(IssueKind.MISFILED, "Cats", "Dogs", ("a" * 64,), "Its picture looks like Dogs.", 0.9)
    >>> issue.about, len(issue.key)
    ('misfiled: Cats', 16)
    """

    kind: IssueKind
    category: str
    target: str
    memes: tuple[str, ...]
    evidence: str
    score: float
    shown: tuple[str, ...] = ()

    @property
    def about(self) -> str:
        """The subject of a verdict on the issue; it does not depend on the issue's memes."""
        if self.kind is IssueKind.MISFILED:
            return f"{self.kind}: {self.category}"
        if self.kind is IssueKind.CONFUSED:
            return f"{self.kind}: {' | '.join(sorted((self.category, self.target)))}"
        return f"{self.kind}: {self.category}"

    @property
    def key(self) -> str:
        """16 hex digits, the same for the same issue about the same memes."""
        text = "\n".join((self.kind, self.category, self.target, *sorted(self.memes)))
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def open_issues(found: Sequence[Issue], settled: Collection[tuple[str, frozenset[str]]]) -> Iterator[Issue]:
    """Yield the issues that no verdict settles; `settled` are the subjects of verdicts and their content hashes.

    A verdict on at least half of an issue's memes settles it, because groups grow and shrink. Verdicts on pairs of
    categories and on small categories settle them regardless of the memes.

    >>> issue = Issue(IssueKind.MISFILED, "Cats", "Dogs", ("a" * 64,), "", 0.9)
    >>> len(list(open_issues([issue], []))), len(list(open_issues([issue], [(issue.about, frozenset(issue.memes))])))
    (1, 0)
    """
    for issue in found:
        memes = frozenset(issue.memes)
        verdicts = [contents for about, contents in settled if about == issue.about]
        if issue.kind in (IssueKind.CONFUSED, IssueKind.NEAR_EMPTY):
            if not verdicts:
                yield issue
        elif not any(len(memes & contents) * 2 >= len(memes) for contents in verdicts):
            yield issue
