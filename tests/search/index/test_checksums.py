"""No damaged index file is searched: every file has a checksum, compared when it is opened and when it changes."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from indexer.stages.build_index import build_index
from indexer.stages.update_index import update_index
from search.errors import DataFolderError, IndexUnusable
from search.index import checksums
from search.index.checksums import sha256_of
from search.index.generations import CURRENT, MANIFEST, live_folder, live_generation, read_live
from search.index.lexical.index import LexicalIndex
from search.index.local import LocalIndex
from search.index.reader import verified_manifest
from search.index.vectors.dense_writer import build_dense
from search.searcher import Searcher
from search.workspace import Workspace
from tests.support.damage import cut_last_byte, delete, empty, flip_bit, halve, index_damages, zero_page
from tests.support.fakes import HashingTextEncoder

ENCODER = HashingTextEncoder()


@pytest.fixture(autouse=True)
def _files_are_looked_at_for_each_search(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("search.index.checksums.LOOK_SECONDS", 0.0)


def write_in_place(file: Path) -> None:
    """Flip a bit under the same inode, as a bad disk does: processes that have mapped the file see it."""
    body = bytearray(file.read_bytes())
    body[len(body) * 2 // 3] ^= 1
    with file.open("r+b") as out:
        out.write(body)


def paths(searcher: Searcher) -> list[str]:
    return [hit.path for hit in searcher.search("dog")]


def test_each_damage_to_each_file_is_told(workspace: Workspace, tmp_path: Path) -> None:
    names = [name for name, _ in index_damages(workspace.index)]
    assert len(names) > 100
    kept = shutil.copytree(workspace.index, tmp_path / "kept")
    silent = []
    for place, name in enumerate(names):
        shutil.rmtree(workspace.index)
        shutil.copytree(kept, workspace.index)
        list(index_damages(workspace.index))[place][1]()
        try:
            LocalIndex.open(workspace.index)
            silent.append(name)
        except IndexUnusable as error:
            assert "memetica index" in error.hint
    assert silent == [f"{CURRENT} last byte gone"]  # a line break


def test_a_file_of_the_generation_before_is_not_taken_for_the_live_ones(workspace: Workspace) -> None:
    before = live_folder(workspace.index)
    meme = workspace.catalogue.memes.at("Dogs/fine.png")
    workspace.catalogue.memes.mark_vanished([meme.id])
    build_index(workspace, text_encoder=ENCODER.name)
    shutil.copyfile(before / "memes.npz", live_folder(workspace.index) / "memes.npz")
    with pytest.raises(IndexUnusable, match=r"damaged: memes\.npz"):
        LocalIndex.open(workspace.index)


def test_the_name_of_another_generation_in_current_is_noticed(workspace: Workspace) -> None:
    before = live_generation(workspace.index)
    build_index(workspace, text_encoder=ENCODER.name, force=True)
    current = workspace.index / CURRENT
    current.write_text(f"{before} {current.read_text().split()[1]}")
    with pytest.raises(IndexUnusable, match="damaged"):
        read_live(workspace.index)


@pytest.mark.parametrize("damage", [empty, halve, cut_last_byte, zero_page, flip_bit, delete])
def test_a_damaged_index_is_built_again_by_the_next_run(workspace: Workspace, damage: Callable[[Path], None]) -> None:
    with Searcher(workspace, text_encoder=ENCODER) as searcher:
        expected = paths(searcher)
    damage(live_folder(workspace.index) / "looks" / "rows.faiss")
    assert verified_manifest(workspace.index) is None
    build_index(workspace, text_encoder=ENCODER.name)
    with Searcher(workspace, text_encoder=ENCODER) as searcher:
        assert paths(searcher) == expected


def test_a_damaged_index_is_not_extended_but_built_whole(workspace: Workspace) -> None:
    flip_bit(live_folder(workspace.index) / "memes.npz")
    meme = workspace.catalogue.memes.at("Dogs/fine.png")
    assert update_index(workspace, [meme.id], encoder=ENCODER).changed == 0
    assert verified_manifest(workspace.index) is not None


def test_damage_under_an_open_index_stops_it_until_a_new_one_is_built(workspace: Workspace) -> None:
    with Searcher(workspace, text_encoder=ENCODER) as searcher:
        expected = paths(searcher)
        write_in_place(live_folder(workspace.index) / "looks" / "rows.faiss")
        for ask in (lambda: paths(searcher), searcher.status, lambda: searcher.similar("Dogs/fine.png")):
            with pytest.raises(IndexUnusable, match=r"looks/rows\.faiss"):
                ask()
        build_index(workspace, text_encoder=ENCODER.name)
        assert paths(searcher) == expected


def test_a_file_that_is_replaced_or_touched_does_not_stop_those_who_have_it_open(workspace: Workspace) -> None:
    with Searcher(workspace, text_encoder=ENCODER) as searcher:
        expected = paths(searcher)
        flip_bit(live_folder(workspace.index) / "looks" / "rows.faiss")  # another inode
        os.utime(live_folder(workspace.index) / "memes.npz")
        assert paths(searcher) == expected


def as_format_3(index: Path) -> None:
    """Make the live generation one of the format before checksums."""
    manifest = live_folder(index) / MANIFEST
    written = json.loads(manifest.read_text())
    del written["files"]
    manifest.write_text(json.dumps(written | {"format": 3}))
    (index / CURRENT).write_text(f"{live_generation(index)}\n")


def test_an_index_of_the_format_before_is_searched_until_it_is_built_again(workspace: Workspace) -> None:
    with Searcher(workspace, text_encoder=ENCODER) as searcher:
        expected = paths(searcher)
    as_format_3(workspace.index)
    with Searcher(workspace, text_encoder=ENCODER) as searcher:
        assert paths(searcher) == expected
    assert verified_manifest(workspace.index) is None
    assert build_index(workspace, text_encoder=ENCODER.name).files


def test_a_panic_of_the_lexical_index_is_a_sentence(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    class PanicException(BaseException):
        """As tantivy raises it: no Exception."""

    class Damaged:
        num_segments, num_docs = 1, 9

        def search(self, *args: object, **more: object) -> None:
            raise PanicException("index out of bounds")

        def doc_freq(self, field: str, term: str) -> int:
            raise PanicException("index out of bounds")

    index = LexicalIndex.open(live_folder(workspace.index) / "words")
    monkeypatch.setattr(index, "_searcher", Damaged())
    with pytest.raises(IndexUnusable, match="out of bounds"):
        index.search(["dog"], k=3)


def test_a_full_disk_is_told_and_the_old_index_stays(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    live = live_generation(workspace.index)

    def full(index: object, writer: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("search.index.vectors.dense_writer.write_faiss", full)
    with pytest.raises(DataFolderError, match="No space left") as caught:
        build_index(workspace, text_encoder=ENCODER.name, force=True)
    assert "the previous index is still in use" in caught.value.hint
    assert live_generation(workspace.index) == live
    assert [one.name for one in workspace.index.iterdir() if one.name.startswith("building")] == []


def test_a_block_that_faiss_cannot_write_is_the_disks_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Path.open

    def open_full(path: Path, mode: str = "r", **more: object):  # type: ignore[no-untyped-def]
        opened = real(path, mode, **more)  # type: ignore[arg-type]
        if path.name != "rows.faiss":
            return opened
        opened.close()
        return real(Path("/dev/full"), mode, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(Path, "open", open_full)
    rows = np.eye(64, dtype=np.float32)
    with pytest.raises(OSError, match="No space left"):
        build_dense(tmp_path / "looks", rows, owners=np.arange(64))


def test_files_that_generations_share_are_read_once_and_again_when_they_are_written_to(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    monkeypatch.setattr(checksums, "_known", {})
    monkeypatch.setattr(checksums, "sha256_of", lambda file: read.append(file.name) or sha256_of(file))
    LocalIndex.open(workspace.index)
    assert "rows.faiss" in read and "memes.npz" in read
    read.clear()
    LocalIndex.open(workspace.index)
    assert read == []
    write_in_place(live_folder(workspace.index) / "looks" / "rows.faiss")
    with pytest.raises(IndexUnusable, match=r"looks/rows\.faiss"):
        LocalIndex.open(workspace.index)
    assert read == ["rows.faiss"]
