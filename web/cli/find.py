"""`memetica search`, `similar` and `show`: find memes, and read what is known about one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

import search as package  # lazily: where a running server answers, no index is opened and no model loaded
from search.errors import UnreadableFile, WrongUse
from search.meme import Likeness, Sort
from search.results import Answer
from search.settings import Settings
from web.cli.answers import count_line, more_line, show_answer, show_meme, show_understood
from web.cli.command import Command, Session, find_meme, meme_name
from web.cli.completion import complete_query
from web.cli.hits import HitOptions, hit_options, picture_writer, use_hits
from web.local.client import ask_server
from web.schemas import hit_row, meme_row


@click.command(
    cls=Command,
    examples=(
        'memetica search "a dog in a burning room"',
        'memetica search "burning room -cat category:Dogs after:2022" -k 3',
        'memetica search --image photo.jpg "but in space"',
        'memetica search "this is fine" --open 1',
        "memetica search cat -0 -k 100 | xargs -0 ls",
    ),
)
@click.argument("query", required=False, default="", shell_complete=complete_query)
@click.option(
    "--image", type=click.Path(path_type=Path), metavar="FILE", help="Search by this picture, with or without words."
)
@click.option("-k", default=10, show_default=True, type=click.IntRange(1, 1000), metavar="N", help="Number of hits.")
@click.option("--offset", default=0, type=click.IntRange(0), metavar="N", help="Number of hits to skip.")
@click.option(
    "--sort",
    type=click.Choice([sort.value for sort in Sort]),
    default=Sort.RELEVANCE.value,
    show_default=True,
    help="The order of the hits.",
)
@click.option("--all-variants", is_flag=True, help="List each variant of a picture, not one for all of them.")
@click.option("--verbatim", is_flag=True, help="Do not correct the spelling.")
@hit_options
def search(
    session: Session,
    query: str,
    image: Path | None,
    k: int,
    offset: int,
    sort: str,
    all_variants: bool,
    verbatim: bool,
    **use: Any,
) -> None:
    """Find memes by QUERY: what they show, say or mean.

    \b
    "word for word"        only memes that say this match
    -word  -"a phrase"     leave out; put -- before a query that begins with -
    category:"Star Trek"   this category and its subcategories;
                           -category: leaves them out
    after:2022-06-30       First Seen on that day or later
    before:2024            First Seen earlier
    type:gif|video|image   has:ocr|description
    tag:work               with this tag
    like:17                similar to meme 17; variants:17 its variants
    2:cat 0.5:"a mat"      weights
    """
    if not query.strip() and image is None:
        raise WrongUse(
            "There is nothing to search for.", hint='Say what the meme shows, says or means: memetica search "…"'
        )
    options = HitOptions(**use)
    options.check(session)
    settings = session.settings()
    page: dict[str, Any] = {"k": k, "offset": offset, "collapse": not all_variants, "verbatim": verbatim}
    answer = ask_server(settings, "search", {"query": query, "sort": sort, **page}) if image is None else None
    if answer is None:
        with session.workspace() as workspace:
            picture = None
            if image is not None:
                # Late: a search by words does not wait for the decoders of pictures and videos.
                from indexer.media.decode import decode

                try:
                    decoded = decode(image, max_pixels=settings.max_pixels, max_bytes=settings.max_bytes)
                    picture = decoded.pictures[0]
                except UnreadableFile as error:
                    raise UnreadableFile(f"{image}: {error.message}", hint=error.hint) from error
            with package.Searcher(workspace) as searcher:
                answer = searcher.search(query, image=picture, sort=Sort(sort), **page)
    _show(session, settings, answer, options, offset=offset)


@click.command(
    cls=Command, examples=('memetica similar "Dogs/this is fine.png"', "memetica similar 17 --by look --json")
)
@click.argument("meme", metavar="PATH|ID")
@click.option(
    "--by",
    type=click.Choice([one.value for one in Likeness]),
    default=Likeness.ALL.value,
    show_default=True,
    help="What is compared.",
)
@click.option("-k", default=10, show_default=True, type=click.IntRange(1, 1000), metavar="N", help="Number of hits.")
@hit_options
def similar(session: Session, meme: str, by: str, k: int, **use: Any) -> None:
    """Find memes that are like a meme, named by its PATH in the library or its ID."""
    options = HitOptions(**use)
    options.check(session)
    settings = session.settings()
    named = meme_name(meme, library=settings.library)
    answer = ask_server(settings, "similar", {"meme": named, "by": by, "k": k})
    if answer is None:
        with session.workspace() as workspace, package.Searcher(workspace) as searcher:
            answer = searcher.similar(find_meme(workspace, meme), by=Likeness(by), k=k)
    _show(session, settings, answer, options)


@click.command(cls=Command, examples=('memetica show "Dogs/this is fine.png"', "memetica show 17 --json"))
@click.argument("meme", metavar="PATH|ID")
def show(session: Session, meme: str) -> None:
    """Show everything known about a meme, each text with its source."""
    with session.workspace() as workspace:
        found = find_meme(workspace, meme)
        texts, tags = workspace.catalogue.texts.of(found), workspace.catalogue.tags.of(found.content_hash)
        if session.terminal.as_json:
            session.terminal.row(meme_row(found, texts, tags=tags))
        else:
            show_meme(session.terminal, found, texts, tags=tags)


def _show(session: Session, settings: Settings, answer: Answer, options: HitOptions, *, offset: int = 0) -> None:
    terminal = session.terminal
    if use_hits(session, settings, answer, options):
        return
    if terminal.as_json:
        show_understood(terminal, answer)
        for hit in answer.hits:
            terminal.row(hit_row(hit))
        terminal.say(f"{count_line(answer)}{more_line(answer, offset=offset)}.", style="dim")
    else:
        before = picture_writer(session, settings) if options.preview else lambda hit: None
        show_answer(terminal, answer, library=settings.library, offset=offset, before_hit=before)
