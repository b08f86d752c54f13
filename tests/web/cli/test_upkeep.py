"""`memetica check`, `backup`, `restore`: what they print, for people and for programs, and their exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from indexer.media.thumbnails import thumbnail_path
from search.catalogue.copies import catalogue_copies, keep_daily_copy
from search.workspace import Workspace
from web.cli.main import main

Run = Callable[..., Result]


@pytest.fixture
def run(workspace: Workspace) -> Run:
    """The command over the tiny library, indexed; `data` names another data folder."""
    settings = workspace.settings
    workspace.close()

    def invoke(*words: str, data: Path = settings.data) -> Result:
        common = ["--data", str(data), "--library", str(settings.library)]
        return CliRunner().invoke(main, [*common, *words], env={"COLUMNS": "80"})

    return invoke


def rows(result: Result) -> list[dict[str, object]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_a_sound_folder_is_one_sentence_and_no_row(run: Run) -> None:
    assert run("check").exit_code == 0 and "Everything is as it should be." in run("check").stderr
    found = run("check", "--read-data", "--json")
    assert found.exit_code == 0 and rows(found) == []


def test_a_finding_is_a_line_with_the_command_that_mends_it(run: Run, workspace: Workspace) -> None:
    thumbnail_path(workspace.data, workspace.catalogue.memes.at("Dogs/fine.png").content_hash).write_bytes(b"")
    told = run("check")
    assert told.exit_code == 1 and "1 finding." in told.stderr
    assert told.stdout.startswith("thumbnails: ") and "→ memetica index" in told.stdout
    [finding] = rows(run("check", "--json"))
    assert finding["area"] == "thumbnails" and finding["command"] == "memetica index" and finding["message"]


def test_a_backup_is_told_and_comes_back_only_where_nothing_is(run: Run, workspace: Workspace, tmp_path: Path) -> None:
    memes = workspace.catalogue.memes.count()
    kept = tmp_path / "kept.zip"
    told = run("backup", str(kept))
    assert told.exit_code == 0 and "every file was read back" in " ".join(told.stderr.split())
    [row] = rows(run("backup", str(tmp_path / "second.zip"), "--json"))
    assert row["path"] == str(tmp_path / "second.zip") and row["size"] == (tmp_path / "second.zip").stat().st_size
    again = run("backup", str(kept))
    assert again.exit_code != 0 and kept.exists() and "Traceback" not in again.output
    refused = run("restore", str(kept))
    assert refused.exit_code != 0 and "--replace" in refused.stderr
    [restored] = rows(run("restore", str(kept), "--json", data=tmp_path / "elsewhere"))
    assert restored["source"] == str(kept) and restored["memes"] == memes > 0
    assert run("status", data=tmp_path / "elsewhere").exit_code == 0
    told = run("restore", str(kept), data=tmp_path / "another").stderr
    assert "until then the site shows no pictures" in " ".join(told.split())


def test_copies_are_listed_with_what_is_known_of_their_time(run: Run, workspace: Workspace) -> None:
    for copy in catalogue_copies(workspace.data):
        copy.path.unlink()
    assert "There are no automatic copies" in run("restore", "--list").stderr
    keep_daily_copy(workspace.data, now=datetime(2026, 3, 1, 14, 30, tzinfo=UTC))
    listed = run("restore", "--list")
    assert listed.exit_code == 0
    assert "daily-2026-03-01" in listed.stdout and "00:00" not in listed.stdout  # the hour of a day's copy is not known
    assert [row["reason"] for row in rows(run("restore", "--list", "--json"))] == ["daily"]
    memes = workspace.catalogue.memes.count()
    taken = run("restore", "daily-2026-03-01", "--replace")
    assert taken.exit_code == 0 and f"{memes} memes" in " ".join(taken.stderr.split())
    reasons = {copy.reason: copy for copy in catalogue_copies(workspace.data)}
    assert set(reasons) == {"daily", "before-restore"}
    assert f"{reasons['before-restore'].made_at:%Y-%m-%d %H:%M}" in run("restore", "--list").stdout


@pytest.mark.parametrize("source", ["no-such-copy", "nowhere.zip"])
def test_a_source_that_is_not_there_is_a_sentence(run: Run, source: str) -> None:
    found = run("restore", source, "--replace")
    assert found.exit_code != 0 and source in found.stderr and "Traceback" not in found.output
