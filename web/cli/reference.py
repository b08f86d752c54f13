"""Writes `docs/reference/cli.md` and `docs/reference/settings.md` from the code: `python -m web.cli.reference`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from inspect import cleandoc
from pathlib import Path
from typing import Any

import click

from search.settings import Settings
from web.cli.main import SECTIONS, main
from web.cli.options import common_options, is_common, setting_help

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "reference"
NOTE = "<!-- Written by `python -m web.cli.reference`; do not edit. -->\n"


def cli_reference() -> str:
    """Return the page about every command, in Markdown."""
    context = click.Context(main, info_name="memetica")
    lines = [
        "# The command",
        "",
        NOTE,
        "Results go to stdout, messages and progress to stderr. Exit codes: 0 done, 1 something failed, 2 wrong use,",
        "130 interrupted. With `--json` every row is written; only `-k` limits a list.",
        "",
        "Every command takes these options, before or after its name:",
        "",
        *_options(common_options(), context),
    ]
    for title, entries in SECTIONS.items():
        lines += ["", f"## {title}", "", "| command | does |", "| --- | --- |"]
        lines += [f"| [`memetica {name}`](#memetica-{name}) | {entry.summary} |" for name, entry in entries.items()]
    for entries in SECTIONS.values():
        for name, entry in entries.items():
            lines += _command(entry.load(), context, name, depth=2)
    return "\n".join(lines) + "\n"


def _command(command: click.Command, parent: click.Context, name: str, *, depth: int) -> Iterator[str]:
    context = click.Context(command, parent=parent, info_name=name)
    yield from ("", f"{'#' * depth} {context.command_path}", "")
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    yield from ("```", usage, "```", "")
    yield from _paragraphs(cleandoc(command.help or ""))  # as Python 3.13 keeps a docstring
    own = [one for one in command.params if not is_common(one)]
    if any(isinstance(one, click.Option) for one in own):
        yield from _options(own, context)
        yield ""
    yield from ("```sh", *getattr(command, "examples", ()), "```")
    if isinstance(command, click.Group):
        for each in command.list_commands(context):
            found = command.get_command(context, each)
            assert found is not None
            yield from _command(found, context, each, depth=depth + 1)


def _paragraphs(text: str) -> Iterator[str]:
    r"""Yield a help text, with the paragraphs that `\b` marks as blocks of code."""
    for paragraph in text.split("\n\n"):
        lines = paragraph.strip("\n").splitlines()
        if lines and lines[0].strip() == "\b":
            yield from ("```", *lines[1:], "```", "")
        else:
            yield from (" ".join(line.strip() for line in lines), "")


def _options(parameters: list[click.Parameter], context: click.Context) -> Iterator[str]:
    yield from ("| option | |", "| --- | --- |")
    for parameter in parameters:
        record = parameter.get_help_record(context)
        if isinstance(parameter, click.Option) and record is not None:
            names, text = (part.replace("|", "\\|") for part in record)
            yield f"| `{names}` | {text} |"


def settings_reference() -> str:
    """Return the page about every setting, in Markdown."""
    lines = [
        "# Settings",
        "",
        NOTE,
        "A value comes from the first of: the command's option, the environment variable, `settings.json` in the data",
        "folder, the default.",
        "",
        "| setting | environment variable | default | |",
        "| --- | --- | --- | --- |",
    ]
    defaults = Settings()
    for one in fields(Settings):
        default = _default(one.name, getattr(defaults, one.name))
        text = setting_help(one.name).replace("|", "\\|")
        lines.append(f"| `{one.name}` | `MEMETICA_{one.name.upper()}` | {default} | {text} |")
    return "\n".join(lines) + "\n"


def _default(name: str, value: Any) -> str:
    if name == "threads":
        return "one for each core"  # differs from machine to machine
    if name == "data":  # so does this
        return "[the data folder](../self-hosting.md#the-data-folder)"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if hasattr(value, "items") and value:
        return "<br>".join(f"`{key}={weight:g}`" for key, weight in value.items())
    if isinstance(value, tuple) and value:
        return "`" + " ".join(str(each) for each in value) + "`"
    return "empty" if value in ("", (), {}) else f"`{value}`"


def write_reference(folder: Path) -> None:
    """Write both pages into a folder."""
    (folder / "cli.md").write_text(cli_reference(), "utf-8")
    (folder / "settings.md").write_text(settings_reference(), "utf-8")


if __name__ == "__main__":
    write_reference(FOLDER)
