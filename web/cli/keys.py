"""`memetica keys`: API keys of programs."""

from __future__ import annotations

import click

from search.errors import DataFolderError, WrongUse
from web.access.keys import MOST_PER_MINUTE, PER_MINUTE, Scope, add_key, api_keys, revoke_key
from web.cli.command import CommandGroup, Session


@click.group(
    cls=CommandGroup,
    default="list",
    examples=("memetica keys add phone --may upload", "memetica keys", "memetica keys revoke phone"),
)
def keys() -> None:
    """Make, list and revoke API keys. Without a subcommand, list them.

    A program sends its key in the header `Authorization: Bearer KEY`. It can do what the key may do and nothing else:
    never what only the signed-in curator can.
    """


@keys.command("add", examples=("memetica keys add phone --may upload", "memetica keys add bot --may read,suggest"))
@click.argument("name")
@click.option(
    "--may",
    required=True,
    metavar="SCOPES",
    help=f"What it may do: some of {', '.join(Scope)}, with commas between.",
)
@click.option(
    "--rate",
    default=PER_MINUTE,
    show_default=True,
    type=click.IntRange(1, MOST_PER_MINUTE),
    metavar="N",
    help="Requests a minute.",
)
def add(session: Session, name: str, may: str, rate: int) -> None:
    """Make a key for the program NAME and write it to stdout, once: only its hash is kept.

    \b
    read      what visitors may, also where the setting `closed` keeps
              visitors out
    upload    put pictures into the inbox, and see what became of them
    suggest   get suggested categories for pictures
    """
    settings = session.settings()
    if not (settings.data / "catalogue.sqlite").exists():
        raise DataFolderError(
            f"There is no catalogue in {settings.data}.", hint="Name the data folder of the site with `--data`."
        )
    scopes = _scopes(may)
    key = add_key(settings.data, name, scopes, per_minute=rate)
    if session.terminal.as_json:
        session.terminal.row({"name": name.strip(), "key": key, "may": scopes, "per_minute": rate})
        return
    session.terminal.say("Keep this key: it is not shown again.", style="yellow")
    click.echo(key)


def _scopes(text: str) -> list[Scope]:
    names = [one.strip() for one in text.split(",") if one.strip()]
    unknown = [one for one in names if one not in set(Scope)]
    if unknown or not names:
        raise WrongUse(
            f"A key cannot be allowed {unknown[0]!r}." if unknown else "A key must be allowed something.",
            hint=f"--may takes some of {', '.join(Scope)}, with commas between.",
        )
    return [scope for scope in Scope if scope in names]


@keys.command("list", examples=("memetica keys", "memetica keys list --json"))
def list_keys(session: Session) -> None:
    """List the keys: what each may do, when it was made and when it was last used."""
    terminal = session.terminal
    found = api_keys(session.settings().data)
    if terminal.as_json:
        for one in found:
            terminal.row(
                {
                    "name": one.name,
                    "may": one.scopes,
                    "per_minute": one.per_minute,
                    "made_at": one.made.isoformat(timespec="seconds"),
                    "used_at": one.used.isoformat(timespec="seconds") if one.used else None,
                }
            )
        return
    if not found:
        terminal.say("There are no keys. `memetica keys add NAME --may read,upload` makes one.")
        return
    rows = [
        (
            one.name,
            ", ".join(one.scopes),
            f"{one.per_minute:,}",
            f"{one.made:%Y-%m-%d}",
            f"{one.used:%Y-%m-%d %H:%M}" if one.used else "never",
        )
        for one in found
    ]
    terminal.table(("name", "may", "a minute", "made", "last used (UTC)"), rows)


@keys.command("revoke", examples=("memetica keys revoke phone",))
@click.argument("name")
def revoke(session: Session, name: str) -> None:
    """Delete the key NAME; a site that is being served refuses it at once."""
    revoked = revoke_key(session.settings().data, name)
    session.terminal.say(f"The key {revoked.name!r} is revoked.")
