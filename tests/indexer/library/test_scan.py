"""Some paths looked at again, as after a merge: what is gone is gone, and what cannot be looked at stays as it was."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from indexer.library.format import find_meme_file
from indexer.library.scan import scan_again
from search.catalogue import Catalogue
from search.errors import LibraryError, UnreadableFile
from search.meme import Stage
from search.settings import Settings

PATH = "Dogs/fine.png"


def refuse(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Let a folder refuse to be read; permissions do not bind the superuser that tests may run as."""
    real: Callable[..., object] = os.scandir

    def refusing(path: str | Path) -> object:
        if Path(path).name == name:
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr("indexer.library.format.os.scandir", refusing)


def there(catalogue: Catalogue) -> bool:
    return PATH in {meme.path for meme in catalogue.memes.everything()}


def test_a_meme_in_a_folder_that_may_not_be_entered_stays(
    tiny_settings: Settings, tiny_indexed: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(monkeypatch, "Dogs")
    with pytest.raises(UnreadableFile, match="Permission denied"):
        find_meme_file(tiny_settings.library, PATH)
    scan_again(tiny_settings.library, tiny_indexed, [PATH, "Cats/monday.png"])
    assert there(tiny_indexed)
    [failure] = [one for one in tiny_indexed.failures.all() if one.stage is Stage.SCAN]
    assert (failure.subject, "Permission denied" in failure.reason) == (PATH, True)


def test_a_library_whose_disk_is_gone_loses_no_meme(tiny_settings: Settings, tiny_indexed: Catalogue) -> None:
    tiny_settings.library.rename(tiny_settings.library.with_name("elsewhere"))
    with pytest.raises(LibraryError):
        find_meme_file(tiny_settings.library, PATH)
    scan_again(tiny_settings.library, tiny_indexed, [PATH])
    assert there(tiny_indexed)


@pytest.mark.parametrize("gone", ["file", "folder"])
def test_what_is_gone_is_marked_so(tiny_settings: Settings, tiny_indexed: Catalogue, gone: str) -> None:
    if gone == "file":
        (tiny_settings.library / PATH).unlink()
    else:
        (tiny_settings.library / "Dogs").rename(tiny_settings.library / "Wolves")
    scan_again(tiny_settings.library, tiny_indexed, [PATH])
    assert not there(tiny_indexed)
