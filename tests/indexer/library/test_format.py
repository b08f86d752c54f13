"""The library's format, read in place: what is paired with what, what is refused and why, and nothing ever written."""

from __future__ import annotations

import hashlib
import inspect
import os
import socket
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.library.format import MemeFile, SidecarFile, UnusableFile, content_hash, library_root, scan
from indexer.library.links import OUTSIDE
from indexer.library.sidecars import kind_of, read_first_seen, read_sidecar
from search.errors import LibraryError, UnreadableFile
from search.meme import TextKind


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """An empty library."""
    folder = tmp_path / "library"
    folder.mkdir()
    return folder


def put(library: Path, *paths: str, content: bytes = b"x") -> None:
    for path in paths:
        file = library / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)


def memes(library: Path, *, follow_links: bool = False) -> dict[str, MemeFile]:
    return {entry.path: entry for entry in scan(library, follow_links=follow_links) if isinstance(entry, MemeFile)}


def refused(library: Path, *, follow_links: bool = False) -> dict[str, str]:
    entries = scan(library, follow_links=follow_links)
    return {entry.path: entry.reason for entry in entries if isinstance(entry, UnusableFile)}


def labels(found: MemeFile) -> list[str]:
    return [sidecar.label for sidecar in found.sidecars]


def test_the_documented_layout_is_read_whole(library: Path) -> None:
    folder = "Artificial Intelligence"
    put(library, f"{folder}/new llms.fw.png", content=b"picture")
    put(
        library,
        f"{folder}/new llms.fw.png.first-seen.txt",
        f"{folder}/new llms.fw.png.txt",
        f"{folder}/new llms.fw.png.llama3.2-vision.txt",
        f"{folder}/new llms.fw.png.gemma3-27b-vision.txt",
        f"{folder}/new llms.fw.png.qwen3.5_4b-q8_0.simple-description.txt",
        f"{folder}/new llms.fw.png.qwen3.6_35b-a3b-q8_0.detailed-analysis.txt",
        "Artificial Intelligence - Jobs/sub/folder/also walked.jpg",
    )
    first, second = scan(library)
    assert isinstance(first, MemeFile)
    assert isinstance(second, MemeFile)
    assert (first.path, first.category, first.size) == (f"{folder}/new llms.fw.png", folder, 7)
    assert first.mtime_ns == first.file.stat().st_mtime_ns
    assert first.first_seen is not None
    assert [kind_of(label) for label in labels(first)] == [
        (TextKind.DETAILED, "gemma3-27b-vision"),
        (TextKind.SIMPLE, "llama3.2-vision"),
        (TextKind.SIMPLE, "qwen3.5_4b-q8_0"),
        (TextKind.DETAILED, "qwen3.6_35b-a3b-q8_0"),
        (TextKind.OCR, "tesseract-ocr"),
    ]
    assert second.path == "Artificial Intelligence - Jobs/sub/folder/also walked.jpg"
    assert second.category == "Artificial Intelligence - Jobs"


@pytest.mark.parametrize(
    ("label", "kind", "source"),
    [
        ("", TextKind.OCR, "tesseract-ocr"),
        ("vision", TextKind.SIMPLE, "vision"),
        ("qwen2.5vl", TextKind.SIMPLE, "qwen2.5vl"),
        ("gemma3-27b-vision", TextKind.DETAILED, "gemma3-27b-vision"),
        ("gemma3-27b-vision.simple-description", TextKind.SIMPLE, "gemma3-27b-vision"),
        ("simple-description", TextKind.SIMPLE, "simple-description"),
        ("my notes", TextKind.OTHER, "my notes"),
        ("not-a-simple-description", TextKind.OTHER, "not-a-simple-description"),
    ],
)
def test_a_label_says_kind_and_source(label: str, kind: TextKind, source: str) -> None:
    assert kind_of(label) == (kind, source)


def test_a_sidecar_belongs_to_the_longest_name_before_it(library: Path) -> None:
    put(library, "C/a.png", "C/a.png.png", "C/a.txt.png", "C/a.png.png.txt", "C/a.png.vision.txt", "C/a.txt.png.txt")
    found = memes(library)
    assert labels(found["C/a.png"]) == ["vision"]
    assert labels(found["C/a.png.png"]) == [""]
    assert labels(found["C/a.txt.png"]) == [""]
    assert refused(library) == {}


def test_a_text_of_a_vanished_meme_does_not_pass_to_a_meme_with_a_shorter_name(library: Path) -> None:
    put(library, "C/a.png", "C/a.png.png.vision.txt", "C/gone.JPG.txt")
    assert labels(memes(library)["C/a.png"]) == []
    assert refused(library) == {
        "C/a.png.png.vision.txt": "Its meme a.png.png is missing.",
        "C/gone.JPG.txt": "Its meme gone.JPG is missing.",
    }


def test_files_that_are_neither_memes_nor_texts_about_them_are_passed_over(library: Path) -> None:
    put(
        library, "README.txt", "C/notes.txt", "C/x.html", "C/.hidden.png", "C/Thumbs.db", "C/@eaDir/x.jpg", ".git/y.png"
    )
    put(library, "C/.DS_Store", "__MACOSX/C/z.png")
    assert list(scan(library)) == []


def test_pictures_of_kinds_that_are_not_read_are_named(library: Path) -> None:
    put(library, "C/photo.PSD")
    assert refused(library) == {"C/photo.PSD": "Its format is not supported."}


def test_a_meme_outside_any_category_is_named_once(library: Path) -> None:
    put(library, "lost.png", "lost.png.txt", "lost.png.first-seen.txt")
    assert refused(library) == {"lost.png": "It is not in a category."}
    assert memes(library) == {}


def test_a_name_that_is_no_unicode_is_named_with_escapes(library: Path) -> None:
    put(library, "C/fine.png")
    with open(os.fsencode(library) + b"/C/caf\xe9.png", "wb"):  # noqa: PTH123
        pass
    os.mkdir(os.fsencode(library) + b"/D\xff")  # noqa: PTH102
    put(library, os.fsdecode(b"D\xff/inside.png"))
    assert refused(library) == {
        "C/caf\\xe9.png": "Its name is not valid UTF-8.",
        "D\\xff": "Its name is not valid UTF-8.",
    }
    assert list(memes(library)) == ["C/fine.png"]


def test_a_pipe_or_a_socket_is_never_opened(library: Path) -> None:
    (library / "C").mkdir()
    os.mkfifo(library / "C/pipe.png")
    os.mkfifo(library / "C/text.png.txt")
    listener = socket.socket(socket.AF_UNIX)
    here = Path.cwd()
    try:
        os.chdir(library / "C")  # a socket's path must be short
        listener.bind("socket.gif")
    finally:
        os.chdir(here)
        listener.close()
    assert set(refused(library)) == {"C/pipe.png", "C/text.png.txt", "C/socket.gif"}


def test_links_to_files_and_to_folders_outside_are_followed_when_told(library: Path, tmp_path: Path) -> None:
    put(tmp_path, "elsewhere/deep/a.png", "elsewhere/b.png")
    (library / "C").mkdir()
    (library / "C/linked.png").symlink_to(tmp_path / "elsewhere/b.png")
    (library / "Linked").symlink_to(tmp_path / "elsewhere")
    assert list(memes(library, follow_links=True)) == ["C/linked.png", "Linked/b.png", "Linked/deep/a.png"]
    assert refused(library, follow_links=True) == {}
    assert memes(library) == {}
    assert refused(library) == {"C/linked.png": OUTSIDE, "Linked": OUTSIDE}


def test_links_that_lead_in_circles_or_nowhere_are_named(library: Path, tmp_path: Path) -> None:
    put(library, "C/a.png", "D/b.png")
    (library / "C/up").symlink_to(library)
    (library / "C/sister").symlink_to(library / "D")
    (library / "C/self.png").symlink_to(library / "C/self.png")
    (library / "C/gone.png").symlink_to(library / "nothing.png")
    put(tmp_path, "outside/c.png")
    (tmp_path / "outside/round").symlink_to(tmp_path / "outside")
    (library / "E").symlink_to(tmp_path / "outside")
    assert list(memes(library, follow_links=True)) == ["C/a.png", "D/b.png", "E/c.png"]
    assert set(refused(library, follow_links=True)) == {"C/up", "C/sister", "C/self.png", "C/gone.png", "E/round"}


def test_a_folder_that_cannot_be_read_is_named_and_the_rest_is_read(
    library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(library, "C/a.png", "Locked/b.png")
    listing = os.scandir

    def locked(folder: Path) -> Iterator[os.DirEntry[str]]:
        if Path(folder).name == "Locked":
            raise PermissionError(13, "Permission denied")
        return listing(folder)

    monkeypatch.setattr(os, "scandir", locked)  # permissions do not bind the superuser that tests may run as
    assert refused(library) == {"Locked": "The folder cannot be read: Permission denied."}
    assert list(memes(library)) == ["C/a.png"]


def test_folders_nested_more_deeply_than_calls_may_be_are_walked(library: Path) -> None:
    put(library, "C/" + "d/" * 400 + "deep.png")
    usual = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack(0)) + 200)
    try:
        assert list(memes(library)) == ["C/" + "d/" * 400 + "deep.png"]
    finally:
        sys.setrecursionlimit(usual)


def test_a_path_too_long_for_the_system_is_named_and_ends_nothing(
    library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(library, "A/a.png", "Z/z.png")
    monkeypatch.chdir(library / "A")
    for _ in range(20):
        os.mkdir("n" * 250)  # noqa: PTH102
        os.chdir("n" * 250)
    try:
        assert list(memes(library)) == ["A/a.png", "Z/z.png"]
        assert [reason for reason in refused(library).values() if "too long" in reason]
    finally:
        for _ in range(20):  # too long for whoever tidies up as well
            os.chdir("..")
            os.rmdir("n" * 250)  # noqa: PTH106


def test_the_order_is_that_of_names_and_always_the_same(library: Path) -> None:
    put(library, "B/2.png", "B/10.png", "A/z.png", "A/é.png", "A/sub/a.png", "a/x.png")
    expected = ["A/z.png", "A/é.png", "A/sub/a.png", "B/10.png", "B/2.png", "a/x.png"]
    assert list(memes(library)) == expected == list(memes(library))


def test_an_empty_library_has_no_memes(library: Path) -> None:
    assert list(scan(library)) == []


def test_a_library_that_is_gone_or_a_file_is_a_clear_error(library: Path) -> None:
    put(library, "file.png")
    for wrong, sentence in ((library / "gone", "There is no folder"), (library / "file.png", "is not a folder")):
        for question in (scan, library_root):
            with pytest.raises(LibraryError, match=sentence) as caught:
                question(wrong)
            assert caught.value.hint


def test_the_parent_of_memes_stands_for_it_only_where_nothing_else_can_be_meant(tmp_path: Path) -> None:
    put(tmp_path, "site/memes/C/a.png", "site/web/page.html", "plain/C/a.png", "named/memes/a.png", "named/D/b.png")
    put(
        tmp_path,
        "listed/memes/C/a.png",
        "listed/logos/x.png",
        "listed/memes.json",
        "both/memes/C/a.png",
        "both/D/b.png",
    )
    assert library_root(tmp_path / "site") == tmp_path / "site/memes"
    assert library_root(tmp_path / "listed") == tmp_path / "listed/memes"
    for itself in ("plain", "named", "both", "site/memes"):
        assert library_root(tmp_path / itself) == tmp_path / itself


@pytest.mark.parametrize(
    ("raw", "body"),
    [
        ("naïve “quote” – ok".encode(), "naïve “quote” – ok"),
        ("\ufeffnaïve".encode(), "naïve"),
        ("naïve “quote”".encode("cp1252"), "naïve “quote”"),
        (b"hole \x81 here", "hole \x81 here"),
        ("wide".encode("utf-16"), "wide"),
        (b"nul\0led\0", "nulled"),
        (b"  two\r\nlines \n\n", "two\nlines"),
        (b"", ""),
    ],
)
def test_a_sidecar_is_read_in_whichever_usual_encoding_it_has(library: Path, raw: bytes, body: str) -> None:
    put(library, "C/a.png")
    put(library, "C/a.png.vision.txt", content=raw)
    (sidecar,) = memes(library)["C/a.png"].sidecars
    text = read_sidecar(library, sidecar)
    assert (text.body, text.kind, text.source, text.sidecar) == (body, TextKind.SIMPLE, "vision", "C/a.png.vision.txt")
    assert text.made_at is not None
    assert abs(text.made_at.timestamp() - sidecar.mtime_ns / 1e9) < 1e-3


def test_an_endless_or_missing_sidecar_is_refused(library: Path) -> None:
    put(library, "C/a.png.txt", content=b"y" * 1_000_001)
    with pytest.raises(UnreadableFile, match="too long"):
        read_sidecar(library, SidecarFile("C/a.png.txt", "", 1, 1))
    with pytest.raises(UnreadableFile, match="cannot be read: No such file"):
        read_sidecar(library, SidecarFile("C/b.png.txt", "", 1, 1))


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2021-03-04T05:06:07+02:00", datetime(2021, 3, 4, 3, 6, 7, tzinfo=UTC)),
        ("2021-03-04T05:06:07Z\n", datetime(2021, 3, 4, 5, 6, 7, tzinfo=UTC)),
        ("2021-03-04T05:06:07.123456789Z", datetime(2021, 3, 4, 5, 6, 7, 123456, tzinfo=UTC)),
        ("\ufeff  2021-03-04 05:06:07 -0130 (imported)", datetime(2021, 3, 4, 6, 36, 7, tzinfo=UTC)),
        ("2021-03-04T05:06", datetime(2021, 3, 4, 5, 6, tzinfo=UTC)),
        ("2021-03-04", datetime(2021, 3, 4, tzinfo=UTC)),
    ],
)
def test_first_seen_source_understood_with_and_without_zone(library: Path, written: str, expected: datetime) -> None:
    put(library, "C/a.png")
    put(library, "C/a.png.first-seen.txt", content=written.encode())
    assert read_first_seen(library, memes(library)["C/a.png"]) == (expected, "sidecar")


@pytest.mark.parametrize("written", ["", "yesterday", "2021-13-40", "2021-03-04T99:00:00", "0001-01-01T00:00:00+14:00"])
def test_a_first_seen_that_says_nothing_leaves_the_files_own_time(library: Path, written: str) -> None:
    put(library, "C/a.png")
    put(library, "C/a.png.first-seen.txt", content=written.encode())
    os.utime(library / "C/a.png", (1_600_000_000, 1_600_000_000))
    expected = datetime(2020, 9, 13, 12, 26, 40, tzinfo=UTC)
    assert read_first_seen(library, memes(library)["C/a.png"]) == (expected, "mtime")


@given(st.binary(max_size=60))
def test_no_first_seen_whatever_it_holds_breaks_the_reading(
    tmp_path_factory: pytest.TempPathFactory, raw: bytes
) -> None:
    folder = tmp_path_factory.mktemp("any")
    (folder / "x.txt").write_bytes(raw)
    found = MemeFile("C/a.png", "C", folder / "a.png", 1, 0, first_seen=SidecarFile("x.txt", "first-seen", 1, 0))
    moment, origin = read_first_seen(folder, found)
    assert moment.tzinfo == UTC
    assert origin in ("sidecar", "mtime")


def test_a_files_time_outside_any_calendar_is_1970(library: Path) -> None:
    found = MemeFile("C/a.png", "C", library / "a.png", 1, 2**70)
    assert read_first_seen(library, found)[0] == datetime(1970, 1, 1, tzinfo=UTC)


def test_the_content_hash_is_the_sha256_of_the_bytes(library: Path) -> None:
    content = bytes(range(256)) * 5000
    put(library, "C/a.png", content=content)
    assert content_hash(library / "C/a.png") == hashlib.sha256(content).hexdigest()
    with pytest.raises(UnreadableFile, match="cannot be read"):
        content_hash(library / "C/gone.png")


def test_scanning_changes_nothing_in_the_library(library: Path) -> None:
    put(library, "C/a.png", "C/a.png.txt", "C/a.png.first-seen.txt", "lost.png", "D/gone.png.txt")

    def state() -> list[tuple[str, bytes, int]]:
        files = sorted(file for file in library.rglob("*") if file.is_file())
        return [(str(file), file.read_bytes(), file.stat().st_mtime_ns) for file in files]

    before = state()
    for entry in scan(library):
        if isinstance(entry, MemeFile):
            content_hash(entry.file)
            read_first_seen(library, entry)
            for sidecar in entry.sidecars:
                read_sidecar(library, sidecar)
    assert state() == before


def test_one_folder_of_many_thousand_files_is_paired_in_little_time(library: Path) -> None:
    (library / "C").mkdir()
    for number in range(1000):
        for ending in ("", ".txt", ".first-seen.txt", ".vision.txt", ".m.simple-description.txt"):
            (library / f"C/meme {number}.png{ending}").touch()
    began = time.thread_time()
    found = memes(library)
    assert time.thread_time() - began < 2  # quadratic pairing of this many takes far longer
    assert len(found) == 1000
    assert all(labels(one) == ["m.simple-description", "", "vision"] for one in found.values())
