"""`memetica completion`: what makes a shell complete commands, options, categories and tags."""

from __future__ import annotations

from collections.abc import Iterable

import click
from click.shell_completion import CompletionItem, get_completion_class

from search import catalogue
from search.errors import MemeticaError, WrongUse
from search.settings import load_settings
from web.cli.command import Command, Session

SHELLS = ("bash", "zsh", "fish")
WHERE = {
    "bash": 'eval "$(memetica completion bash)"   in ~/.bashrc',
    "zsh": 'eval "$(memetica completion zsh)"   in ~/.zshrc',
    "fish": "memetica completion fish | source   in ~/.config/fish/config.fish",
}


@click.command(cls=Command, examples=tuple(f"memetica completion {shell}" for shell in SHELLS))
@click.argument("shell", type=click.Choice(SHELLS))
def completion(session: Session, shell: str) -> None:
    """Write the script that makes SHELL complete commands, options, categories and tags.

    \b
    bash   eval "$(memetica completion bash)"       in ~/.bashrc
    zsh    eval "$(memetica completion zsh)"        in ~/.zshrc
    fish   memetica completion fish | source        in config.fish
    """
    found = get_completion_class(shell)
    if found is None:
        raise WrongUse(f"There is no completion for {shell}.")
    click.echo(found(click.Command("memetica"), {}, "memetica", "_MEMETICA_COMPLETE").source())
    session.terminal.say(f"To use it: {WHERE[shell]}", style="dim")


def complete_category(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the categories that begin with what was typed, in any case."""
    return [CompletionItem(name) for name in _beginning(_names("categories", context), incomplete)]


def complete_query(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the categories after `category:` and the tags after `tag:`."""
    operator, colon, typed = incomplete.partition(":")
    names = {"category": "categories", "tag": "tags"}.get(operator.lstrip("-")) if colon else None
    if names is None:
        return []
    found = _beginning(_names(names, context), typed.lstrip('"'))
    return [CompletionItem(f'{operator}:"{name}"' if " " in name else f"{operator}:{name}") for name in found]


def complete_tag(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the tags that begin with what was typed."""
    return [CompletionItem(name) for name in _beginning(_names("tags", context), incomplete)]


def _beginning(names: Iterable[str], typed: str) -> list[str]:
    return [name for name in names if name.casefold().startswith(typed.casefold())]


def _names(kind: str, context: click.Context) -> list[str]:
    """Return the names of the categories or tags; none where there is no catalogue, and never an error."""
    given = {name: context.params[name] for name in ("data", "library") if context.params.get(name)}
    try:
        with catalogue.inspect_catalogue(load_settings(given)) as opened:
            if kind == "tags":
                return list(opened.tags.counts())
            return [name for name, _, _ in opened.memes.categories()]
    except MemeticaError:
        return []
