"""What commands do with hits besides listing them, tables of narrow terminals, and what a shell completes."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner, Result
from textual_image import renderable
from textual_image.renderable.halfcell import Image as HalfcellImage

from search.catalogue import VerdictKind
from search.errors import LibraryError, WrongUse
from search.searcher import Searcher
from search.workspace import Workspace
from tests.support.fakes import HashingTextEncoder
from web.cli.answers import count_line, more_line, show_answer, show_understood
from web.cli.command import Session
from web.cli.completion import complete_category, complete_query
from web.cli.hits import PREVIEW_CELLS, HitOptions, picture_writer, use_hits
from web.cli.main import main
from web.cli.terminal import Terminal


@pytest.fixture
def searcher(workspace: Workspace) -> Iterator[Searcher]:
    with Searcher(workspace, text_encoder=HashingTextEncoder()) as found:
        yield found


def options(**chosen: object) -> HitOptions:
    return HitOptions(**({"paths": False, "null": False, "open_number": None, "preview": False} | chosen))  # type: ignore[arg-type]


def run(workspace: Workspace, *arguments: str) -> Result:
    return CliRunner().invoke(main, [*arguments, "--data", str(workspace.data)])


def test_paths_are_whole_and_bare_with_the_end_that_was_asked_for(
    workspace: Workspace, searcher: Searcher, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    answer = searcher.search("good boy", k=2)
    files = [workspace.library / hit.meme.path for hit in answer.hits]
    assert use_hits(Session({}), workspace.settings, answer, options(null=True))
    assert capfdbinary.readouterr().out == b"".join(f"{file}\0".encode() for file in files)
    assert use_hits(Session({}), workspace.settings, answer, options(paths=True))
    assert capfdbinary.readouterr().out.decode().splitlines() == [str(file) for file in files]
    assert not use_hits(Session({}), workspace.settings, answer, options())


def test_a_hit_is_opened_by_its_number(
    workspace: Workspace, searcher: Searcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(click, "launch", opened.append)
    answer = searcher.search("burning room", k=3)
    use_hits(Session({}), workspace.settings, answer, options(open_number=2))
    assert opened == [str(workspace.library / answer.hits[1].meme.path)]
    with pytest.raises(WrongUse, match="There is no hit 9: 3 were found"):
        use_hits(Session({}), workspace.settings, answer, options(open_number=9))
    (workspace.library / answer.hits[0].meme.path).unlink()
    with pytest.raises(LibraryError, match="is not there"):
        use_hits(Session({}), workspace.settings, answer, options(open_number=1))


def test_what_excludes_each_other_is_said_before_anything_is_searched(workspace: Workspace) -> None:
    for given in (("--paths", "--json"), ("-0", "--open", "1"), ("--preview", "--paths")):
        answer = run(workspace, "search", "cat", *given)
        assert (answer.exit_code, "Choose one of" in answer.output) == (2, True), given


class Screen(io.StringIO):
    """A terminal of 40 columns."""

    def isatty(self) -> bool:
        return True


def test_pictures_keep_their_proportions_and_lines_their_indent_and_words(
    workspace: Workspace, searcher: Searcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Half blocks, what a terminal without a protocol for pictures gets: a cell is as wide as half of its height.
    monkeypatch.setattr(renderable, "Image", HalfcellImage)
    screen = Screen()
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setattr(sys, "stdout", screen)
    session = Session({})
    answer = searcher.search("burning room", k=1)
    picture_writer(session, workspace.settings)(answer.hits[0])
    rows = len(screen.getvalue().splitlines())
    meme = answer.hits[0].meme
    assert meme.width and meme.height
    assert abs(rows - PREVIEW_CELLS * meme.height / meme.width / 2) <= 1
    screen.seek(0)
    screen.truncate()
    show_answer(session.terminal, answer, library=workspace.library)
    first, *others = click.unstyle(screen.getvalue()).splitlines()
    assert meme.path in first
    assert len(others) > 2 and all(line.startswith("     ") and len(line.rstrip()) <= 40 for line in others)
    assert set(["A", "dog", "drinks", "coffee", "in", "a", "burning", "room."]) <= set(" ".join(others).split())


def test_what_follows_the_hits_is_counted_in_words_that_fit(searcher: Searcher) -> None:
    answer = searcher.search("", k=2)
    left = answer.total - 2
    assert count_line(answer) == f"{answer.total} memes"  # nothing was asked for: none of them matches
    assert more_line(answer, offset=0) == f"; {left} more hits: -k and --offset select them"
    assert more_line(answer, offset=left - 1) == "; 1 more hit: -k and --offset select it"
    assert more_line(answer, offset=left) == ""


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ('"zxqv blorf"', "Nothing says this;"),
        ('"zxqv blorf" "a dog"', "Nothing says all of this;"),
        ('-monday "zxqv blorf"', "With these filters, nothing says this;"),
    ],
)
def test_what_nothing_says_is_one_phrase_or_all_of_several(
    query: str, said: str, searcher: Searcher, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = searcher.search(query)
    assert answer.total == 0 and answer.hits
    show_understood(Terminal(quiet=False, as_json=False), answer)
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("columns", ["40", "200"])
def test_no_name_in_a_table_is_broken(columns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen()
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setattr(sys, "stdout", screen)
    name, other = "ViT-B-32/laion2b_s34b_b79k_and_some_more", "Dogs/a rather long name of a file.png"
    Terminal(quiet=False, as_json=False).table(("name", "memes", "path"), [(name, "1,234", other), ("b", "", "c")])
    lines = screen.getvalue().splitlines()
    assert any(name in line for line in lines) and any(other in line for line in lines)
    assert len(lines) == (5 if columns == "40" else 3)


def test_no_name_in_a_table_is_broken_in_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = io.StringIO()
    monkeypatch.setattr(sys, "stdout", pipe)
    monkeypatch.setenv("COLUMNS", "80")
    rows = [
        ("sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2", "texts", "many words " * 8),
        ("b", "c", "d"),
    ]
    Terminal(quiet=False, as_json=False).table(("model", "for", "known for"), rows)
    assert [line.split()[0] for line in pipe.getvalue().splitlines()] == ["model", rows[0][0], "b"]


def test_categories_and_tags_are_completed(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace.catalogue.tags.add([workspace.catalogue.memes.at("Dogs/fine.png")], "reaction image")
    monkeypatch.setenv("MEMETICA_DATA", str(workspace.data))
    context, parameter = click.Context(main), click.Argument(["query"])

    def values(found: list[click.shell_completion.CompletionItem]) -> list[str]:
        return [one.value for one in found]

    assert values(complete_category(context, parameter, "ca")) == ["Cats", "Cats - Kittens"]
    assert values(complete_query(context, parameter, "category:d")) == ["category:Dogs"]
    assert values(complete_query(context, parameter, "-tag:rea")) == ['-tag:"reaction image"']
    assert values(complete_query(context, parameter, "do")) == []
    monkeypatch.setenv("MEMETICA_DATA", str(workspace.data / "nothing"))
    assert values(complete_category(context, parameter, "")) == []
    assert not (workspace.data / "nothing").exists()
    assert "_MEMETICA_COMPLETE=bash_complete" in run(workspace, "completion", "bash").output


def test_tags_are_given_taken_written_and_read_by_the_command(workspace: Workspace) -> None:
    added = run(workspace, "tag", "add", "Reaction Image", "Dogs/fine.png", "Cats/monday.png")
    assert added.exit_code == 0 and "2 memes tagged “reaction image”." in added.output
    assert "2  reaction image" in run(workspace, "tag").output
    refused = run(workspace, "tag", "remove", "work", "Dogs/fine.png")
    assert refused.exit_code == 2 and "has no tag work" in refused.output
    file = workspace.data / "tags.jsonl"
    assert run(workspace, "tag", "export", str(file)).exit_code == 0
    assert run(workspace, "tag", "remove", "reaction image", "Dogs/fine.png").exit_code == 0
    assert workspace.catalogue.tags.counts() == {"reaction image": 1}
    assert "1 tag is new." in run(workspace, "tag", "import", str(file)).output
    assert "0 tags are new." in run(workspace, "tag", "import", str(file)).output
    assert workspace.catalogue.tags.counts() == {"reaction image": 2}
    file.write_text('{"content_hash": "x", "tags": []}\n')
    bad = run(workspace, "tag", "import", str(file))
    assert bad.exit_code == 2 and "Line 1 is no line" in bad.output
    assert run(workspace, "tag", "write-sidecars").exit_code == 0
    assert (workspace.library / "Dogs/fine.png.tags.txt").read_text() == "reaction image\n"
    [uid] = [one.uid for one in workspace.catalogue.verdicts.standing() if one.kind is VerdictKind.UNTAGGED]
    assert run(workspace, "undo", uid).exit_code == 0


def test_tags_of_an_import_become_the_curators(workspace: Workspace) -> None:
    folder = workspace.data / "export"
    folder.mkdir()
    (folder / "new.png").write_bytes((workspace.library / "Dogs/fine.png").read_bytes())
    (folder / "new.png.txt").write_text('creator:me\nmonday\na "quoted" tag\n')
    shown = run(workspace, "import", "hydrus", str(folder), "--category", "Robots")
    assert "It cannot be a tag." in shown.output and "1 left out" in shown.output.replace("\n", " ")
    done = run(workspace, "import", "hydrus", str(folder), "--category", "Robots", "--yes")
    assert done.exit_code == 0, done.output
    assert "2 tags given" in done.output and "It cannot be a tag." in done.output
    content = workspace.catalogue.memes.at("Dogs/fine.png").content_hash  # the same bytes, so the same tags
    assert workspace.catalogue.tags.of(content) == ["creator:me", "monday"]
