"""Links in the library: those within it are followed, those out of it only when the settings say so, at every door."""

from __future__ import annotations

import io
import os
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from indexer.inbox.acceptance import accept
from indexer.inbox.reception import receive
from indexer.library.format import MemeFile, find_meme_file, scan
from indexer.library.links import OUTSIDE, LeavesLibrary, checked_file, leaves_library, open_file
from indexer.library.naming import free_path
from indexer.library.scan import scan_library
from indexer.library.sidecars import read_first_seen, read_sidecar
from indexer.stages.decode import decode_content
from indexer.work.progress import SILENT
from search.catalogue import Catalogue
from search.errors import LibraryError, UnreadableFile
from search.meme import Stage
from search.settings import Settings
from search.workspace import Workspace
from tests.support.uploading import drawn
from web.cli.main import main

SECRET = "the hash of the curator's password"


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """A library of one meme, and a secret beside the library."""
    folder = tmp_path / "memes"
    (folder / "Cats").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    Image.new("RGB", (8, 8), "red").save(folder / "Cats/a.png")
    Image.new("RGB", (9, 9), "blue").save(tmp_path / "outside/private.png")
    (tmp_path / "outside/secret.txt").write_text(SECRET)
    return folder


def found(library: Path, *, follow_links: bool = False) -> dict[str, MemeFile]:
    return {entry.path: entry for entry in scan(library, follow_links=follow_links) if isinstance(entry, MemeFile)}


LEAVING = {
    "a file": ("Cats/b.png", "outside/private.png"),
    "a folder": ("Dogs", "outside"),
    "a folder in a category": ("Cats/deep", "outside"),
    "a file by a link to it": ("Cats/b.png", "chain.png"),
    "a folder by dots": ("Dogs", "memes/../outside"),
    "a hidden file of the library": ("Cats/b.png", "memes/.memetica/private.png"),
    "a file in a folder that begins like the library": ("Cats/b.png", "memes-2/private.png"),
}


@pytest.mark.parametrize("kind", LEAVING)
def test_a_link_out_of_the_library_is_told_and_not_followed(library: Path, tmp_path: Path, kind: str) -> None:
    (tmp_path / "chain.png").symlink_to(tmp_path / "outside/private.png")
    for hidden in ("memes/.memetica", "memes-2"):
        (tmp_path / hidden).mkdir()
        Image.new("RGB", (7, 7)).save(tmp_path / hidden / "private.png")
    name, target = LEAVING[kind]
    (library / name).symlink_to(f"{tmp_path}/{target}")
    assert list(found(library)) == ["Cats/a.png"]
    [refused] = [entry for entry in scan(library) if not isinstance(entry, MemeFile)]
    assert (refused.path, refused.reason, refused.outside) == (name, OUTSIDE, True)
    inner = name if name.endswith(".png") else f"{name}/private.png"
    assert find_meme_file(library, inner) is None and leaves_library(library, inner)
    for read in (open_file, checked_file):
        with pytest.raises(LeavesLibrary):
            read(library, inner)
    assert inner in found(library, follow_links=True)
    open_file(library, inner, follow_links=True).close()


def test_a_link_that_may_not_be_looked_at_is_told_without_looking(library: Path, tmp_path: Path) -> None:
    (library / "Cats/b.png").symlink_to("/proc/1/root/private.png")
    [refused] = [entry for entry in scan(library) if not isinstance(entry, MemeFile)]
    assert (refused.reason, refused.out_of_sight) == (OUTSIDE, False)


def test_links_within_the_library_and_a_library_reached_by_a_link_are_read(library: Path, tmp_path: Path) -> None:
    (library / "Cats/b.png").symlink_to("a.png")
    (library / "Dogs").mkdir()
    (library / "Dogs/c.png").symlink_to(library / "Cats/a.png")
    (tmp_path / "by link").symlink_to(library)
    for way in (library, tmp_path / "by link"):
        assert list(found(way)) == ["Cats/a.png", "Cats/b.png", "Dogs/c.png"]
        for path in found(way):
            with open_file(way, path) as opened:
                assert opened.read() == (library / "Cats/a.png").read_bytes()


def test_texts_beside_a_meme_are_not_read_through_a_link(library: Path, tmp_path: Path) -> None:
    secret = tmp_path / "outside/secret.txt"
    for name in ("a.png.txt", "a.png.first-seen.txt", "a.png.x.simple-description.txt"):
        (library / "Cats" / name).symlink_to(secret)
    (library / "Cats/notes.txt").symlink_to(secret)  # no sidecar: it is ignored like any other text
    assert found(library)["Cats/a.png"].sidecars == ()
    assert sum(not isinstance(entry, MemeFile) for entry in scan(library)) == 3
    followed = found(library, follow_links=True)["Cats/a.png"]
    assert {read_sidecar(library, one, follow_links=True).body for one in followed.sidecars} == {SECRET}
    # The link was put there after the folder was listed.
    for sidecar in followed.sidecars:
        with pytest.raises(LeavesLibrary):
            read_sidecar(library, sidecar)
    assert read_first_seen(library, followed)[1] == "mtime"


def test_a_link_put_in_place_of_a_checked_file_is_not_followed(
    library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.open

    def swapping(path: object, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if str(path).endswith("a.png"):
            (library / "Cats/a.png").unlink()
            (library / "Cats/a.png").symlink_to(tmp_path / "outside/private.png")
        if path == "Cats":
            (library / "Cats").rename(tmp_path / "before")
            (library / "Cats").symlink_to(tmp_path / "outside")
        return real(path, flags, mode, dir_fd=dir_fd)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", swapping)
    with pytest.raises((OSError, LeavesLibrary)):
        open_file(library, "Cats/a.png")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes here")
def test_a_pipe_put_in_place_of_a_file_does_not_block(library: Path) -> None:
    (library / "Cats/a.png").unlink()
    os.mkfifo(library / "Cats/a.png")
    with pytest.raises(UnreadableFile, match="pipe"):
        open_file(library, "Cats/a.png")


def test_a_meme_that_becomes_a_link_is_neither_scanned_nor_decoded(
    tiny_settings: Settings, tiny_indexed: Catalogue, tmp_path: Path
) -> None:
    file = tiny_settings.library / "Dogs/fine.png"
    meme = tiny_indexed.memes.at("Dogs/fine.png")
    file.rename(tmp_path / "fine.png")
    file.symlink_to(tmp_path / "fine.png")
    with pytest.raises(LeavesLibrary):
        decode_content(tiny_settings, meme)
    assert decode_content(replace(tiny_settings, follow_links=True), meme).width == meme.width
    scan_library(tiny_settings.library, tiny_indexed, progress=SILENT)
    assert "Dogs/fine.png" not in {one.path for one in tiny_indexed.memes.everything()}
    [failure] = tiny_indexed.failures.all()
    assert (failure.stage, failure.subject, failure.reason) == (Stage.SCAN, "Dogs/fine.png", OUTSIDE)


def test_nothing_is_brought_into_a_category_that_is_a_link(uploads_settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (uploads_settings.library / "Linked").symlink_to(tmp_path / "outside")
    with Workspace.open(uploads_settings.data, library=uploads_settings.library) as workspace:
        with pytest.raises(LibraryError, match="leads out of the library"):
            free_path(workspace.library, workspace.catalogue, category="Linked", name="a.png", suffix=".png")
        upload = receive(workspace, io.BytesIO(drawn()), name="a.png", received_by="test")
        workspace.catalogue.uploads.mark_examined(upload.id, {}, [])
        with pytest.raises(LibraryError, match="leads out of the library"):
            accept(workspace, upload.id, category="Linked", reason="test")
    assert list((tmp_path / "outside").iterdir()) == []


def test_index_and_status_count_the_links(tiny_settings: Settings, tiny_indexed: Catalogue, tmp_path: Path) -> None:
    for name in ("one.png", "two.png"):
        (tiny_settings.library / "Cats" / name).symlink_to("/etc/passwd")
    scan_library(tiny_settings.library, tiny_indexed, progress=SILENT)
    said = CliRunner().invoke(main, ["status", "--data", str(tiny_settings.data)])
    assert "2 links that lead out of the library are not followed" in " ".join(said.stdout.split())
