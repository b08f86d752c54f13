"""Shared by the commands: the session, error reporting and exit codes, groups with a default, finding memes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

import search
from indexer.library.format import DATA_FOLDER, EXTENSIONS, OTHER_MEDIA, is_media, library_root
from indexer.library.links import is_ignored
from indexer.media.signatures import SIGNATURE_BYTES
from search import catalogue
from search.errors import LibraryError, MemeticaError, WrongUse
from search.meme import Meme
from search.settings import Settings, load_settings
from web.cli.options import HelpPage, common_values, is_common
from web.cli.terminal import Terminal

if TYPE_CHECKING:  # a command that a running server answers opens no workspace
    from search.workspace import Workspace

Row = TypeVar("Row")


class Session:
    """One run of a command: its terminal, its settings and its workspace."""

    def __init__(self, common: dict[str, Any]) -> None:
        self.terminal = Terminal(quiet=common.pop("quiet", False), as_json=common.pop("as_json", False))
        self._given = common
        self._told: set[str] = set()

    def settings(self, **more: Any) -> Settings:
        """Return the settings; `more` are the command's own options, None for one that is not given."""
        settings = load_settings(self._given | {name: value for name, value in more.items() if value is not None})
        with suppress(LibraryError):  # a missing library stops only the commands that read its files
            return replace(settings, library=library_root(settings.library))
        return settings

    def given(self, *names: str) -> dict[str, Any]:
        """Return those common options of these names that were given."""
        return {name: self._given[name] for name in names if self._given.get(name) is not None}

    def workspace(self, *, create: bool = False, migrate: bool = False, **more: Any) -> Workspace:
        """Return the workspace, to be used in a `with` statement; `index` and `serve` migrate an earlier catalogue.

        Raises DataFolderError when there is no data folder and `create` does not ask for a new one.
        """
        settings = self.settings(**more)
        opened = catalogue.open_catalogue(settings, create=create, migrate=migrate)
        return search.Workspace(settings, opened)

    def tell_unfinished(self, error: MemeticaError) -> None:
        """Write to stderr, once, that interrupted operations on the library cannot be finished; the command goes on."""
        if error.message in self._told:
            return
        self._told.add(error.message)
        self.terminal.say(f"{error.message} {error.hint}".strip(), style="yellow")

    def update_index(self, update: Callable[[], object]) -> int:
        """Update the index after a decision and return the exit code; a failure is told apart from the decision."""
        try:
            update()
        except MemeticaError as error:
            self.terminal.say(
                f"The decision is carried out; only the index is old. {error.message} {error.hint}".strip(),
                style="yellow",
                failed=True,
            )
            return 1
        return 0

    def limited(self, rows: Iterable[Row], k: int | None, *, default: int) -> list[Row]:
        """Return the first `k` rows; without -k, all rows with --json, else the first `default`."""
        return list(islice(rows, k or (None if self.terminal.as_json else default)))


class Command(HelpPage):
    """A command whose function takes the session and then its parameters, and returns the exit code or None.

    An error of Memetica is written to stderr and becomes its exit code; an interrupt becomes 130.
    """

    def invoke(self, context: click.Context) -> None:
        """Run the command and exit with its code."""
        session = Session(common_values(context))
        assert self.callback is not None
        try:
            code = context.invoke(self.callback, session, **context.params)
        except MemeticaError as error:
            session.terminal.show_error(error)
            code = error.exit_code
        except KeyboardInterrupt:
            session.terminal.say("Interrupted. Finished work is kept; run the same command again to continue.")
            code = 130
        context.exit(code or 0)


class CommandGroup(HelpPage, click.Group):
    """A group of subcommands; `default` runs when no subcommand is given."""

    command_class = Command

    def __init__(self, *args: Any, default: str, **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        self.default = default

    def parse_args(self, context: click.Context, args: list[str]) -> list[str]:
        """Insert the default subcommand before its own options, or at the end when nothing else is given."""
        if not context.resilient_parsing:  # completion offers the subcommands instead
            place = self._place_of_subcommand(args)
            rest = args[place:]
            if not rest or (rest[0].startswith("-") and rest[0] not in self.get_help_option_names(context)):
                args = [*args[:place], self.default, *rest]
        return super().parse_args(context, args)

    def _place_of_subcommand(self, args: Sequence[str]) -> int:
        """Return the index of the first argument that is neither a common option nor its value."""
        takes_value = {
            name: not one.is_flag
            for one in self.params
            if isinstance(one, click.Option) and is_common(one)
            for name in one.opts
        }
        place = 0
        while place < len(args):
            name, equals, _ = args[place].partition("=")
            if name not in takes_value:
                break
            place += 2 if takes_value[name] and not equals else 1
        return min(place, len(args))

    def list_commands(self, context: click.Context) -> list[str]:
        """Return the subcommands' names in the order in which they were added."""
        return list(self.commands)

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the subcommands, each with its whole first sentence."""
        rows = [(name, one.get_short_help_str(limit=1000)) for name, one in self.commands.items()]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def format_options(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the subcommands and the options."""
        self.format_commands(context, formatter)
        self.write_options(context, formatter)


def find_meme(workspace: Workspace, name: str) -> Meme:
    """Return a meme by its id, its path in the library, or the path of its file; raise NotFound."""
    memes, found = workspace.catalogue.memes, meme_name(name, library=workspace.library)
    return memes.get(found) if isinstance(found, int) else memes.at(found)


def meme_name(name: str, *, library: Path) -> int | str:
    """Return the id, or the path in the library, that a meme was named by: also by the path of its file."""
    if name.isdigit():
        return int(name)
    file = Path(name).expanduser().absolute()
    return file.relative_to(library).as_posix() if file.is_relative_to(library) else name


def find_pictures(paths: Iterable[Path]) -> Iterator[Path]:
    """Yield each file of `paths`, and each in their folders that a library would read, or would report as unsupported.

    Raises WrongUse for a missing path.
    """
    for path in paths:
        if path.is_dir():
            data_folders = {found.parent for found in path.rglob(DATA_FOLDER)}
            every = (one for one in path.rglob("*") if data_folders.isdisjoint(one.parents))
            yield from sorted(one for one in every if _is_offered(one, below=path))
        elif path.exists():
            yield path
        else:
            raise WrongUse(f"There is no file {path}.")


def _is_offered(file: Path, *, below: Path) -> bool:
    """Return whether a file is a picture or a video by its name or its first bytes, also of an unsupported kind."""
    if any(map(is_ignored, file.relative_to(below).parts)) or not file.is_file():
        return False
    name = file.name.lower()
    if name.endswith((".txt", *EXTENSIONS, *OTHER_MEDIA)):
        return not name.endswith(".txt")
    try:
        with file.open("rb") as opened:
            return is_media(opened.read(SIGNATURE_BYTES), file.name)
    except OSError:
        return False
