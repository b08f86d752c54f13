"""What every verb of the command shares: its session, its options, its voice for errors, a meme by its name."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from indexer.library.format import EXTENSIONS, library_root
from search.errors import LibraryError, MemeticaError, WrongUse
from search.meme import Meme
from search.settings import Settings, load_settings
from search.workspace import Workspace
from web.cli.terminal import Terminal

COMMON = (
    click.option("--data", type=click.Path(path_type=Path), metavar="FOLDER", help=Settings.help_of("data")),
    click.option("--library", type=click.Path(path_type=Path), metavar="FOLDER", help=Settings.help_of("library")),
    click.option("--json", "as_json", is_flag=True, help="Rows as JSON Lines on stdout."),
    click.option("--quiet", "-q", is_flag=True, help="Say nothing but errors."),
)


class Session:
    """What a verb works with: the terminal and the settings, opened when asked for."""

    def __init__(self, given: dict[str, Any]) -> None:
        self.terminal = Terminal(quiet=bool(given.pop("quiet")), as_json=bool(given.pop("as_json")))
        self._given = given

    def settings(self, **more: Any) -> Settings:
        """Return the settings, with more values given by the verb."""
        settings = load_settings(self._given | {name: value for name, value in more.items() if value is not None})
        with suppress(LibraryError):  # a library that is away ends only the verbs that read it
            return replace(settings, library=library_root(settings.library))
        return settings


def verb(command: Callable[..., int | None]) -> Callable[..., None]:
    """Return a verb that takes the common options before or after its name, and speaks its errors in one voice."""

    @click.pass_context
    @functools.wraps(command)
    def run(context: click.Context, **arguments: Any) -> None:
        given: dict[str, Any] = dict(context.obj or {})
        for name in ("data", "library", "as_json", "quiet"):
            value = arguments.pop(name)
            given[name] = value or given.get(name)
        session = Session(given)
        try:
            context.exit(command(session, **arguments) or 0)
        except MemeticaError as error:
            session.terminal.complain(error)
            context.exit(error.exit_code)
        except KeyboardInterrupt:
            session.terminal.say("Stopped. What was done is kept; the same command goes on from here.")
            context.exit(130)

    for option in reversed(COMMON):
        run = option(run)
    return run


def meme_named(workspace: Workspace, named: str) -> Meme:
    """Return the meme that a person names: by id, by path in the library, or by the file's path."""
    if named.isdigit():
        return workspace.catalogue.memes.get(int(named))
    file = Path(named).expanduser().absolute()
    if file.is_relative_to(workspace.library):
        named = file.relative_to(workspace.library).as_posix()
    return workspace.catalogue.memes.at(named)


def pictures_named(paths: Iterable[Path]) -> Iterator[Path]:
    """Yield the files that a person names, of folders all that can be memes; raise WrongUse for what is not there."""
    for path in paths:
        if path.is_dir():
            yield from sorted(one for one in path.rglob("*") if one.suffix.lower() in EXTENSIONS and one.is_file())
        elif path.exists():
            yield path
        else:
            raise WrongUse(f"There is no file {path}.")
