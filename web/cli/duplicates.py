"""`memetica duplicates`, `verdict`, `verdicts`: what the curator decides about duplicates, at the command."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import islice
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

import click
from rich.text import Text

from search.catalogue import OperationKind, OperationState, Verdict, VerdictKind, open_catalogue
from search.catalogue.ledger import read_verdicts, verdict_row
from search.errors import WrongUse
from search.evidence import Tier
from search.meme import Stage
from search.workspace import Workspace
from web.cli.command import Session, meme_named, verb
from web.cli.terminal import Terminal
from web.schemas import merge_row, proposal_row

if TYPE_CHECKING:
    from indexer.curation.duplicates import Proposal

DUPLICATES = [tier.value for tier in Tier if tier.is_duplicate]
DECISIONS = ["merge", "distinct", "keep-all"]
VERDICTS = {"distinct": VerdictKind.DISTINCT, "duplicate": VerdictKind.DUPLICATES, "keep-all": VerdictKind.KEEP_ALL}


@click.command()
@click.option(
    "--tier", "tiers", multiple=True, type=click.Choice([tier.value for tier in Tier]), help="Of which tiers."
)
@click.option("-k", default=50, show_default=True, type=click.IntRange(1), help="How many groups, the surest first.")
@click.option("--find", "finding", is_flag=True, help="Compare first what was not compared yet.")
@click.option("--decide", nargs=2, metavar="GROUP DECISION", help=f"Decide on a group: {', '.join(DECISIONS)}.")
@click.option("--keep", metavar="PATH|ID", help="With --decide merge: what stays, in place of what is proposed.")
@click.option("--apply", "batch", type=click.Choice(DUPLICATES), help="Merge every group of a tier as proposed.")
@click.option("--yes", is_flag=True, help="With --apply: do not ask.")
@click.option("--undo", metavar="VERDICT", help="Take a verdict back; merged files return to where they were.")
@click.option("--trash", "trash", is_flag=True, help="List what merges put in the trash.")
@click.option("--restore", metavar="MERGE", help="Put back what a merge put in the trash: the same as --undo.")
@click.option("--note", default="", help="A word on the decision, kept in the ledger.")
@verb
def duplicates(
    session: Session,
    tiers: tuple[str, ...],
    k: int,
    finding: bool,
    decide: tuple[str, str] | None,
    keep: str | None,
    batch: str | None,
    yes: bool,
    undo: str | None,
    trash: bool,
    restore: str | None,
    note: str,
) -> int:
    """List memes that are there more than once, decide on them, and take decisions back.

    A merge keeps one file, with the earliest First Seen and every description, and moves the others to the trash of the
    data folder. Nothing is deleted. What was decided is never proposed again.
    """
    from indexer.library.transaction import recover

    asked = {"--decide": decide, "--apply": batch, "--undo": undo, "--trash": trash, "--restore": restore}
    chosen = [name for name, value in asked.items() if value]
    if len(chosen) > 1:
        raise WrongUse(f"{' and '.join(chosen)} do not go together.", hint="Do one after the other.")
    if (keep and not decide) or (yes and not batch):
        raise WrongUse("--keep goes with --decide, --yes with --apply.")
    settings = session.settings()
    with open_catalogue(settings, create=False) as catalogue:
        recover(Workspace(settings, catalogue))
        if trash:
            return _show_trash(session.terminal, Workspace(settings, catalogue))
        if undo or restore:
            return _undo(
                session.terminal, Workspace(settings, catalogue), undo or restore or "", note=note, merge=bool(restore)
            )
        compared = not finding or _find(session, Workspace(settings, catalogue))
        if decide:
            code = _decide(session.terminal, Workspace(settings, catalogue), *decide, keep=keep, note=note)
        elif batch:
            code = _apply(session.terminal, Workspace(settings, catalogue), Tier(batch), yes=yes, note=note)
        else:
            code = _list(session.terminal, Workspace(settings, catalogue), [Tier(tier) for tier in tiers], k=k)
        return code if compared else 1


def _find(session: Session, workspace: Workspace) -> bool:
    """Compare what is new; return whether all of it could be."""
    from indexer.library.format import library_root
    from indexer.stages.decode import decode_memes
    from indexer.stages.find_duplicates import find_duplicates
    from indexer.work.progress import StageReport
    from web.cli.terminal import Bars

    library_root(workspace.library)  # without its folder each picture would be a failure
    bars = Bars(session.terminal)
    begun = monotonic()
    # What an earlier version decoded lacks what comparing asks for now.
    done, failed = decode_memes(workspace, progress=bars)
    session.terminal.report(StageReport(Stage.MEDIA, done, failed, monotonic() - begun))
    compared = find_duplicates(workspace, progress=bars)
    session.terminal.report(compared)
    return not (failed or compared.failed)


def _list(terminal: Terminal, workspace: Workspace, tiers: Sequence[Tier], *, k: int) -> int:
    from indexer.curation.duplicates import propose

    asked = tiers or [tier for tier in Tier if tier.is_duplicate]
    found = [one for one in propose(workspace, tiers=_together(asked)) if one.group.tier in asked]
    shown = list(islice(found, k))
    if terminal.as_json:
        for one in shown:
            terminal.row(proposal_row(one))
        return 0
    tier = None
    for one in shown:
        if one.group.tier is not tier:
            tier = one.group.tier
            count = sum(each.group.tier is tier for each in found)
            terminal.out.print(Text(f"\n{tier}: {count:,} group{'' if count == 1 else 's'}", style="bold"))
        _show(terminal, one)
    if not found:
        compared = workspace.catalogue.pairs.count()
        terminal.say("Nothing is left to decide." if compared else "No duplicates; --find looks for what is new.")
    elif len(found) > k:
        terminal.say(f"{len(found) - k:,} more groups: -k shows more of them.")
    return 0


def _together(tiers: Sequence[Tier]) -> list[Tier]:
    """Return the tiers to look in: those that are duplicates make groups together, so that none hides another."""
    every = [tier for tier in Tier if tier.is_duplicate] if any(tier.is_duplicate for tier in tiers) else []
    return [*every, *(tier for tier in tiers if not tier.is_duplicate)]


def _show(terminal: Terminal, one: Proposal) -> None:
    duplicate = one.group.tier.is_duplicate
    evidence = {member.meme.id: member.evidence for member in one.group.members}
    terminal.out.print(Text.assemble("\n", (one.key, "dim"), f"  {one.reason}" if duplicate else ""))
    for meme in one.memes:
        stays = meme == one.kept
        facts = f"{meme.width} × {meme.height}, {meme.size / 1000:,.0f} kB, {meme.first_seen:%Y-%m-%d}"
        mark = ("  keep  ", "green") if stays and duplicate else ("        ", "")
        terminal.out.print(Text.assemble(mark, (meme.path, "bold" if stays else ""), (f"  {facts}", "dim")))
        found = evidence[meme.id]
        if found is not None:
            terminal.out.print(Text(f"          {found.in_words()}", style="dim"))


def _decide(
    terminal: Terminal,
    workspace: Workspace,
    key: str,
    decision: str,
    *,
    keep: str | None,
    note: str,
) -> int:
    from indexer.curation.duplicates import Decision, find_proposal, propose
    from indexer.curation.duplicates import decide as decide_on

    if decision not in DECISIONS:
        raise WrongUse(f"{decision!r} is no decision.", hint=f"It is one of {', '.join(DECISIONS)}.")
    found = find_proposal(propose(workspace), key)
    kept = meme_named(workspace, keep) if keep else found.kept
    if kept not in found.memes:
        raise WrongUse(f"{kept.path} is not in the group {found.key}.")
    others = [meme for meme in found.memes if meme != kept]
    return _told(terminal, decide_on(workspace, Decision(decision), kept=kept, others=others, note=note))


def _apply(terminal: Terminal, workspace: Workspace, tier: Tier, *, yes: bool, note: str) -> int:
    from indexer.curation.duplicates import apply, propose

    found = [one for one in propose(workspace) if one.group.tier is tier]
    files = sum(len(one.memes) - 1 for one in found)
    if not found:
        terminal.say("Nothing is left to decide there.")
        return 0
    question = f"{len(found):,} groups: put {files:,} files in the trash of {workspace.data}?"
    if not yes:
        if not sys.stdin.isatty():
            raise WrongUse(question, hint="Say --yes.")
        if not click.confirm(question, err=True):
            terminal.say("Nothing was done.")
            return 0
    applied = apply(workspace, found, note=note or f"all of “{tier}”")
    for verdict in applied.verdicts:
        if terminal.as_json:
            terminal.row(verdict_row(verdict))
    for one, error in applied.failed:
        terminal.say(f"{one.key}: {error.message} {error.hint}", style="yellow")
    moved = sum(len(verdict.contents) - 1 for verdict in applied.verdicts)
    terminal.say(
        f"{len(applied.verdicts):,} groups merged, {moved:,} files in the trash; {len(applied.failed):,} failed."
    )
    return 1 if applied.failed else 0


def _undo(terminal: Terminal, workspace: Workspace, uid: str, *, note: str, merge: bool) -> int:
    from indexer.curation.reversal import undo

    if merge:
        workspace.catalogue.journal.get(uid)
    return _told(terminal, undo(workspace, uid, note=note))


def _told(terminal: Terminal, verdict: Verdict) -> int:
    if terminal.as_json:
        terminal.row(verdict_row(verdict))
    else:
        terminal.say(f"{verdict.kind}: {', '.join(verdict.paths)}")
        if verdict.kind is not VerdictKind.UNDONE:
            terminal.say(f"`memetica duplicates --undo {verdict.uid}` takes it back.", style="dim")
    return 0


def _show_trash(terminal: Terminal, workspace: Workspace) -> int:
    found = workspace.catalogue.journal.in_state(OperationState.DONE, kind=OperationKind.MERGE)
    if terminal.as_json:
        for one in found:
            terminal.row(merge_row(one, workspace.data))
    elif not found:
        terminal.say("The trash is empty.")
    else:
        for one in found:
            row = merge_row(one, workspace.data)
            _entry(terminal, one.uid, one.begun_at, kept=row["kept"], others=row["removed"])
        terminal.say(f"The files lie in {workspace.data / 'trash'}; --restore MERGE puts them back.", style="dim")
    return 0


@click.command()
@click.argument("kind", type=click.Choice(list(VERDICTS)))
@click.argument("memes", nargs=-1, required=True, metavar="PATH|ID PATH|ID…")
@click.option("--note", default="", help="A word on the verdict, kept in the ledger.")
@verb
def verdict(session: Session, kind: str, memes: tuple[str, ...], note: str) -> int:
    """Write to the ledger that memes are distinct, duplicate, or all to be kept. No file is touched."""
    from indexer.curation.duplicates import record_verdict

    settings = session.settings()
    with open_catalogue(settings, create=False) as catalogue:
        found = [meme_named(Workspace(settings, catalogue), named) for named in memes]
        return _told(session.terminal, record_verdict(catalogue, VERDICTS[kind], found, note=note))


@click.command()
@click.option(
    "--export", "target", type=click.Path(path_type=Path), metavar="FILE", help="Write the ledger, `-` for stdout."
)
@click.option("--import", "source", type=click.Path(path_type=Path), metavar="FILE", help="Add an exported ledger.")
@verb
def verdicts(session: Session, target: Path | None, source: Path | None) -> int:
    """List every verdict, or carry the ledger to another data folder. Lines that are there already are passed over."""
    import json

    terminal = session.terminal
    if target and source:
        raise WrongUse("--export and --import do not go together.")
    with open_catalogue(session.settings(), create=source is not None) as catalogue:
        if source:
            try:
                with click.open_file(str(source), encoding="utf-8") as lines:
                    new = catalogue.verdicts.put(list(read_verdicts(lines)))
            except (OSError, UnicodeDecodeError) as error:
                raise WrongUse(f"{source} cannot be read: {error}.") from error
            terminal.say(f"{new:,} verdicts are new.")
            return 0
        found = catalogue.verdicts.all()
        if target:
            body = "".join(json.dumps(verdict_row(one), ensure_ascii=False) + "\n" for one in found)
            try:
                with click.open_file(str(target), "w", encoding="utf-8", atomic=str(target) != "-") as out:
                    out.write(body)
            except OSError as error:
                raise WrongUse(f"{target} cannot be written: {error.strerror}.") from error
            terminal.say(f"{len(found):,} verdicts are written.")
        elif terminal.as_json:
            for one in found:
                terminal.row(verdict_row(one))
        else:
            _list_verdicts(terminal, found)
    return 0


def _list_verdicts(terminal: Terminal, found: Sequence[Verdict]) -> None:
    undone = {one.undoes for one in found}
    for one in found:
        said = f"{one.kind}{f' {one.undoes}' if one.undoes else ''}{' (undone)' if one.uid in undone else ''}"
        named = list(one.paths or one.contents)
        kept = named.pop(0) if one.kind is VerdictKind.MERGED and one.paths else ""  # a merge names it first
        _entry(terminal, one.uid, one.made_at, said=said, kept=kept, others=named, note=one.note)
    if not found:
        terminal.say("No verdict has been given yet.")


def _entry(
    terminal: Terminal, uid: str, at: datetime, *, kept: str, others: Iterable[str], said: str = "", note: str = ""
) -> None:
    heading = Text.assemble("\n", (uid, "dim"), f"  {at:%Y-%m-%d %H:%M}")
    if said:
        heading.append(f"  {said}", "bold")
    terminal.out.print(heading)
    if kept:
        terminal.out.print(Text.assemble(("  keep  ", "green"), (kept, "bold")))
    for path in others:
        terminal.out.print(Text(f"        {path}"))
    if note:
        terminal.out.print(Text(f"          {note}", style="dim"))
