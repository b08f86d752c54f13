"""What the commands do with hits besides listing them: bare paths for other programs, opening one, pictures inline."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from indexer.media.thumbnails import thumbnail_path
from search.errors import LibraryError, WrongUse
from search.results import Answer, Hit
from search.settings import Settings
from web.cli.command import Session

Function = TypeVar("Function", bound=Callable[..., Any])
PREVIEW_CELLS = 24  # width of a picture between the lines
PREVIEW_ROWS = 24  # height of a tall one


@dataclass(frozen=True)
class HitOptions:
    """What to do with the hits; at most one of them is chosen."""

    paths: bool
    null: bool
    open_number: int | None
    preview: bool

    def check(self, session: Session) -> None:
        """Raise WrongUse for options that exclude each other."""
        chosen = [self.paths or self.null, self.open_number is not None, self.preview, session.terminal.as_json]
        if sum(chosen) > 1:
            raise WrongUse("Choose one of --paths, -0, --open, --preview and --json.")


def hit_options(function: Function) -> Function:
    """Add the options that `HitOptions` holds to a command, which gets them by name."""
    for option in (
        click.option(
            "--preview", is_flag=True, help="Show the pictures, where the terminal can (kitty, iTerm2, sixel)."
        ),
        click.option("--open", "open_number", type=click.IntRange(1), metavar="N", help="Open the Nth hit."),
        click.option("-0", "null", is_flag=True, help="Write bare paths, each ended by a zero byte, for xargs -0."),
        click.option("--paths", is_flag=True, help="Write bare paths, one a line, for other programs."),
    ):
        function = option(function)
    return function


def use_hits(session: Session, settings: Settings, answer: Answer, options: HitOptions) -> bool:
    """Write paths, or open a hit; return whether the hits were used up, so that no list is needed.

    Raises WrongUse when there is no Nth hit, LibraryError when its file is missing.
    """
    if options.paths or options.null:
        end = "\0" if options.null else "\n"
        for hit in answer.hits:
            sys.stdout.buffer.write(f"{_file(settings, hit)}{end}".encode(errors="surrogateescape"))
        sys.stdout.buffer.flush()
        return True
    if options.open_number is not None:
        if options.open_number > len(answer.hits):
            raise WrongUse(f"There is no hit {options.open_number}: {len(answer.hits)} were found.")
        file = _file(settings, answer.hits[options.open_number - 1])
        if not file.exists():
            raise LibraryError(f"{file} is not there.", hint="Is the library mounted?")
        session.terminal.say(f"Opening {file}", style="dim")
        click.launch(str(file))
        return True
    return False


def _file(settings: Settings, hit: Hit) -> Path:
    return settings.library / hit.meme.path


def picture_writer(session: Session, settings: Settings) -> Callable[[Hit], None]:
    """Return what writes a hit's thumbnail as the terminal can show it: by its protocol for pictures, or in blocks."""
    # Late: a list of hits needs no pictures, and this asks the terminal at once what it can show.
    from PIL import Image
    from textual_image.renderable import Image as TerminalImage

    def write(hit: Hit) -> None:
        path = thumbnail_path(settings.data, hit.meme.content_hash)
        if not path.exists():
            return
        with Image.open(path) as picture:
            tall = picture.height > 2 * picture.width  # it would fill the screen
            width: int | str
            height: int | str
            width, height = ("auto", PREVIEW_ROWS) if tall else (PREVIEW_CELLS, "auto")
            session.terminal.out.print(TerminalImage(picture.convert("RGB"), width=width, height=height))

    return write
