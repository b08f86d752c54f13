"""`memetica import`: bring memes from other programs."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click
from rich.text import Text

from indexer.imports.plan import ImportPlan, PlannedMeme, carry_out, plan_import
from indexer.imports.readers import ImportKind, read_export
from indexer.imports.records import TAGS, NotImported
from indexer.library.format import content_hash
from indexer.library.transaction import locked_library
from indexer.library.vanished import check_library_is_known, check_not_emptied
from search.settings import Settings
from web.cli.command import Command, Session
from web.cli.tags import give_tags, readable_tags
from web.cli.terminal import Terminal, counted

SHOWN = 20  # rows of a plan, for people


@click.command(
    "import",
    cls=Command,
    examples=(
        "memetica import hydrus path/to/export --library memes",
        "memetica import csv path/to/folder --category Reactions --yes",
    ),
)
@click.argument("program", type=click.Choice([one.value for one in ImportKind]))
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--category", default="", metavar="NAME", help="Put everything into this category.")
@click.option(
    "--by-tag",
    default="",
    metavar="NAMESPACE",
    help="hydrus, szurubooru: the tag of this namespace or tag category is the category.",
)
@click.option("--yes", is_flag=True, help="Carry it out; without, show what would be done.")
def import_memes(session: Session, program: str, folder: Path, category: str, by_tag: str, yes: bool) -> int:
    """Bring memes from another PROGRAM: the files of an exported FOLDER, their dates, tags and descriptions.

    Files are copied, never moved, and nothing in the library is overwritten. Without --yes nothing is written at all.
    Tags become the curator's, searched as `tag:NAME`. What cannot be brought is listed with the reason. Afterwards,
    `memetica index` indexes the library.
    """
    settings = session.settings()
    terminal = session.terminal
    found = list(read_export(ImportKind(program), folder, category=category, by_tag=by_tag))
    plan = plan_import(settings.library, found)
    plan.left_out.extend(_no_tags(plan))
    if not yes:
        _show(terminal, plan, settings)
        return 0
    failed = _carry_out(session, settings, plan)
    tags = _tag(session, settings, plan)
    for one in (*plan.left_out, *failed):
        _tell_left_out(terminal, one)
    new = [one for one in plan.planned if not one.is_known]
    if terminal.as_json:
        for planned in plan.planned:
            terminal.row(_row(planned))
    terminal.say(
        f"{counted(len(new) - len(failed), 'meme')} brought, {len(plan.planned) - len(new):,} there already, "
        f"{len(plan.left_out) + len(failed):,} left out, {counted(tags, 'tag')} given. `memetica index` indexes them."
    )
    return 1 if failed else 0


def _carry_out(session: Session, settings: Settings, plan: ImportPlan) -> list[NotImported]:
    if not (settings.data / "catalogue.sqlite").exists():
        return carry_out(settings.library, plan)
    with session.workspace() as workspace:
        check_library_is_known(workspace)
        with locked_library(workspace) as library:
            check_not_emptied(workspace, library)
            return carry_out(library, plan)


def _no_tags(plan: ImportPlan) -> list[NotImported]:
    """Return the tags of what is brought that cannot be tags here."""
    return [
        NotImported(f"tag {part[:60]!r} of {one.path}", "It cannot be a tag.")
        for one in plan.planned
        for part in readable_tags(one.meme.texts.get(TAGS, ""))[1]
    ]


def _tag(session: Session, settings: Settings, plan: ImportPlan) -> int:
    """Give what was brought its tags, and return how many are new."""
    rows = []
    for one in plan.planned:
        tags, _ = readable_tags(one.meme.texts.get(TAGS, ""))
        file = settings.library / one.path
        if tags and file.is_file():
            rows.append((content_hash(file), one.path, tags))
    if not rows:
        return 0
    with session.workspace(create=True) as workspace:
        return give_tags(workspace.catalogue, rows)


def _row(one: PlannedMeme) -> dict[str, object]:
    return {
        "file": str(one.meme.file),
        "path": one.path,
        "known": one.is_known,
        "texts": list(one.texts),
        "first_seen": one.meme.first_seen.isoformat() if one.meme.first_seen else None,
    }


def _tell_left_out(terminal: Terminal, one: NotImported) -> None:
    if terminal.as_json:
        terminal.row({"left_out": one.what, "reason": one.reason})
    else:
        terminal.out.print(Text.assemble(("left out: ", "yellow"), one.what, (f"  {one.reason}", "dim")))


def _show(terminal: Terminal, plan: ImportPlan, settings: Settings) -> None:
    """Write what an import would do."""
    if terminal.as_json:
        for planned in plan.planned:
            terminal.row(_row(planned))
    else:
        for planned in plan.planned[:SHOWN]:
            labels = ", ".join(label or "text" for label in planned.texts)
            terminal.out.print(
                Text.assemble(
                    (planned.path, "bold"),
                    ("  there already" if planned.is_known else f"  from {planned.meme.file.name}", "dim"),
                    (f"  + {labels}" if labels else "", "dim"),
                )
            )
        if len(plan.planned) > SHOWN:
            terminal.out.print(f"… and {len(plan.planned) - SHOWN:,} more", style="dim")
    for one in plan.left_out:
        _tell_left_out(terminal, one)
    new = Counter(one.path.partition("/")[0] for one in plan.planned if not one.is_known)
    categories = ", ".join(f"{name} {count:,}" for name, count in new.most_common(8))
    terminal.say(
        f"{counted(new.total(), 'meme')} would be copied into {settings.library}"
        + (f" ({categories})" if categories else "")
        + f"; {len(plan.planned) - new.total():,} there already, {len(plan.left_out):,} left out. "
        "Nothing was written: --yes carries it out."
    )
