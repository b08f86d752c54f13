"""`memetica upload`, `inbox`: pictures come in, are examined and decided on, at the command as on the page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.text import Text

from search.catalogue import Upload, UploadState, open_catalogue
from search.errors import MemeticaError, WrongUse
from search.workspace import Workspace
from web.cli.command import Session, pictures_named, verb
from web.cli.terminal import Terminal
from web.schemas import upload_row

if TYPE_CHECKING:
    from web.suggestions import SuggestedCategories

SHOWN = 3  # categories, for people
OPEN = (UploadState.WAITING, UploadState.EXAMINED, UploadState.FAILED)


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PATH…")
@verb
def upload(session: Session, paths: tuple[Path, ...]) -> int:
    """Put pictures, or all in a folder, into the inbox and examine them. The files themselves stay where they are.

    What waits there is decided on by `memetica inbox` or on the site.
    """
    from indexer.inbox.reception import receive

    settings, terminal = session.settings(), session.terminal
    failed = 0
    with open_catalogue(settings) as catalogue:
        came: list[int] = []
        for file in pictures_named(paths):
            try:
                with file.open("rb") as stream:
                    came.append(
                        receive(Workspace(settings, catalogue), stream, name=file.name, received_by="command").id
                    )
            except (OSError, MemeticaError) as error:
                failed += 1
                told = error if isinstance(error, MemeticaError) else WrongUse(f"It cannot be read: {error.strerror}.")
                if terminal.as_json:
                    terminal.row({"file": str(file), "error": {"message": told.message, "hint": told.hint}})
                else:
                    terminal.say(f"{file}: {told.message} {told.hint}".strip())
        if not came and not failed:
            raise WrongUse("There is no picture there.", hint="Name files, or a folder that holds some.")
        _examine(Workspace(settings, catalogue), terminal)
        _show(terminal, Workspace(settings, catalogue), [catalogue.uploads.get(id) for id in dict.fromkeys(came)])
    return 1 if failed else 0


@click.command()
@click.option("--accept", "accepting", type=int, metavar="ID", help="Write an upload into the library.")
@click.option("--category", metavar="NAME", help="With --accept: where to; a new one is made.")
@click.option("--anyway", default="", metavar="REASON", help="With --accept: add what looks like a duplicate, and why.")
@click.option("--discard", "discarding", type=int, metavar="ID", help="Throw an upload away, with a way back.")
@click.option("--undo", type=int, metavar="ID", help="Take the decision about an upload back.")
@click.option("--decided", is_flag=True, help="List what was decided last, in place of what waits.")
@verb
def inbox(
    session: Session,
    accepting: int | None,
    category: str | None,
    anyway: str,
    discarding: int | None,
    undo: int | None,
    decided: bool,
) -> int:
    """List uploads that wait: what each is, whether it is there already, where it belongs. Decide on them.

    What is accepted is written into the library and found by search at once; an undo takes it out again.
    """
    from indexer.inbox.acceptance import accept, undo_decision
    from indexer.inbox.reception import discard
    from indexer.inbox.workers import index_decided
    from indexer.library.transaction import recover
    from search.encoders.registry import load_text_encoder

    asked = {"--accept": accepting, "--discard": discarding, "--undo": undo, "--decided": decided or None}
    chosen = [name for name, value in asked.items() if value is not None]
    if len(chosen) > 1:
        raise WrongUse(f"{' and '.join(chosen)} do not go together.", hint="Do one after the other.")
    if (category or anyway) and accepting is None:
        raise WrongUse("--category and --anyway go with --accept.")
    settings, terminal = session.settings(), session.terminal
    with open_catalogue(settings, create=False) as catalogue:
        recover(Workspace(settings, catalogue))
        if decided:
            _show(terminal, Workspace(settings, catalogue), catalogue.uploads.decided(50))
            return 0
        _examine(Workspace(settings, catalogue), terminal)
        if accepting is not None:
            upload = catalogue.uploads.get(accepting)
            target = category or _offers(Workspace(settings, catalogue), [upload])[upload.id].sure
            if target is None:
                raise WrongUse("No category is sure enough to take by itself.", hint="Name one: --category NAME.")
            done = accept(Workspace(settings, catalogue), accepting, category=target, reason=anyway)
        elif discarding is not None:
            done = discard(Workspace(settings, catalogue), discarding)
        elif undo is not None:
            done = undo_decision(Workspace(settings, catalogue), undo)
        else:
            _show(terminal, Workspace(settings, catalogue), catalogue.uploads.in_state(*OPEN))
            return 0
        index_decided(Workspace(settings, catalogue), load_encoder=lambda: load_text_encoder(settings))
        if terminal.as_json:
            terminal.row(_row(Workspace(settings, catalogue), catalogue.uploads.get(done.id), None))
        elif done.state is UploadState.ACCEPTED:
            terminal.say(f"Accepted: {done.name} as {done.path}. Undo: `memetica inbox --undo {done.id}`.")
        elif done.state is UploadState.DISCARDED:
            terminal.say(f"Discarded: {done.name}. Undo: `memetica inbox --undo {done.id}`.")
        else:
            terminal.say(f"Undone: {done.name} waits again.")
    return 0


def _examine(workspace: Workspace, terminal: Terminal) -> None:
    from indexer.inbox.workers import ExaminerCache, examine_waiting

    waiting = workspace.catalogue.uploads.count(UploadState.WAITING)
    if waiting:
        terminal.say(f"Examining {waiting:,} {'upload' if waiting == 1 else 'uploads'}…")
        examine_waiting(workspace.catalogue, examiners=ExaminerCache(workspace))


def _offers(workspace: Workspace, uploads: Sequence[Upload]) -> dict[int, SuggestedCategories]:
    """Return where each examined upload may belong."""
    from indexer.stages.train_categories import open_suggester, upload_features
    from search.encoders.registry import load_text_encoder
    from web.suggestions import suggest_categories

    examined = [one for one in uploads if one.state is UploadState.EXAMINED]
    if not examined or not workspace.catalogue.memes.count():
        return {one.id: suggest_categories(workspace.catalogue, one) for one in examined}
    encoder = load_text_encoder(workspace.settings)
    suggester = open_suggester(workspace, encoder=encoder)
    found = {}
    for one in examined:
        text = str((one.findings or {}).get("text", ""))
        features = upload_features(workspace.catalogue.uploads.fingerprints_of(one.content_hash), text, encoder=encoder)
        found[one.id] = suggest_categories(
            workspace.catalogue, one, suggester.suggest(features, content_hash=one.content_hash)
        )
    return found


def _row(workspace: Workspace, upload: Upload, offers: SuggestedCategories | None) -> dict[str, Any]:
    from indexer.inbox.acceptance import alike
    from indexer.inbox.reception import inbox_path
    from web.suggestions import SuggestedCategories

    return upload_row(
        upload,
        matches=alike(workspace.catalogue, upload) if upload.state is UploadState.EXAMINED else [],
        suggested=offers or SuggestedCategories((), ""),
        has_preview=upload.state is not UploadState.ACCEPTED
        and inbox_path(workspace.data, upload.content_hash).exists(),
    )


def _show(terminal: Terminal, workspace: Workspace, uploads: Sequence[Upload]) -> None:
    offers = _offers(workspace, uploads)
    if terminal.as_json:
        for one in uploads:
            terminal.row(_row(workspace, one, offers.get(one.id)))
        return
    if not uploads:
        terminal.say("Nothing is there.")
        return
    for one in uploads:
        row = _row(workspace, one, offers.get(one.id))
        said = f"accepted as {one.path}" if one.path else f"{one.state.value}{': ' if one.reason else ''}{one.reason}"
        terminal.out.print(Text.assemble((f"{one.id:>5}  {one.name}", "bold"), (f"  {said}", "dim")))
        for like in row["duplicates"]:
            terminal.out.print(Text(f"       there already: {like['path']}  ({like['in_words']})"))
        if row["variants"]:
            terminal.out.print(
                Text(f"       a variant of: {', '.join(like['path'] for like in row['variants'][:SHOWN])}")
            )
        if row["sentence"]:
            terminal.out.print(Text(f"       {row['sentence']}"))
        for offer in row["suggestions"][:SHOWN]:
            sure = "     " if offer["probability"] is None else f"{100 * offer['probability']:3.0f} %"
            terminal.out.print(Text(f"       {sure}  {offer['category']}"))
    if any(one.state is UploadState.EXAMINED for one in uploads):
        terminal.say("--accept ID [--category NAME] takes one in, --discard ID throws it away.", style="dim")
