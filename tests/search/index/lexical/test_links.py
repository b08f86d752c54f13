"""Folders of links of processes that were killed while they opened an index are removed by a later one."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from search.index.lexical import links


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder for temporary files, in a process that has not opened an index yet."""
    folder = tmp_path / "shared"
    folder.mkdir()
    monkeypatch.setattr(links, "gettempdir", lambda: str(folder))
    links._remove_those_of_killed.cache_clear()
    return folder


def names(folder: Path | str) -> list[str]:
    return sorted(entry.name for entry in Path(folder).iterdir())


def test_old_folders_of_links_are_removed_and_what_they_lead_to_is_kept(tmp_path: Path, shared: Path) -> None:
    index = tmp_path / "index"
    index.mkdir()
    (index / "meta.json").write_text("{}")
    long_ago = time.time() - 2 * 3600
    for name in ("memetica-words-old", "memetica-words-new", "another-words-old"):
        (shared / name).mkdir()
        (shared / name / "meta.json").symlink_to(index / "meta.json")
        if name.endswith("old"):
            os.utime(shared / name, (long_ago, long_ago))
    (shared / "memetica-words-link").symlink_to(index)
    with links.linked(index) as found:
        assert names(found) == ["meta.json"]
    assert not Path(found).exists()
    assert names(shared) == ["another-words-old", "memetica-words-link", "memetica-words-new"]
    assert (index / "meta.json").read_text() == "{}"


def test_a_lock_of_a_build_is_not_linked(tmp_path: Path, shared: Path) -> None:
    (tmp_path / ".tantivy-writer.lock").touch()
    with links.linked(tmp_path) as found:
        assert names(found) == ["shared"]
