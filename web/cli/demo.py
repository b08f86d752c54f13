"""`memetica demo`: draw a library, index it and serve it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import click

from demo import EXAMPLE_QUERIES, draw_demo
from demo.plan import BROKEN_FILES
from search.catalogue import open_catalogue
from search.encoders.clip_models import SMALL
from search.index.generations import live_generation
from search.settings import Settings, save_setting, stored_setting
from search.workspace import Workspace
from web.cli.command import Command, Session
from web.cli.index import index_workspace
from web.cli.options import setting_help
from web.cli.serve import serve_settings
from web.cli.terminal import Terminal

_INDEXED = (0, 1)  # exit codes of `memetica index`: 1 where files are broken, as some of the demo's are


@click.command(cls=Command, examples=("memetica demo", "memetica demo /tmp/demo --memes 60 --no-serve"))
@click.argument("folder", type=click.Path(path_type=Path), default=Path(".demo"))
@click.option("--port", type=click.IntRange(0, 65535), metavar="N", help=setting_help("port"))
@click.option(
    "--memes",
    default=260,
    show_default=True,
    type=click.IntRange(30, 2000),
    metavar="N",
    help="Number of memes to draw.",
)
@click.option("--serve/--no-serve", "serving", default=True, show_default=True, help="Serve the site when done.")
def demo(session: Session, folder: Path, port: int | None, memes: int, serving: bool) -> int:
    """Draw the demo library in FOLDER, index it there and serve it.

    FOLDER is `.demo` unless given. It is kept, so that a second run starts at once. Other commands use it with `--data
    .demo/data`.
    """
    terminal = session.terminal
    settings = replace(
        session.settings(port=port, examples=" | ".join(EXAMPLE_QUERIES)),
        library=(folder / "memes").absolute(),
        data=(folder / "data").absolute(),
    )
    if stored_setting(settings.data, "image_encoder") is None:
        save_setting(settings.data, "image_encoder", SMALL)  # so that every command on this data folder uses it
    settings = replace(settings, image_encoder=stored_setting(settings.data, "image_encoder"))
    drawn = folder / "memes"
    if not drawn.exists():
        terminal.say(f"Drawing {memes} memes in {drawn}.")
        # Drawn under another name and renamed, so that an interrupted run leaves no half library.
        partial = folder / "memes.part"
        shutil.rmtree(partial, ignore_errors=True)
        draw_demo(partial, memes=memes)
        partial.rename(drawn)
    with Workspace(settings, open_catalogue(settings, migrate=True)) as workspace:
        if serving and live_generation(workspace.index) is None:
            code = _index_apart(settings, terminal)
            if code not in _INDEXED:
                return code
        else:
            index_workspace(session, workspace, new_library=True, compare=True)  # FOLDER may have been moved
        planted = sum(Path(one.subject).name in BROKEN_FILES for one in workspace.catalogue.failures.all())
    if planted:
        terminal.say(f"{planted} files are broken on purpose, to show what becomes of such files.")
    terminal.say("Try: " + " · ".join(EXAMPLE_QUERIES))
    terminal.say(f"To decide on duplicates and categories: `memetica password --data {settings.data}`, then sign in.")
    if serving:
        serve_settings(session, settings)
    return 0


def _index_apart(settings: Settings, terminal: Terminal) -> int:
    """Index the library in a process of its own and return its exit code.

    The models that read and embed take memory that this process would keep as long as it serves.
    """
    command = [sys.executable, "-P", "-m", "web.cli", "index", "--duplicates"]
    command += ["--data", str(settings.data), "--library", str(settings.library)]
    command += ["--quiet"] * terminal.quiet + ["--json"] * terminal.as_json
    return subprocess.run(command, check=False).returncode
