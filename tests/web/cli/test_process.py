"""The process of a command, as a shell starts it: its exit code, what it writes, and what it does at its end."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from search.workspace import Workspace

ROOT = Path(__file__).parents[3]
PYTHON = [sys.executable, "-c"]


def memetica(*arguments: str, before: str = "") -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own, after some other code."""
    code = f"import sys\n{before}\nfrom web.cli.process import run; sys.argv[0] = 'memetica'; run()"
    environ = os.environ | {"PYTHONPATH": str(ROOT), "MEMETICA_TEXT_ENCODER": "none"}
    return subprocess.run([*PYTHON, code, *arguments], capture_output=True, text=True, env=environ, check=False)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--version",), 0),
        (("--help",), 0),
        (("search", "--help"), 0),
        (("serach",), 2),
        (("search", "-k", "0", "cat"), 2),
        (("search", "cat", "--data", "/no/such/folder"), 1),
    ],
)
def test_exit_codes(arguments: tuple[str, ...], code: int) -> None:
    ended = memetica(*arguments)
    assert ended.returncode == code
    assert "Traceback" not in ended.stderr
    assert (ended.stdout if code == 0 else ended.stderr).strip()


def test_all_that_a_command_writes_reaches_a_pipe() -> None:
    writing = "import web.cli.main; web.cli.main.main.main = lambda **more: (print('x' * 1_000_000), sys.exit(3))"
    ended = memetica(before=writing)
    assert (ended.returncode, len(ended.stdout)) == (3, 1_000_001)


def test_what_others_do_at_the_end_of_a_process_is_done() -> None:
    command = """
import atexit, sys, threading, time, web.cli.main

def command(**more):
    atexit.register(print, "registered by the command")
    threading.Thread(target=lambda: (time.sleep(0.3), print("a thread ended"))).start()
    sys.exit(0)

web.cli.main.main.main = command
"""
    ended = memetica(before=command)
    assert ended.returncode == 0
    assert ended.stdout.splitlines() == ["a thread ended", "registered by the command"]


def test_an_error_that_nobody_expected_is_shown_and_fails() -> None:
    broken = "import web.cli.main; web.cli.main.main.main = lambda **more: 1 / 0"
    ended = memetica("--version", before=broken)
    assert ended.returncode == 1
    assert "ZeroDivisionError" in ended.stderr


def test_a_reader_that_leaves_early_causes_no_traceback(workspace: Workspace) -> None:
    command = [*PYTHON, "from web.cli.process import run; run()", "status", "--json", "--data", str(workspace.data)]
    environ = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environ) as running:
        assert running.stdout is not None and running.stderr is not None
        running.stdout.close()
        assert b"Traceback" not in running.stderr.read()
