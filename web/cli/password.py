"""`memetica password`: set or remove the curator's password."""

from __future__ import annotations

import sys

import click

from search.errors import WrongUse
from web.cli.command import Command, Session
from web.curator.passwords import remove_password, set_password


@click.command(cls=Command, examples=("memetica password", "pass show memetica | memetica password --stdin"))
@click.option("--stdin", "piped", is_flag=True, help="Read the password from the first line of stdin.")
@click.option("--remove", is_flag=True, help="Remove the password, so that nobody can sign in.")
def password(session: Session, piped: bool, remove: bool) -> int:
    """Set the curator's password, and end all sessions that began with an earlier one.

    Until a password is set, nobody can sign in.
    """
    settings = session.settings()
    if remove:
        found = remove_password(settings.data)
        session.terminal.say("The password is removed; nobody can sign in." if found else "There was no password.")
        return 0
    if piped:
        chosen = sys.stdin.readline().rstrip("\r\n")
    elif sys.stdin.isatty():
        chosen = click.prompt("New password", hide_input=True, confirmation_prompt="Once more", err=True)
    else:
        raise WrongUse(
            "There is no terminal on which to ask for the password.", hint="Pipe it in: memetica password --stdin"
        )
    set_password(settings.data, chosen)
    session.terminal.say("The password is set. Sign in at /sign-in of the site; every earlier session has ended.")
    return 0
