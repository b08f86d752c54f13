"""The open issues of the categories, and the curator's decisions on them: move the memes, or dismiss the issue."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from indexer.curation.move import move_memes
from indexer.stages.train_categories import read_issues
from search.catalogue import Catalogue, Verdict, VerdictKind
from search.categories.issues import Issue, IssueKind, open_issues
from search.errors import WrongState
from search.meme import Meme
from search.workspace import Workspace


@dataclass(frozen=True)
class IssueReport:
    """The open issues of the last training, its time, and its number of memes."""

    at: datetime
    memes: int
    newer: int  # memes added after the training
    open: Sequence[Issue]


def find_open_issues(workspace: Workspace) -> IssueReport | None:
    """Return the issues that still apply and are not settled, most certain first in each kind; None before training.

    Vanished and moved memes are removed from an issue; an issue that keeps fewer than half of its memes is dropped.

    >>> report = find_open_issues(workspace)
    >>> report is None or report.memes > 0
    True
    """
    stored = read_issues(workspace)
    if stored is None:
        return None
    try:
        found = [_issue(row) for row in stored["issues"]]
        at, memes = datetime.fromisoformat(stored["at"]), int(stored["memes"])
    except (KeyError, TypeError, ValueError):
        return None  # written by another version: the next training writes it again
    categories = {name for name, _, _ in workspace.catalogue.memes.categories()}
    categories_of: dict[str, set[str]] = {}
    decoded = 0
    for meme in workspace.catalogue.memes.everything():
        decoded += meme.has_thumbnail
        categories_of.setdefault(meme.content_hash, set()).add(meme.category)
    settled = settled_issues(workspace.catalogue)
    current = list(_still_true(found, categories_of, categories))
    return IssueReport(at, memes, max(0, decoded - memes), list(open_issues(current, settled)))


def settled_issues(catalogue: Catalogue) -> list[tuple[str, frozenset[str]]]:
    """Return the subject and the content hashes of each standing verdict on categories."""
    return [
        (one.about, frozenset(one.contents))
        for one in catalogue.verdicts.standing()
        if one.about and one.kind in (VerdictKind.RIGHT, VerdictKind.MOVED)
    ]


def memes_of(catalogue: Catalogue, issue: Issue) -> list[Meme]:
    """Return the memes of an issue that are still in its category, in its order."""
    found = (meme for content in issue.memes for meme in catalogue.memes.with_content(content))
    return [meme for meme in found if meme.category == issue.category]


def dismiss_issue(catalogue: Catalogue, issue: Issue) -> Verdict:
    """Record that an issue's memes are in the right category, so that it is never proposed again.

    >>> meme = workspace.catalogue.memes.at("Cats/monday.png")
    >>> issue = Issue(IssueKind.MISFILED, "Cats", "Dogs", (meme.content_hash,), "Its picture looks like Dogs.", 0.9)
    >>> dismiss_issue(workspace.catalogue, issue).kind.value
    'filed right'
    """
    memes = memes_of(catalogue, issue)
    if not memes:
        raise WrongState("The memes of this issue are gone.", hint="Reload the list of issues.")
    return catalogue.verdicts.add(
        VerdictKind.RIGHT,
        [meme.content_hash for meme in memes],
        paths=[meme.path for meme in memes],
        note=issue.category if issue.kind in (IssueKind.CONFUSED, IssueKind.NEAR_EMPTY) else "",
        about=issue.about,
    )


def resolve_by_moving(workspace: Workspace, issue: Issue, *, category: str) -> Verdict:
    """Move the memes of an issue to a category and return the verdict; raises the errors of a move.

    >>> meme = workspace.catalogue.memes.at("Cats/monday.png")
    >>> issue = Issue(IssueKind.MISFILED, "Cats", "Dogs", (meme.content_hash,), "Its picture looks like Dogs.", 0.9)
    >>> resolve_by_moving(workspace, issue, category="Dogs").paths
    ('Cats/monday.png',)
    """
    return move_memes(workspace, memes_of(workspace.catalogue, issue), category=category, about=issue.about)


def _issue(row: dict[str, Any]) -> Issue:
    return Issue(
        IssueKind(row["kind"]),
        row["category"],
        row["target"],
        tuple(row["memes"]),
        row["evidence"],
        float(row["score"]),
        tuple(row["shown"]),
    )


def _still_true(issues: Sequence[Issue], categories_of: dict[str, set[str]], categories: set[str]) -> Iterator[Issue]:
    for issue in issues:
        memes = tuple(content for content in issue.memes if issue.category in categories_of.get(content, ()))
        target_is_gone = issue.kind is not IssueKind.GROUP and issue.target not in categories
        if memes and not target_is_gone and 2 * len(memes) >= len(issue.memes):
            yield issue if len(memes) == len(issue.memes) else replace(issue, memes=memes)
