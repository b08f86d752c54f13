"""The stored password: hashed, readable by its owner only, and never a default one."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest
from argon2 import Type, extract_parameters
from click.testing import CliRunner

from search.errors import DataFolderError, WrongUse
from web.cli.main import main
from web.curator.passwords import (
    MIN_LETTERS,
    end_sessions,
    load_or_create_secret,
    load_password,
    remove_password,
    set_password,
    verify_password,
)

PASSWORD = "one does not simply guess it"


def test_there_is_no_password_until_one_is_set(tmp_path: Path) -> None:
    assert load_password(tmp_path) is None


def test_a_password_is_kept_as_an_argon2id_hash_that_its_owner_alone_can_read(tmp_path: Path) -> None:
    set_password(tmp_path / "data", PASSWORD)
    kept = load_password(tmp_path / "data")
    assert kept is not None
    assert extract_parameters(kept.hash).type is Type.ID
    for file in (tmp_path / "data").iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert PASSWORD.encode() not in file.read_bytes()
    assert verify_password(kept, PASSWORD)
    assert not verify_password(kept, PASSWORD.upper())
    assert not verify_password(kept, "")
    assert not verify_password(kept, PASSWORD * 1000)


def test_a_password_typed_on_another_system_is_the_same(tmp_path: Path) -> None:
    set_password(tmp_path, "caf\u00e9 caf\u00e9 caf\u00e9")
    kept = load_password(tmp_path)
    assert kept is not None
    assert verify_password(kept, "cafe\u0301 cafe\u0301 cafe\u0301")


@pytest.mark.parametrize("bad", ["", "short", "x" * (MIN_LETTERS - 1), "x" * 1001])
def test_a_password_too_short_or_too_long_is_refused_and_the_earlier_one_stays(tmp_path: Path, bad: str) -> None:
    set_password(tmp_path, PASSWORD)
    with pytest.raises(WrongUse):
        set_password(tmp_path, bad)
    kept = load_password(tmp_path)
    assert kept is not None and verify_password(kept, PASSWORD)


def test_each_password_and_each_end_begins_a_new_generation_of_sessions(tmp_path: Path) -> None:
    generations = set()
    for _ in range(2):
        set_password(tmp_path, PASSWORD)
        generations.add(load_password(tmp_path).generation)  # type: ignore[union-attr]
        end_sessions(tmp_path)
        kept = load_password(tmp_path)
        assert kept is not None and verify_password(kept, PASSWORD)
        generations.add(kept.generation)
    assert len(generations) == 4


def test_a_password_can_be_forgotten(tmp_path: Path) -> None:
    assert not remove_password(tmp_path)
    set_password(tmp_path, PASSWORD)
    assert remove_password(tmp_path)
    assert load_password(tmp_path) is None


def test_a_damaged_password_file_is_reported_with_a_hint(tmp_path: Path) -> None:
    for damage in ("{", "[]", json.dumps({"hash": "x"})):
        (tmp_path / "curator.json").write_text(damage)
        with pytest.raises(DataFolderError) as raised:
            load_password(tmp_path)
        assert "memetica password" in raised.value.hint
    (tmp_path / "curator.json").write_text(json.dumps({"hash": "no hash", "generation": "1"}))
    kept = load_password(tmp_path)
    assert kept is not None and not verify_password(kept, "no hash")


def test_the_secret_stays_the_same_and_private(tmp_path: Path) -> None:
    made = load_or_create_secret(tmp_path)
    assert load_or_create_secret(tmp_path) == made and len(made) == 32
    assert stat.S_IMODE((tmp_path / "server-secret").stat().st_mode) == 0o600
    assert load_or_create_secret(tmp_path / "other") != made


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_folder_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(DataFolderError):
            set_password(tmp_path, PASSWORD)
        assert len(load_or_create_secret(tmp_path)) == 32
    finally:
        tmp_path.chmod(0o700)


def test_the_command_sets_it_from_a_pipe_and_wants_a_terminal_otherwise(tmp_path: Path) -> None:
    run = CliRunner().invoke
    found = run(main, ["password", "--stdin", "--data", str(tmp_path)], input=PASSWORD + "\n")
    assert (found.exit_code, found.stdout) == (0, "")
    kept = load_password(tmp_path)
    assert kept is not None and verify_password(kept, PASSWORD)
    found = run(main, ["password", "--data", str(tmp_path)], input=PASSWORD + "\n")
    assert found.exit_code == 2 and "--stdin" in found.stderr
    found = run(main, ["password", "--stdin", "--data", str(tmp_path)], input="short\n")
    assert found.exit_code == 2 and f"at least {MIN_LETTERS}" in found.stderr
    assert run(main, ["password", "--remove", "--data", str(tmp_path)]).exit_code == 0
    assert load_password(tmp_path) is None
