"""The `memetica` command: each verb a thin cover of one function of the library.

stdout is data, stderr is talk. Exit codes: 0 done, 1 something failed, 2 wrong use, 130 interrupted. A verb imports
what only it needs when it runs: a search from cold should not wait for the indexer or the server.
"""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import click

from indexer.library.format import library_root
from search.catalogue import open_catalogue
from search.encoders.clip_models import SMALL
from search.errors import LibraryError, MemeticaError, WrongUse
from search.meme import Likeness, Sort, Stage, TextKind
from search.results import Answer
from search.searcher import Searcher
from search.settings import Settings, save_setting, stored_setting
from search.workspace import Workspace
from web.cli.categories import health, suggest
from web.cli.command import COMMON, Session, meme_named, verb
from web.cli.duplicates import duplicates, verdict, verdicts
from web.cli.evaluate import evaluate
from web.cli.inbox import inbox, upload
from web.cli.models import models
from web.cli.output import show_answer, show_meme, show_status, show_understood
from web.cli.password import password
from web.cli.terminal import Bars
from web.schemas import hit_row, meme_row, status_rows


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="memetica", prog_name="memetica")
@click.pass_context
def main(context: click.Context, **common: Any) -> None:
    """Find memes by what they show, what they say and what they mean."""
    context.obj = common


for _option in reversed(COMMON):
    main = _option(main)

for _command in (duplicates, evaluate, health, inbox, models, password, suggest, upload, verdict, verdicts):
    main.add_command(_command)


@main.command()
@click.argument("memes", type=click.Path(path_type=Path), required=False)
@click.option("--ocr", "ocr_engine", metavar="ENGINE", help=Settings.help_of("ocr_engine"))
@click.option("--reocr", is_flag=True, help="Read also memes that have an OCR text already; both texts are kept.")
@click.option("--retry-ocr", is_flag=True, help="Read badly read memes again, where this engine has not; see --ocr.")
@click.option("--retry", is_flag=True, help="Try what failed before once more.")
@verb
def index(
    session: Session, memes: Path | None, ocr_engine: str | None, reocr: bool, retry_ocr: bool, retry: bool
) -> int:
    """Bring the index up to date with the folder MEMES, which is read in place and never written to.

    It may be interrupted anywhere; run again, it goes on where it was.
    """
    settings = session.settings(library=memes, ocr_engine=ocr_engine)
    with open_catalogue(settings) as catalogue:
        if retry:
            catalogue.failures.forget()
        return _index(session, Workspace(settings, catalogue), reocr=reocr, badly_read=retry_ocr)


def _index(session: Session, workspace: Workspace, *, reocr: bool = False, badly_read: bool = False) -> int:

    from indexer.pipeline import index_library

    terminal = session.terminal
    reports = index_library(
        workspace, progress=Bars(terminal), reocr=reocr, badly_read=badly_read, on_stage=terminal.report
    )
    if terminal.as_json:
        for report in reports:
            terminal.row({**vars(report), "seconds": round(report.seconds, 3)})
    failed = len(workspace.catalogue.failures.all())
    memes = workspace.catalogue.memes.count()
    if not memes:
        terminal.say(
            f"There are no memes in {workspace.library}: put a folder for each category there, pictures inside."
        )
    elif failed:
        terminal.say(f"{memes:,} memes are indexed. Failed: {failed:,}; `memetica status` says what and why.")
    else:
        terminal.say(f"{memes:,} memes are indexed.")
    return 1 if failed else 0


@main.command()
@click.option("--model", "models", multiple=True, required=True, metavar="NAME[@URL]", help="Who describes.")
@click.option(
    "--kind",
    type=click.Choice(["simple-description", "detailed-analysis"]),
    default="simple-description",
    show_default=True,
    help="A few sentences, or an essay under headings.",
)
@click.option("--endpoint", "endpoints", multiple=True, metavar="URL", help=Settings.help_of("endpoint"))
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1), help="Calls at once, each endpoint.")
@click.option("--limit", type=click.IntRange(1), metavar="N", help="Ask about the newest N memes at most.")
@click.option("--only-undescribed", is_flag=True, help="Leave out memes that another model has described.")
@click.option("--with-category", is_flag=True, help="Tell the model the category; suggestions then read the answer.")
@click.option("--write-sidecars", is_flag=True, help="Write texts beside their memes too, never over a file.")
@click.option("--prompts", type=click.Path(path_type=Path), metavar="FILE", help="Prompts to use instead of ours.")
@click.option("--seconds", default=300.0, show_default=True, help="How long a call may take.")
@click.option("--price-in", type=click.FloatRange(0), metavar="X", help="Price of a million tokens read.")
@click.option("--price-out", type=click.FloatRange(0), metavar="X", help="Price of a million tokens written.")
@click.option("--retry", is_flag=True, help="Try what failed before once more.")
@verb
def describe(
    session: Session, models: tuple[str, ...], kind: str, endpoints: tuple[str, ...], retry: bool, **terms: Any
) -> int:
    """Let vision models describe the memes that they have not described, at any OpenAI-compatible endpoint.

    It may be interrupted anywhere, and run more than once at a time; run again, it goes on where it was.
    """
    from indexer.describe.options import DescribeOptions
    from indexer.describe.run import describe_memes
    from web.cli.describing import Teller, assignments_of, sentence, tally_row

    settings = session.settings()
    with open_catalogue(settings, create=False) as catalogue:
        if retry:
            catalogue.failures.forget(Stage.DESCRIBE)
        tally = describe_memes(
            Workspace(settings, catalogue),
            assignments=assignments_of(models, TextKind(kind), endpoints=endpoints or (settings.endpoint,)),
            progress=Bars(session.terminal),
            options=DescribeOptions(**terms),
            on_progress=Teller(session.terminal),
        )
    session.terminal.say(sentence(tally))
    if tally.done:
        session.terminal.say("`memetica index` makes what was written searchable.", style="dim")
    if session.terminal.as_json:
        session.terminal.row(tally_row(tally))
    return 1 if tally.failed or tally.unwritten or tally.stopped else 0


@main.command()
@click.argument("stage", type=click.Choice([stage.value for stage in Stage]), required=False)
@verb
def retry(session: Session, stage: str | None) -> int:
    """Try what failed once more, of one STAGE or of all."""
    settings = session.settings()
    with open_catalogue(settings, create=False) as catalogue:
        texts = sorted({one.source for one in catalogue.failures.all() if one.stage is Stage.DESCRIBE and one.source})
        catalogue.failures.forget(Stage(stage) if stage else None)
        if texts and stage in (None, Stage.DESCRIBE):
            # Descriptions cost time or money: they are asked for by name.
            session.terminal.say(f"`memetica describe` tries these again, told their model: {', '.join(texts)}.")
        return 0 if stage == Stage.DESCRIBE else _index(session, Workspace(settings, catalogue))


@main.command()
@verb
def status(session: Session) -> int:
    """Show how far each stage is, what failed and why, and whether the index is fresh."""

    from indexer.status import library_status

    settings = session.settings()
    with open_catalogue(settings, create=False) as catalogue:
        known = library_status(Workspace(settings, catalogue))
        try:
            with Searcher(Workspace(settings, catalogue)) as searcher:
                index: Any = searcher.status()
        except MemeticaError as error:
            index = error
        if session.terminal.as_json:
            for row in status_rows(known, index):
                session.terminal.row(row)
        else:
            show_status(session.terminal, settings, known, index)
        return 1 if known.failures else 0


@main.command()
@click.argument("query", required=False, default="")
@click.option(
    "--image", type=click.Path(path_type=Path), metavar="FILE", help="A picture that counts beside the words."
)
@click.option("-k", default=10, show_default=True, type=click.IntRange(1, 1000), help="How many hits.")
@click.option("--offset", default=0, type=click.IntRange(0), help="How many hits to pass over.")
@click.option(
    "--sort",
    type=click.Choice([sort.value for sort in Sort]),
    default=Sort.RELEVANCE.value,
    show_default=True,
    help="The order of the hits.",
)
@click.option("--all-variants", is_flag=True, help="Variants of one picture each apart, in place of one for all.")
@click.option("--verbatim", is_flag=True, help="Take the words as they are spelt.")
@verb
def search(
    session: Session,
    query: str,
    image: Path | None,
    k: int,
    offset: int,
    sort: str,
    all_variants: bool,
    verbatim: bool,
) -> int:
    """Find memes by QUERY: what they show, say or mean.

    \b
    "word for word"       memes that say exactly this come first
    -word  -"a phrase"    without; put -- before a query that begins so
    category:"Star Trek"  this category and those below it; -category: without
    before:2024 after:2022-06-30   by First Seen: earlier than it begins, or from it on
    type:gif|video|image  has:ocr|description
    like:17               like the meme of this number; variants:17 the same picture
    2:cat 0.5:"a mat"     weights
    """
    if not query.strip() and image is None:
        raise WrongUse(
            "There is nothing to search for.", hint='Say what the meme shows, says or means: memetica search "…"'
        )
    settings = session.settings()
    picture = None
    if image is not None:
        from indexer.media.decode import decode

        picture = decode(image, max_pixels=settings.max_pixels, max_bytes=settings.max_bytes).pictures[0]
    with open_catalogue(settings, create=False) as catalogue:
        with Searcher(Workspace(settings, catalogue)) as searcher:
            answer = searcher.search(
                query,
                image=picture,
                k=k,
                offset=offset,
                sort=Sort(sort),
                collapse=not all_variants,
                verbatim=verbatim,
            )
        _answer(session, answer, offset=offset)
    return 0


@main.command()
@click.argument("meme", metavar="PATH|ID")
@click.option(
    "--by",
    type=click.Choice([one.value for one in Likeness]),
    default=Likeness.ALL.value,
    show_default=True,
    help="By what they are alike.",
)
@click.option("-k", default=10, show_default=True, type=click.IntRange(1, 1000), help="How many hits.")
@verb
def similar(session: Session, meme: str, by: str, k: int) -> int:
    """Find the relatives of a meme, by its PATH in the library or its ID."""
    settings = session.settings()
    with open_catalogue(settings, create=False) as catalogue:
        found = meme_named(Workspace(settings, catalogue), meme)
        with Searcher(Workspace(settings, catalogue)) as searcher:
            answer = searcher.similar(found, by=Likeness(by), k=k)
        _answer(session, answer)
    return 0


@main.command()
@click.argument("meme", metavar="PATH|ID")
@verb
def show(session: Session, meme: str) -> int:
    """Show everything known about a meme, each text with its source."""
    settings = session.settings()
    with open_catalogue(settings, create=False) as catalogue:
        found = meme_named(Workspace(settings, catalogue), meme)
        texts = catalogue.texts.of(found)
        if session.terminal.as_json:
            session.terminal.row(meme_row(found, texts))
        else:
            show_meme(session.terminal, found, texts)
    return 0


@main.command()
@click.option("-k", default=50, show_default=True, type=click.IntRange(1), help="How many memes, the newest first.")
@click.option("--details", is_flag=True, help="Also texts that differ only in a colour, a number or a denial.")
@verb
def contradictions(session: Session, k: int, details: bool) -> int:
    """List memes whose descriptions or OCR contradict each other, the text that stands alone first."""
    from search.texts.agreement import find_contradictions as list_contradictions
    from web.cli.contradictions import contradiction_row, show_contradiction

    settings = session.settings()
    with open_catalogue(settings, create=False) as catalogue:
        for found in islice(list_contradictions(catalogue, encoder=settings.text_encoder, details=details), k):
            if session.terminal.as_json:
                session.terminal.row(contradiction_row(found))
            else:
                show_contradiction(session.terminal, found)
    return 0


def _answer(session: Session, answer: Answer, *, offset: int = 0) -> None:
    if session.terminal.as_json:
        show_understood(session.terminal, answer)
        for hit in answer.hits:
            session.terminal.row(hit_row(hit))
    else:
        show_answer(session.terminal, answer, offset=offset)


@main.command()
@click.option("--host", help=Settings.help_of("host"))
@click.option("--port", type=click.IntRange(0, 65535), help=Settings.help_of("port"))
@verb
def serve(session: Session, host: str | None, port: int | None) -> int:
    """Serve the site and the API until stopped."""
    return _serve(session, session.settings(host=host, port=port))


def _serve(session: Session, settings: Settings) -> int:
    from web.server import serve as serve_site

    def ready(address: str) -> None:
        session.terminal.say(f"Memetica is at {address}  (Ctrl-C stops it)")
        if session.terminal.as_json:
            session.terminal.row({"url": address})
            sys.stdout.flush()

    try:
        library_root(settings.library)
    except LibraryError as error:
        session.terminal.say(
            f"{error.message} {error.hint} Until then whole pictures cannot be shown; search goes on.", style="yellow"
        )
    with Workspace(settings, open_catalogue(settings)) as workspace:
        serve_site(workspace, on_ready=ready)
    return 0


@main.command()
@click.argument("folder", type=click.Path(path_type=Path), default=Path(".demo"))
@click.option("--port", type=click.IntRange(0, 65535), help=Settings.help_of("port"))
@click.option("--memes", default=260, show_default=True, type=click.IntRange(30, 2000), help="How many to draw.")
@click.option("--serve/--no-serve", "serving", default=True, show_default=True, help="Serve the site when done.")
@verb
def demo(session: Session, folder: Path, port: int | None, memes: int, serving: bool) -> int:
    """Draw the demo library in FOLDER, index it there and serve it. FOLDER stays, so a second run starts at once."""

    from demo import EXAMPLE_QUERIES, draw_demo

    terminal = session.terminal
    settings = replace(
        session.settings(port=port, examples=" | ".join(EXAMPLE_QUERIES)),
        library=(folder / "memes").absolute(),
        data=(folder / "data").absolute(),
    )
    if stored_setting(settings.data, "image_encoder") is None:
        save_setting(settings.data, "image_encoder", SMALL)  # so that every command on it sees with the same eyes
    settings = replace(settings, image_encoder=stored_setting(settings.data, "image_encoder"))
    drawn = folder / "memes"
    if not drawn.exists():
        terminal.say(f"drawing {memes} memes in {drawn}")
        # Drawn aside and renamed, so that an interrupted run never leaves half a library.
        aside = folder / "memes.part"
        shutil.rmtree(aside, ignore_errors=True)
        draw_demo(aside, memes=memes)
        aside.rename(drawn)
    with open_catalogue(settings) as catalogue:
        _index(session, Workspace(settings, catalogue))
    terminal.say("Try: " + " · ".join(EXAMPLE_QUERIES))
    return _serve(session, settings) if serving else 0


if __name__ == "__main__":
    main()
