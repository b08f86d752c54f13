"""The documentation is true to the code: links lead somewhere, examples run, commands and messages exist."""

from __future__ import annotations

import importlib.util
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from search.workspace import Workspace
from tests.support.fakes import HashingTextEncoder
from web.cli.main import main

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "search" / "models").rglob("*.md")],
    key=lambda page: page.as_posix(),
)
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
SPAN = re.compile(r"`([^`\n]+)`")


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def without_code(text: str) -> str:
    return SPAN.sub("", FENCED.sub("", text))


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as the repository's host makes them."""
    headings = re.findall(r"^#+ (.+)$", FENCED.sub("", page.read_text("utf-8")), re.MULTILINE)
    plain = [re.sub(r"[^\w\- ]", "", re.sub(r"\]\([^)]*\)", "", heading)).strip().lower() for heading in headings]
    return {one.replace(" ", "-") for one in plain}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_each_relative_link_leads_to_a_file_and_a_heading_that_exist(page: Path) -> None:
    broken = []
    for link in LINK.findall(without_code(page.read_text("utf-8"))):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


def python_blocks() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        for number, (language, code) in enumerate(FENCED.findall(page.read_text("utf-8"))):
            if language == "python":
                yield f"{name_of(page)}:{number}", code


BLOCKS = dict(python_blocks())


@pytest.mark.parametrize("name", BLOCKS)
def test_each_python_example_runs(
    name: str, workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEMETICA_TEXT_ENCODER", HashingTextEncoder.name)
    monkeypatch.setattr("search.index.live.load_text_encoder", lambda settings, name, **more: HashingTextEncoder())
    folder = tmp_path / "working directory"
    (folder / ".demo").mkdir(parents=True)
    for data in (folder / ".memetica", folder / ".demo" / "data"):
        data.symlink_to(workspace.data, target_is_directory=True)
    monkeypatch.chdir(folder)
    exec(compile(BLOCKS[name], name, "exec"), {"data": workspace.data, "__name__": "example"})


def commands(page: Path) -> Iterator[str]:
    """The commands of a page: lines of its code blocks and code spans that begin with `memetica`."""
    text = page.read_text("utf-8")
    blocks = [code for language, code in FENCED.findall(text) if language != "python"]
    blocks += re.findall(r"^(?: {4,}.*\n)+", FENCED.sub("", text), re.MULTILINE)
    for line in "\n".join(blocks).splitlines():
        if found := re.match(r"\s*(?:\.venv/bin/)?(memetica .+)", line):
            yield re.split(r"\s{2,}#|\s+#\s", found[1])[0]
    for span in SPAN.findall(FENCED.sub("", text)):
        if span.startswith("memetica ") and "…" not in span.split()[1]:
            yield span.replace("\\|", "|")


def mistake(line: str) -> str | None:
    """Return what is wrong with a command line, or None."""
    words = shlex.split(line.replace("…", "x"))[1:]
    command: click.Command = main
    context = click.Context(main, info_name="memetica")
    options = {option for parameter in main.params for option in parameter.opts + parameter.secondary_opts}
    while words and isinstance(command, click.Group) and not words[0].startswith("-"):
        found = command.get_command(context, words[0])
        if found is None:
            return None if command is not main and words[0].isupper() else f"there is no command {words[0]}"
        command, words = found, words[1:]
        context = click.Context(command, parent=context, info_name=command.name)
        options |= {option for one in command.params for option in one.opts + one.secondary_opts} | {"--help"}
    unknown = [word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)]
    unknown = [word for word in unknown if word not in options]
    return f"there is no option {unknown[0]}" if unknown else None


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_each_command_and_option_that_a_page_names_exists(page: Path) -> None:
    assert {line: wrong for line in commands(page) if (wrong := mistake(line))} == {}


def test_each_benchmark_that_a_page_names_exists() -> None:
    named = {
        (name_of(page), name)
        for page in PAGES
        for name in re.findall(r"benchmarks[./](\w+)", page.read_text("utf-8"))
        if name not in ("NAME", "md")
    }
    assert {one for one in named if not (ROOT / "benchmarks" / f"{one[1]}.py").exists()} == set()


def test_the_messages_of_troubleshooting_stand_in_the_code() -> None:
    rows = re.findall(r"^\| `([^`]+)` \|", (ROOT / "docs" / "troubleshooting.md").read_text("utf-8"), re.MULTILINE)
    code = "".join(
        file.read_text("utf-8") for package in ("search", "indexer", "web") for file in (ROOT / package).rglob("*.py")
    )
    parts = [part.strip() for row in rows for part in row.split("…") if part.strip()]
    assert len(rows) > 10
    assert [part for part in parts if part not in code] == []


def test_the_page_of_the_http_api_is_what_its_description_says() -> None:
    spec = importlib.util.spec_from_file_location("generate_http_api", ROOT / "docs" / "generate_http_api.py")
    assert spec and spec.loader
    generator = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generator)
    assert (ROOT / "docs" / "reference" / "http-api.md").read_text("utf-8") == generator.page(), (
        "run python docs/generate_http_api.py"
    )


def test_each_decision_is_in_the_list() -> None:
    folder = ROOT / "docs" / "decisions"
    listed = set(re.findall(r"\]\((\d{4}-[\w-]+\.md)\)", (folder / "README.md").read_text("utf-8")))
    assert listed == {file.name for file in folder.glob("[0-9]*.md")}
    numbers = [name[:4] for name in listed]
    assert len(numbers) == len(set(numbers))
