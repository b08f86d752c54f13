"""`memetica upload` and `inbox`: examine uploads and decide on them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
from rich.text import Text

from indexer.inbox.acceptance import accept, similar_memes
from indexer.inbox.reception import discard, inbox_path, receive, restore_discarded
from indexer.inbox.workers import ExaminerCache, examine_waiting, index_decided
from indexer.library.transaction import recover
from indexer.stages.train_categories import open_suggester, upload_features
from search.catalogue import Upload, UploadState
from search.errors import MemeticaError, WrongUse
from search.evidence import percent
from search.index.text_encoder import load_text_encoder_in_use
from search.workspace import Workspace
from web.cli.command import Command, CommandGroup, Session, find_pictures
from web.cli.completion import complete_category
from web.cli.output import show_file_error
from web.cli.terminal import Terminal
from web.schemas import Row, upload_row
from web.suggestions import SuggestedCategories, suggest_categories

SHOWN = 3  # categories and variants, for people
LISTED = 50  # uploads, for people
OPEN = (UploadState.WAITING, UploadState.EXAMINED, UploadState.FAILED)
K = click.option(
    "-k", type=click.IntRange(1), metavar="N", show_default=f"{LISTED}; all with --json", help="Number of uploads."
)


@click.command(cls=Command, examples=("memetica upload new/*.jpg", "memetica upload new/"))
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PATH…")
def upload(session: Session, paths: tuple[Path, ...]) -> int:
    """Copy pictures, or all pictures in a folder, to the inbox and examine them.

    The original files stay where they are. Decide on them with `memetica inbox` or on the site.
    """
    terminal = session.terminal
    failed = 0
    files = list(find_pictures(paths))
    if not files:
        raise WrongUse("There is no picture there.", hint="Name files, or a folder that contains some.")
    with session.workspace(create=True) as workspace:
        received: list[int] = []
        for file in files:
            try:
                with file.open("rb") as stream:
                    received.append(receive(workspace, stream, name=file.name, received_by="command").id)
            except (OSError, MemeticaError) as error:
                failed += 1
                known = error if isinstance(error, MemeticaError) else WrongUse(f"It cannot be read: {error.strerror}.")
                show_file_error(terminal, file, known)
        _examine(workspace, terminal)
        _show(terminal, workspace, [workspace.catalogue.uploads.get(id) for id in dict.fromkeys(received)])
    return 1 if failed else 0


@click.group(
    cls=CommandGroup,
    default="list",
    examples=("memetica inbox", "memetica inbox accept 17 --category Dogs", "memetica inbox discard 18"),
)
def inbox() -> None:
    """Decide on uploads. Without a subcommand, list those that wait.

    Accepted uploads are written into the library and are found by search at once.
    """


@inbox.command("list", examples=("memetica inbox", "memetica inbox list --json"))
@K
def list_uploads(session: Session, k: int | None) -> None:
    """List the uploads that wait.

    Each is listed with its duplicates and variants in the library and the categories that fit.
    """
    with session.workspace() as workspace:
        recover(workspace, on_unfinished=session.tell_unfinished)
        _examine(workspace, session.terminal)
        _show_limited(session, workspace, workspace.catalogue.uploads.in_state(*OPEN), k=k)


@inbox.command("decided", examples=("memetica inbox decided -k 5",))
@K
def list_decided(session: Session, k: int | None) -> None:
    """List the decided uploads, the latest first."""
    with session.workspace() as workspace:
        recover(workspace, on_unfinished=session.tell_unfinished)
        decided = workspace.catalogue.uploads.count(UploadState.ACCEPTED, UploadState.DISCARDED)
        _show_limited(session, workspace, workspace.catalogue.uploads.decided(decided), k=k)


@inbox.command(
    "accept",
    examples=(
        "memetica inbox accept 17",
        'memetica inbox accept 17 --category "Animals - Dogs"',
        'memetica inbox accept 17 --reason "a sharper copy"',
    ),
)
@click.argument("id", type=int)
@click.option(
    "--category",
    metavar="NAME",
    help="The category; a new one is created.",
    show_default="the sure suggestion",
    shell_complete=complete_category,
)
@click.option("--reason", default="", metavar="TEXT", help="Why a suspected duplicate is accepted; kept in the ledger.")
def accept_upload(session: Session, id: int, category: str | None, reason: str) -> int:
    """Write an upload into the library."""
    with session.workspace() as workspace:
        recover(workspace, on_unfinished=session.tell_unfinished)
        _examine(workspace, session.terminal)
        upload = workspace.catalogue.uploads.get(id)
        target = category or _offers(workspace, [upload]).get(id, SuggestedCategories((), "")).sure
        if target is None and upload.state is UploadState.EXAMINED:
            raise WrongUse("No suggested category is sure enough.", hint="Name one: --category NAME.")
        done = accept(workspace, id, category=target or "", reason=reason)
        return _report(session, workspace, done)


@inbox.command("discard", examples=("memetica inbox discard 18",))
@click.argument("id", type=int)
def discard_upload(session: Session, id: int) -> int:
    """Remove an upload from the inbox.

    `memetica inbox restore` brings it back.
    """
    with session.workspace() as workspace:
        recover(workspace, on_unfinished=session.tell_unfinished)
        return _report(session, workspace, discard(workspace, id))


@inbox.command("restore", examples=("memetica inbox restore 18",))
@click.argument("id", type=int)
def restore_upload(session: Session, id: int) -> int:
    """Bring a discarded upload back to the inbox.

    `memetica undo` removes an accepted upload from the library.
    """
    with session.workspace() as workspace:
        recover(workspace, on_unfinished=session.tell_unfinished)
        return _report(session, workspace, restore_discarded(workspace, id))


def _report(session: Session, workspace: Workspace, done: Upload) -> int:
    """Index what was decided, write the upload, and return the exit code."""
    code = session.update_index(
        lambda: index_decided(workspace, load_encoder=lambda: load_text_encoder_in_use(workspace.settings))
    )
    if session.terminal.as_json:
        session.terminal.row(row_of_upload(workspace, workspace.catalogue.uploads.get(done.id), None))
        return code
    if done.state is UploadState.ACCEPTED:
        said = f"Accepted: {done.name} as {done.path}. `memetica undo {done.verdict}` undoes it."
    elif done.state is UploadState.DISCARDED:
        said = f"Discarded: {done.name}. `memetica inbox restore {done.id}` brings it back."
    else:
        said = f"Restored: {done.name} waits for a decision again."
    session.terminal.say(said)
    return code


def _examine(workspace: Workspace, terminal: Terminal) -> None:
    waiting = workspace.catalogue.uploads.count(UploadState.WAITING)
    if waiting:
        terminal.say(f"Examining {waiting:,} {'upload' if waiting == 1 else 'uploads'}…")
        examine_waiting(workspace.catalogue, examiners=ExaminerCache(workspace))


def _offers(workspace: Workspace, uploads: Sequence[Upload]) -> dict[int, SuggestedCategories]:
    """Return the suggested categories of each examined upload, by the upload's id."""
    examined = [one for one in uploads if one.state is UploadState.EXAMINED]
    # A suggester is trained where it is needed first, which a folder that cannot be written does not allow.
    if not examined or not workspace.catalogue.memes.count() or workspace.catalogue.read_only:
        return {one.id: suggest_categories(workspace.catalogue, one) for one in examined}
    encoder = load_text_encoder_in_use(workspace.settings)
    suggester = open_suggester(workspace, encoder=encoder)
    found = {}
    for one in examined:
        features = upload_features(
            workspace.catalogue.uploads.fingerprints_of(one.content_hash),
            one.findings or {},
            encoder=encoder,
            image_encoder=suggester.image_encoder,
        )
        found[one.id] = suggest_categories(
            workspace.catalogue, one, suggester.suggest(features, content_hash=one.content_hash)
        )
    return found


def row_of_upload(workspace: Workspace, upload: Upload, offers: SuggestedCategories | None) -> Row:
    """Return an upload as a row, with the id of its verdict for `memetica undo`."""
    kept = upload.state is not UploadState.ACCEPTED and inbox_path(workspace.data, upload.content_hash).exists()
    return upload_row(
        upload,
        matches=similar_memes(workspace.catalogue, upload) if upload.state is UploadState.EXAMINED else [],
        suggested=offers or SuggestedCategories((), ""),
        has_preview=kept,
    ) | {"verdict": upload.verdict}


def _show_limited(session: Session, workspace: Workspace, uploads: Sequence[Upload], *, k: int | None) -> None:
    shown = session.limited(uploads, k, default=LISTED)
    _show(session.terminal, workspace, shown)
    session.terminal.say_hidden(len(uploads) - len(shown), "upload")


def _show(terminal: Terminal, workspace: Workspace, uploads: Sequence[Upload]) -> None:
    offers = _offers(workspace, uploads)
    if terminal.as_json:
        for one in uploads:
            terminal.row(row_of_upload(workspace, one, offers.get(one.id)))
        return
    if not uploads:
        terminal.say("There are no uploads.")
        return
    for one in uploads:
        row = row_of_upload(workspace, one, offers.get(one.id))
        state = f"accepted as {one.path}" if one.path else f"{one.state.value}{': ' if one.reason else ''}{one.reason}"
        undo = f"  verdict {one.verdict}" if one.verdict else ""
        terminal.out.print(Text.assemble((f"{one.id:>5}  {one.name}", "bold"), (f"  {state}{undo}", "dim")))
        for match in row["duplicates"]:
            terminal.out.print(Text(f"       duplicate of {match['path']}  ({match['in_words']})"))
        if row["variants"]:
            paths = ", ".join(match["path"] for match in row["variants"][:SHOWN])
            more = len(row["variants"]) - SHOWN
            terminal.out.print(Text(f"       variant of {paths}" + (f" and {more} more" if more > 0 else "")))
        if row["sentence"]:
            terminal.out.print(Text(f"       {row['sentence']}"))
        for offer in row["suggestions"][:SHOWN]:
            sure = "" if offer["probability"] is None else percent(offer["probability"])
            terminal.out.print(Text(f"       {sure:>5}  {offer['category']}"))
    if any(one.state is UploadState.EXAMINED for one in uploads):
        terminal.say("Decide: memetica inbox accept ID [--category NAME], memetica inbox discard ID.", style="dim")
