"""`memetica duplicates`: find memes that the library contains more than once, and decide on them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from time import monotonic

import click
from rich.text import Text

from indexer.curation.duplicates import Decision, Proposal, decide, find_proposal, propose
from indexer.curation.duplicates import apply as apply_proposals
from indexer.library.format import library_root
from indexer.library.transaction import recover
from indexer.stages.decode import decode_memes
from indexer.stages.find_duplicates import find_duplicates
from indexer.work.progress import StageReport
from search.catalogue import OperationState
from search.catalogue.journal import Merge, Trash
from search.catalogue.ledger import verdict_row
from search.errors import WrongUse
from search.evidence import Tier
from search.meme import Stage
from web.cli.command import CommandGroup, Session, find_meme
from web.cli.output import show_entry, show_verdict
from web.cli.terminal import ProgressBars, Terminal, counted
from web.schemas import proposal_row, trash_row

DUPLICATES = [tier.value for tier in Tier if tier.is_duplicate]
LISTED = 50  # groups, for people
NOTE = click.option("--note", default="", metavar="TEXT", help="A note on the decision, kept in the ledger.")


@click.group(
    cls=CommandGroup,
    default="list",
    examples=(
        "memetica duplicates find",
        "memetica duplicates",
        "memetica duplicates decide 3f2a91 merge",
        "memetica duplicates apply same --yes",
    ),
)
def duplicates() -> None:
    """Find duplicates and decide on them. Without a subcommand, list the groups to decide on.

    A merge keeps one file, with the earliest First Seen and every description, and moves the others to the trash of the
    data folder. Nothing is deleted, and `memetica undo` puts every file back. Decided groups are not listed
    again.
    """


@duplicates.command(
    "list",
    examples=("memetica duplicates", "memetica duplicates list --tier edited -k 5", "memetica duplicates --json"),
)
@click.option(
    "--tier",
    "tiers",
    multiple=True,
    type=click.Choice([tier.value for tier in Tier]),
    help="Only groups of this tier. Repeatable.",
    show_default="all but variants",
)
@click.option(
    "-k", type=click.IntRange(1), metavar="N", show_default=f"{LISTED}; all with --json", help="Number of groups."
)
def list_groups(session: Session, tiers: tuple[str, ...], k: int | None) -> None:
    """List the groups to decide on.

    The surest come first, each with the meme to keep, the reason, and the evidence.
    """
    terminal = session.terminal
    with session.workspace() as workspace:
        recover(workspace, on_unfinished=session.tell_unfinished)
        wanted = [Tier(tier) for tier in tiers] or [tier for tier in Tier if tier.is_duplicate]
        found = [one for one in propose(workspace, tiers=_together(wanted)) if one.group.tier in wanted]
        shown = session.limited(found, k, default=LISTED)
        if terminal.as_json:
            for one in shown:
                terminal.row(proposal_row(one))
        else:
            _show_groups(terminal, shown, found)
        if found:
            terminal.say_hidden(len(found) - len(shown), "group")
        elif workspace.catalogue.pairs.count():
            terminal.say("There are no groups to decide on.")
        else:
            terminal.say("There are no groups to decide on. `memetica duplicates find` compares new memes.")


@duplicates.command("find", examples=("memetica duplicates find",))
def find(session: Session) -> int:
    """Compare the memes that were not compared yet."""
    terminal = session.terminal
    with session.workspace() as workspace:
        recover(workspace, on_unfinished=session.tell_unfinished)
        library_root(workspace.library)  # a missing library is one error, not a failure of every picture
        bars = ProgressBars(terminal)
        begun = monotonic()
        # Pictures decoded by an earlier version lack fingerprints that the comparison needs.
        done, failed = decode_memes(workspace, progress=bars)
        decoded = StageReport(Stage.MEDIA, done, failed, monotonic() - begun)
        terminal.show_report(decoded)
        compared = find_duplicates(workspace, progress=bars)
        terminal.show_report(compared)
        if terminal.as_json:
            for report in (decoded, compared):
                terminal.row({**vars(report), "seconds": round(report.seconds, 3)})
        groups = len(propose(workspace))
        terminal.say(f"Groups to decide on: {groups:,}{'; `memetica duplicates` lists them' if groups else ''}.")
        if failed or compared.failed:
            terminal.say(
                f"Failed: {failed + compared.failed:,}; `memetica status` lists them with reasons.", failed=True
            )
            return 1
        return 0


@duplicates.command(
    "decide",
    examples=(
        "memetica duplicates decide 3f2a91 merge",
        'memetica duplicates decide 3f2a91 merge --keep "Cats/monday.png"',
        'memetica duplicates decide 3f2a91 distinct --note "another joke"',
    ),
)
@click.argument("group")
@click.argument("decision", type=click.Choice([one.value for one in Decision]))
@click.option("--keep", metavar="PATH|ID", help="With merge: the meme to keep.", show_default="as proposed")
@NOTE
def decide_group(session: Session, group: str, decision: str, keep: str | None, note: str) -> None:
    """Decide on a group: merge it, or record that its memes are distinct or all kept.

    GROUP is the beginning of a key that `memetica duplicates` lists.
    """
    if keep and decision != Decision.MERGE:
        raise WrongUse("--keep belongs to the decision `merge`.")
    with session.workspace() as workspace:
        recover(workspace, on_unfinished=session.tell_unfinished)
        found = find_proposal(propose(workspace), group)
        kept = find_meme(workspace, keep) if keep else found.kept
        if kept not in found.memes:
            raise WrongUse(f"{kept.path} is not in the group {found.key}.")
        others = [meme for meme in found.memes if meme != kept]
        show_verdict(session.terminal, decide(workspace, Decision(decision), kept=kept, others=others, note=note))


@duplicates.command("apply", examples=("memetica duplicates apply identical", "memetica duplicates apply same --yes"))
@click.argument("tier", type=click.Choice(DUPLICATES))
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@NOTE
def apply(session: Session, tier: str, yes: bool, note: str) -> int:
    """Merge every group of a TIER as proposed.

    Groups in which nothing shows which file was first are left for you.
    """
    terminal = session.terminal
    with session.workspace() as workspace:
        recover(workspace, on_unfinished=session.tell_unfinished)
        every = [one for one in propose(workspace) if one.group.tier is Tier(tier)]
        found = [one for one in every if one.is_sure]
        files = sum(len(one.memes) - 1 for one in found)
        if not every:
            terminal.say(f"There are no groups of “{tier}” to decide on.")
            return 0
        unsure = len(every) - len(found)
        rest = (
            f"{counted(unsure, 'group', 'is')} left for you, because nothing shows which file "
            "was first: `memetica duplicates` lists them, `memetica duplicates decide` decides."
        )
        if not found:
            terminal.say(rest)
            return 0
        question = f"{counted(len(found), 'group')}: move {counted(files, 'file')} to {workspace.trash}?"
        if not yes:
            if not sys.stdin.isatty():
                raise WrongUse(question, hint="Confirm with --yes.")
            if not click.confirm(question, err=True):
                terminal.say("Nothing was done.")
                return 0
        applied = apply_proposals(workspace, found, note=note or f"all of “{tier}”")
        for verdict in applied.verdicts:
            if terminal.as_json:
                terminal.row(verdict_row(verdict))
        for one, error in applied.failed:
            terminal.say(f"{one.key}: {error.message} {error.hint}", style="yellow", failed=True)
        moved = sum(len(verdict.contents) - 1 for verdict in applied.verdicts)
        failed = f"; {len(applied.failed):,} failed" if applied.failed else ""
        merged = counted(len(applied.verdicts), "group")
        terminal.say(f"{merged} merged, {counted(moved, 'file')} moved to the trash{failed}.")
        if unsure:
            terminal.say(rest)
        return 1 if applied.failed else 0


@duplicates.command("trash", examples=("memetica duplicates trash", "memetica duplicates trash --json"))
def list_trash(session: Session) -> None:
    """List the decisions whose files are in the trash: merges, and memes that were removed.

    `memetica undo` with a decision's id puts them back.
    """
    terminal = session.terminal
    with session.workspace() as workspace:
        recover(workspace, on_unfinished=session.tell_unfinished)
        done = workspace.catalogue.journal.in_state(OperationState.DONE)
        found = [one for one in done if isinstance(one.intent, Merge | Trash)]
        for one in found:
            row = trash_row(one, workspace.data)
            if terminal.as_json:
                terminal.row(row)
            else:
                show_entry(terminal, one.uid, one.begun_at, kept=row["kept"], others=row["removed"])
        if found:
            terminal.say(f"The files are in {workspace.trash}. `memetica undo ID` puts them back.", style="dim")
        else:
            terminal.say("The trash is empty.")


def _together(tiers: Sequence[Tier]) -> list[Tier]:
    """Return the tiers to group by: all tiers of duplicates together, so that no group hides part of another."""
    every = [tier for tier in Tier if tier.is_duplicate] if any(tier.is_duplicate for tier in tiers) else []
    return [*every, *(tier for tier in tiers if not tier.is_duplicate)]


def _show_groups(terminal: Terminal, shown: Sequence[Proposal], found: Sequence[Proposal]) -> None:
    tier = None
    for one in shown:
        if one.group.tier is not tier:
            tier = one.group.tier
            count = sum(each.group.tier is tier for each in found)
            terminal.out.print(Text(f"\n{tier}: {count:,} group{'' if count == 1 else 's'}", style="bold"))
        _show_group(terminal, one)


def _show_group(terminal: Terminal, one: Proposal) -> None:
    duplicate = one.group.tier.is_duplicate
    evidence = {member.meme.id: member.evidence for member in one.group.members}
    terminal.out.print()
    told = one.reason if one.is_sure else f"your choice; {one.reason}"
    terminal.paragraph(Text.assemble((one.key, "dim"), f"  {told}" if duplicate else ""))
    for meme in one.memes:
        kept = meme == one.kept
        facts = f"{meme.width} × {meme.height}, {meme.size / 1000:,.0f} kB, {meme.first_seen:%Y-%m-%d}"
        mark = ("  keep  ", "green") if kept and duplicate and one.is_sure else ("        ", "")
        terminal.out.print(Text.assemble(mark, (meme.path, "bold" if kept else "")), soft_wrap=True)
        terminal.paragraph(Text(facts, style="dim"), indent=10)
        found = evidence[meme.id]
        if found is not None:
            terminal.paragraph(Text(found.in_words(), style="dim"), indent=10)
