"""Files that were verified lately are not read again, and whatever changed since is."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from indexer.stages.build_index import build_index
from indexer.stages.update_index import update_index
from indexer.upkeep.check import check
from search.duplicates.keypoints import files as keypoint_files
from search.errors import DataFolderError, IndexUnusable
from search.index import checksums, verified
from search.index.checksums import damaged_files, sha256_of
from search.index.generations import live_folder, read_live
from search.index.local import LocalIndex
from search.index.reader import verified_manifest
from search.index.verified import KEEP_SECONDS, VERIFIED, VerifiedFiles
from search.workspace import Workspace
from tests.support.fakes import HashingTextEncoder

ROWS = "looks/rows.faiss"


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that were read; each `another_process` empties what this one knows."""
    found: list[str] = []
    monkeypatch.setattr(checksums, "_known", {})
    monkeypatch.setattr(checksums, "sha256_of", lambda file: found.append(file.name) or sha256_of(file))
    return found


@pytest.fixture
def another_process(read: list[str], monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """What the next process knows: only what is on the disk. Files of the tests are too young to be remembered."""
    monkeypatch.setattr(verified, "SETTLED_SECONDS", -1.0)

    def begin() -> None:
        read.clear()
        checksums._known.clear()

    return begin


def write_in_place(file: Path, *, keeps_time: bool = False) -> None:
    """Flip a bit under the same inode and size; a careful tool may put the time of the last write back."""
    before = file.stat()
    body = bytearray(file.read_bytes())
    body[len(body) * 2 // 3] ^= 1
    with file.open("r+b") as out:
        out.write(body)
    if keeps_time:
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_another_process_reads_no_file_again(
    workspace: Workspace, read: list[str], another_process: Callable[[], None]
) -> None:
    LocalIndex.open(workspace.index)
    assert len(read) > 10
    another_process()
    LocalIndex.open(workspace.index)
    assert read == []


@pytest.mark.parametrize("keeps_time", [False, True])
def test_a_file_that_was_written_to_is_read_and_damage_told(
    workspace: Workspace, read: list[str], another_process: Callable[[], None], keeps_time: bool
) -> None:
    LocalIndex.open(workspace.index)
    write_in_place(live_folder(workspace.index) / ROWS, keeps_time=keeps_time)
    another_process()
    with pytest.raises(IndexUnusable, match=ROWS):
        LocalIndex.open(workspace.index)
    assert read == ["rows.faiss"]
    another_process()
    with pytest.raises(IndexUnusable, match=ROWS):  # what is damaged is not remembered as good
        LocalIndex.open(workspace.index)


def test_a_file_that_changed_lately_is_not_remembered(workspace: Workspace, read: list[str]) -> None:
    LocalIndex.open(workspace.index)
    read.clear()
    checksums._known.clear()
    LocalIndex.open(workspace.index)
    assert len(read) > 10
    assert not (workspace.index / VERIFIED).exists()


@pytest.mark.parametrize("passed", [KEEP_SECONDS + 1, -60.0], ids=["a day later", "a clock that was put back"])
def test_a_memory_ends(
    workspace: Workspace,
    read: list[str],
    another_process: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
    passed: float,
) -> None:
    LocalIndex.open(workspace.index)
    another_process()
    now = verified.time()
    monkeypatch.setattr(verified, "time", lambda: now + passed)
    LocalIndex.open(workspace.index)
    assert len(read) > 10


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"null",
        b'{"version": 1}',
        b'{"version": 0, "files": {}}',
        b'{"version": 1, "files": []}',
        b'{"version": 1, "files": {"a": 3}}',
        b'{"version": 1, "files": {"a": ["b", "c"]}}',
        b'{"version": 1, "files": {"a": ["b", 1, 2]}}',
        b"[" * 100_000,
    ],
)
def test_a_damaged_memory_is_none(
    workspace: Workspace, read: list[str], another_process: Callable[[], None], body: bytes
) -> None:
    (workspace.index / VERIFIED).write_bytes(body)
    another_process()
    LocalIndex.open(workspace.index)
    assert len(read) > 10
    another_process()
    LocalIndex.open(workspace.index)
    assert read == []


def test_a_memory_of_another_version_is_none(
    workspace: Workspace, read: list[str], another_process: Callable[[], None]
) -> None:
    LocalIndex.open(workspace.index)
    written = json.loads((workspace.index / VERIFIED).read_text("utf-8"))
    (workspace.index / VERIFIED).write_text(json.dumps(written | {"version": 0}), "utf-8")
    another_process()
    LocalIndex.open(workspace.index)
    assert len(read) > 10


def test_a_memory_of_another_checksum_is_none(
    workspace: Workspace, read: list[str], another_process: Callable[[], None]
) -> None:
    LocalIndex.open(workspace.index)
    written = json.loads((workspace.index / VERIFIED).read_text("utf-8"))
    files = {stamp: ["0" * 64, at] for stamp, (_, at) in written["files"].items()}
    (workspace.index / VERIFIED).write_text(json.dumps(written | {"files": files}), "utf-8")
    another_process()
    LocalIndex.open(workspace.index)
    assert len(read) > 10


def test_a_process_that_believed_the_memory_does_not_read_the_index_to_extend_it(
    workspace: Workspace, another_process: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    LocalIndex.open(workspace.index)
    another_process()
    source = live_folder(workspace.index)
    read: list[Path] = []
    monkeypatch.setattr(checksums, "sha256_of", lambda file: read.append(file) or sha256_of(file))
    LocalIndex.open(workspace.index)
    assert update_index(workspace, [4], encoder=HashingTextEncoder()).changed == 1
    assert live_folder(workspace.index) != source
    assert read and not [file for file in read if file.is_relative_to(source)]


def test_a_folder_that_cannot_be_written_to_is_read_each_time(
    workspace: Workspace, read: list[str], another_process: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object, **more: object) -> None:
        raise DataFolderError("The disk is read-only.", hint="")

    monkeypatch.setattr(verified, "write_atomically", refuse)
    for _ in range(2):
        another_process()
        LocalIndex.open(workspace.index)
        assert len(read) > 10


def test_check_and_index_believe_no_memory(workspace: Workspace, another_process: Callable[[], None]) -> None:
    """A disk may forget a block and tell nobody: who opens the index finds out within a day, who checks it at once."""
    file = live_folder(workspace.index) / ROWS
    good = sha256_of(file)
    write_in_place(file)
    memory = VerifiedFiles(workspace.index / VERIFIED)
    memory.add(file.stat(), good)
    memory.write()
    another_process()
    LocalIndex.open(workspace.index)  # believes it
    another_process()
    assert any(ROWS in finding.message for finding in check(workspace.settings))
    assert verified_manifest(workspace.index) is None
    build_index(workspace, text_encoder=HashingTextEncoder().name)
    another_process()
    assert damaged_files(*_live(workspace.index)) == []


def _live(index: Path) -> tuple[Path, dict[str, str]]:
    folder, manifest = read_live(index)
    return folder, dict(manifest.files)


def test_what_is_remembered_is_no_longer_than_the_files_that_are_there(
    workspace: Workspace, another_process: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    LocalIndex.open(workspace.index)
    now = verified.time()
    monkeypatch.setattr(verified, "time", lambda: now + 2 * KEEP_SECONDS)
    another_process()
    LocalIndex.open(workspace.index)
    remembered = json.loads((workspace.index / VERIFIED).read_text("utf-8"))["files"]
    assert len(remembered) == len(_live(workspace.index)[1])


def test_keypoints_are_remembered_as_an_index_is(
    tmp_path: Path, read: list[str], another_process: Callable[[], None]
) -> None:
    assert keypoint_files.write_stored(tmp_path / "keypoints", []) is not None
    another_process()
    assert keypoint_files.open_stored(tmp_path / "keypoints") is not None
    assert len(read) > 5
    another_process()
    assert keypoint_files.open_stored(tmp_path / "keypoints") is not None
    assert read == []
