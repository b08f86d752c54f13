"""`memetica password`: who can sign in."""

from __future__ import annotations

import sys

import click

from search.errors import WrongUse
from web.cli.command import Session, verb


@click.command()
@click.option("--stdin", "piped", is_flag=True, help="Read the password from the first line of stdin, not by a prompt.")
@click.option("--remove", is_flag=True, help="Forget the password, so that nobody can sign in.")
@verb
def password(session: Session, piped: bool, remove: bool) -> int:
    """Set the password that the curator signs in with; every session of an earlier one ends.

    There is none to begin with, and without one nobody can sign in.
    """
    from web.curator.passwords import remove_password, set_password

    settings = session.settings()
    if remove:
        found = remove_password(settings.data)
        session.terminal.say("The password is forgotten; nobody can sign in." if found else "There was no password.")
        return 0
    if piped:
        chosen = sys.stdin.readline().rstrip("\r\n")
    elif sys.stdin.isatty():
        chosen = click.prompt("New password", hide_input=True, confirmation_prompt="Once more", err=True)
    else:
        raise WrongUse("There is no terminal to ask for the password on.", hint="Pipe it in: memetica password --stdin")
    set_password(settings.data, chosen)
    session.terminal.say("The password is set. Sign in at /sign-in of the site; every earlier session has ended.")
    return 0
