"""What looks wrong in the categories now, and what the curator says of it: moved, or right and never asked again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from indexer.curation.move import move_memes
from indexer.stages.train_categories import read_health
from search.catalogue import Catalogue, Verdict, VerdictKind
from search.categories.issues import Ailment, Finding, still_open
from search.errors import WrongUse
from search.meme import Meme
from search.workspace import Workspace


@dataclass(frozen=True)
class Findings:
    """What was found when the categories were last learnt, at a time and of so many memes, and is open still.

    `newer` memes came since.
    """

    at: datetime
    memes: int
    newer: int
    open: Sequence[Finding]


def open_findings(workspace: Workspace) -> Findings | None:
    """Return the findings that are true and not settled, the surest first of each kind; None before any learning.

    One about memes that have gone, or lie elsewhere by now, is about those that are left, or is none.
    """
    kept = read_health(workspace.settings)
    if kept is None:
        return None
    try:
        found = [_finding(row) for row in kept["findings"]]
        at, memes = datetime.fromisoformat(kept["at"]), int(kept["memes"])
    except (KeyError, TypeError, ValueError):
        return None  # of another version: it is learnt again
    known = {name for name, _, _ in workspace.catalogue.memes.categories()}
    place: dict[str, set[str]] = {}
    shown = 0
    for meme in workspace.catalogue.memes.everything():
        shown += meme.has_thumbnail
        place.setdefault(meme.content_hash, set()).add(meme.category)
    settled = settled_findings(workspace.catalogue)
    return Findings(at, memes, max(0, shown - memes), list(still_open(list(_true(found, place, known)), settled)))


def settled_findings(catalogue: Catalogue) -> list[tuple[str, frozenset[str]]]:
    """Return what standing verdicts about categories are about, and the content hashes of each."""
    return [
        (one.about, frozenset(one.contents))
        for one in catalogue.verdicts.standing()
        if one.about and one.kind in (VerdictKind.RIGHT, VerdictKind.MOVED)
    ]


def memes_of(catalogue: Catalogue, finding: Finding) -> list[Meme]:
    """Return the memes that a finding is about and that are where it says, in its order."""
    found = (meme for content in finding.memes for meme in catalogue.memes.with_content(content))
    return [meme for meme in found if meme.category == finding.category]


def file_right(catalogue: Catalogue, finding: Finding) -> Verdict:
    """Write to the ledger that a finding is wrong, so that it is never asked again, and return the line."""
    memes = memes_of(catalogue, finding)
    if not memes:
        raise WrongUse("Its memes are not there any more.")
    return catalogue.verdicts.add(
        VerdictKind.RIGHT,
        [meme.content_hash for meme in memes],
        paths=[meme.path for meme in memes],
        note=finding.category if finding.kind in (Ailment.CONFUSED, Ailment.NEAR_EMPTY) else "",
        about=finding.about,
    )


def move_as_found(workspace: Workspace, finding: Finding, *, category: str) -> Verdict:
    """Move the memes of a finding to a category and return the ledger's line; raises what `move_memes` does."""
    return move_memes(workspace, memes_of(workspace.catalogue, finding), category=category, about=finding.about)


def _finding(row: dict[str, Any]) -> Finding:
    return Finding(
        Ailment(row["kind"]),
        row["category"],
        row["target"],
        tuple(row["memes"]),
        row["evidence"],
        float(row["score"]),
        tuple(row["shown"]),
    )


def _true(found: Sequence[Finding], place: dict[str, set[str]], known: set[str]) -> Iterator[Finding]:
    for one in found:
        left = tuple(content for content in one.memes if one.category in place.get(content, ()))
        gone = one.kind is not Ailment.GROUP and one.target not in known
        if left and not gone and 2 * len(left) >= len(one.memes):
            yield one if len(left) == len(one.memes) else replace(one, memes=left)
