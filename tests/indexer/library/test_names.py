"""Names are equal as people read them, and the disk keeps its own bytes."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from indexer.library.format import MemeFile, find_meme_file, scan
from indexer.library.naming import checked_category, folder_of, free_path
from indexer.library.scan import scan_library
from indexer.work.progress import SILENT
from search.catalogue import open_catalogue
from search.errors import WrongUse
from search.meme import name_key
from search.query.parser import parse
from search.settings import Settings
from search.texts.chunking import readable_name
from tests.support.odd_media import encoded


def nfd(text: str) -> str:
    return unicodedata.normalize("NFD", text)


@pytest.mark.parametrize("name", ["Ännchen", "고양이", "İstanbul", "Café", "が"])
def test_both_forms_and_both_cases_of_a_name_have_one_key(name: str) -> None:
    assert name_key(nfd(name)) == name_key(name) == name_key(name.upper())


@pytest.mark.parametrize(("one", "other"), [("IŞIK", "ışık"), ("İZMİR", "izmir"), ("STRASSE", "straße")])
def test_turkish_and_german_capitals_are_read_alike(one: str, other: str) -> None:
    assert name_key(one) == name_key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("Ｆｕｌｌ", "full"), ("ｶﾞｷﾞ", "ガギ"), ("猫　犬", "猫 犬"), ("I ❤\ufe0f cats", "i ❤ CATS"), ("ﬁlm", "film")],
)
def test_letters_of_another_width_and_colored_signs_are_read_alike(one: str, other: str) -> None:
    assert name_key(one) == name_key(other) == name_key(name_key(one))


@pytest.mark.parametrize(("one", "other"), [("x²", "x2"), ("①", "1"), ("😀", "😁"), ("か", "が"), ("₩", "w")])
def test_names_that_look_different_stay_apart(one: str, other: str) -> None:
    assert name_key(one) != name_key(other)


@pytest.mark.parametrize(("one", "other"), [("a b  c", "a b c"), ("Foo ", "Foo"), (" Foo\u00a0Bar", "foo bar")])
def test_spaces_that_nobody_sees_are_no_part_of_a_name(one: str, other: str) -> None:
    assert name_key(one) == name_key(other)


def test_two_spellings_of_a_category_are_one_and_the_disk_keeps_its_own(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path / "data", library=tmp_path / "memes")
    for folder, file in ((nfd("Ännchen"), "a.png"), (nfd("Ännchen"), "b.png"), ("Ännchen", "c.png")):
        (settings.library / folder).mkdir(parents=True, exist_ok=True)
        (settings.library / folder / file).write_bytes(file.encode())
    with open_catalogue(settings) as catalogue:
        for _ in range(2):
            scan_library(settings.library, catalogue, progress=SILENT)
        assert [row[:2] for row in catalogue.memes.categories()] == [("Ännchen", 3)]
        assert catalogue.memes.at("Ännchen/a.png").path == nfd("Ännchen") + "/a.png"
        assert catalogue.memes.category_named(nfd("ÄNNCHEN")) == "Ännchen"


def test_an_upload_goes_into_the_folder_that_is_there(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path / "data", library=tmp_path / "memes")
    (settings.library / nfd("Ännchen")).mkdir(parents=True)
    assert folder_of(settings.library, "Ännchen") == nfd("Ännchen")
    with open_catalogue(settings) as catalogue:
        path = free_path(settings.library, catalogue, category="Ännchen", name="x.png", suffix=".png")
    assert path == nfd("Ännchen") + "/x.png"
    assert checked_category(nfd("Ännchen"), known=["Ännchen"]) == "Ännchen"
    assert checked_category(nfd("Neue Ärzte"), known=[]) == "Neue Ärzte"


def test_korean_names_and_queries_are_composed() -> None:
    assert readable_name(nfd("동물/고양이 짤.png"), category="동물") == "동물: 고양이 짤"
    assert [part.value for part in parse(nfd("고양이")).parts] == ["고양이"]


def test_a_picture_is_found_by_its_first_bytes_whatever_its_ending(tmp_path: Path) -> None:
    folder = tmp_path / "Cats"
    folder.mkdir()
    content = encoded(form="JPEG")
    for name in ("x.jpg_large", "photo", "phone.mpo", "really a jpeg.heic", "y.png"):
        (folder / name).write_bytes(content)
    (folder / "x.jpg_large.txt").write_text("words")
    (folder / "notes.md").write_text("BM is how this begins")
    (folder / "real.psd").write_bytes(b"8BPS\0\x01")
    (folder / "raw.nef").write_bytes(b"MM\0*\0\0\0\x08")
    (folder / "program.ts").write_text("const greeting = 'Good morning';" * 30)
    entries = list(scan(tmp_path))
    found = {one.path: one for one in entries if isinstance(one, MemeFile)}
    assert sorted(found) == [
        f"Cats/{name}" for name in ("phone.mpo", "photo", "really a jpeg.heic", "x.jpg_large", "y.png")
    ]
    assert [one.path for one in found["Cats/x.jpg_large"].sidecars] == ["Cats/x.jpg_large.txt"]
    assert [(one.path, one.reason) for one in entries if not isinstance(one, MemeFile)] == [
        ("Cats/raw.nef", "Its format is not supported."),
        ("Cats/real.psd", "Its format is not supported."),
    ]
    again = find_meme_file(tmp_path, "Cats/x.jpg_large")
    assert again == found["Cats/x.jpg_large"]


def test_a_data_folder_in_the_library_is_no_category(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path / "memes" / "mydata", library=tmp_path / "memes")
    (settings.library / "Cats").mkdir(parents=True)
    (settings.library / "Cats" / "a.png").write_bytes(encoded(form="PNG"))
    open_catalogue(settings).close()
    (settings.data / "thumbnails" / "ab").mkdir(parents=True)
    (settings.data / "thumbnails" / "ab" / "x.webp").write_bytes(encoded(form="WEBP"))
    assert [one.path for one in scan(settings.library)] == ["Cats/a.png"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("Foo.", "dot"),
        (".hidden", "dot"),
        ("CON", "Windows"),
        ("nul.txt", "Windows"),
        ("what?", "not every disk"),
        ("a/b", "not every disk"),
        ("a\u200eb", "cannot be seen"),
        ("memes", "not read as categories"),
        ("x" * 200, "too long"),
    ],
)
def test_a_new_category_is_refused_with_the_reason(name: str, reason: str) -> None:
    with pytest.raises(WrongUse, match=reason) as refused:
        checked_category(name, known=["Cats"])
    assert refused.value.hint
