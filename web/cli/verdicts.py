"""`memetica verdict` and `undo`: record, list, export, import and undo verdicts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import click

from indexer.curation.duplicates import record_verdict
from indexer.curation.move import index_moves
from indexer.curation.reversal import undo as undo_verdict
from indexer.inbox.workers import index_decided
from indexer.library.transaction import give_up
from search.catalogue import Verdict, VerdictKind
from search.catalogue.ledger import read_verdicts, verdict_row
from search.errors import WrongUse
from search.index.text_encoder import load_text_encoder_in_use
from search.workspace import Workspace
from web.cli.command import Command, CommandGroup, Session, find_meme
from web.cli.output import show_entry, show_verdict
from web.cli.terminal import Terminal, counted

LISTED = 50  # verdicts, for people
MEMES = click.argument("memes", nargs=-1, required=True, metavar="PATH|ID PATH|ID…")
NOTE = click.option("--note", default="", metavar="TEXT", help="A note on the verdict, kept in the ledger.")


@click.group(
    cls=CommandGroup,
    default="list",
    examples=(
        'memetica verdict distinct Cats/monday.png "Dogs/monday small.jpg"',
        "memetica verdict list",
        "memetica verdict export ledger.jsonl",
    ),
)
def verdict() -> None:
    """Record verdicts about memes; list, export and import them. Without a subcommand, list the verdicts.

    The ledger is append-only. It names memes by content, so that renamed memes keep their verdicts.
    """


@verdict.command("distinct", examples=('memetica verdict distinct Cats/monday.png "Dogs/monday small.jpg"',))
@MEMES
@NOTE
def distinct(session: Session, memes: tuple[str, ...], note: str) -> None:
    """Record that memes are not duplicates of each other."""
    _declare(session, VerdictKind.DISTINCT, memes, note=note)


@verdict.command("duplicate", examples=("memetica verdict duplicate 17 18",))
@MEMES
@NOTE
def duplicate(session: Session, memes: tuple[str, ...], note: str) -> None:
    """Record that memes are duplicates.

    `memetica duplicates` lists them again, whatever was decided before.
    """
    _declare(session, VerdictKind.DUPLICATES, memes, note=note)


@verdict.command("keep-all", examples=('memetica verdict keep-all 17 18 --note "two jokes"',))
@MEMES
@NOTE
def keep_all(session: Session, memes: tuple[str, ...], note: str) -> None:
    """Record that memes are duplicates and all of them are kept."""
    _declare(session, VerdictKind.KEEP_ALL, memes, note=note)


@verdict.command("list", examples=("memetica verdict", "memetica verdict list -k 5", "memetica verdict --json"))
@click.option(
    "-k", type=click.IntRange(1), metavar="N", show_default=f"{LISTED}; all with --json", help="Number of verdicts."
)
def list_verdicts(session: Session, k: int | None) -> None:
    """List the verdicts by time.

    With -k, the latest ones.
    """
    terminal = session.terminal
    with session.workspace() as workspace:
        found = workspace.catalogue.verdicts.all()
        shown = session.limited(found[::-1], k, default=LISTED)[::-1]
        if terminal.as_json:
            for one in shown:
                terminal.row(verdict_row(one))
        else:
            terminal.say_hidden(len(found) - len(shown), "earlier verdict")
            _show(terminal, shown, found)


@verdict.command("export", examples=("memetica verdict export ledger.jsonl", "memetica verdict export -"))
@click.argument("file", type=click.Path(path_type=Path))
def export_verdicts(session: Session, file: Path) -> None:
    """Write every verdict to FILE as JSON Lines.

    The file `-` is stdout.
    """
    with session.workspace() as workspace:
        found = workspace.catalogue.verdicts.all()
    body = "".join(json.dumps(verdict_row(one), ensure_ascii=False) + "\n" for one in found)
    try:
        with click.open_file(str(file), "w", encoding="utf-8", atomic=str(file) != "-") as out:
            out.write(body)
    except OSError as error:
        raise WrongUse(f"{file} cannot be written: {error.strerror}.") from error
    session.terminal.say(f"{counted(len(found), 'verdict', 'is')} written.")


@verdict.command("import", examples=("memetica verdict import ledger.jsonl",))
@click.argument("file", type=click.Path(path_type=Path))
def import_verdicts(session: Session, file: Path) -> None:
    """Add the verdicts of an exported FILE.

    Verdicts that are in the ledger already are skipped.
    """
    with session.workspace(create=True) as workspace:
        try:
            with click.open_file(str(file), encoding="utf-8") as lines:
                new = workspace.catalogue.verdicts.put(list(read_verdicts(lines)))
        except (OSError, UnicodeDecodeError) as error:
            raise WrongUse(f"{file} cannot be read: {error}.") from error
    session.terminal.say(f"{counted(new, 'verdict', 'is')} new.")


@click.command(
    cls=Command, examples=("memetica undo 3f2a91cc0d417be2", 'memetica undo 3f2a91cc0d417be2 --note "wrong"')
)
@click.argument("verdict")
@NOTE
def undo(session: Session, verdict: str, note: str) -> int:
    """Undo a VERDICT: a merge, a move, an accepted upload, or any other decision.

    Files go back to where they were. VERDICT is the id that the command wrote when it made the decision; `memetica
    verdict list` lists the ids. An interrupted operation that cannot be finished is given up.
    """
    with session.workspace() as workspace:
        given_up = give_up(workspace, verdict)
        if given_up is not None:
            session.terminal.say(f"The interrupted {given_up.kind} is given up: no file has changed.")
            return 0
        line = undo_verdict(workspace, verdict, note=note)
        code = session.update_index(lambda: _index(workspace))
        show_verdict(session.terminal, line)
        return code


def _index(workspace: Workspace) -> None:
    index_decided(workspace, load_encoder=lambda: load_text_encoder_in_use(workspace.settings))
    index_moves(workspace, load_encoder=lambda: load_text_encoder_in_use(workspace.settings))


def _declare(session: Session, kind: VerdictKind, names: Sequence[str], *, note: str) -> None:
    with session.workspace() as workspace:
        memes = [find_meme(workspace, name) for name in names]
        show_verdict(session.terminal, record_verdict(workspace.catalogue, kind, memes, note=note))


def _show(terminal: Terminal, shown: Sequence[Verdict], every: Sequence[Verdict]) -> None:
    undone = {one.undoes for one in every}
    for one in shown:
        title = f"{one.kind}{f' {one.undoes}' if one.undoes else ''}{' (undone)' if one.uid in undone else ''}"
        names = list(one.paths or one.contents)
        kept = names.pop(0) if one.kind is VerdictKind.MERGED and one.paths else ""  # a merge names it first
        show_entry(terminal, one.uid, one.made_at, title=title, kept=kept, others=names, note=one.note)
    if not shown:
        terminal.say("There are no verdicts.")
