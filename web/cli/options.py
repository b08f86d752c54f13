"""The options that every command takes, before or after its name, and help pages that end with examples."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from search.settings import Settings

_META = "memetica.common"  # key in Context.meta, which nested contexts share


def common_options() -> list[click.Parameter]:
    """Return new objects of `--data`, `--library`, `--json` and `--quiet`, whose values `common_values` returns."""
    folder = click.Path(path_type=Path)
    return [
        _common("--data", type=folder, metavar="FOLDER", help=setting_help("data")),
        _common("--library", type=folder, metavar="FOLDER", help=setting_help("library")),
        _common("--json", "as_json", is_flag=True, help="Write rows as JSON Lines to stdout."),
        _common("--quiet", "-q", is_flag=True, help="Write nothing but results and errors."),
    ]


def setting_help(name: str) -> str:
    """Return the help of a setting as a sentence."""
    text = Settings.help_of(name)
    return f"{text[0].upper()}{text[1:].removesuffix('.')}."


def _common(*names: str, **attributes: Any) -> click.Option:
    return click.Option(names, expose_value=False, callback=_remember, **attributes)


def _remember(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    if value:
        context.meta.setdefault(_META, {})[parameter.name] = value


def common_values(context: click.Context) -> dict[str, Any]:
    """Return the common options that were given, by name; the last value counts."""
    return dict(context.meta.get(_META, {}))


def is_common(parameter: click.Parameter) -> bool:
    """Return whether a parameter belongs to every command."""
    return getattr(parameter, "callback", None) is _remember or not {"--help", "--version"}.isdisjoint(parameter.opts)


def _plain(text: str) -> str:
    """Return Click's help of an option with its default and its range as one would write them.

    >>> _plain("Number of hits.  [default: 10; 1<=x<=1000]"), _plain("N.  [default: (50; all with --json); x>=1]")
    ('Number of hits.  [default: 10; 1 to 1000]', 'N.  [default: 50; all with --json]')
    """
    text = re.sub(r"default: \((.*?)\)(?=[;\]])", r"default: \1", text)
    text = re.sub(r"(\d+)<=x<=(\d+)", r"\1 to \2", text)
    return re.sub(r"  \[x>=[01]\]$|; x>=[01](?=\])", "", text)


class HelpPage(click.Command):
    """A command whose help lists its own options apart from the common ones, and ends with examples."""

    def __init__(self, *args: Any, examples: Sequence[str] = (), **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        self.params += common_options()
        self.examples = tuple(examples)
        self.context_settings.setdefault("help_option_names", ["-h", "--help"])

    def write_options(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """Write a section of the command's own options and one of the common options."""
        parameters = self.get_params(context)
        for title, common in (("Options", False), ("Common options", True)):
            records = [
                one.get_help_record(context)
                for one in parameters
                if isinstance(one, click.Option) and is_common(one) is common
            ]
            rows = [(name, _plain(text)) for name, text in (one for one in records if one is not None)]
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)

    def format_options(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options."""
        self.write_options(context, formatter)

    def format_epilog(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples, each on a line of its own."""
        if self.examples:
            with formatter.section("Examples" if len(self.examples) > 1 else "Example"):
                for example in self.examples:
                    formatter.write(f"{'':>{formatter.current_indent}}{example}\n")
