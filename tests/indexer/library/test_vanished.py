"""A wrong, an empty or an unmounted folder never empties the site; what was removed on purpose may go."""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from indexer.inbox.acceptance import accept
from indexer.inbox.reception import receive
from indexer.library.scan import scan_library
from indexer.library.vanished import FEW, check_library_is_known
from indexer.pipeline import index_library
from indexer.stages.decode import decode_content
from indexer.work.progress import SILENT
from search.catalogue import Catalogue, UploadState, open_catalogue
from search.errors import LibraryError
from search.index.generations import live_folder
from search.settings import Settings, save_setting, stored_setting
from search.workspace import Workspace
from tests.support.fakes import HashingTextEncoder
from tests.support.tiny import TINY
from tests.support.uploading import drawn
from web.cli.main import main


def put(library: Path, category: str, numbers: range) -> None:
    """Write files that the scan takes for memes, each with a content of its own."""
    (library / category).mkdir(parents=True, exist_ok=True)
    for number in numbers:
        (library / category / f"{number}.png").write_bytes(b"x" * (number + 1))


@pytest.fixture
def library(tmp_path: Path) -> Path:
    folder = tmp_path / "library"
    folder.mkdir()
    return folder


@pytest.fixture
def catalogue(tmp_path: Path, library: Path) -> Iterator[Catalogue]:
    with open_catalogue(Settings(library=library, data=tmp_path / "data"), create=True) as opened:
        yield opened


def paths(catalogue: Catalogue) -> list[str]:
    return [meme.path for meme in catalogue.memes.everything()]


@pytest.mark.parametrize(
    ("known", "removed", "refused"),
    [
        (4, 3, False),  # a small library, tidied
        (4, 4, True),  # but an index is never emptied
        (1, 1, True),
        (15, FEW, False),
        (15, FEW + 1, True),
        (2 * FEW + 2, FEW + 1, False),  # half, not most
        (2 * FEW + 1, FEW + 1, True),
        (60, 20, False),
    ],
)
def test_most_memes_gone_at_once_are_refused(
    library: Path, catalogue: Catalogue, known: int, removed: int, refused: bool
) -> None:
    put(library, "C", range(known))
    scan_library(library, catalogue, progress=SILENT)
    before = paths(catalogue)
    for number in range(removed):
        (library / f"C/{number}.png").unlink()
    if refused:
        with pytest.raises(LibraryError, match=rf"{removed} of {known} memes? (is|are) gone") as raised:
            scan_library(library, catalogue, progress=SILENT)
        assert f"has {known - removed} meme" in raised.value.message and "--gone" in raised.value.hint
        assert paths(catalogue) == before
        scan_library(library, catalogue, progress=SILENT, gone=True)
    else:
        scan_library(library, catalogue, progress=SILENT)
    assert len(paths(catalogue)) == known - removed


def test_a_folder_that_was_renamed_is_not_gone(library: Path, catalogue: Catalogue) -> None:
    put(library, "C", range(30))
    scan_library(library, catalogue, progress=SILENT)
    ids = {meme.content_hash: meme.id for meme in catalogue.memes.everything()}
    (library / "C").rename(library / "Renamed")
    scan_library(library, catalogue, progress=SILENT)
    assert {meme.content_hash: meme.id for meme in catalogue.memes.everything()} == ids
    assert {meme.category for meme in catalogue.memes.everything()} == {"Renamed"}


def test_a_second_copy_that_is_removed_is_not_gone(library: Path, catalogue: Catalogue) -> None:
    put(library, "C", range(30))
    for copy in ("D", "E"):
        shutil.copytree(library / "C", library / copy)
    scan_library(library, catalogue, progress=SILENT)
    for copy in ("D", "E"):
        shutil.rmtree(library / copy)
    scan_library(library, catalogue, progress=SILENT)
    assert len(paths(catalogue)) == 30


def test_as_many_other_memes_in_their_place_are_refused(library: Path, catalogue: Catalogue) -> None:
    put(library, "C", range(30))
    scan_library(library, catalogue, progress=SILENT)
    shutil.rmtree(library / "C")
    put(library, "D", range(100, 130))
    with pytest.raises(LibraryError, match=r"30 of 30 memes are gone from .* has 30 memes now"):
        scan_library(library, catalogue, progress=SILENT)


@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied"), OSError(116, "Stale file handle")])
@pytest.mark.parametrize("folder", ["C", "library"])
def test_what_cannot_be_listed_is_not_gone(
    library: Path, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch, error: OSError, folder: str
) -> None:
    put(library, "C", range(30))
    put(library, "D", range(30, 35))
    scan_library(library, catalogue, progress=SILENT)
    real: Callable[..., object] = os.scandir
    listed = []

    def refusing(path: str | Path) -> object:
        listed.append(path)
        # The library itself is listed once before; then its disk goes away.
        if Path(path).name == folder and (folder != "library" or len(listed) > 1):
            raise error
        return real(path)

    monkeypatch.setattr("indexer.library.format.os.scandir", refusing)
    (library / "D/30.png").unlink()
    scan_library(library, catalogue, progress=SILENT)
    assert len(paths(catalogue)) == (34 if folder == "C" else 35)
    [failure] = catalogue.failures.all()
    assert error.strerror in failure.reason


def run(settings: Settings, *arguments: str | Path) -> Result:
    """Run `memetica index`, whose scan refuses before a model is needed."""
    return CliRunner().invoke(main, ["index", *map(str, arguments), "--data", str(settings.data)])


def test_an_empty_mount_point_leaves_catalogue_and_index_and_says_so(
    tiny_settings: Settings, tiny_indexed: Catalogue, tmp_path: Path
) -> None:
    before, generation = paths(tiny_indexed), live_folder(tiny_settings.data / "index")
    tiny_settings.library.rename(tmp_path / "elsewhere")
    tiny_settings.library.mkdir()
    (tiny_settings.library / "lost+found").mkdir()
    said = run(tiny_settings, tiny_settings.library)
    assert said.exit_code == 1
    assert f"{len(TINY)} of {len(TINY)} memes are gone" in " ".join(said.stderr.split())
    assert "--gone" in said.stderr and "has 0 memes now" in " ".join(said.stderr.split())
    assert (paths(tiny_indexed), live_folder(tiny_settings.data / "index")) == (before, generation)


def test_another_folder_is_refused_unless_the_option_names_it(
    tiny_settings: Settings, tiny_indexed: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, other = paths(tiny_indexed), tmp_path / "other"
    put(other, "New", range(3))
    shutil.copytree(tiny_settings.library / "Cats", other / "Cats")
    said = run(tiny_settings, other)
    told = " ".join(said.stderr.split())
    assert said.exit_code == 1 and f"whose {len(TINY)} memes" in told and "has 5 memes, 2 of them known" in told
    monkeypatch.setenv("MEMETICA_LIBRARY", str(other))
    assert run(tiny_settings).exit_code == 1
    monkeypatch.delenv("MEMETICA_LIBRARY")
    assert paths(tiny_indexed) == before
    assert stored_setting(tiny_settings.data, "library") == tiny_settings.library
    moved = Workspace(replace(tiny_settings, library=other), tiny_indexed)
    index_library(moved, new_library=True, load_encoder=lambda _: HashingTextEncoder())
    kept = {path for path in before if path.startswith("Cats/")}
    assert set(paths(tiny_indexed)) == {"New/0.png", "New/1.png", "New/2.png", *kept}
    assert stored_setting(tiny_settings.data, "library") == other


def test_the_options_of_index_say_what_is_meant(
    tiny_settings: Settings, tiny_indexed: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    meant = []

    def remember(workspace: Workspace, *, gone: bool, new_library: bool, **others: object) -> list[object]:
        meant.append((gone, new_library))
        return []

    monkeypatch.setattr("web.cli.index.index_library", remember)
    for options in ((), ("--gone",), ("--library", tiny_settings.library)):
        assert run(tiny_settings, *options).exit_code == 0
    assert meant == [(False, False), (True, False), (False, True)]


def test_another_folder_without_memes_is_refused_even_by_the_option(
    tiny_settings: Settings, tiny_indexed: Catalogue, tmp_path: Path
) -> None:
    before = paths(tiny_indexed)
    (tmp_path / "not mounted").mkdir()
    said = run(tiny_settings, "--library", tmp_path / "not mounted")
    assert said.exit_code == 1 and "--gone" in said.stderr
    assert paths(tiny_indexed) == before
    assert stored_setting(tiny_settings.data, "library") == tiny_settings.library


def test_the_same_folder_by_another_path_is_the_same_library(
    workspace: Workspace, tiny_settings: Settings, tmp_path: Path
) -> None:
    (tmp_path / "link").symlink_to(tiny_settings.library)
    check_library_is_known(replace(workspace, settings=replace(tiny_settings, library=tmp_path / "link")))
    save_setting(tiny_settings.data, "library", str(tmp_path / "link"))
    check_library_is_known(workspace)


def test_an_upload_is_not_accepted_into_an_empty_mount_point(workspace: Workspace, tmp_path: Path) -> None:
    upload = receive(workspace, io.BytesIO(drawn()), name="a.png", received_by="test")
    workspace.catalogue.uploads.mark_examined(upload.id, {}, [])
    workspace.library.rename(tmp_path / "elsewhere")
    workspace.library.mkdir()
    with pytest.raises(LibraryError, match=f"is empty, but {len(TINY)} memes of it are known"):
        accept(workspace, upload.id, category="Cats")
    assert list(workspace.library.iterdir()) == []
    assert workspace.catalogue.uploads.get(upload.id).state is UploadState.EXAMINED


def test_a_disk_that_goes_away_while_memes_are_decoded_fails_no_meme(workspace: Workspace, tmp_path: Path) -> None:
    meme = workspace.catalogue.memes.at("Dogs/fine.png")
    workspace.library.rename(tmp_path / "elsewhere")
    with pytest.raises(LibraryError):
        decode_content(workspace.settings, meme)
    workspace.library.mkdir()
    with pytest.raises(LibraryError, match="is empty"):
        decode_content(workspace.settings, meme)
