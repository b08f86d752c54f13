"""Atomic writes: the old file or the new one, never half of one, and nothing left beside it."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from search.errors import DataFolderError
from search.system.atomic_write import atomic_file, write_atomically


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def test_a_file_is_replaced_whole_and_its_folder_is_made(tmp_path: Path) -> None:
    for body in ("first", b"second"):
        write_atomically(tmp_path / "made/here.txt", body)
    assert (tmp_path / "made/here.txt").read_bytes() == b"second" and names(tmp_path / "made") == ["here.txt"]


def test_an_error_in_the_block_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    write_atomically(tmp_path / "a", "old")
    with pytest.raises(ZeroDivisionError), atomic_file(tmp_path / "a") as out:
        out.write(b"new, in part")
        raise ZeroDivisionError
    assert (tmp_path / "a").read_text() == "old" and names(tmp_path) == ["a"]


def test_a_disk_that_refuses_is_a_data_folder_error_with_the_files_name(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(DataFolderError, match="file/a cannot be written") as caught:
        write_atomically(tmp_path / "file/a", "x")
    assert caught.value.hint


def test_a_private_file_is_its_owners_alone(tmp_path: Path) -> None:
    write_atomically(tmp_path / "secret", "x", private=True)
    write_atomically(tmp_path / "open", "x")
    assert (tmp_path / "secret").stat().st_mode & 0o077 == 0
    assert (tmp_path / "open").stat().st_mode & 0o400


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_kill_before_the_rename_leaves_the_old_file(tmp_path: Path, call: str) -> None:
    write_atomically(tmp_path / "a", "old")
    child = os.fork()
    if child == 0:
        owner = os if call == "fsync" else Path
        setattr(owner, call, lambda *given: os.kill(os.getpid(), signal.SIGKILL))
        write_atomically(tmp_path / "a", "new")
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) and (tmp_path / "a").read_text() == "old"
