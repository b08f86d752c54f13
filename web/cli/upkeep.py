"""`memetica check`, `backup` and `restore`: the data folder is checked, copied and brought back."""

from __future__ import annotations

from pathlib import Path

import click
from rich.text import Text

from indexer.upkeep.backup import back_up
from indexer.upkeep.check import check
from indexer.upkeep.restore import find_source, restore
from search.catalogue.copies import catalogue_copies
from search.errors import WrongUse
from search.settings import Settings
from web.cli.command import Command, Session
from web.cli.terminal import counted


@click.command("check", cls=Command, examples=("memetica check", "memetica check --read-data --json"))
@click.option(
    "--read-data", is_flag=True, help="Also read every file of library, inbox and trash, and decode thumbnails."
)
def check_data(session: Session, read_data: bool) -> int:
    """Check that everything stored is there and undamaged; change nothing.

    Catalogue, index, thumbnails, trash and inbox are compared with each other and with the library. Each finding is a
    line with the command that mends it. The exit code is 1 when there are any.
    """
    unreadable = None
    try:
        settings = session.settings()
    except WrongUse as error:  # a settings file that cannot be read is a finding, and the rest is checked
        unreadable, settings = error, Settings(**session.given("data", "library")).absolute()
    found = 0
    terminal = session.terminal
    for finding in check(settings, read_data=read_data, settings_error=unreadable):
        found += 1
        if terminal.as_json:
            terminal.row(vars(finding))
        else:
            terminal.out.print(
                Text.assemble((f"{finding.area}: ", "yellow"), finding.message, (f"  → {finding.command}", "dim"))
            )
    terminal.say(f"{found:,} finding{'' if found == 1 else 's'}." if found else "Everything is as it should be.")
    return 1 if found else 0


@click.command(cls=Command, examples=("memetica backup", "memetica backup /mnt/disk", "memetica backup kept.zip"))
@click.argument("target", type=click.Path(path_type=Path), required=False, metavar="[FILE|FOLDER]")
def backup(session: Session, target: Path | None) -> None:
    """Write what cannot be computed again into one FILE, and read it back.

    Decisions, texts, the inbox, the trash, settings and the password's hash; not the library, and not what `memetica
    index` makes from it. The file can be read by its owner only. A site that is being served goes on.
    """
    report = back_up(session.settings(), target)
    if session.terminal.as_json:
        session.terminal.row({**vars(report), "path": str(report.path), "seconds": round(report.seconds, 3)})
        return
    session.terminal.say(
        f"{report.path}: {report.size:,} bytes, {counted(report.uploads, 'upload')}, "
        f"{counted(report.trash, 'file')} of the trash, in {report.seconds:.1f} s; every file was read back."
    )
    session.terminal.say("The library's own files are not in it: back them up as well.", style="dim")


@click.command(
    "restore",
    cls=Command,
    examples=(
        "memetica restore kept.zip",
        "memetica restore --list",
        "memetica restore daily-2026-11-28 --replace",
    ),
)
@click.argument("source", required=False, metavar="[FILE|COPY]")
@click.option("--list", "listed", is_flag=True, help="List the automatic copies of the catalogue.")
@click.option("--replace", "overwrite", is_flag=True, help="Replace what the data folder has.")
def restore_data(session: Session, source: str | None, listed: bool, overwrite: bool) -> None:
    """Restore a backup FILE, or an automatic COPY of the catalogue.

    Everything is verified first. The catalogue that is replaced is kept in `backups` of the data folder. A site that is
    being served goes on with what was restored.
    """
    settings, terminal = session.settings(), session.terminal
    if listed or source is None:
        _list(session, settings)
        return
    report = restore(settings, find_source(settings.data, source), overwrite=overwrite)
    if terminal.as_json:
        kept = str(report.kept) if report.kept else None
        terminal.row({**vars(report), "source": str(report.source), "kept": kept})
        return
    terminal.say(
        f"Restored {report.source}: {counted(report.memes, 'meme')}, {counted(report.verdicts, 'verdict')}, "
        f"{counted(report.uploads, 'upload')} in the inbox."
    )
    if report.kept is not None:
        terminal.say(f"What was there before is kept as {report.kept}.", style="dim")
    if report.complete:
        terminal.say("`memetica index` compares it with the library.")
    else:
        terminal.say("`memetica index` decodes and embeds the library again: until then the site shows no pictures.")


def _list(session: Session, settings: Settings) -> None:
    terminal = session.terminal
    copies = catalogue_copies(settings.data)
    if terminal.as_json:
        for copy in copies:
            terminal.row(
                {"name": copy.name, "reason": copy.reason, "made_at": copy.made_at.isoformat(), "size": copy.size}
            )
        return
    if not copies:
        terminal.say("There are no automatic copies: `memetica index` and `memetica serve` make one a day.")
        return
    rows = [
        (copy.name, f"{copy.made_at:%Y-%m-%d}" if copy.is_daily else f"{copy.made_at:%Y-%m-%d %H:%M}", f"{copy.size:,}")
        for copy in copies
    ]
    terminal.table(("copy", "made (UTC)", "bytes"), rows)
    terminal.say("`memetica restore COPY --replace` takes one back.", style="dim")
