"""Generations on disk: what a reader sees while they are built, switched, damaged and removed."""

from __future__ import annotations

import json
import resource
import signal
from datetime import UTC, datetime
from pathlib import Path

import pytest

from search.errors import DataFolderError, IndexUnusable
from search.index.generations import (
    FORMAT,
    Manifest,
    live_folder,
    live_generation,
    new_generation,
    read_manifest,
    write_manifest,
)
from search.index.writer import build_generation
from search.workspace import Workspace
from tests.support.fakes import HashingTextEncoder

MANIFEST = Manifest(
    generation="",
    built_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    revision=7,
    splitter="passages-1",
    text_encoder="tiny",
    image_encoder="",
    encoders={"tiny": 8},
    memes=3,
    rows={"words.ocr": 2},
)


def build(index: Path, *, revision: int = 7) -> str:
    with new_generation(index) as folder:
        write_manifest(folder, Manifest(**(vars(MANIFEST) | {"revision": revision})))
    return str(live_generation(index))


def test_the_newest_generation_is_live_and_the_one_before_is_kept(tmp_path: Path) -> None:
    names = [build(tmp_path, revision=number) for number in range(4)]
    assert names == sorted(set(names))
    assert read_manifest(live_folder(tmp_path)).revision == 3
    assert {folder.name for folder in tmp_path.iterdir() if folder.is_dir()} == set(names[-2:])


def test_what_was_written_is_read_under_the_folders_name(tmp_path: Path) -> None:
    name = build(tmp_path)
    assert read_manifest(tmp_path / name) == Manifest(**(vars(MANIFEST) | {"generation": name}))


def test_a_build_that_fails_leaves_the_live_one_and_nothing_else(tmp_path: Path) -> None:
    name = build(tmp_path)
    with pytest.raises(KeyError), new_generation(tmp_path) as folder:
        (folder / "half").write_text("half")
        raise KeyError("a fault")
    assert live_generation(tmp_path) == name
    assert sorted(path.name for path in tmp_path.iterdir()) == [name, "CURRENT"]


def test_what_a_killed_build_left_is_removed_by_the_next(tmp_path: Path) -> None:
    leftover = tmp_path / "building-1"
    leftover.mkdir()
    (leftover / "half").write_text("half")
    (tmp_path / ".memetica-1.part").write_text("000009")
    name = build(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [name, "CURRENT"]


def test_a_generation_that_was_never_switched_to_does_not_stay_for_ever(tmp_path: Path) -> None:
    (tmp_path / "000001").mkdir(parents=True)
    names = [build(tmp_path) for _ in range(3)]
    assert {folder.name for folder in tmp_path.iterdir() if folder.is_dir()} == set(names[-2:])


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "index").write_text("a file where the folder should be")
    with pytest.raises(DataFolderError, match="cannot be written"), new_generation(tmp_path / "index"):
        pass


@pytest.mark.parametrize("most", [100, 3000, 12_000])
def test_a_build_that_finds_no_room_says_so_and_leaves_the_live_one(workspace: Workspace, most: int) -> None:
    name = live_generation(workspace.index)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))
        with pytest.raises(DataFolderError, match="cannot be written"):
            build_generation(workspace.index, workspace.catalogue, text_encoder=HashingTextEncoder.name)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    assert live_generation(workspace.index) == name
    assert sorted(path.name for path in workspace.index.iterdir()) == [name, "CURRENT"]


def test_no_index_says_what_makes_one(tmp_path: Path) -> None:
    assert live_generation(tmp_path) is None
    with pytest.raises(IndexUnusable) as caught:
        live_folder(tmp_path)
    assert "memetica index" in caught.value.hint


@pytest.mark.parametrize("name", ["000099", "", "../..", "\xff"])
def test_a_name_that_leads_nowhere_is_no_index(tmp_path: Path, name: str) -> None:
    build(tmp_path)
    (tmp_path / "CURRENT").write_text(name, "latin-1")
    with pytest.raises(IndexUnusable):
        live_folder(tmp_path)


@pytest.mark.parametrize("damage", ["{", "[]", "{}", f'{{"format": {FORMAT}}}', '{"format": 999}'])
def test_a_damaged_or_foreign_manifest_is_unusable(tmp_path: Path, damage: str) -> None:
    (tmp_path / build(tmp_path) / "manifest.json").write_text(damage)
    with pytest.raises(IndexUnusable) as caught:
        read_manifest(live_folder(tmp_path))
    assert "memetica index" in caught.value.hint


def test_another_format_is_named(tmp_path: Path) -> None:
    manifest = tmp_path / build(tmp_path) / "manifest.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"format": FORMAT + 1}))
    with pytest.raises(IndexUnusable, match=f"format {FORMAT + 1}"):
        read_manifest(manifest.parent)
