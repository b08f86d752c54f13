"""The index of keypoints in files: it answers as one in memory does, whatever has happened to files and contents."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from search.duplicates.keypoints import store
from search.duplicates.keypoints.files import CURRENT, open_stored
from search.duplicates.keypoints.index import KeypointIndex, KeypointRows, pack_keypoints, strongest_keypoints
from search.duplicates.keypoints.orb import Keypoints
from search.duplicates.keypoints.store import open_keypoints
from search.duplicates.picture import scale_picture
from search.images.fingerprints import pdq
from tests.support.duplicated import EDITS, captioned, scene

Found = dict[int, int]


class Contents:
    """Contents of one or two frames, and how often their keypoints were loaded."""

    def __init__(self, count: int) -> None:
        self.frames: dict[str, list[bytes]] = {}
        self.keypoints: dict[str, list[Keypoints]] = {}
        self.loaded = 0
        for seed in range(count):
            self.put(f"{seed:064x}", [seed, seed + 100] if seed % 3 == 1 else [seed])

    def put(self, content: str, seeds: Sequence[int]) -> None:
        """Give a content other frames."""
        pictures = [captioned(scene(seed)) for seed in seeds]
        self.frames[content] = [pdq(picture)[0].tobytes() for picture in pictures]
        self.keypoints[content] = [scale_picture(picture).keypoints for picture in pictures]

    def load(self, content: str) -> list[bytes]:
        """Return a content's packed keypoints."""
        self.loaded += 1
        return [pack_keypoints(one) for one in self.keypoints[content]]

    def open(self, folder: Path | None) -> list[KeypointIndex]:
        """Open the index of all contents."""
        return open_keypoints(folder, self.frames, load=self.load)

    def expected(self, query: Keypoints) -> Found:
        """Return what an index in memory finds."""
        rows = KeypointRows.of(one for content in self.frames for one in self.keypoints[content])
        counts = [len(frames) for frames in self.frames.values()]
        return found([KeypointIndex.of(rows, owners=np.repeat(np.arange(len(counts)), counts))], query)


def found(indexes: Sequence[KeypointIndex], query: Keypoints) -> Found:
    """Return the matches by owner."""
    answers = [index.count_matches(query) for index in indexes]
    return {owner: count for owners, counts in answers for owner, count in zip(owners.tolist(), counts, strict=True)}


@pytest.fixture
def contents(monkeypatch: pytest.MonkeyPatch) -> Contents:
    """Nine contents; three that come or go are enough to write the files again."""
    monkeypatch.setattr(store, "CHANGED", 2)
    monkeypatch.setattr(store, "CHANGED_SHARE", 0.0)
    return Contents(9)


@pytest.fixture
def queries() -> list[Keypoints]:
    """Copies of some contents' pictures, and of those that come later."""
    return [
        strongest_keypoints(scale_picture(EDITS[edit](captioned(scene(seed)))).keypoints)
        for edit, seed in (
            ("half the size", 0),
            ("a caption bar", 101),
            ("cropped at one side", 50),
            ("a screenshot", 8),
        )
    ]


def test_files_answer_as_memory_does_and_load_nothing_again(
    contents: Contents, queries: list[Keypoints], tmp_path: Path
) -> None:
    folder = tmp_path / "keypoints"
    for _ in range(2):
        indexes = contents.open(folder)
        assert len(indexes) == 1 and not indexes[0].rows.descriptors.flags.writeable
        assert [found(indexes, query) for query in queries] == [contents.expected(query) for query in queries]
    assert contents.loaded == 9
    assert [found(contents.open(None), query) for query in queries] == [contents.expected(query) for query in queries]


def test_what_has_come_gone_or_changed_is_known_before_the_files_are_written_again(
    contents: Contents, queries: list[Keypoints], tmp_path: Path
) -> None:
    contents.open(tmp_path)
    before = (tmp_path / CURRENT).read_text()
    contents.put(f"{50:064x}", [50])
    del contents.frames[f"{0:064x}"]
    indexes = contents.open(tmp_path)
    assert (tmp_path / CURRENT).read_text() == before and contents.loaded == 10
    assert [found(indexes, query) for query in queries] == [contents.expected(query) for query in queries]
    # The same content decoded into another picture: its old keypoints are left where they are, and not found.
    contents.put(f"{8:064x}", [60])
    indexes = contents.open(tmp_path)
    assert (tmp_path / CURRENT).read_text() != before
    assert [found(indexes, query) for query in queries] == [contents.expected(query) for query in queries]
    assert 7 not in found(indexes, queries[3])
    assert contents.loaded == 12  # the two that are not in the files yet
    stored = open_stored(tmp_path)
    assert stored is not None and len(stored.hashes) == sum(map(len, contents.frames.values()))
    assert sorted(one.name for one in tmp_path.iterdir()) == sorted([CURRENT, live_name(tmp_path)])


def live_name(folder: Path) -> str:
    """Return the name of the generation that CURRENT names."""
    return (folder / CURRENT).read_text().split()[0]


@pytest.mark.parametrize("file", ["order-3", "descriptors", "manifest.json", "hashes"])
def test_damaged_files_are_made_again(contents: Contents, queries: list[Keypoints], tmp_path: Path, file: str) -> None:
    contents.open(tmp_path)
    damaged = tmp_path / live_name(tmp_path) / file
    body = bytearray(damaged.read_bytes())
    body[len(body) // 2] ^= 1
    damaged.write_bytes(body)
    assert open_stored(tmp_path) is None
    indexes = contents.open(tmp_path)
    assert open_stored(tmp_path) is not None and contents.loaded == 18
    assert [found(indexes, query) for query in queries] == [contents.expected(query) for query in queries]


def test_what_a_killed_process_left_is_removed(contents: Contents, tmp_path: Path) -> None:
    left = tmp_path / "building-999999999-0123456789abcdef"
    left.mkdir()
    (left / "points").write_bytes(b"some")
    contents.open(tmp_path)
    assert not left.exists() and open_stored(tmp_path) is not None


def test_where_nothing_can_be_written_keypoints_are_in_memory(
    contents: Contents, queries: list[Keypoints], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    indexes = contents.open(tmp_path / "file")
    assert [found(indexes, query) for query in queries] == [contents.expected(query) for query in queries]


def test_a_content_whose_keypoints_are_not_known_is_not_loaded_each_time(contents: Contents, tmp_path: Path) -> None:
    contents.keypoints[f"{2:064x}"] = []
    contents.open(tmp_path)
    contents.open(tmp_path)
    assert contents.loaded == 9
