"""The table of commands: lazy, complete, with help that ends with an example, and held to the reference."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from search.errors import LibraryError, WrongUse
from search.settings import Settings
from tests.support.odd_media import encoded
from tests.support.paths import ROOT
from web.cli.command import Session, find_pictures
from web.cli.main import SECTIONS, main
from web.cli.options import HelpPage, is_common
from web.cli.reference import FOLDER, cli_reference, settings_reference

# Imports of our own inside functions, each with its reason.
LATE = {
    ("web/cli/find.py", "indexer.media.decode"): "a search by words does not wait for the decoders",
    ("web/cli/mcp.py", "web.mcp.server"): "the help of the command needs no SDK, which is an extra",
}
MOST_LATE = 2  # in all packages: a package's lazy exports load what is slow to import when it is used


def commands() -> Iterator[tuple[str, click.Command]]:
    context = click.Context(main, info_name="memetica")

    def walk(command: click.Command, context: click.Context) -> Iterator[tuple[str, click.Command]]:
        yield context.command_path, command
        if isinstance(command, click.Group):
            for name in command.list_commands(context):
                found = command.get_command(context, name)
                assert found is not None
                yield from walk(found, click.Context(found, parent=context, info_name=name))

    yield from walk(main, context)


EVERY = dict(commands())


INDENTED_IMPORT = re.compile(r"^\s+(from|import) (search|indexer|web|demo)\b", re.MULTILINE)


def late_imports() -> list[tuple[str, str]]:
    found = []
    for package in ("search", "indexer", "web", "demo"):
        for file in sorted((ROOT / package).rglob("*.py")):
            source = file.read_text("utf-8")
            if not INDENTED_IMPORT.search(source):
                continue  # most files: parsing them takes seconds
            for function in ast.walk(ast.parse(source)):
                if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                    found += [
                        (file.relative_to(ROOT).as_posix(), node.module or "")
                        for node in ast.walk(function)
                        if isinstance(node, ast.ImportFrom)
                        and (node.module or "").split(".")[0] in ("search", "indexer", "web", "demo")
                    ]
    return found


def test_the_table_of_commands_imports_no_command() -> None:
    code = (
        "import sys, web.cli.main; heavy = {'numpy', 'faiss', 'flask', 'rich', 'search.searcher', 'indexer.pipeline'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert found.stdout.strip() == "[]"


def test_a_search_that_a_server_answers_imports_no_index() -> None:
    code = "import sys, web.cli.find; print(sorted({'numpy', 'sqlite3', 'PIL', 'flask'} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert found.stdout.strip() == "[]"


def test_the_help_and_completion_of_names_import_no_command() -> None:
    assert _completed("se") == ["search", "serve"]
    code = (
        "import sys; from click.testing import CliRunner; from web.cli.main import main; "
        "CliRunner().invoke(main, ['--help']); print('numpy' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert found.stdout.strip() == "False"


def _completed(typed: str) -> list[str]:
    words = {"_MEMETICA_COMPLETE": "bash_complete", "COMP_WORDS": f"memetica {typed}", "COMP_CWORD": "1"}
    environ = os.environ | words | {"PYTHONPATH": str(ROOT)}
    said = subprocess.run([sys.executable, "-m", "web.cli"], capture_output=True, text=True, env=environ, check=False)
    return [line.split(",")[1] for line in said.stdout.splitlines()]


def test_imports_of_our_own_stand_at_the_top_of_the_file() -> None:
    found = late_imports()
    assert {one for one in found if one[0].startswith("web/")} == set(LATE)
    assert len(found) <= MOST_LATE, found


@pytest.mark.parametrize("path", EVERY)
def test_every_command_has_a_help_that_ends_with_an_example(path: str) -> None:
    command = EVERY[path]
    assert isinstance(command, HelpPage) and command.help
    for parameter in command.params:
        assert isinstance(parameter, click.Argument) or parameter.help, parameter.name
    page = CliRunner().invoke(main, [*path.split()[1:], "--help"], terminal_width=80)
    assert page.exit_code == 0
    assert page.output.rstrip().splitlines()[-1].strip() == command.examples[-1]
    assert all(len(line) <= 80 for line in page.output.splitlines()), page.output
    assert all("memetica " in one or one == "memetica" for one in command.examples)


def test_the_help_lists_every_command_in_its_section() -> None:
    page = CliRunner().invoke(main, ["--help"]).output
    places = [page.index(f"\n{title}:\n") for title in SECTIONS]
    assert list(SECTIONS) == ["Find", "Index", "Curate", "Upkeep"] and places == sorted(places)
    assert all(f"\n  {name} " in page for entries in SECTIONS.values() for name in entries)


def test_every_command_takes_the_common_options() -> None:
    for command in EVERY.values():
        assert {"data", "library", "as_json", "quiet"} <= {one.name for one in command.params if is_common(one)}


def test_every_setting_has_its_help() -> None:
    assert all(Settings.help_of(name) for name in Settings.__dataclass_fields__)


@pytest.mark.parametrize(("name", "text"), [("cli.md", cli_reference()), ("settings.md", settings_reference())])
def test_the_reference_is_what_the_code_says(name: str, text: str) -> None:
    assert (FOLDER / name).read_text("utf-8") == text, "run `python -m web.cli.reference`"


def test_a_group_without_subcommand_lists_and_options_stand_anywhere(
    tiny_indexed: object, tiny_settings: Settings
) -> None:
    def rows(*words: str | Path) -> list[dict]:
        done = CliRunner().invoke(main, [str(word) for word in words], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return [json.loads(line) for line in done.stdout.splitlines()]

    data, library = ("--data", tiny_settings.data), ("--library", tiny_settings.library)
    listed = rows("duplicates", "list", "--tier", "variant", "--json", *data, *library)
    assert rows("--json", *data, "duplicates", *library, "--tier", "variant") == listed
    assert rows(*data, *library, "duplicates", "--json", "list", "--tier", "variant") == listed
    assert rows("verdict", "--json", *data, *library) == []
    unknown = CliRunner().invoke(main, ["duplicates", "fnid"])
    assert unknown.exit_code == 2 and "No such command" in unknown.stderr


def test_several_operations_that_wait_for_one_thing_are_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    session = Session({})
    for uid in ("1", "2", "3"):
        session.tell_unfinished(LibraryError("An interrupted merge cannot be finished.", hint=f"Undo {uid}."))
    session.tell_unfinished(LibraryError("An interrupted move cannot be finished."))
    assert capsys.readouterr().err.splitlines() == [
        "An interrupted merge cannot be finished. Undo 1.",
        "An interrupted move cannot be finished.",
    ]


def test_of_a_folder_what_a_library_would_read_or_report_is_offered(tmp_path: Path) -> None:
    """By its name or its first bytes, not what is hidden, a text, or a data folder's."""
    picture = encoded(form="PNG")
    for name in ("a.jpg_large", "none", "UP.PNG", "sub/b.gif", "x.png.txt", ".hidden.png", ".git/c.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(picture)
    (tmp_path / "photo.psd").write_bytes(b"8BPS" + bytes(40))
    (tmp_path / "readme").write_text("hello")
    (tmp_path / "broken.webp").write_text("hello")
    (tmp_path / "data" / "thumbnails").mkdir(parents=True)
    (tmp_path / "data" / "catalogue.sqlite").touch()
    (tmp_path / "data" / "thumbnails" / "1.webp").write_bytes(picture)
    (tmp_path / "pipe.png").symlink_to("/dev/zero")
    found = [file.relative_to(tmp_path).as_posix() for file in find_pictures([tmp_path])]
    assert found == ["UP.PNG", "a.jpg_large", "broken.webp", "none", "photo.psd", "sub/b.gif"]
    with pytest.raises(WrongUse, match="no file"):
        list(find_pictures([tmp_path / "missing.png"]))
