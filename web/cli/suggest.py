"""`memetica suggest`: find duplicates of pictures and suggest categories for them, without storing them."""

from __future__ import annotations

from pathlib import Path

import click
from rich.text import Text

from indexer.inbox.examiner import Examiner
from indexer.ocr.engines import load_ocr_engine
from indexer.stages.train_categories import open_suggester
from search.catalogue import Catalogue
from search.errors import MemeticaError, UnreadableFile, WrongUse
from search.evidence import percent
from search.index.text_encoder import load_text_encoder_in_use
from web.cli.command import Command, Session, find_pictures
from web.cli.output import show_file_error
from web.cli.terminal import Terminal
from web.picture_suggestions import suggest_for_file
from web.schemas import Row

SHOWN = 3  # categories, memes and variants, for people


@click.command(cls=Command, examples=("memetica suggest new/*.jpg", "memetica suggest new/ --json"))
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PATH…")
def suggest(session: Session, paths: tuple[Path, ...]) -> int:
    """Suggest categories for pictures, or for all pictures in a folder, and list their duplicates in the library.

    Nothing is stored or moved. The picture and the text in it are considered, not its file name.
    """
    failed = 0
    with session.workspace() as workspace:
        files = list(find_pictures(paths))
        if not files:
            raise WrongUse("There is no picture there.", hint="Name files, or a folder that contains some.")
        if not workspace.catalogue.memes.count():
            raise WrongUse("There are no memes to learn from.", hint="Run `memetica index MEMES` first.")
        encoder = load_text_encoder_in_use(workspace.settings)
        examiner = Examiner.open(
            workspace, engine=load_ocr_engine(workspace.settings), no_engine_reason="No OCR engine is chosen."
        )
        suggester = open_suggester(workspace, encoder=encoder)
        for file in files:
            try:
                row = suggest_for_file(examiner, suggester, encoder, file, name=str(file))
            except (UnreadableFile, OSError) as error:
                failed += 1
                known = error if isinstance(error, MemeticaError) else UnreadableFile(str(error))
                show_file_error(session.terminal, file, known)
                continue
            if session.terminal.as_json:
                session.terminal.row(row)
            else:
                _show(session.terminal, workspace.catalogue, row)
    return 1 if failed else 0


def _show(terminal: Terminal, catalogue: Catalogue, row: Row) -> None:
    out = terminal.out
    out.print(Text(row["file"], style="bold"))
    for one in row["duplicates"]:
        out.print(Text(f"  duplicate of {one['path']}  ({one['in_words']})"))
    if row["variants"]:
        paths = ", ".join(one["path"] for one in row["variants"][:SHOWN])
        more = len(row["variants"]) - SHOWN
        out.print(Text(f"  variant of {paths}" + (f" and {more} more" if more > 0 else "")))
    out.print(Text(f"  {row['sentence']}"))
    for one in row["suggestions"][:SHOWN]:
        memes = catalogue.memes.many(one["neighbours"])
        like = f"  like {', '.join(meme.path.rpartition('/')[2] for meme in memes[:SHOWN])}" if memes else ""
        out.print(Text(f"  {percent(one['probability']):>5}  {one['category']}"), Text(like, style="dim"))
    if row["tags"]:
        seen = ", ".join(f"{one['category']} {percent(one['share'])}" for one in row["tags"])
        out.print(Text(f"  by the image encoder, from the categories' names alone: {seen}", style="dim"))
    if row["text"]:
        out.print(Text(f"  text: {' '.join(row['text'].split())[:200]}", style="dim"))
