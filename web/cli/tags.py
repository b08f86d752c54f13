"""`memetica tag`: give memes tags, take them, list, export and import them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import click

from indexer.library.format import library_root
from indexer.library.sidecars import write_sidecar
from search.catalogue import Catalogue, checked_tag, listed_tags
from search.errors import MemeticaError, WrongUse
from web.cli.command import CommandGroup, Session, find_meme
from web.cli.completion import complete_tag
from web.cli.terminal import counted

MEMES = click.argument("memes", metavar="PATH|ID...", nargs=-1, required=True)


@click.group(
    cls=CommandGroup,
    default="list",
    examples=("memetica tag add work 17 Cats/monday.png", "memetica search tag:work", "memetica tag"),
)
def tag() -> None:
    """Give memes tags. Without a subcommand, list them.

    A tag belongs to a meme's content, in the catalogue: it survives renames and a new index. `tag:NAME` in a query
    finds it; `memetica undo` takes a decision back.
    """


@tag.command("list", examples=("memetica tag list", "memetica tag --json"))
def list_tags(session: Session) -> None:
    """List the tags, the most frequent first, with their number of memes."""
    with session.workspace() as workspace:
        counts = workspace.catalogue.tags.counts()
    for name, memes in counts.items():
        if session.terminal.as_json:
            session.terminal.row({"tag": name, "memes": memes})
        else:
            session.terminal.out.print(f"{memes:>6,}  {name}", highlight=False, markup=False)
    if not counts:
        session.terminal.say("There are no tags. `memetica tag add TAG MEME` gives one.")


@tag.command("add", examples=('memetica tag add "reaction image" 17 18',))
@click.argument("name", metavar="TAG", shell_complete=complete_tag)
@MEMES
def add(session: Session, name: str, memes: tuple[str, ...]) -> None:
    """Give memes the tag TAG, in lower case."""
    with session.workspace() as workspace:
        verdict = workspace.catalogue.tags.add([find_meme(workspace, one) for one in memes], name)
    _tell(session, verdict.uid, f"{counted(len(memes), 'meme')} tagged “{checked_tag(name)}”.")


@tag.command("remove", examples=("memetica tag remove work 17",))
@click.argument("name", metavar="TAG", shell_complete=complete_tag)
@MEMES
def remove(session: Session, name: str, memes: tuple[str, ...]) -> None:
    """Remove the tag TAG from memes."""
    with session.workspace() as workspace:
        found = [find_meme(workspace, one) for one in memes]
        without = [one.path for one in found if checked_tag(name) not in workspace.catalogue.tags.of(one.content_hash)]
        if without:
            raise WrongUse(f"{without[0]} has no tag {checked_tag(name)}.", hint="Nothing was changed.")
        verdict = workspace.catalogue.tags.remove(found, name)
    _tell(session, verdict.uid, f"“{checked_tag(name)}” removed from {counted(len(memes), 'meme')}.")


@tag.command("export", examples=("memetica tag export tags.jsonl", "memetica tag export -"))
@click.argument("file", type=click.Path(path_type=Path))
def export(session: Session, file: Path) -> None:
    """Write the tags of every tagged meme to FILE as JSON Lines.

    The file `-` is stdout.
    """
    with session.workspace() as workspace:
        tags, lines = workspace.catalogue.tags, []
        ids = sorted({id for of_tag in tags.ids().values() for id in of_tag})
        for meme in workspace.catalogue.memes.many(ids):
            row = {"path": meme.path, "content_hash": meme.content_hash, "tags": tags.of(meme.content_hash)}
            lines.append(json.dumps(row, ensure_ascii=False) + "\n")
    try:
        with click.open_file(str(file), "w", encoding="utf-8", atomic=str(file) != "-") as out:
            out.write("".join(lines))
    except OSError as error:
        raise WrongUse(f"{file} cannot be written: {error.strerror}.") from error
    session.terminal.say(f"The tags of {counted(len(lines), 'meme')} are written.")


@tag.command("import", examples=("memetica tag import tags.jsonl",))
@click.argument("file", type=click.Path(path_type=Path))
def import_tags(session: Session, file: Path) -> None:
    """Give memes the tags of an exported FILE; tags that they have are left as they are."""
    try:
        with click.open_file(str(file), encoding="utf-8") as opened:
            rows = [_row(line, number) for number, line in enumerate(opened, start=1) if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise WrongUse(f"{file} cannot be read: {error}.") from error
    with session.workspace() as workspace:
        given = give_tags(workspace.catalogue, rows)
    session.terminal.say(f"{counted(given, 'tag', 'is')} new.")


@tag.command("write-sidecars", examples=("memetica tag write-sidecars",))
def write_sidecars(session: Session) -> None:
    """Write each tagged meme's tags to the file NAME.tags.txt beside it; no file is overwritten."""
    written = 0
    with session.workspace() as workspace:
        library, tags = library_root(workspace.library), workspace.catalogue.tags
        ids = sorted({id for of_tag in tags.ids().values() for id in of_tag})
        for meme in workspace.catalogue.memes.many(ids):
            written += write_sidecar(library / f"{meme.path}.tags.txt", ", ".join(tags.of(meme.content_hash)))
    session.terminal.say(
        f"{counted(written, 'file', 'is')} written, {counted(len(ids) - written, 'file', 'was')} there already."
    )


def give_tags(catalogue: Catalogue, rows: Sequence[tuple[str, str, Sequence[str]]]) -> int:
    """Give tags by (content hash, path, tags), those that are missing, and return how many; all or none."""
    missing: dict[str, dict[str, str]] = {}
    known = catalogue.tags.contents()
    for content, path, tags in rows:
        for name in tags:
            if content not in known.get(name, ()):
                missing.setdefault(name, {})[content] = path
    with catalogue.transaction():
        for name, paths in missing.items():
            catalogue.tags.give(list(paths), name, paths=list(paths.values()))
    return sum(map(len, missing.values()))


def _row(line: str, number: int) -> tuple[str, str, list[str]]:
    try:
        row = json.loads(line)
        content, path, tags = row["content_hash"], row.get("path", ""), row["tags"]
        if not (isinstance(content, str) and len(content) == 64 and isinstance(path, str) and isinstance(tags, list)):
            raise TypeError
        return content, path, [checked_tag(name) for name in tags]
    except (ValueError, KeyError, TypeError, AttributeError, MemeticaError):
        raise WrongUse(
            f"Line {number} is no line of an export of tags.",
            hint="Nothing was changed. `memetica tag export` writes them.",
        ) from None


def readable_tags(text: str) -> tuple[list[str], list[str]]:
    """Return the tags of a text with commas, and the parts that cannot be tags."""
    tags: list[str] = []
    refused: list[str] = []
    for part in filter(None, (one.strip() for one in text.split(","))):
        try:
            tags += listed_tags(part)
        except WrongUse:
            refused.append(part)
    return list(dict.fromkeys(tags)), refused


def _tell(session: Session, uid: str, sentence: str) -> None:
    if session.terminal.as_json:
        session.terminal.row({"id": uid})
    session.terminal.say(f"{sentence} `memetica undo {uid}` takes it back.")
