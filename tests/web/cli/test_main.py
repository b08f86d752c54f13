"""The real command: its data, its talk, its exit codes, with the real models.

A process of its own costs seconds of imports, so what does not need one to be proved runs in this one.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from urllib.parse import quote

import pytest
from click.testing import CliRunner

from tests.support.paths import ROOT
from tests.support.tiny import TINY, draw_tiny_library
from tests.support.waiting import PATIENCE, until
from web.cli.main import main
from web.local.protocol import SOCKET_FILE, has_sockets

pytestmark = pytest.mark.real_models


def memetica_process(*arguments: str | Path, at: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a process and a folder of its own, and return what it said."""
    command = [sys.executable, "-m", "web.cli", *map(str, arguments)]
    root = str(ROOT)
    with_root = os.environ | {"PYTHONPATH": root, "NO_COLOR": "1", "COLUMNS": "120"} | environ
    return subprocess.run(command, cwd=at, env=with_root, capture_output=True, text=True, timeout=900, check=False)


def memetica(*arguments: str | Path, at: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a folder, within this process, and return what it said."""
    given = [str(one) for one in arguments]
    with contextlib.chdir(at):
        said = CliRunner(env={"NO_COLOR": "1", "COLUMNS": "120"} | environ).invoke(main, given, catch_exceptions=False)
    return subprocess.CompletedProcess(given, said.exit_code, said.stdout, said.stderr)


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory, minilm_models: Path) -> Path:
    """A folder with the tiny library, indexed by the command into `.memetica`."""
    folder = tmp_path_factory.mktemp("command")
    draw_tiny_library(folder / "memes")
    shutil.copytree(minilm_models, folder / ".memetica" / "models")
    said = memetica_process("index", "memes", at=folder)
    assert said.returncode == 0, said.stderr
    assert f"{len(TINY)} memes are indexed" in said.stderr
    assert said.stdout == ""
    return folder


@pytest.fixture
def encoder_ready(minilm_models: Path, tmp_path: Path) -> Path:
    """A folder whose data folder holds the exported text encoder and nothing else: exporting takes long."""
    shutil.copytree(minilm_models, tmp_path / ".memetica" / "models")
    return tmp_path


def rows(said: subprocess.CompletedProcess[str]) -> list[dict]:
    assert said.returncode in (0, 1), said.stderr
    return [json.loads(line) for line in said.stdout.splitlines()]


def test_search_finds_by_meaning_what_shares_no_word(indexed: Path) -> None:
    [first, *_] = rows(memetica("search", "hound sipping hot beverage amid flames", "--json", at=indexed))
    assert first["path"] == "Dogs/fine.png"
    assert sum(first["why"].values()) == pytest.approx(1, abs=1e-3)


def test_options_stand_before_or_after_the_verb(indexed: Path, tmp_path: Path) -> None:
    after = memetica("search", "cat", "--json", "--data", indexed / ".memetica", at=tmp_path)
    before = memetica_process("--json", "--data", indexed / ".memetica", "search", "cat", at=tmp_path)
    from_environment = memetica("search", "cat", "--json", at=tmp_path, MEMETICA_DATA=str(indexed / ".memetica"))
    assert after.stdout == before.stdout == from_environment.stdout != ""


def test_a_listing_for_people_says_where_and_why(indexed: Path) -> None:
    said = memetica("search", "a robot repairs a toaster", "-k", "3", at=indexed)
    assert "Robots/toaster.png" in said.stdout.splitlines()[0]
    assert "\x1b" not in said.stdout
    assert " ms" in said.stderr and "match" in said.stderr and "match" not in said.stdout


def test_what_comes_near_is_told_from_what_answers(indexed: Path) -> None:
    sure = memetica("search", "dog drinks coffee in a burning room", at=indexed)
    assert "weaker" not in sure.stdout.split("\n  2  ")[0] and "weaker" in sure.stdout
    assert "1 match, 7 weaker, " in sure.stderr
    none = memetica("search", "quarterly tax filing deadlines for limited companies", "--json", at=indexed)
    assert "No exact match; best guesses:" in none.stderr
    assert {row["certain"] for row in rows(none)} == {False}


def test_slips_and_variants_are_left_alone_when_told_so(indexed: Path) -> None:
    assert "Showing results for “burning room”" in memetica("search", "burnin room", at=indexed).stderr
    assert "Showing" not in memetica("search", "burnin room", "--verbatim", at=indexed).stderr
    together = rows(memetica("search", "type:image", "--json", at=indexed))
    apart = rows(memetica("search", "type:image", "--all-variants", "--json", at=indexed))
    assert len(apart) == len(TINY) == sum(1 + row["variants"] for row in together)


def test_similar_takes_an_id_a_path_or_a_file(indexed: Path) -> None:
    by_path = rows(memetica("similar", "Dogs/fine.png", "--json", at=indexed))
    shown = rows(memetica("show", "Dogs/fine.png", "--json", at=indexed))[0]
    by_id = rows(memetica("similar", str(shown["id"]), "--json", at=indexed))
    by_file = rows(memetica("similar", indexed / "memes/Dogs/fine.png", "--json", at=indexed))
    assert by_path == by_id == by_file
    assert shown["id"] not in [hit["id"] for hit in by_path]
    assert {text["body"] for text in shown["texts"]} >= {"this is fine", "A dog drinks coffee in a burning room."}


def test_a_picture_can_be_searched_with(indexed: Path) -> None:
    hits = rows(memetica("search", "--image", indexed / "memes/Robots/toaster.png", "--json", at=indexed))
    assert hits[0]["path"] == "Robots/toaster.png"


def test_status_is_fresh_and_says_what_is_done(indexed: Path) -> None:
    found = rows(memetica("status", "--json", at=indexed))
    stages = {row["stage"]: row for row in found if "stage" in row}
    assert stages["media"]["done"] == stages["scan"]["done"] == len(TINY)
    assert stages["ocr"]["done"] == len(TINY)
    [index] = [row["index"] for row in found if "index" in row]
    assert index["fresh"] and index["memes"] == len(TINY)
    assert "up to date" in memetica("status", at=indexed).stdout


def test_the_library_is_named_once_and_the_last_indexed_is_meant(indexed: Path, encoder_ready: Path) -> None:
    for name, meant in (("this/one", []), ("that/one", ["--library"])):
        draw_tiny_library(encoder_ready / name)
        assert memetica("index", *meant, name, "--ocr", "none", at=encoder_ready).returncode == 0
    elsewhere = encoder_ready / "elsewhere"
    elsewhere.mkdir()
    assert (
        str(encoder_ready / "that/one")
        in memetica("status", "--data", encoder_ready / ".memetica", at=elsewhere).stdout
    )
    said = memetica("duplicates", "find", "--data", encoder_ready / ".memetica", at=elsewhere)
    assert said.returncode == 0 and "failed" not in said.stderr
    named = memetica("status", at=encoder_ready, MEMETICA_LIBRARY="this/one").stdout
    assert str(encoder_ready / "this/one") in named
    assert (indexed / ".memetica/settings.json").read_text("utf-8").count(str(indexed / "memes")) == 1


def test_a_library_that_is_away_is_one_sentence_and_spoils_nothing(encoder_ready: Path) -> None:
    draw_tiny_library(encoder_ready / "mounted")
    assert memetica("index", "mounted", "--ocr", "none", at=encoder_ready).returncode == 0
    (encoder_ready / "mounted").rename(encoder_ready / "away")
    for verb in (["duplicates", "find"], ["index"]):
        said = memetica(*verb, at=encoder_ready)
        assert said.returncode == 1
        assert "There is no folder" in said.stderr and "check that its disk is mounted" in said.stderr
    (encoder_ready / "away").rename(encoder_ready / "mounted")
    assert not [row for row in rows(memetica("status", "--json", at=encoder_ready)) if "failure" in row]
    assert memetica("duplicates", "find", at=encoder_ready).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["search", "x"], 1, "memetica index"),
        (["status"], 1, "memetica index"),
        (["search"], 2, "nothing to search for"),
        (["index", "nowhere"], 1, "There is no folder"),
        (["search", "x", "-k", "0"], 2, "-k"),
        (["no-such-verb"], 2, "No such command"),
        (["index", "memes", "--ocr", "crystal-ball"], 2, "There is no OCR engine"),
    ],
)
def test_what_goes_wrong_is_one_line_and_an_exit_code(
    tmp_path: Path, arguments: list[str], code: int, words: str
) -> None:
    (tmp_path / "memes").mkdir()
    said = memetica(*arguments, at=tmp_path)
    assert said.returncode == code
    assert words in said.stderr
    assert said.stdout == ""
    assert "Traceback" not in said.stderr


def test_failures_are_told_by_the_exit_code_and_by_status(encoder_ready: Path) -> None:
    draw_tiny_library(encoder_ready / "memes")
    (encoder_ready / "memes/Cats/broken.png").write_bytes(b"no picture")
    said = memetica_process("index", "memes", "--ocr", "none", "--json", at=encoder_ready)
    assert said.returncode == 1
    assert "memetica status" in said.stderr
    [failure] = [row["failure"] for row in rows(memetica("status", "--json", at=encoder_ready)) if "failure" in row]
    assert (failure["subject"], failure["stage"]) == ("Cats/broken.png", "media")
    assert failure["reason"] in memetica("status", at=encoder_ready).stdout


def test_quiet_says_why_the_exit_code_is_not_0_and_nothing_else(encoder_ready: Path) -> None:
    draw_tiny_library(encoder_ready / "memes")
    broken = encoder_ready / "memes/Cats/broken.png"
    broken.write_bytes(b"no picture")
    for command in (("index", "memes", "--ocr", "none"), ("index",), ("retry",)):
        said = memetica(*command, "-q", at=encoder_ready)
        assert (said.returncode, said.stdout) == (1, ""), command
        assert re.fullmatch(r"\d+ memes are indexed\. Failed: 1; `memetica status`[^.]*\.\s*", said.stderr), command
    for verb in ("upload", "suggest"):
        said = memetica(verb, broken, "-q", at=encoder_ready)
        assert said.returncode == 1
        assert str(broken) in said.stderr.replace("\n", ""), verb
    broken.unlink()
    said = memetica("index", "-q", at=encoder_ready)
    assert (said.returncode, said.stdout, said.stderr) == (0, "", "")


def test_serve_answers_on_a_free_port_as_the_command_does_and_ends_when_told(indexed: Path) -> None:
    command = [sys.executable, "-m", "web.cli", "serve", "--port", "0", "--json"]
    environ = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, cwd=indexed, env=environ, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            address = json.loads(server.stdout.readline())["url"]
            assert address.startswith("http://127.0.0.1:")
            assert (indexed / ".memetica" / SOCKET_FILE).exists() == has_sockets()
            served, beside = {}, {}
            for query in ("dog", "typing my resignation"):
                with urllib.request.urlopen(f"{address}api/search?q={quote(query)}") as answer:
                    served[query] = json.load(answer)["hits"]
                beside[query] = rows(memetica("search", query, "--json", at=indexed))
        finally:
            server.send_signal(signal.SIGTERM)
        assert server.wait(PATIENCE) == 0
    alone = {query: rows(memetica("search", query, "--json", at=indexed)) for query in served}
    assert served == beside == alone  # to the last digit, whatever else runs a model more quickly
    assert not (indexed / ".memetica" / SOCKET_FILE).exists()


def test_an_interrupted_index_says_so_and_goes_on(encoder_ready: Path) -> None:
    draw_tiny_library(encoder_ready / "memes")
    command = [sys.executable, "-m", "web.cli", "index", "memes"]
    environ = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, cwd=encoder_ready, env=environ, stderr=subprocess.PIPE, text=True) as running:
        until(lambda: list((encoder_ready / ".memetica").rglob("*.webp")))
        running.send_signal(signal.SIGINT)
        _, said = running.communicate(timeout=PATIENCE)
    assert running.returncode == 130
    assert "run the same command again" in said
    again = memetica("index", "memes", "--ocr", "none", at=encoder_ready)
    assert again.returncode == 0, again.stderr
