"""The folder of an exported site when its disk fails, and what a switch waits for."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from search.errors import DataFolderError
from web.static_site import output
from web.static_site.output import STATE, Order, open_site_folder


def write_site(root: Path, version: str, *, pages: int = 5) -> None:
    """Write a site whose pages say a version."""
    with open_site_folder(root) as site:
        for number in range(pages):
            site.put(f"memes/{version if number else 'Cats'}/{number}.html", version.encode(), Order.PAGE)
        site.put("index.html", version.encode(), Order.ENTRY)
        site.switch()


def files_of(root: Path) -> dict[str, bytes]:
    return {
        file.relative_to(root).as_posix(): file.read_bytes()
        for file in root.rglob("*")
        if file.is_file() and STATE not in file.parts
    }


@pytest.mark.parametrize("call", ["write_bytes", "fsync", "mkdir"])
def test_a_full_disk_is_said_and_leaves_the_site_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    root = tmp_path / "site"
    write_site(root, "old")
    before = files_of(root)
    count = 0

    def full(*args: object, **more: object) -> None:
        nonlocal count
        count += 1
        if count >= 3:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return original(*args, **more)

    owner = os if call == "fsync" else Path
    original = getattr(owner, call)
    with monkeypatch.context() as patch:
        patch.setattr(owner, call, full)
        with pytest.raises(DataFolderError, match="No space left on device") as caught:
            write_site(root, "new")
    assert "the site is unchanged" in (caught.value.hint or "")
    assert files_of(root) == before
    assert not (root / STATE / "new").exists()
    write_site(root, "new")
    assert set(files_of(root).values()) == {b"new"}


def test_a_disk_that_fails_during_the_switch_is_told_apart_and_the_next_run_finishes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "site"
    write_site(root, "old")
    replace, moved = Path.replace, 0

    def failing(self: Path, target: Path) -> Path:
        nonlocal moved
        moved += self.parent.name == "new"
        if moved == 3:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return replace(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", failing)
        with pytest.raises(DataFolderError) as caught:
            write_site(root, "new")
    assert "finishes the update" in (caught.value.hint or "")
    assert len(set(files_of(root).values())) == 2
    write_site(root, "new")
    assert set(files_of(root).values()) == {b"new"}


def test_everything_that_was_written_is_on_the_disk_before_the_switch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    fsync, finish = os.fsync, output._finish_switch

    def noted(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        fsync(descriptor)

    def checked(root: Path) -> None:
        if (root / STATE / "switch.json").exists():
            assert set(synced) >= {str(number) for number in range(6)} | {"new"}
        finish(root)

    if not Path("/proc/self/fd").is_dir():
        pytest.skip("this system does not name what a descriptor is of")
    monkeypatch.setattr(os, "fsync", noted)
    monkeypatch.setattr(output, "_finish_switch", checked)
    write_site(tmp_path / "site", "new")
    assert len(files_of(tmp_path / "site")) == 6
