"""Files move whole, with their times, and never over another."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from indexer.library import files as trash
from indexer.library.files import bytes_hash, move, remove_empty, write_free
from search.errors import LibraryError

ASIDE = ".memetica-x.part"
MODES = ["linked", "copied"]


@pytest.fixture(params=MODES)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways of moving: by a link, and by a copy where the file system has no links to there."""
    if request.param == "copied":
        real = os.link

        def link(source: Path, target: Path, *, follow_symlinks: bool = True) -> None:
            if not Path(source).name.startswith(".memetica-"):
                raise OSError(errno.EXDEV, "Invalid cross-device link", str(source))
            real(source, target, follow_symlinks=follow_symlinks)

        monkeypatch.setattr(os, "link", link)
    return str(request.param)


def test_a_moved_file_keeps_its_bytes_and_its_times(tmp_path: Path, way: str) -> None:
    source, target = tmp_path / "a.png", tmp_path / "deep/down/b.png"
    source.write_bytes(b"meme")
    os.utime(source, ns=(1_000_000_007, 2_000_000_009))
    source.chmod(0o444)
    move(source, target, aside=ASIDE)
    assert not source.exists()
    assert target.read_bytes() == b"meme"
    assert target.stat().st_mtime_ns == 2_000_000_009
    assert [file.name for file in target.parent.iterdir()] == ["b.png"]


def test_nothing_is_moved_over_another_file(tmp_path: Path, way: str) -> None:
    source, target = tmp_path / "a.png", tmp_path / "b.png"
    source.write_bytes(b"meme")
    target.write_bytes(b"other")
    with pytest.raises(LibraryError, match="already exists"):
        move(source, target, aside=ASIDE)
    assert (source.read_bytes(), target.read_bytes()) == (b"meme", b"other")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.png", "b.png"]


def test_a_link_is_moved_as_a_link(tmp_path: Path, way: str) -> None:
    (tmp_path / "a.png").write_bytes(b"meme")
    (tmp_path / "link.png").symlink_to("a.png")
    before = bytes_hash(tmp_path / "link.png")
    move(tmp_path / "link.png", tmp_path / "trash/link.png", aside=ASIDE)
    assert (tmp_path / "trash/link.png").readlink() == Path("a.png")
    assert bytes_hash(tmp_path / "trash/link.png") == before
    assert (tmp_path / "a.png").read_bytes() == b"meme"


def test_a_copy_that_fails_half_way_leaves_the_file_where_it_was(tmp_path: Path, monkeypatch) -> None:
    def link(*_: object, **__: object) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    def full(source: Path, target: Path, **_: object) -> None:
        target.write_bytes(source.read_bytes()[:2])
        raise OSError(errno.ENOSPC, "No space left on device", str(target))

    monkeypatch.setattr(os, "link", link)
    monkeypatch.setattr(trash.shutil, "copy2", full)
    (tmp_path / "a.png").write_bytes(b"meme")
    with pytest.raises(OSError, match="No space left"):
        move(tmp_path / "a.png", tmp_path / "b.png", aside=ASIDE)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == {"a.png": b"meme"}


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="there is no second file system at /dev/shm")
def test_a_file_moves_to_another_disk_and_back(tmp_path: Path) -> None:
    other = Path("/dev/shm") / f"memetica-test-{os.getpid()}"
    if Path("/dev/shm").stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("/dev/shm is on the same file system")
    source = tmp_path / "a.png"
    source.write_bytes(b"meme")
    times = source.stat().st_mtime_ns
    try:
        move(source, other / "a.png", aside=ASIDE)
        assert not source.exists() and (other / "a.png").read_bytes() == b"meme"
        move(other / "a.png", source, aside=ASIDE)
        assert source.read_bytes() == b"meme" and source.stat().st_mtime_ns == times
    finally:
        for file in other.glob("*"):
            file.unlink()
        other.rmdir()


def test_a_text_is_written_whole_under_a_free_name_alone(tmp_path: Path) -> None:
    write_free(tmp_path / "a.txt", b"text", aside=ASIDE)
    with pytest.raises(LibraryError):
        write_free(tmp_path / "a.txt", b"other", aside=ASIDE)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == {"a.txt": b"text"}


def test_folders_go_when_they_hold_nothing(tmp_path: Path) -> None:
    (tmp_path / "x/empty/deep").mkdir(parents=True)
    (tmp_path / "x/full").mkdir()
    (tmp_path / "x/full/a").write_bytes(b"a")
    remove_empty(tmp_path / "x")
    assert sorted(file.relative_to(tmp_path).as_posix() for file in tmp_path.rglob("*")) == ["x", "x/full", "x/full/a"]
    remove_empty(tmp_path / "nowhere")
