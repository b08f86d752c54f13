"""A Click group that imports a command's module when the command is run or its help is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import click
from click.shell_completion import CompletionItem

from web.cli.options import HelpPage


@dataclass(frozen=True)
class Entry:
    """Where a command is, as `module:attribute`, and its line in the group's help."""

    target: str
    summary: str

    def load(self) -> click.Command:
        """Import the command's module and return the command."""
        module, _, attribute = self.target.partition(":")
        command = getattr(import_module(module), attribute)
        assert isinstance(command, click.Command), self.target
        return command


class LazyGroup(HelpPage, click.Group):
    """A group of commands in sections; help and completion of names use only the table and import no command."""

    def __init__(self, *args: Any, sections: Mapping[str, Mapping[str, Entry]], **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        self.sections = sections
        self._entries = {name: entry for entries in sections.values() for name, entry in entries.items()}

    def list_commands(self, context: click.Context) -> list[str]:
        """Return the commands' names in the order of the table."""
        return list(self._entries)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """Return a command, imported now, or None when there is none of that name."""
        entry = self._entries.get(name)
        return None if entry is None else entry.load()

    def format_options(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands and the options."""
        self.format_commands(context, formatter)
        self.write_options(context, formatter)

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """Write a section of commands for each section of the table."""
        for title, entries in self.sections.items():
            with formatter.section(title):
                formatter.write_dl([(name, entry.summary) for name, entry in entries.items()])

    def shell_complete(self, context: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return the commands and options that begin with what was typed."""
        found = [
            CompletionItem(name, help=entry.summary)
            for name, entry in self._entries.items()
            if name.startswith(incomplete)
        ]
        return found + click.Command.shell_complete(self, context, incomplete)
