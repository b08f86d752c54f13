"""`memetica index` and `retry`: bring the index up to date."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from indexer.curation.duplicates import propose
from indexer.library.links import OUTSIDE
from indexer.pipeline import index_library
from indexer.stages.find_duplicates import count_uncompared, find_duplicates
from indexer.stages.write_engine import write_engine
from indexer.status import unsupported_kinds
from indexer.work.part import Part
from indexer.work.progress import StageReport
from search.encoders.clip_models import spec_of
from search.errors import WrongUse
from search.index.generations import live_image_encoder
from search.index.status import eyes_sentence
from search.index.stores import open_store
from search.meme import Stage
from search.settings import save_setting
from search.workspace import Workspace
from web.cli.command import Command, Session
from web.cli.engine import compare_with, write_into
from web.cli.eyes import settle_image_encoder, value_of_choice
from web.cli.options import setting_help
from web.cli.terminal import ProgressBars, counted

UNREAD, ALL = "badly-read", "all"
# So many new contents are compared within a minute (36 ms each on two cores); a whole library is a task of its own.
COMPARED_UNASKED = 1_000


@click.command(
    cls=Command,
    examples=("memetica index path/to/memes", "memetica index --reread badly-read --ocr tesseract"),
)
@click.argument("memes", type=click.Path(path_type=Path), required=False)
@click.option(
    "--see",
    metavar="MODEL",
    help="What sees the pictures, from now on: `auto`, `default`, `built-in`, `none`, or a model as in "
    "`memetica models --use`.",
)
@click.option("--ocr", "ocr_engine", metavar="ENGINE", help=setting_help("ocr_engine"))
@click.option(
    "--reread",
    type=click.Choice([UNREAD, ALL]),
    help="Run OCR again: on badly read memes that this engine has not read, or on all. Earlier texts are kept.",
)
@click.option("--gone", is_flag=True, help="Most memes, or all, were removed on purpose: forget them.")
@click.option(
    "--duplicates/--no-duplicates",
    "compare",
    default=None,
    help="Compare new memes with all others, to find duplicates; or do not.",
    show_default=f"up to {COMPARED_UNASKED:,} new memes are compared",
)
@click.option(
    "--into",
    "engine",
    metavar="PLACE",
    help="Write the index to a Qdrant server too, `qdrant:URL`, and search there from now on; `local` searches in the "
    "data folder again, whose index is kept.",
)
@click.option(
    "--compare", "compared", is_flag=True, help="Ask this index and the server for 200 known items, and compare."
)
@click.option(
    "--part",
    metavar="N/M",
    help="Do the Nth of M parts of the library, in a data folder of its own and without building an index; "
    "`memetica gather` then takes the parts over.",
)
def index(
    session: Session,
    memes: Path | None,
    see: str | None,
    ocr_engine: str | None,
    reread: str | None,
    gone: bool,
    compare: bool | None,
    engine: str | None,
    compared: bool,
    part: str | None,
) -> int:
    """Bring the index up to date with the folder MEMES, which is read in place and never written to.

    Without MEMES, it reads the folder that was indexed last. You can interrupt it at any time; the next run continues.
    Failed files are not tried again until `memetica retry`.

    Where most of the known memes are gone at once, or MEMES is another folder than before, nothing is changed: a disk
    may not be mounted. `--gone` says that they were removed, `--library MEMES` that the folder was moved or replaced.
    """
    chosen = value_of_choice(see) if see is not None else None
    own = Part.parse(part) if part is not None else None
    if own is not None and (engine is not None or compared):
        raise WrongUse(
            "A part builds no index, so that there is none to write to a server or to compare.",
            hint="Gather the parts with `memetica gather`, and name the server to the `memetica index` after that.",
        )
    with session.workspace(
        create=True, migrate=True, library=memes, ocr_engine=ocr_engine, image_encoder=chosen
    ) as workspace:
        if not workspace.catalogue.memes.count():
            session.terminal.say(f"The data folder is {workspace.data}; `--data FOLDER` names another.")
        if chosen is not None:
            save_setting(workspace.data, "image_encoder", chosen)
        if engine is not None:
            open_store(workspace.settings, engine=engine)  # a wrong address or a missing client is told at once
        code = index_workspace(session, workspace, reread=reread, gone=gone, compare=compare, part=own)
        place = engine or workspace.settings.index_engine
        if own is None and engine is not None:
            write_into(session, workspace, engine)
        elif own is None:
            write_engine(workspace)
        if compared:
            compare_with(session, workspace, place)
        return code


@click.command(cls=Command, examples=("memetica retry", "memetica retry media"))
@click.argument("stage", type=click.Choice([stage.value for stage in Stage]), required=False)
def retry(session: Session, stage: str | None) -> int:
    """Retry failures, in one STAGE or in all of them.

    Failed descriptions are only marked for another try: they cost time or money, so `memetica describe` makes them.
    """
    with session.workspace() as workspace:
        failures = workspace.catalogue.failures
        models = sorted({one.source for one in failures.all() if one.stage is Stage.DESCRIBE and one.source})
        failures.forget(Stage(stage) if stage else None)
        if models and stage in (None, Stage.DESCRIBE):
            asked = ", ".join(f"`memetica describe --model {model}`" for model in models)
            session.terminal.say(f"Descriptions that failed are tried again by {asked}.")
        return 0 if stage == Stage.DESCRIBE else index_workspace(session, workspace)


def index_workspace(
    session: Session,
    workspace: Workspace,
    *,
    reread: str | None = None,
    gone: bool = False,
    new_library: bool = False,
    compare: bool | None = None,
    part: Part | None = None,
) -> int:
    """Run every stage, compare what is new, report it, and return the exit code.

    With None, `compare` compares new memes if they are few, and else says how many wait for `memetica duplicates find`.
    """
    terminal = session.terminal
    settings, load_images = settle_image_encoder(session, workspace.settings)
    workspace = replace(workspace, settings=settings)
    reports = index_library(
        workspace,
        load_images=load_images,
        progress=ProgressBars(terminal),
        reocr=reread == ALL,
        badly_read=reread == UNREAD,
        gone=gone,
        new_library=new_library or bool(session.given("library")),
        on_stage=terminal.show_report,
        part=part,
    )
    if compare is not False and part is None:
        reports.append(_compare_new(session, workspace, however_many=bool(compare)))
    if terminal.as_json:
        for report in reports:
            terminal.row({**vars(report), "seconds": round(report.seconds, 3)})
    failures = workspace.catalogue.failures.all()
    failed = len(failures)
    outside = sum(failure.stage is Stage.SCAN and failure.reason == OUTSIDE for failure in failures)
    if outside:
        terminal.say(
            f"Links that lead out of the library and were not followed: {outside:,}. The setting `follow_links` says "
            "to follow them.",
            style="yellow",
        )
    if unread := unsupported_kinds(failures):
        terminal.say(f"Pictures and videos of other kinds are {unread}.", style="yellow")
    damaged = len(workspace.catalogue.pictures.damaged())
    if damaged:
        terminal.say(f"Damaged, but shown: {damaged:,}; `memetica status` lists what is missing.", style="yellow")
    memes = workspace.catalogue.memes.count()
    if part is not None:
        terminal.say(
            f"Part {part.number} of {part.of} is done{f'; failed: {failed:,}' if failed else ''}. When all are, run "
            "`memetica gather` with their data folders, then `memetica index`.",
            failed=failed > 0,
        )
        return 1 if failed else 0
    if not memes:
        terminal.say(
            f"There are no memes in {workspace.library}. Make a folder in it for each category, with pictures."
        )
    elif failed:
        terminal.say(
            f"{counted(memes, 'meme', 'is')} indexed. Failed: {failed:,}; `memetica status` lists them with reasons.",
            failed=True,
        )
    else:
        terminal.say(f"{counted(memes, 'meme', 'is')} indexed.")
    if memes:
        terminal.say(eyes_sentence(spec_of(live_image_encoder(workspace.index))))
    return 1 if failed else 0


def _compare_new(session: Session, workspace: Workspace, *, however_many: bool) -> StageReport:
    """Compare new memes with their candidates, or say how many are not compared; return the stage's report."""
    terminal = session.terminal
    waiting = count_uncompared(workspace)
    if waiting > COMPARED_UNASKED and not however_many:
        note = f"{counted(waiting, 'meme', 'is')} not compared yet: `memetica duplicates find` looks for duplicates."
        terminal.say(note)
        return StageReport(Stage.DUPLICATES, 0, 0, 0.0, note)
    report = find_duplicates(workspace, progress=ProgressBars(terminal))
    terminal.show_report(report)
    if report.done and (groups := len(propose(workspace))):
        terminal.say(f"Groups of duplicates to decide on: {groups:,}; `memetica duplicates` lists them.")
    return report
