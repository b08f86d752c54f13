"""`memetica categories`: find misfiled memes and other issues of the categories, and correct them."""

from __future__ import annotations

from collections.abc import Sequence

import click

from indexer.curation.categories import dismiss_issue, find_open_issues, memes_of, resolve_by_moving
from indexer.curation.move import index_moves
from indexer.library.transaction import recover
from indexer.stages.train_categories import train_categories
from search.catalogue import Catalogue
from search.categories.issues import Issue, IssueKind
from search.errors import NotFound, WrongUse
from search.index.text_encoder import load_text_encoder_in_use
from search.workspace import Workspace
from web.cli.command import CommandGroup, Session
from web.cli.completion import complete_category
from web.cli.output import show_verdict
from web.cli.terminal import Terminal
from web.schemas import Row

LISTED = 30  # issues of a kind, for people


@click.group(
    cls=CommandGroup,
    default="audit",
    examples=("memetica categories", "memetica categories move 3f2a91cc", "memetica categories right 3f2a91cc"),
)
def categories() -> None:
    """Find and correct misfiled memes. Without a subcommand, list the issues.

    An issue is a misfiled meme, two confused categories, a category with few memes, or a group of memes that could be
    a category of its own.
    """


@categories.command("audit", examples=("memetica categories audit", "memetica categories audit --kind misfiled -k 5"))
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    type=click.Choice([one.value for one in IssueKind]),
    help="Only this kind. Repeatable.",
)
@click.option(
    "-k",
    type=click.IntRange(1),
    metavar="N",
    show_default=f"{LISTED}; all with --json",
    help="Number of issues of each kind.",
)
def audit(session: Session, kinds: tuple[str, ...], k: int | None) -> None:
    """List the issues in the categories.

    The surest of each kind come first. If the category model is not trained yet, it is trained now; `memetica
    categories train` trains it again.
    """
    terminal = session.terminal
    with session.workspace() as workspace:
        found = _issues(workspace, terminal)
        wanted = [IssueKind(one) for one in kinds] or list(IssueKind)
        by_kind = [[one for one in found if one.kind is kind] for kind in wanted]
        shown = [one for issues in by_kind for one in session.limited(issues, k, default=LISTED)]
        _show(terminal, workspace.catalogue, shown)
        terminal.say_hidden(sum(map(len, by_kind)) - len(shown), "issue")


@categories.command("train", examples=("memetica categories train",))
def train(session: Session) -> None:
    """Train the category model again, and look for issues."""
    with session.workspace() as workspace:
        recover(workspace, on_unfinished=session.tell_unfinished)
        _train(workspace, session.terminal)
        found = find_open_issues(workspace)
        count = len(found.open) if found else 0
        session.terminal.say(f"The model is trained. Issues: {count:,}; `memetica categories` lists them.")


@categories.command(
    "move", examples=("memetica categories move 3f2a91cc", 'memetica categories move 3f2a91cc --to "Animals - Cats"')
)
@click.argument("issue")
@click.option(
    "--to",
    "category",
    metavar="CATEGORY",
    help="Move to this category.",
    show_default="as the issue proposes",
    shell_complete=complete_category,
)
def move(session: Session, issue: str, category: str | None) -> None:
    """Move the memes of an ISSUE to another category.

    Their sidecar files move with them.
    """
    with session.workspace() as workspace:
        found = _named(_issues(workspace, session.terminal), issue)
        target = category or found.target
        if not target:
            raise WrongUse("This group has no category yet.", hint="Name one: --to CATEGORY.")
        verdict = resolve_by_moving(workspace, found, category=target)
        index_moves(workspace, load_encoder=lambda: load_text_encoder_in_use(workspace.settings))
        show_verdict(session.terminal, verdict, f"{len(verdict.paths):,} moved to {target}.")


@categories.command("right", examples=("memetica categories right 3f2a91cc",))
@click.argument("issue")
def right(session: Session, issue: str) -> None:
    """Dismiss an ISSUE: record that its memes are filed correctly.

    It is not listed again.
    """
    with session.workspace() as workspace:
        verdict = dismiss_issue(workspace.catalogue, _named(_issues(workspace, session.terminal), issue))
        show_verdict(session.terminal, verdict, "Recorded as correct.")


def _issues(workspace: Workspace, terminal: Terminal) -> list[Issue]:
    recover(workspace, on_unfinished=lambda error: terminal.say(f"{error.message} {error.hint}", style="yellow"))
    found = find_open_issues(workspace)
    if found is None:
        _train(workspace, terminal)
        found = find_open_issues(workspace)
    return list(found.open) if found else []


def _train(workspace: Workspace, terminal: Terminal) -> None:
    if not workspace.catalogue.memes.count():
        raise WrongUse("There are no memes to learn from.", hint="Run `memetica index MEMES` first.")
    terminal.say("Training the category model…")
    train_categories(workspace, encoder=load_text_encoder_in_use(workspace.settings))


def _named(issues: Sequence[Issue], key: str) -> Issue:
    found = [one for one in issues if one.key.startswith(key)]
    if len(found) != 1:
        raise NotFound(f"There is no issue {key}.", hint="`memetica categories` lists the issues.")
    return found[0]


def _show(terminal: Terminal, catalogue: Catalogue, issues: Sequence[Issue]) -> None:
    if terminal.as_json:
        for one in issues:
            terminal.row(issue_row(catalogue, one))
        return
    if not issues:
        terminal.say("There are no issues.")
        return
    terminal.table(
        ("issue", "kind", "where", "what", "to"),
        [
            (
                one.key[:8],
                one.kind.value,
                memes_of(catalogue, one)[0].path if one.kind is IssueKind.MISFILED else one.category,
                one.evidence,
                one.target,
            )
            for one in issues
        ],
    )
    terminal.say(
        "Decide: memetica categories move ISSUE [--to CATEGORY], memetica categories right ISSUE.", style="dim"
    )


def issue_row(catalogue: Catalogue, issue: Issue) -> Row:
    """Return an issue as a row."""
    return {
        "finding": issue.key,
        "kind": issue.kind.value,
        "category": issue.category,
        "target": issue.target or None,
        "memes": [meme.path for meme in memes_of(catalogue, issue)],
        "evidence": issue.evidence,
        "score": round(issue.score, 4),
    }
