"""`memetica suggest`, `health`: where pictures belong and what looks wrong in the categories, at the command."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.text import Text

from search.catalogue import Catalogue, open_catalogue
from search.categories.issues import Issue, IssueKind
from search.errors import MemeticaError, NotFound, UnreadableFile, WrongUse
from search.workspace import Workspace
from web.cli.command import Session, pictures_named, verb
from web.cli.terminal import Terminal
from web.schemas import suggestion_row

if TYPE_CHECKING:
    from indexer.inbox.examiner import Examiner
    from search.categories.suggester import Suggester
    from search.encoders.base import TextEncoder

SHOWN = 3  # categories and memes, for people


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PATH…")
@verb
def suggest(session: Session, paths: tuple[Path, ...]) -> int:
    """Say of pictures, or of all in a folder, what they are: here already, a variant, and where they belong.

    Nothing is kept and nothing is moved. It judges by the picture and the words read in it.
    """
    from indexer.inbox.examiner import Examiner
    from indexer.ocr.engines import load_ocr_engine
    from indexer.stages.train_categories import open_suggester
    from search.encoders.registry import load_text_encoder

    settings = session.settings()
    failed = 0
    with open_catalogue(settings, create=False) as catalogue:
        files = list(pictures_named(paths))
        if not files:
            raise WrongUse("There is no picture there.", hint="Name files, or a folder that holds some.")
        if not catalogue.memes.count():
            raise WrongUse("There are no memes to learn from.", hint="Run `memetica index MEMES` first.")
        encoder = load_text_encoder(settings)
        examiner = Examiner.open(
            Workspace(settings, catalogue),
            engine=load_ocr_engine(settings),
            no_engine_reason="No OCR engine is chosen.",
        )
        suggester = open_suggester(Workspace(settings, catalogue), encoder=encoder)
        for file in files:
            try:
                row = _suggestion(examiner, suggester, encoder, file)
            except (UnreadableFile, OSError) as error:
                failed += 1
                told = error if isinstance(error, MemeticaError) else UnreadableFile(str(error))
                if session.terminal.as_json:
                    session.terminal.row({"file": str(file), "error": {"message": told.message, "hint": told.hint}})
                else:
                    session.terminal.say(f"{file}: {told.message} {told.hint}".strip())
                continue
            if session.terminal.as_json:
                session.terminal.row(row)
            else:
                _show(session.terminal, catalogue, row)
    return 1 if failed else 0


def _suggestion(examiner: Examiner, suggester: Suggester, encoder: TextEncoder, file: Path) -> dict[str, Any]:
    """Return what is said of a file, in the shape of the API's answer; raise UnreadableFile, OSError."""
    from indexer.inbox.examiner import inspect_file
    from indexer.library.format import content_hash
    from indexer.stages.train_categories import upload_features
    from search.evidence import Evidence
    from web.suggestions import from_suggestion

    content = content_hash(file)
    findings, fingerprints = inspect_file(examiner, file, content_hash=content)
    suggestion = suggester.suggest(
        upload_features(fingerprints, findings["text"], encoder=encoder), content_hash=content
    )
    matches = [
        (meme, Evidence.from_json(row["evidence"]))
        for row in findings["alike"]
        for meme in examiner.workspace.catalogue.memes.with_content(row["content_hash"])[:1]
    ]
    return suggestion_row(
        str(file), findings, matches=matches, suggested=from_suggestion(examiner.workspace.catalogue, suggestion)
    )


def _show(terminal: Terminal, catalogue: Catalogue, row: dict[str, Any]) -> None:
    out = terminal.out
    out.print(Text(row["file"], style="bold"))
    for one in row["duplicates"]:
        out.print(Text(f"  there already: {one['path']}  ({one['in_words']})"))
    if row["variants"]:
        paths = ", ".join(one["path"] for one in row["variants"][:SHOWN])
        more = len(row["variants"]) - SHOWN
        out.print(Text(f"  a variant of: {paths}" + (f" and {more} more" if more > 0 else "")))
    out.print(Text(f"  {row['sentence']}"))
    for one in row["suggestions"][:SHOWN]:
        memes = catalogue.memes.many(one["neighbours"])
        like = f"  like {', '.join(meme.path.rpartition('/')[2] for meme in memes[:SHOWN])}" if memes else ""
        out.print(Text(f"  {100 * one['probability']:3.0f} %  {one['category']}"), Text(like, style="dim"))
    if row["tags"]:
        seen = ", ".join(f"{one['category']} {100 * one['share']:.0f} %" for one in row["tags"])
        out.print(Text(f"  by sight, from the categories' names alone: {seen}", style="dim"))
    if row["text"]:
        out.print(Text(f"  says: {' '.join(row['text'].split())[:200]}", style="dim"))


@click.command()
@click.option("--again", is_flag=True, help="Learn the categories anew first; done anyway where they never were.")
@click.option(
    "--kind", "kinds", multiple=True, type=click.Choice([one.value for one in IssueKind]), help="Which kinds."
)
@click.option("-k", default=30, show_default=True, type=click.IntRange(1), help="How many findings of each kind.")
@click.option("--move", metavar="FINDING", help="Move a finding's memes where it says, or --to another category.")
@click.option("--to", "category", metavar="CATEGORY", help="With --move: where to.")
@click.option("--right", metavar="FINDING", help="Say that it is right as it is; it is never asked again.")
@verb
def health(
    session: Session,
    again: bool,
    kinds: tuple[str, ...],
    k: int,
    move: str | None,
    category: str | None,
    right: str | None,
) -> int:
    """List what looks wrong in the categories, and mend it: misfiled memes, confused pairs, small ones, groups.

    `memetica duplicates --undo VERDICT` takes a decision back; a move goes back file by file.
    """
    from indexer.curation.categories import dismiss_issue, find_open_issues, resolve_by_moving
    from indexer.curation.move import index_moves
    from indexer.library.transaction import recover
    from indexer.stages.train_categories import train_categories
    from search.encoders.registry import load_text_encoder

    if move and right:
        raise WrongUse("--move and --right do not go together.", hint="Do one after the other.")
    if category and not move:
        raise WrongUse("--to goes with --move.")
    settings, terminal = session.settings(), session.terminal
    with open_catalogue(settings, create=False) as catalogue:
        recover(Workspace(settings, catalogue))
        found = None if again else find_open_issues(Workspace(settings, catalogue))
        if found is None:
            terminal.say("Learning the categories…")
            train_categories(Workspace(settings, catalogue), encoder=load_text_encoder(settings))
            found = find_open_issues(Workspace(settings, catalogue))
        every = list(found.open) if found else []
        if move:
            finding = _named(every, move)
            target = category or finding.target
            if not target:
                raise WrongUse("This group has no name yet.", hint="Give it one: --to CATEGORY.")
            verdict = resolve_by_moving(Workspace(settings, catalogue), finding, category=target)
            index_moves(Workspace(settings, catalogue), load_encoder=lambda: load_text_encoder(settings))
            terminal.say(f"{len(verdict.paths):,} moved to {target}. Undo: `memetica duplicates --undo {verdict.uid}`.")
            return 0
        if right:
            verdict = dismiss_issue(catalogue, _named(every, right))
            terminal.say(f"Kept: it is right. Undo: `memetica duplicates --undo {verdict.uid}`.")
            return 0
        wanted = [IssueKind(one) for one in kinds] or list(IssueKind)
        shown = [one for kind in wanted for one in [each for each in every if each.kind is kind][:k]]
        _list(terminal, Workspace(settings, catalogue), shown)
    return 0


def _named(found: list[Issue], key: str) -> Issue:
    fitting = [one for one in found if one.key.startswith(key)]
    if len(fitting) != 1:
        raise NotFound(f"There is no finding {key}.", hint="`memetica health` lists them, each with its name.")
    return fitting[0]


def _list(terminal: Terminal, workspace: Workspace, found: list[Issue]) -> None:
    from indexer.curation.categories import memes_of

    if terminal.as_json:
        for one in found:
            terminal.row(finding_row(workspace.catalogue, one))
        return
    if not found:
        terminal.say("Nothing looks wrong.")
        return
    terminal.table(
        ("finding", "kind", "where", "what", "to"),
        [
            (
                one.key[:8],
                one.kind.value,
                memes_of(workspace.catalogue, one)[0].path if one.kind is IssueKind.MISFILED else one.category,
                one.evidence,
                one.target,
            )
            for one in found
        ],
    )
    terminal.say("--move FINDING moves as it says, --right FINDING says that all is well.", style="dim")


def finding_row(catalogue: Catalogue, finding: Issue) -> dict[str, Any]:
    """Return a finding as a row."""
    from indexer.curation.categories import memes_of

    return {
        "finding": finding.key,
        "kind": finding.kind.value,
        "category": finding.category,
        "target": finding.target or None,
        "memes": [meme.path for meme in memes_of(catalogue, finding)],
        "evidence": finding.evidence,
        "score": round(finding.score, 4),
    }
